"""Once an hour: history, recordings and events that are older than they may be are deleted."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kobza.pbx.recordings import erase_files
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

    def __init__(self, store: Store, recordings: Path, *, terms: Terms, now: Callable[[], float]) -> None:
        """`terms` are those of enterprises that have none of their own."""
        self._store = store
        self._recordings = recordings
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
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Purged] = loop.create_future()

        def tell(tell_it: Callable[[], None]) -> None:
            if not outcome.done():
                tell_it()

        def run() -> None:
            try:
                purged = purge(self._store, int(self._now() * 1000), self._terms, erase=self._erase)
            except Exception as error:  # noqa: BLE001 - handed to who waits
                result = _failing(outcome, error)
            else:
                result = _giving(outcome, purged)
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, result)

        threading.Thread(target=run, name="housekeeping", daemon=True).start()
        return await outcome

    def _erase(self, path: str) -> None:
        erase_files(self._recordings, path)

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


def _failing(outcome: "asyncio.Future[Purged]", error: Exception) -> Callable[[], None]:
    return lambda: outcome.set_exception(error)


def _giving(outcome: "asyncio.Future[Purged]", purged: Purged) -> Callable[[], None]:
    return lambda: outcome.set_result(purged)
