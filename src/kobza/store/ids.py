"""Identifiers, tokens and hashes: where the store's random bits come from."""

import hashlib
import secrets
import time

TOKEN_BYTES = 32
"""256 random bits: what the contract promises for every token."""


def new_id() -> str:
    """Return a new identifier: 32 hex digits that begin with the moment (the layout of UUID version 7, RFC 9562 5.7).

    Ids that grow with time keep what is written together together in every index: with wholly random ones a commit of
    25 events touches some 25 pages of each index, with these one or two. Nothing reads the moment back out of an id.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = milliseconds << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return f"{value:032x}"


def new_enterprise_id() -> str:
    """Return a new enterprise id: 12 hex digits. Short, because every row of the history and its indexes repeat it."""
    return secrets.token_hex(6)


def new_integrator_id() -> str:
    """Return a new integrator id: 16 hex digits, short enough to be typed; no secret, but not to be guessed either."""
    return secrets.token_hex(8)


def new_token_id() -> str:
    """Return a new token id: 12 hex digits, to be typed after `kobza token revoke`. It tells nothing of the token."""
    return secrets.token_hex(6)


def new_token() -> str:
    """Return a new secret token: 64 hex digits. Only its hash may be stored."""
    return secrets.token_hex(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token in hex: the only form in which a token reaches the disk.

    A token has 256 random bits, so a slow hash would add nothing.
    """
    return hashlib.sha256(token.encode()).hexdigest()
