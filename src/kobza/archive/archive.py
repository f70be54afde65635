"""The archive: the finished recordings, wherever the file of each is."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, Protocol

from kobza.archive.folder import Folder
from kobza.archive.home import Changed, Home, HomeAway, NotThere, Reader
from kobza.archive.keys import KEY_BYTES, KeyLost, Keys
from kobza.archive.sealing import Damaged, UnsealedPart, plain_size, seal, sealed_size

CHUNK: Final = 256 * 1024
"""Bytes read at a time where nobody waits for the first of them."""
SPOOLS: Final = "spool"
"""Folder of what is not finished, below the directory of recordings."""
COPY: Final = "copy-"


class Kept(Protocol):
    """What the store says of a recording."""

    @property
    def record_id(self) -> str:
        """Its id."""

    @property
    def path(self) -> str | None:
        """Its name in a home; None: there is no file."""

    @property
    def size(self) -> int | None:
        """Bytes of the mp3."""

    @property
    def sha256(self) -> str | None:
        """Of the mp3, in hex."""

    @property
    def home(self) -> str | None:
        """None: it never was anywhere but here."""

    @property
    def sealed(self) -> str | None:
        """Its data key, encrypted; None: the file is not."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a recording is, and how many bytes its mp3 has there."""

    home: Home
    name: str
    size: int
    record_id: str
    key: bytes | None = None
    """By which the file is encrypted; None: it is not."""

    def open(self, first: int, length: int) -> Reader:
        """Begin to read a part of the mp3. Raises NotThere, HomeAway."""
        if self.key is None:
            return self.home.open(self.name, first, length, self.size)
        return UnsealedPart(self.home, self.name, self.key, self.record_id, size=self.size, first=first, length=length)


class Verdict(StrEnum):
    """What a look at all bytes of a recording says."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    """They are not those whose SHA-256 was stored when it was made."""
    MISSING = "missing"


class Doomed(Protocol):
    """A recording that is to be erased."""

    @property
    def path(self) -> str:
        """Its name in a home, or that of its spool."""

    @property
    def home(self) -> str | None:
        """None: it never was anywhere but here."""


class Archive:
    """All recordings. Everything blocks, and raises HomeAway when a home does not answer."""

    def __init__(
        self, directory: Path, bucket: Home | None = None, *, uploads: bool = False, keys: Keys | None = None
    ) -> None:
        """`directory` is where recordings are made; with `uploads` new ones are to go into the bucket, with `keys` new
        ones are encrypted.
        """
        self.folder = Folder(directory)
        self.bucket = bucket
        self.uploads = uploads and bucket is not None
        self.keys = keys

    def find(self, kept: Kept) -> Found:
        """Return where a recording can be read, here before elsewhere. Raises NotThere when it is nowhere."""
        if kept.path is None:
            raise NotThere("it has no file")
        try:
            return self.found_in(self.folder, kept, kept.path)
        except NotThere:
            if kept.home is None:
                raise
        return self.found_in(self.need_bucket(), kept, kept.path)

    def seal(self, plain: Path, name: str, record_id: str) -> str:
        """Encrypt a recording that was made into the folder; return its data key as the store is to keep it."""
        if self.keys is None:
            raise KeyLost("there are no keys (recordings_keys)")
        key = os.urandom(KEY_BYTES)
        seal(plain, self.folder.directory / name, key, record_id)
        return self.keys.wrap(key, record_id)

    def found_in(self, home: Home, kept: Kept, name: str) -> Found:
        """Return a recording as a home has it under a name. Raises NotThere, Changed, HomeAway, Damaged."""
        size = home.size(name)
        if kept.sealed is None and kept.size is not None and size == sealed_size(kept.size):
            raise Changed(f"{name} was encrypted a moment ago")
        if kept.sealed is None or size == kept.size:  # no sealed one has it: it is not encrypted yet, or no more
            return Found(home, name, size, kept.record_id)
        return Found(home, name, plain_size(size), kept.record_id, self.key_of(kept))

    def key_of(self, kept: Kept) -> bytes:
        """Return the data key of a recording that has one. Raises KeyLost."""
        if self.keys is None:
            raise KeyLost(f"recording {kept.record_id} is encrypted, and the settings name no keys (recordings_keys)")
        return self.keys.unwrap(kept.sealed or "", kept.record_id)

    def new_key(self, record_id: str) -> str:
        """Return a new data key of a recording, as the store is to keep it. Raises KeyLost."""
        if self.keys is None:
            raise KeyLost("there are no keys (recordings_keys)")
        return self.keys.wrap(os.urandom(KEY_BYTES), record_id)

    def verify(self, kept: Kept) -> Verdict:
        """Read all of a recording and compare it with what the store says of it."""
        try:
            return verdict_of(self.find(kept), kept)
        except NotThere:
            return Verdict.MISSING
        except Damaged:
            return Verdict.DAMAGED

    def upload(self, kept: Kept) -> None:
        """Put a recording into the bucket, and return once the bucket has given the same bytes back.

        Raises:
            NotThere: there is no file of it here.
            Damaged: the file here is not what was recorded; nothing was uploaded.
            HomeAway: the bucket does not answer, or gave other bytes back.

        """
        if kept.path is None:
            raise NotThere("it has no file")
        bucket, path = self.need_bucket(), self.folder.directory / kept.path
        if verdict_of(self.found_in(self.folder, kept, kept.path), kept) is not Verdict.WHOLE:
            raise Damaged(f"{path} is not what was recorded")
        bucket.put(kept.path, path)
        try:
            verdict = verdict_of(self.found_in(bucket, kept, kept.path), kept)
        except (NotThere, Damaged) as error:
            raise HomeAway(f"{kept.path} was uploaded, and is not there whole") from error
        if verdict is not Verdict.WHOLE:
            raise HomeAway(f"{kept.path} was uploaded, and other bytes came back")

    def ask_bucket(self, kept: Kept) -> None:
        """Return when the bucket has an object of a recording.

        Raises NotThere when it has none, HomeAway when it does not say.
        """
        if kept.path is not None:
            self.need_bucket().size(kept.path)

    def remove_copy(self, kept: Kept) -> None:
        """Remove what is here of a recording that the bucket has. Raises OSError."""
        if kept.path is not None:
            self.folder.remove(kept.path)

    def erase(self, doomed: Doomed) -> None:
        """Remove a recording from everywhere, and what is left of its spool; what is not there is gone already.

        Raises OSError; HomeAway also where it may be in a bucket and none is known here.
        """
        self.folder.remove(doomed.path)
        self.folder.remove(f"{SPOOLS}/{Path(doomed.path).stem}.spool")
        if doomed.home is not None:
            self.need_bucket().remove(doomed.path)

    @contextmanager
    def as_file(self, kept: Kept) -> Iterator[Path]:
        """Give a recording as a file for the time of a block: the one that is here, or a copy that goes afterwards."""
        found = self.find(kept)
        if found.home is self.folder and found.key is None:
            yield self.folder.directory / found.name
            return
        self.spools.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=self.spools, prefix=COPY, suffix=".mp3") as file:
            for data in pieces(found.open(0, found.size)):
                file.write(data)
            file.flush()
            yield Path(file.name)

    def remove_copies(self) -> None:
        """Remove copies that a crash left of `as_file`."""
        for path in self.spools.glob(f"{COPY}*.mp3"):
            path.unlink(missing_ok=True)

    @property
    def spools(self) -> Path:
        """The folder of what is not finished."""
        return self.folder.directory / SPOOLS

    def need_bucket(self) -> Home:
        """Return the bucket; raise HomeAway where the settings name none."""
        if self.bucket is None:
            raise HomeAway("it is in a bucket, and the settings name none (s3_bucket)")
        return self.bucket


def verdict_of(found: Found, kept: Kept) -> Verdict:
    """Read all of what was found and compare it. Raises HomeAway, Damaged."""
    digest = digest_of(found.open(0, found.size))
    return Verdict.WHOLE if (found.size, digest) == (kept.size, kept.sha256) else Verdict.DAMAGED


def pieces(reader: Reader) -> Iterator[bytes]:
    """Give all that a reader has, and close it."""
    try:
        while data := reader.read(CHUNK):
            yield data
    finally:
        reader.close()


def digest_of(reader: Reader) -> str:
    """Read to the end and close; return the SHA-256 in hex."""
    digest = hashlib.sha256()
    for data in pieces(reader):
        digest.update(data)
    return digest.hexdigest()
