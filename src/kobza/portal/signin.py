"""Signing in: passwords, the signed cookie, form tokens, and the bound on guessing.

The cookie holds who signed in and until when, signed with the server's secret; nothing is kept on the server. It ends
with its time, and at once when the password is changed.
"""

import base64
import hashlib
import hmac
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import argon2
import msgspec

COOKIE: Final = "kobza_signin"
VALID_FOR: Final = 12 * 3600
"""Seconds: a working day."""
MIN_SECRET: Final = 32
"""Bytes of the server's secret."""
MAX_COOKIE: Final = 2048
MAX_PASSWORD: Final = 1024

GUESSES: Final = 10
"""Wrong passwords for one login, or from one address, within GUESS_WINDOW seconds, before it has to wait."""
GUESS_WINDOW: Final = 300.0
MAX_WATCHED: Final = 10_000
"""Logins and addresses watched; beyond it the oldest are forgotten."""

_HASHER: Final = argon2.PasswordHasher()
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$vOoVVbRkSTcrF2zzSdXBhdFPLb2lNrTPXYhTCTGQPGI"
"""A hash that no password has: an unknown login takes as long as a wrong password."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in, as the cookie says."""

    login: str
    until: int
    """Seconds since the epoch."""
    password_mark: str
    nonce: str


def password_mark(password_hash: str) -> str:
    """Return what changes when the password changes and tells nothing of it."""
    return hashlib.sha256(password_hash.encode()).hexdigest()[:16]


def password_is(password: str, password_hash: str | None) -> bool:
    """Tell whether the password is right; takes its time (some 50 ms, 64 MiB) also for an unknown login (None)."""
    try:
        return _HASHER.verify(password_hash or _NOBODY, password[:MAX_PASSWORD]) and password_hash is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


class CookieSigner:
    """Writes and reads the cookie, and the tokens of forms."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < MIN_SECRET:
            raise ValueError(f"the portal's secret needs {MIN_SECRET} bytes or more")
        self._secret = secret

    def write(self, signed_in: SignedIn) -> str:
        """Return the cookie's value."""
        body = msgspec.json.encode([signed_in.login, signed_in.until, signed_in.password_mark, signed_in.nonce])
        return f"{_text(body)}.{_text(self._mac(b'cookie', body))}"

    def read(self, cookie: str | None, now: float) -> SignedIn | None:
        """Return who is signed in, None for a cookie that is not ours, was changed or is over."""
        if cookie is None or len(cookie) > MAX_COOKIE:
            return None
        body_text, _, mac_text = cookie.partition(".")
        try:
            body, mac = _bytes(body_text), _bytes(mac_text)
        except ValueError:
            return None
        if not hmac.compare_digest(mac, self._mac(b"cookie", body)):
            return None
        login, until, mark, nonce = msgspec.json.decode(body, type=tuple[str, int, str, str])
        return SignedIn(login, until, mark, nonce) if until > now else None

    def form_token(self, signed_in: SignedIn) -> str:
        """Return what every form of this sign-in carries, so that no other site can send one (CSRF)."""
        return _text(self._mac(b"form", signed_in.nonce.encode()))

    def form_token_is(self, signed_in: SignedIn, token: str) -> bool:
        """Tell whether a form is one of ours."""
        return hmac.compare_digest(self.form_token(signed_in).encode(), token.encode())

    def _mac(self, purpose: bytes, body: bytes) -> bytes:
        return hmac.digest(self._secret, purpose + b"\0" + body, "sha256")


class GuessLimit:
    """Counts wrong passwords by login and by address. In memory and bounded."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def allows(self, keys: tuple[str, ...], now: float) -> bool:
        """Tell whether another attempt may be made."""
        return all(self._count(key, now) < GUESSES for key in keys)

    def wrong(self, keys: tuple[str, ...], now: float) -> None:
        """Note a wrong password. The window runs from the first one."""
        for key in keys:
            count = self._count(key, now)
            began = self._wrong[key][1] if count else now
            self._wrong[key] = (count + 1, began)
            self._wrong.move_to_end(key)
        while len(self._wrong) > MAX_WATCHED:
            self._wrong.popitem(last=False)

    def _count(self, key: str, now: float) -> int:
        count, began = self._wrong.get(key, (0, now))
        return count if now - began < GUESS_WINDOW else 0


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
