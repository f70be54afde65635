"""A place for the files of recordings. There are two kinds: a folder of this machine, and a bucket.

Everything blocks, so the loop calls it in a thread. Names are relative, with slashes: `2026/11/27/RECORD_ID.mp3`.
"""

from pathlib import Path
from typing import Protocol


class HomeError(OSError):
    """Base of what a home raises; an OSError, as whoever erases or copies files expects."""


class NotThere(HomeError):
    """The home answers, and has no such file."""


class HomeAway(HomeError):
    """The home does not answer, or refuses us: nobody knows whether it has the file. It may later."""


class Changed(HomeAway):
    """The file is another one than a moment ago, as it is being encrypted or decrypted: look again."""


class Reader(Protocol):
    """A part of a file that is being read."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, b"" at the end of the part. Raises HomeAway when it ends too early."""
        ...

    def close(self) -> None:
        """Let go of it, read to the end or not."""
        ...


class Home(Protocol):
    """Where files are. Each function raises HomeAway when the home does not answer."""

    def size(self, name: str) -> int:
        """Return the size of a file in bytes. Raises NotThere."""
        ...

    def open(self, name: str, first: int, length: int, whole: int) -> Reader:
        """Begin to read a part of a file, which must lie within it; `whole` bytes it has. Raises NotThere, Changed."""
        ...

    def put(self, name: str, source: Path) -> None:
        """Store a file of this machine, whole or not at all, in the place of one of that name. Raises NotThere."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is removed already."""
        ...
