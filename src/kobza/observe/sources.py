"""Where the figures come from: the parts of one running server."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kobza.api.event_streams import EventStreams
from kobza.api.exports.link import ExportProcess
from kobza.api.gate import Gate
from kobza.api.request_counts import RequestCounts
from kobza.defence.door import Door
from kobza.media.observed import ObservedPlane
from kobza.observe.lag import LoopLag
from kobza.pbx.books import BookKeeper
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.disk_space import SpaceWatch
from kobza.pbx.journal import Journal
from kobza.pbx.locations import Locations
from kobza.pbx.outside_guard import OutsideGuard
from kobza.pbx.recordings import Recordings
from kobza.pbx.switch import Switch
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.pbx.uploads import Uploads
from kobza.store import Store, deliveries
from kobza.store.deliveries import Owed
from kobza.store.errors import StoreAway
from kobza.webhooks.dispatcher import Dispatcher

ASK_EVERY: Final = 5.0
"""Seconds for which what the store said is good: however many ask, it is asked no more often."""
PATIENCE: Final = 2.0
"""Seconds until a store that does not answer counts as away."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What only the store knows."""

    owed: Owed
    """To endpoints that are switched on."""
    waiting: Owed
    """For endpoints that are switched off or were removed."""


@dataclass
class Sources:
    """The parts that are looked at. All of it is read in the loop's thread."""

    store: Store
    journal: Journal
    books: BookKeeper
    view: DirectoryView
    switch: Switch
    locations: Locations
    keeper: TrunkKeeper
    door: Door
    guard: OutsideGuard
    plane: ObservedPlane
    recordings: Recordings
    uploads: Uploads
    space: SpaceWatch
    dispatcher: Dispatcher
    streams: EventStreams
    exports: ExportProcess
    gate: Gate
    requests: RequestCounts
    lag: LoopLag
    now: Callable[[], float]
    """The steady clock, in seconds since the epoch."""
    stored: Stored | None = None
    """None while the store does not answer."""
    _asked_at: float = field(default=float("-inf"), init=False)
    _asking: "asyncio.Task[Stored | None] | None" = field(default=None, init=False)

    async def ask_store(self) -> None:
        """Bring `stored` up to date, unless it is new enough. Never takes longer than PATIENCE."""
        if time.monotonic() - self._asked_at < ASK_EVERY:
            return
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="metrics-store")
        done, _ = await asyncio.wait((self._asking,), timeout=PATIENCE)
        # One that takes longer goes on: a second question would only wait behind it.
        self.stored = self._asking.result() if done else None

    async def store_answers(self) -> bool:
        """Tell whether the store can be read within PATIENCE."""
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.to_thread(self.store.directory_version)
        except (StoreAway, TimeoutError):
            return False
        return True

    async def _ask(self) -> Stored | None:
        try:
            found = await asyncio.to_thread(self._read)
        except StoreAway:
            return None
        self._asked_at = time.monotonic()
        return found

    def _read(self) -> Stored:
        with self.store.read() as conn:
            return Stored(*deliveries.owed(conn))
