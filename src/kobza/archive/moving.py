"""Files of recordings on their way from one form or place to another: copies of them, and who makes them.

One process of an installation moves recordings at a time, and none while a backup copies them: it holds a lock, for a
few recordings at a time, which the kernel frees when it is gone. What a killed one has left is removed by the next.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

from kobza.archive.archive import CHUNK, Archive, Kept, Verdict, pieces, verdict_of
from kobza.archive.home import HomeError, NotThere
from kobza.archive.sealing import Damaged, sealed_pieces, sealed_size

MOVING: Final = "moving"
"""Folder below the directory of recordings, on the same disk as they are: that of spools may be on another one."""
LOCK: Final = "lock"
SUFFIX: Final = ".part"


class MovingTaken(OSError):
    """Another process moves recordings, or copies them all."""


class NoRoom(OSError):
    """The disk has not enough space for one more recording beside what is to stay free."""


@contextmanager
def moving(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Be the one who moves recordings of a directory, or keeps others from it, for the time of a block.

    Blocks until nobody else is; without `wait` it raises MovingTaken. Raises OSError.
    """
    folder = directory / MOVING
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise MovingTaken("a command moves recordings of this installation, or a backup is being made") from None
        for path in folder.glob(f"*{SUFFIX}"):
            path.unlink(missing_ok=True)
        yield
    finally:
        os.close(file)


class Workshop:
    """Makes copies of recordings. For who holds the lock; in several threads at once."""

    def __init__(self, archive: Archive, keep_free: int) -> None:
        """`keep_free`: bytes of the disk that are left alone."""
        self._archive = archive
        self._folder = archive.folder.directory / MOVING
        self._keep_free = keep_free

    def is_whole_here(self, kept: Kept) -> bool:
        """Tell whether the folder has what was recorded. Raises HomeAway where it cannot be read."""
        try:
            return self._is_whole(kept, kept.path or "")
        except (NotThere, Damaged):
            return False

    @contextmanager
    def brought(self, kept: Kept) -> Iterator[Path]:
        """Give a copy of what the bucket has, as it is there, encrypted or not; whoever takes it moves it away.

        It is on the disk, and compared with what was recorded.

        Raises:
            NotThere: the bucket has no such object.
            Damaged: what it has is not what was recorded.
            NoRoom: on the disk.
            HomeAway: the bucket does not answer.

        """
        bucket, name = self._archive.need_bucket(), kept.path or ""
        size = bucket.size(name)
        with self._part(size) as file:
            file.writelines(pieces(bucket.open(name, 0, size, size)))
            yield self._finished(file, kept)

    @contextmanager
    def turned(self, kept: Kept, *, sealed: bool) -> Iterator[Path]:
        """Give a copy of a recording, encrypted by its data key or not, from wherever it is, as `brought` does.

        Raises what `brought` raises; KeyLost.
        """
        found = self._archive.find(kept)
        size = sealed_size(found.size) if sealed else found.size
        with self._part(size) as file:
            reader = found.open(0, found.size)
            try:
                if sealed:
                    key = self._archive.key_of(kept)
                    file.writelines(sealed_pieces(reader.read, found.size, key, kept.record_id))
                else:
                    file.writelines(iter(lambda: reader.read(CHUNK), b""))
            finally:
                reader.close()
            yield self._finished(file, kept)

    @contextmanager
    def _part(self, size: int) -> Iterator[IO[bytes]]:
        """Give an empty file for so many bytes; it goes when nobody has moved it away. Raises NoRoom, OSError."""
        free = shutil.disk_usage(self._archive.folder.directory).free
        if free < size + self._keep_free:
            raise NoRoom(
                f"the disk has {free / 1e6:,.0f} MB left, and {self._keep_free / 1e6:,.0f} are to stay free "
                "(recordings_keep_free_mb): make space and run the command again; what is done until here is whole"
            )
        file = NamedTemporaryFile(dir=self._folder, suffix=SUFFIX, delete=False)  # noqa: SIM115 - moved
        try:
            with file:
                yield file
        finally:
            Path(file.name).unlink(missing_ok=True)

    def _finished(self, file: IO[bytes], kept: Kept) -> Path:
        """Return where a copy is, when it is on the disk and what was recorded. Raises Damaged."""
        file.flush()
        os.fsync(file.fileno())
        path = Path(file.name)
        if not self._is_whole(kept, f"{path.parent.name}/{path.name}"):
            raise Damaged(f"a copy of {kept.path} is not what was recorded")
        return path

    def _is_whole(self, kept: Kept, name: str) -> bool:
        found = self._archive.found_in(self._archive.folder, kept, name)
        return verdict_of(found, kept) is Verdict.WHOLE


def said(error: HomeError) -> str:
    """Return what is wrong with a recording in a word: missing, damaged or unread."""
    match error:
        case NotThere():
            return Verdict.MISSING
        case Damaged():
            return Verdict.DAMAGED
        case _:
            return "unread"
