"""Files of a backup: copied and hashed in one reading, and on the disk before a name says so."""

import hashlib
import os
from pathlib import Path
from typing import Final, TextIO

from kobza.app.backups.manifest import FileLine

CHUNK: Final = 1 << 20


class Listing:
    """Puts files into a backup and notes each in its list."""

    def __init__(self, folder: Path, lines: TextIO) -> None:
        self._folder = folder
        self._lines = lines
        self.count = 0
        self.size = 0
        """Bytes of all files."""

    def copy(self, source: Path, name: str) -> None:
        """Copy a file into the backup. Raises FileNotFoundError, and then nothing is left of it."""
        self._note(*copy(source, self._folder / name), name)

    def add(self, name: str) -> None:
        """Note a file that is there already."""
        path = self._folder / name
        sync(path)
        self._note(hash_of(path), path.stat().st_size, name)

    def _note(self, sha256: str, size: int, name: str) -> None:
        self._lines.write(f"{FileLine.parse(f'{sha256}  {name}')}\n")  # parsed: what cannot be read is not written
        self.count += 1
        self.size += size


def copy(source: Path, target: Path) -> tuple[str, int]:
    """Copy a file, readable by its owner only, onto the disk; return its SHA-256 in hex and its size in bytes.

    Of a file that grows, what was there at the beginning is copied. The directory is made.
    """
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        left = os.fstat(read.fileno()).st_size
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            while chunk := read.read(min(CHUNK, left - size)):
                digest.update(chunk)
                written.write(chunk)
                size += len(chunk)
            written.flush()
            os.fsync(written.fileno())
    return digest.hexdigest(), size


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folders(folder: Path) -> None:
    """Wait until the names in a directory, and in those below it, are on the disk."""
    for each in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(each)
