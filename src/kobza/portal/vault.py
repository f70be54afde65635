"""Secrets that must be computed with, kept in the store so that who reads the store alone cannot use them.

AES-256-GCM by a key of the installation (`portal.key`), which the store does not have; each bound to whose it is, so
that one person's cannot be put in another's place.
"""

import base64
import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX: Final = "v1."
"""Begins what was encrypted this way; Base32 has no such characters."""
_NONCE: Final = 12
"""Bytes, as NIST SP 800-38D wants them."""


class VaultError(Exception):
    """What is kept cannot be read: it is of another key or another owner, or damaged."""


class Vault:
    """Encrypts secrets for the store, and reads them again."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"vault\0", "sha256"))

    def keep(self, owner: str, secret: str) -> str:
        """Return a secret as the store is to keep it."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())
        return PREFIX + base64.urlsafe_b64encode(sealed).decode()

    def read(self, owner: str, kept: str) -> str:
        """Return a secret that the store has kept. Raises VaultError."""
        try:
            sealed = base64.b64decode(kept.removeprefix(PREFIX), altchars=b"-_", validate=True)
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise VaultError("it was not encrypted with this installation's portal.key") from error


def is_kept(text: str) -> bool:
    """Tell whether a text is encrypted, and no secret as earlier releases stored it."""
    return text.startswith(PREFIX)
