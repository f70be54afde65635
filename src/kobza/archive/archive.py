"""The archive: the finished recordings, wherever the file of each is."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from kobza.archive.folder import Folder
from kobza.archive.home import Home, NotThere, Reader

CHUNK: Final = 256 * 1024
"""Bytes read at a time where nobody waits for the first of them."""


class Kept(Protocol):
    """What the store says of a recording."""

    @property
    def path(self) -> str | None:
        """Its name in a home; None: there is no file."""

    @property
    def size(self) -> int | None:
        """Bytes of the mp3."""

    @property
    def sha256(self) -> str | None:
        """Of the mp3, in hex."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a recording is, and how many bytes its mp3 has there."""

    home: Home
    name: str
    size: int

    def open(self, first: int, length: int) -> Reader:
        """Begin to read a part of the mp3. Raises NotThere, HomeAway."""
        return self.home.open(self.name, first, length)


class Verdict(StrEnum):
    """What a look at all bytes of a recording says."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    """They are not those whose SHA-256 was stored when it was made."""
    MISSING = "missing"


class Archive:
    """All recordings. Everything blocks, and raises HomeAway when a home does not answer."""

    def __init__(self, directory: Path) -> None:
        """`directory` is where recordings are made."""
        self.folder = Folder(directory)

    def find(self, kept: Kept) -> Found:
        """Return where a recording can be read. Raises NotThere when it is nowhere."""
        if kept.path is None:
            raise NotThere("it has no file")
        return Found(self.folder, kept.path, self.folder.size(kept.path))

    def verify(self, kept: Kept) -> Verdict:
        """Read all of a recording and compare it with what the store says of it."""
        try:
            found = self.find(kept)
            digest = digest_of(found.open(0, found.size))
        except NotThere:
            return Verdict.MISSING
        return Verdict.WHOLE if (found.size, digest) == (kept.size, kept.sha256) else Verdict.DAMAGED


def digest_of(reader: Reader) -> str:
    """Read to the end and close; return the SHA-256 in hex."""
    digest = hashlib.sha256()
    try:
        while data := reader.read(CHUNK):
            digest.update(data)
    finally:
        reader.close()
    return digest.hexdigest()
