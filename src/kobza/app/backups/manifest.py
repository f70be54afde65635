"""What a backup says of itself.

```
manifest.json          versions, counts, and the SHA-256 of files.sha256
files.sha256           a line for each other file, as `sha256sum --check` reads it
store/                 kobza.db, or a file for each table of PostgreSQL
recordings/            as in the data directory; spool/ has what was not encoded yet
settings/              kobza.toml and portal.key, as far as there were any
```
"""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

import msgspec

from kobza.store.copies import Copied, Encoded
from kobza.store.errors import BackupUnfit

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
FILES: Final = "files.sha256"
STORE: Final = "store"
RECORDINGS: Final = "recordings"
SETTINGS: Final = "settings"
MAX_MANIFEST: Final = 256 * 1024 * 1024
"""Bytes that are read as a manifest at most: it holds a line for each recording that was in the making."""

_LINE: Final = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_./ -]{1,1024})")


class Manifest(msgspec.Struct, frozen=True):
    """The facts about a backup."""

    made_at: str
    """RFC 3339, UTC: from when on what happened is not in it."""
    kobza: str
    python: str
    store: Copied
    finished: list[Encoded]
    """Recordings that were finished between the copy of the store and that of the files."""
    missing: list[str]
    """Paths of recordings whose files were not there."""
    with_recordings: bool
    files: int
    size: int
    """Bytes of all files."""
    files_sha256: str
    format: int = FORMAT
    in_bucket: int = 0
    """Recordings that were in the bucket alone: it is their backup, or has one of its own."""


class FileLine(NamedTuple):
    """A file of a backup: its SHA-256 in hex, and where it is."""

    sha256: str
    path: str

    @classmethod
    def parse(cls, line: str) -> "FileLine":
        """Read a line of `files.sha256`. Raises BackupUnfit, also for a path that leads out of the backup."""
        found = _LINE.fullmatch(line)
        if found is None:
            raise BackupUnfit(f"{FILES} has a line that is none of ours: {line[:100]!r}")
        path = PurePosixPath(found[2])
        if path.is_absolute() or ".." in path.parts or str(path) != found[2]:
            raise BackupUnfit(f"{FILES} names a file outside of the backup: {found[2]!r}")
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"{self.sha256}  {self.path}"


def read_manifest(backup: Path) -> Manifest:
    """Read the manifest of a backup. Raises BackupUnfit that says what is wrong."""
    path = backup / MANIFEST
    try:
        with path.open("rb") as file:
            text = file.read(MAX_MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        raise BackupUnfit(f"{backup} is no backup: it has no {MANIFEST}") from None
    return parse_manifest(text, str(path))


def parse_manifest(text: bytes, name: str = MANIFEST) -> Manifest:
    """Read a manifest. Raises BackupUnfit that says what is wrong."""
    try:
        head = msgspec.json.decode(text, type=dict)
        if head.get("format") != FORMAT:
            raise BackupUnfit(f"{name} has the format {head.get('format')!r}, and this release reads {FORMAT}")
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupUnfit(f"{name} is damaged: {error}") from None


def write_manifest(backup: Path, manifest: Manifest) -> None:
    """Write the manifest of a backup."""
    (backup / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def read_lines(backup: Path) -> Iterator[FileLine]:
    """Give the files of a backup. Raises BackupUnfit."""
    try:
        with (backup / FILES).open(encoding="ascii") as file:
            for line in file:
                yield FileLine.parse(line.removesuffix("\n"))
    except FileNotFoundError:
        raise BackupUnfit(f"{backup} is damaged: it has no {FILES}") from None
    except UnicodeDecodeError:
        raise BackupUnfit(f"{backup / FILES} is damaged: it is not ASCII") from None
