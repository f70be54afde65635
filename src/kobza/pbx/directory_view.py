"""The directory in memory: a snapshot that follows the store.

Settings change in other processes too (`kobza number add` beside a running server), so the store's version is looked at
a few times a second. Whoever changes something here calls `refresh` and sees it at once.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from kobza.call.directory import Directory, Subscriber
from kobza.net.locator import Locator
from kobza.net.resolver import Resolver
from kobza.pbx.trunk_hops import Locate, TrunkHops
from kobza.store import Store, StoreAway, directory, meta, numbers

log = logging.getLogger(__name__)

POLL_INTERVAL: Final = 0.25
"""Seconds between two looks at the version: a number added on the command line rings a moment later."""
FIRST_LOOKUPS: Final = 3.0
"""Seconds that a start waits for the names of trunks at most: calls would fail that come before they are known."""
RETRY_INTERVAL: Final = 2.0
"""Seconds until the next try after the store did not answer."""


class DirectoryView:
    """The newest snapshot. Everything is read in the loop's thread; the store is read in another one."""

    def __init__(self, store: Store, *, locate: Locate | None = None) -> None:
        """`locate` finds the servers of trunks; None: by the name servers of the machine."""
        self._store = store
        self.snapshot = Directory()
        self.followers: list[Callable[[Directory], None]] = []
        """Hear of each new snapshot, and when a trunk's name leads elsewhere."""
        self.hops = TrunkHops(locate or Locator(Resolver()).locate)
        """Where the trunks are."""
        self.hops.on_change = self._tell
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the directory, then follow it. Raises what the store raises."""
        await self.refresh()
        if not await self.hops.settled(FIRST_LOOKUPS):
            log.warning("the names of some trunks are still being looked up")
        self._task = asyncio.create_task(self._follow(), name="directory")

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.hops.stop()

    async def refresh_number(self, enterprise_id: str, number: str) -> None:
        """Take over the change of one number's settings that was just written.

        Only that number is read when nothing else changed: reading 10,000 costs 80 ms of CPU, and a CRM may set them
        all one after the other.
        """
        async with self._lock:
            version, subscriber = await asyncio.to_thread(self._load_number, enterprise_id, number)
            now = self.snapshot
            if subscriber is not None and number in now.subscribers and version == now.version + 1:
                subscribers = {**now.subscribers, number: subscriber}
                self.snapshot = replace(now, subscribers=subscribers, version=version)
        await self.refresh()

    async def refresh(self) -> None:
        """Load the directory if it changed."""
        async with self._lock:
            version = await asyncio.to_thread(self._store.directory_version)
            if version != self.snapshot.version:
                self._take(await asyncio.to_thread(self._load))

    def _load_number(self, enterprise_id: str, number: str) -> tuple[int, Subscriber | None]:
        with self._store.read() as conn:
            return meta.directory_version(conn), numbers.find(conn, enterprise_id, number)

    def _load(self) -> Directory:
        with self._store.read() as conn:
            return directory.load(conn)

    def _take(self, snapshot: Directory) -> None:
        self.hops.follow(snapshot.trunks)
        self.snapshot = snapshot
        self._tell()

    def _tell(self) -> None:
        for follower in self.followers:
            follower(self.snapshot)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL)
            try:
                await self.refresh()
            except StoreAway as error:
                log.error("the directory could not be read; calls go by the one from before: %s", error)  # noqa: TRY400
                await asyncio.sleep(RETRY_INTERVAL)
            except Exception:
                log.exception("the directory could not be read; calls go by the one from before")
                await asyncio.sleep(RETRY_INTERVAL)
