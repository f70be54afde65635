"""Files of recordings on their way from one form or place to another: copies beside the spools, and who makes them.

One process of an installation moves recordings at a time: it holds a lock, which the kernel frees when it is gone. What
a killed one has left beside the spools is removed by the next.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

from kobza.archive.archive import Archive, Kept, Verdict, pieces, verdict_of
from kobza.archive.home import HomeError, NotThere
from kobza.archive.sealing import Damaged

LOCK: Final = "moving.lock"
"""In the folder of spools."""
PART, SUFFIX = "moving-", ".part"


class MovingTaken(OSError):
    """Another process moves recordings."""


class NoRoom(OSError):
    """The disk has not enough space for one more recording beside what is to stay free."""


@contextmanager
def moving(archive: Archive) -> Iterator[None]:
    """Be the one who moves recordings, for the time of a block. Raises MovingTaken, OSError."""
    archive.spools.mkdir(parents=True, exist_ok=True)
    file = os.open(archive.spools / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MovingTaken("another command moves recordings of this installation: wait for it, or end it") from None
        for path in archive.spools.glob(f"{PART}*{SUFFIX}"):
            path.unlink(missing_ok=True)
        yield
    finally:
        os.close(file)


class Workshop:
    """Makes copies of recordings beside the spools. For who holds the lock; in several threads at once."""

    def __init__(self, archive: Archive, keep_free: int) -> None:
        """`keep_free`: bytes of the disk that are left alone."""
        self._archive = archive
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
        with self.part(size) as file:
            for data in pieces(bucket.open(name, 0, size)):
                file.write(data)
            self.finish(file)
            path = Path(file.name)
            if not self._is_whole(kept, f"{path.parent.name}/{path.name}"):
                raise Damaged(f"{name} in the bucket is not what was recorded")
            yield path

    @contextmanager
    def part(self, size: int) -> Iterator[IO[bytes]]:
        """Give an empty file for so many bytes; it goes when nobody has moved it away. Raises NoRoom, OSError."""
        free = shutil.disk_usage(self._archive.folder.directory).free
        if free < size + self._keep_free:
            raise NoRoom(
                f"the disk has {free / 1e6:,.0f} MB left, and {self._keep_free / 1e6:,.0f} are to stay free "
                "(recordings_keep_free_mb): make space and run the command again; what is done until here is whole"
            )
        file = NamedTemporaryFile(dir=self._archive.spools, prefix=PART, suffix=SUFFIX, delete=False)  # noqa: SIM115 - moved
        try:
            with file:
                yield file
        finally:
            Path(file.name).unlink(missing_ok=True)

    @staticmethod
    def finish(file: IO[bytes]) -> None:
        """Return when all that was written is on the disk."""
        file.flush()
        os.fsync(file.fileno())

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
