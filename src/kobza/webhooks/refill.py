"""Brings what the store has into memory: what may go next, and what need not wait for it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from kobza.webhooks.backlog import Backlog
from kobza.webhooks.lane import Lane, Mode
from kobza.webhooks.lanes import Lanes
from kobza.webhooks.tasks import Tasks

SCAN_PAUSE_SECONDS: Final = 0.02
"""Least time between two looks into the store for one endpoint."""
SCANS_AT_ONCE: Final = 2
TRY_AGAIN_SECONDS: Final = 1.0
"""How long a store that cannot be read is left alone."""

logger = logging.getLogger(__name__)


class Refill:
    """Looks into the store for lanes. All methods belong into the event loop's thread."""

    def __init__(
        self,
        backlog: Backlog,
        lanes: Lanes,
        tasks: Tasks,
        *,
        in_flight: int,
        now: Callable[[], float],
        advance: Callable[[Lane], None],
    ) -> None:
        """`advance` is told of each lane that has got something."""
        self._backlog = backlog
        self._lanes = lanes
        self._tasks = tasks
        self._in_flight = in_flight
        self._now = now
        self._advance = advance
        self._scanned: set[str] = set()
        self._asked: set[str] = set()
        self._slots = asyncio.Semaphore(SCANS_AT_ONCE)

    def see_to(self, lane: Lane) -> None:
        """Look into the store if it may have what memory should hold, and memory has use for it now."""
        if self._wants_scan(lane) and lane.enterprise_id not in self._scanned:
            self._scanned.add(lane.enterprise_id)
            self._tasks.spawn(self._scan_until_quiet(lane))
        if lane.whole.has_questions and lane.enterprise_id not in self._asked:
            self._asked.add(lane.enterprise_id)
            self._tasks.spawn(self._ask_until_quiet(lane))

    def _wants_scan(self, lane: Lane) -> bool:
        return lane.poked and (lane.mode is not Mode.BEHIND or lane.queue.backlog < self._in_flight)

    async def _scan_until_quiet(self, lane: Lane) -> None:
        try:
            while True:
                async with self._slots:
                    await self._scan_once(lane)
                self._advance(lane)
                await asyncio.sleep(SCAN_PAUSE_SECONDS)
                if not self._wants_scan(lane):
                    return
        finally:
            self._scanned.discard(lane.enterprise_id)

    async def _scan_once(self, lane: Lane) -> None:
        lane.start_scan()
        try:
            page = await self._backlog.page(lane.enterprise_id, int(self._now() * 1000), self._lanes.page(lane))
        except Exception:
            lane.abandon_scan()
            logger.exception(*_cannot_read(lane), extra={"enterprise_id": lane.enterprise_id})
            await asyncio.sleep(TRY_AGAIN_SECONDS)
        else:
            lane.finish_scan(page)

    async def _ask_until_quiet(self, lane: Lane) -> None:
        """Ask the store whether legs of calls that go on may go ahead of the backlog."""
        try:
            while questions := lane.whole.questions():
                heads: list[int | None] = [None] * len(questions)
                try:
                    heads = await self._backlog.heads(questions)
                except Exception:
                    logger.exception(*_cannot_read(lane), extra={"enterprise_id": lane.enterprise_id})
                for question, head in zip(questions, heads, strict=True):
                    lane.answer(question, head, self._lanes.room(lane))
                self._advance(lane)
        finally:
            self._asked.discard(lane.enterprise_id)


def _cannot_read(lane: Lane) -> tuple[str, str]:
    return "webhook of enterprise %s: what is owed cannot be read", lane.enterprise_id
