"""The room on the disk of recordings: looked at every other second, and what happens when it ends.

Recordings give way to calls: first none is begun any more, then those that run end early. What was recorded before is
never removed for it, and the encoder goes on, oldest first: an mp3 takes a fifth of its spool, so it makes room.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 2.0
"""Seconds: a thousand recordings write 20 MB a second."""
LITTLE_TIMES: Final = 10
"""So many times what is kept free is little: somebody should make room."""
BACK: Final = 1.1
"""So many times a bound must be free again, or calls at the bound would be recorded in turns."""


class Space(IntEnum):
    """How much there is."""

    ENOUGH = 0
    LITTLE = 1
    """Somebody should make room."""
    NONE = 2
    """New calls are not recorded."""
    OVER = 3
    """Nothing is recorded: what is left is for the store and the encoder."""


def level(free: int, keep_free: int, before: Space = Space.ENOUGH) -> Space:
    """Return how much room there is, in bytes; a level that was reached is left when a tenth more is free."""
    for bound, space in (
        (keep_free / 2, Space.OVER),
        (keep_free, Space.NONE),
        (keep_free * LITTLE_TIMES, Space.LITTLE),
    ):
        if free < bound * (BACK if before >= space else 1):
            return space
    return Space.ENOUGH


class SpaceWatch:
    """Looks at the room. `changed` hears of each new level, in the loop."""

    def __init__(self, directory: Path, *, keep_free: int, changed: Callable[[Space], None]) -> None:
        """`keep_free`: bytes for which recordings give way; 0: they never do."""
        self._directory = directory
        self._keep_free = keep_free
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self.space = Space.ENOUGH
        self.free: int | None = None
        """Bytes, as of the last look; None: the disk could not be asked."""

    async def start(self) -> None:
        """Look, and go on looking. The directory must be there."""
        await self._look()
        self._task = asyncio.create_task(self._go_on_looking(), name="disk space")
        self._task.add_done_callback(_seen)

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._look()

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(os.statvfs, self._directory)
        except OSError as error:
            if self.free is not None:
                log.warning("the disk of recordings cannot be asked for its room: %s", error.strerror)
            self.free = None
            return
        self.free = found.f_bavail * found.f_frsize
        space = level(self.free, self._keep_free, self.space)
        if space is not self.space:
            _tell(self.space, space, self.free)
            self.space = space
            self._changed(space)


def _tell(before: Space, space: Space, free: int) -> None:
    megabytes = free / 1e6
    if space is Space.OVER:
        log.critical("the disk is full (%d MB are free): nothing is recorded", megabytes)
    elif space is Space.NONE:
        log.error("the disk is nearly full (%d MB are free): new calls are not recorded", megabytes)
    elif before >= Space.NONE:
        log.warning("calls are recorded again: %d MB are free", megabytes)
    elif space is Space.LITTLE:
        log.warning("the disk has little room for recordings: %d MB are free", megabytes)
    else:
        log.info("the disk has room again: %d MB are free", megabytes)


def _seen(task: "asyncio.Task[None]") -> None:
    """Say that the watch died; it never should."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("nobody looks at the room on the disk any more", exc_info=error)
