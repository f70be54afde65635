"""Passwords of people: hashed with argon2id, checked in their time, and long enough."""

import hashlib
import secrets
from typing import Final, Literal

import argon2

MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 1024
"""Characters. What is longer is refused when it is set; a check looks at no more."""
_TEMPORARY_BYTES: Final = 12
_HASHER: Final = argon2.PasswordHasher()
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$vOoVVbRkSTcrF2zzSdXBhdFPLb2lNrTPXYhTCTGQPGI"
"""A hash that no password has: an unknown login takes as long as a wrong password."""

Weakness = Literal["short", "long", "login", "same"]


def password_hash(password: str) -> str:
    """Return what may be stored of a password; takes some 50 ms and 64 MiB."""
    return _HASHER.hash(password)


def password_is(password: str, known: str | None) -> bool:
    """Tell whether the password is right; takes its time (some 50 ms, 64 MiB) also for an unknown login (None)."""
    try:
        return _HASHER.verify(known or _NOBODY, password[:MAX_PASSWORD]) and known is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


def password_mark(known: str) -> str:
    """Return what changes when the password changes and tells nothing of it."""
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def weakness(password: str, login: str, *, before: str) -> Weakness | None:
    """Say why a new password will not do; `before` is the one that it is to replace.

    Length is what counts (NIST SP 800-63B, 3.1.1.2): no rules about signs, which make passwords harder for people only.
    """
    if len(password) < MIN_PASSWORD:
        return "short"
    if len(password) > MAX_PASSWORD:
        return "long"
    if login.casefold() in password.casefold() and len(password) - len(login) <= MIN_PASSWORD // 2:
        return "login"
    return "same" if password == before else None


def temporary_password() -> str:
    """Return a password that is shown once, to be replaced at the first sign-in."""
    return secrets.token_urlsafe(_TEMPORARY_BYTES)
