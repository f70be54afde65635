"""The second factor: codes of an authenticator (TOTP, RFC 6238), and recovery codes for when it is lost."""

import hashlib
import hmac
import secrets
from typing import Final

import pyotp
import segno

ISSUER: Final = "Kobza"
DIGITS: Final = 6
INTERVAL: Final = 30
"""Seconds."""
SLACK: Final = 1
"""Intervals by which a phone's clock may differ, either way."""
RECOVERY_CODES: Final = 10
_ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without what is taken for something else: I and 1, L, O and 0."""
_CODE_LETTERS: Final = 16
"""79 bits: too many to be found from the stored hash."""


def new_secret() -> str:
    """Return a new secret, as authenticators take it."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, login: str) -> str:
    """Return what the QR code says."""
    return pyotp.TOTP(secret, name=login, issuer=ISSUER).provisioning_uri()


def qr_svg(uri: str) -> str:
    """Return a QR code as an SVG that stands in a page: black on white in every theme, as cameras want it."""
    return segno.make(uri, micro=False).svg_inline(scale=5, border=3, light="#fff", dark="#000")


def step_of(secret: str, code: str, now: float) -> int | None:
    """Return the interval whose code this is, None when it is none of those around now."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    made, middle = pyotp.TOTP(secret), int(now) // INTERVAL
    found = None
    for step in range(middle - SLACK, middle + SLACK + 1):
        if hmac.compare_digest(made.generate_otp(step), digits):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Return codes to be kept on paper, each good once: `ABCD-EFGH-JKMN-PQRS`."""
    return [
        "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(_CODE_LETTERS // 4))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(code: str) -> str | None:
    """Return what is stored of a recovery code, however it was typed; None for what cannot be one."""
    letters = "".join(code.split()).replace("-", "").upper()
    if len(letters) != _CODE_LETTERS or not letters.isalnum() or not letters.isascii():
        return None
    return hashlib.sha256(letters.encode()).hexdigest()
