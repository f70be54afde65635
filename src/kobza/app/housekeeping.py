"""Once an hour: history, recordings and events that are older than they may be are deleted."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kobza.archive.archive import Archive
from kobza.pbx.daemons import in_daemon
from kobza.store import Store
from kobza.store.days import Terms
from kobza.store.retention import Purged, purge

log = logging.getLogger(__name__)

FIRST_AFTER: Final = 60.0
"""Seconds after the start: first the phones that all come back at once, then the cleaning."""
INTERVAL: Final = 3600.0
"""Seconds from the end of one round to the next."""


class Housekeeping:
    """Owns the task that deletes. Its work is in a thread of its own, which a stop of the server does not wait for:
    every step is a small transaction, and the next start goes on where it ended.
    """

    def __init__(self, store: Store, archive: Archive, *, terms: Terms, now: Callable[[], float]) -> None:
        """`terms` are those of enterprises that have none of their own."""
        self._store = store
        self._archive = archive
        self._terms = terms
        self._now = now
        self._task: asyncio.Task[None] | None = None

    def start(self, first_after: float = FIRST_AFTER) -> None:
        """Begin, the first time after some seconds."""
        self._task = asyncio.create_task(self._keep(first_after), name="housekeeping")

    async def stop(self) -> None:
        """Begin no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def clean(self) -> Purged:
        """Delete what is too old, once. Raises what the store raises."""
        now_ms = int(self._now() * 1000)
        return await in_daemon(
            "housekeeping", lambda: purge(self._store, now_ms, self._terms, erase=self._archive.erase)
        )

    async def _keep(self, first_after: float) -> None:
        await asyncio.sleep(first_after)
        while True:
            try:
                purged = await self.clean()
            except Exception:
                log.exception("old history could not be deleted; it is tried again in an hour")
            else:
                if purged != Purged():
                    log.info("too old and deleted: %s", purged)
            await asyncio.sleep(INTERVAL)
