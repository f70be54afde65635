"""How late the loop is: a timer that measures by how much it is called after its time."""

import asyncio
from typing import Final

from kobza.measures import Histogram

INTERVAL: Final = 0.5
"""Seconds between two measurements."""
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """Measures the loop that carries calls. What makes it late makes every phone and every request wait as long."""

    def __init__(self) -> None:
        self.seconds = Histogram(BOUNDS)
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin, in the running loop."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + INTERVAL
        self._timer = loop.call_at(self._due, self._measure)

    async def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.seconds.observe(max(0.0, now - self._due))
        self._due = now + INTERVAL
        self._timer = loop.call_at(self._due, self._measure)
