"""One server for a data directory, and no server beside the media process of one that died.

A second server would take the calls of the first for left open by a crash, and close them. A media process outlives its
server by the moment that it needs to complete its spools: until then they must be neither encoded nor looked through.
So the media process inherits one of the two locks. The kernel frees both when who holds them is gone.
"""

import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

MEDIA_PATIENCE: Final = 15.0
"""Seconds for which a start waits for the media process of the life before; it gives its disk 10."""
LOOK: Final = 0.02
"""Seconds between two looks."""


class DataTaken(Exception):
    """Another server works with the data directory; one line for people."""


class DataLock:
    """The two locks. `take` before anything of the directory is looked at, `release` last."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._server: int | None = None
        self._media: int | None = None

    @property
    def for_media(self) -> tuple[int, ...]:
        """File descriptors that the media process is to inherit."""
        return () if self._media is None else (self._media,)

    def take(self) -> None:
        """Take both; blocks while a media process of the life before completes its spools.

        Raises DataTaken, OSError.
        """
        self._server = _open(self._data / "server.lock")
        if not _locked(self._server):
            self.release()
            raise DataTaken(f"another Kobza works with {self._data}: stop it, or serve another directory (--data)")
        self._media = _open(self._data / "media.lock")
        deadline = time.monotonic() + MEDIA_PATIENCE
        while not _locked(self._media):
            if time.monotonic() > deadline:  # calls are worth more than the last second of an old recording
                log.error("the media process of an earlier Kobza does not end: end it by hand; recordings may be cut")
                return
            time.sleep(LOOK)

    def release(self) -> None:
        """Let go of both."""
        for file in (self._server, self._media):
            if file is not None:
                os.close(file)
        self._server = self._media = None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
