"""What happened in the last minute: counters that only grow, looked at every few seconds."""

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from kobza.observe.sources import Sources

EVERY: Final = 5.0
"""Seconds between two looks."""
WINDOW: Final = 60.0
PART: Final = 0.99
"""Of the measurements that a lag is told for."""


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    calls: int
    lag: tuple[int, ...]


class Recent:
    """The last minute of one server."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._looks: deque[_Look] = deque(maxlen=math.ceil(WINDOW / EVERY) + 1)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        self._looks.append(self._look())
        self._timer = asyncio.get_running_loop().call_later(EVERY, self.start)

    async def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def calls_per_second(self) -> float:
        """How many calls began in a second, on average."""
        first, now = self._looks[0], self._look()
        return (now.calls - first.calls) / (now.at - first.at) if now.at > first.at else 0.0

    @property
    def lag(self) -> float | None:
        """Seconds within which the loop was on time 99 times in 100; infinite beyond the largest bound."""
        first, now = self._looks[0], self._look()
        counts = [later - sooner for sooner, later in zip(first.lag, now.lag, strict=True)]
        wanted, reached = sum(counts) * PART, 0
        if not wanted:
            return None
        for bound, count in zip((*self._sources.lag.seconds.bounds, math.inf), counts, strict=True):
            reached += count
            if reached >= wanted:
                return bound
        return math.inf

    def _look(self) -> _Look:
        calls = sum(self._sources.books.meter.attempts.values())
        at = asyncio.get_running_loop().time()
        return _Look(at, calls, tuple(self._sources.lag.seconds.counts))
