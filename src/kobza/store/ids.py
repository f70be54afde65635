"""Identifiers, tokens and hashes: where the store's random bits come from."""

import hashlib
import os
import secrets
import time
from typing import Final

TOKEN_BYTES = 32
"""256 random bits: what the contract promises for every token."""


RANDOM_BYTES: Final = 4096
"""Read from the kernel at a time by `IdMaker`: each read is a system call, and a call would take thirty of them."""

STOCK_DIGITS: Final = 2 * RANDOM_BYTES


class IdMaker:
    """Makes ids and tokens, with random bits kept in stock. For one thread."""

    def __init__(self) -> None:
        self._stock = ""
        self._at = STOCK_DIGITS
        self._millisecond = 0
        self._moment = ""

    def id(self) -> str:
        """Return a new identifier: 32 hex digits that begin with the moment (the layout of UUID version 7, RFC 9562).

        Ids that grow with time keep what is written together together in every index: with wholly random ones a commit
        of 25 events touches some 25 pages of each index, with these one or two. Nothing reads the moment out of an id.
        """
        random = self.token(19)
        millisecond = time.time_ns() // 1_000_000
        if millisecond != self._millisecond:
            self._millisecond = millisecond
            # Compiled, a format costs as much as all the rest: the digit above the twelve keeps zeros in front of them.
            self._moment = hex(_DIGIT_ABOVE + millisecond)[3:]
        return f"{self._moment}7{random[:3]}{_VARIANT[random[3]]}{random[4:]}"

    def token(self, digits: int = 16) -> str:
        """Return unguessable hex digits: 64 random bits unless told otherwise."""
        at = self._at
        end = at + digits
        if end > STOCK_DIGITS:
            self._stock = os.urandom(RANDOM_BYTES).hex()
            at, end = 0, digits
        self._at = end
        return self._stock[at:end]


_DIGIT_ABOVE: Final = 16**12

_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def new_id() -> str:
    """Return a new identifier, as `IdMaker.id` does."""
    return IdMaker().id()


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
