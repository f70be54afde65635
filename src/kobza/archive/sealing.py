"""A recording encrypted in chunks, so that a part of it is read without the rest.

Behind MAGIC come chunks of CHUNK bytes, the last one shorter or empty, each with AES-256-GCM by the recording's own
data key. The nonce is the number of the chunk, as no data key is used for a second file. The recording's id, and
whether it is the last chunk, are authenticated: chunks of another recording, in another order, or cut off are damage.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kobza.archive.home import Home, HomeError, Reader

MAGIC: Final = b"kobza sealed 1\n\0"
CHUNK: Final = 64 * 1024
"""Bytes of sound in a chunk: 16 s. A player that jumps makes us decrypt one for nothing at most."""
TAG: Final = 16
_NONCE_BYTES: Final = 12


class Damaged(HomeError):
    """What is there is not what was recorded."""


def sealed_size(size: int) -> int:
    """Return how many bytes a file of a size takes when it is sealed."""
    return len(MAGIC) + size + TAG * _chunks(size)


def plain_size(size: int) -> int:
    """Return the size of the file that takes so many bytes when it is sealed. Raises Damaged when none does."""
    body = size - len(MAGIC)
    found = body - TAG * -(-body // (CHUNK + TAG))
    if body < TAG or sealed_size(found) != size:
        raise Damaged(f"{size} bytes are no sealed recording")
    return found


def seal(source: Path, target: Path, key: bytes, record_id: str) -> None:
    """Write a file sealed to another place, which has its name when it is whole and on the disk. Raises OSError."""
    size = source.stat().st_size
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    try:
        with source.open("rb") as plain, partial.open("wb") as sealed:
            sealed.writelines(sealed_pieces(plain.read, size, key, record_id))
            sealed.flush()
            os.fsync(sealed.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def sealed_pieces(read: Callable[[int], bytes], size: int, key: bytes, record_id: str) -> Iterator[bytes]:
    """Give a file of `size` bytes sealed, piece by piece; `read` returns up to so many bytes of it. Raises Damaged."""
    cipher, last = AESGCM(key), _chunks(size) - 1
    yield MAGIC
    for number in range(last + 1):
        plain = b""
        while len(plain) < CHUNK and (more := read(CHUNK - len(plain))):
            plain += more
        if len(plain) != min(CHUNK, size - number * CHUNK):
            raise Damaged(f"recording {record_id} is not of {size} bytes")
        yield cipher.encrypt(_nonce(number), plain, _bound(record_id, number == last))


class UnsealedPart:
    """A part of a sealed file that is being read."""

    def __init__(
        self, home: Home, name: str, key: bytes, record_id: str, *, size: int, first: int, length: int
    ) -> None:
        """`size` is that of the plain file, within which the part lies. Raises NotThere, HomeAway."""
        self._name = name
        self._cipher = AESGCM(key)
        self._record_id = record_id
        self._last = _chunks(size) - 1
        self._number = first // CHUNK
        self._skip = first - self._number * CHUNK
        self._left = length
        self._plain = b""
        begin = len(MAGIC) + self._number * (CHUNK + TAG)
        end = min(sealed_size(size), len(MAGIC) + -(-(first + length) // CHUNK) * (CHUNK + TAG))
        self._reader: Reader = home.open(name, begin, max(0, end - begin), sealed_size(size))

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end of the part. Raises HomeAway, or Damaged."""
        if not self._plain and self._left:
            self._plain = self._next()
        data, self._plain = self._plain[:size], self._plain[size:]
        return data

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def _next(self) -> bytes:
        sealed = b""
        while len(sealed) < CHUNK + TAG and (more := self._reader.read(CHUNK + TAG - len(sealed))):
            sealed += more
        bound = _bound(self._record_id, self._number == self._last)
        try:
            plain = self._cipher.decrypt(_nonce(self._number), sealed, bound)
        except (InvalidTag, ValueError):
            raise Damaged(f"chunk {self._number} of {self._name} is not what was written") from None
        plain = plain[self._skip : self._skip + self._left]
        self._skip, self._number = 0, self._number + 1
        self._left -= len(plain)
        if not plain:
            raise Damaged(f"{self._name} ends too early")
        return plain


def _chunks(size: int) -> int:
    return max(1, -(-size // CHUNK))


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")


def _bound(record_id: str, last: bool) -> bytes:
    return record_id.encode() + (b"\0last" if last else b"\0")
