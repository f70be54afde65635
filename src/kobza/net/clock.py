"""The one clock of a process: never jumps, never runs backwards, stays near the wall clock, or runs ahead of it at a
set pace.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

MAX_SLEW = 0.0005
"""Greatest correction, in seconds a second: what ntpd allows itself, and no SIP timer or duration notices it."""
CHECK_INTERVAL = 1.0
"""Seconds between two comparisons with the wall clock."""


_monotonic = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
"""Seconds that also count while the machine sleeps, so that a laptop's lid does not make the clock hours late."""


class Clock(Protocol):
    """What the parts of a process share: the moment, and how fast it passes."""

    @property
    def speed(self) -> float:
        """Seconds of this clock in one second of the wall; whoever turns a deadline into a wait divides by it."""
        ...

    def now(self) -> float:
        """Return the time in seconds since the epoch; never less than any value returned before."""
        ...


class SteadyClock:
    """Seconds since the Unix epoch that only ever grow.

    Follows the monotonic clock; an error against the wall clock is taken out at no more than `MAX_SLEW`. A step of the
    wall clock (an administrator, NTP after a long outage) therefore neither ends calls nor makes durations negative.
    """

    def __init__(self, *, monotonic: Callable[[], float] = _monotonic, wall: Callable[[], float] = time.time) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._base_monotonic = monotonic()
        self._base_time = wall()
        self._rate = 1.0
        self.speed = 1.0

    def now(self) -> float:
        """Return the time in seconds since the epoch; never less than any value returned before."""
        elapsed = self._monotonic() - self._base_monotonic
        if elapsed < CHECK_INTERVAL:
            return self._base_time + elapsed * self._rate
        return self._rebase(elapsed)

    @property
    def error(self) -> float:
        """Seconds the wall clock is ahead of this one now: for a warning when somebody has set the clock."""
        return self._wall() - self.now()

    def _rebase(self, elapsed: float) -> float:
        """Start a new straight piece of the clock's line here, with a slope that leads toward the wall clock."""
        self._base_monotonic += elapsed
        self._base_time += elapsed * self._rate
        error = self._wall() - self._base_time
        self._rate = 1.0 + max(-MAX_SLEW, min(MAX_SLEW, error / CHECK_INTERVAL))
        return self._base_time


class AcceleratedClock:
    """Begins at the present and runs up to `speed` times as fast: ten minutes of calls in ten seconds, at 60.

    Only a sandbox has it. All parts of the process must share it, and divide by its speed when they wait. At such a
    pace a machine that is late by 20 ms is late by seconds; so whoever has something to do at a moment may have the
    clock stand there until it is done.
    """

    def __init__(self, speed: float, *, steady: Callable[[], float] | None = None) -> None:
        """`speed` is greater than 0; `steady` is the clock it is made from."""
        self._steady = steady or SteadyClock().now
        self._base = self._base_steady = self._steady()
        self._stands: list[float] = []
        self.speed = speed

    def now(self) -> float:
        """Return the time in seconds since the epoch, ahead of the wall clock by what was gained since the start."""
        steady = self._steady()
        moment = self._base + (steady - self._base_steady) * self.speed
        if self._stands and moment > (limit := min(self._stands)):
            moment = limit
            self._base, self._base_steady = moment, steady
        return moment

    @contextmanager
    def standing_at(self, moment: float) -> Iterator[None]:
        """Let the clock not pass a moment before the block is left. It stands now when the moment has passed already.

        A wait that was measured before may then end early by what the clock stood: look at it again.
        """
        limit = max(moment, self.now())
        self._stands.append(limit)
        try:
            yield
        finally:
            self.now()  # what passed while it stood is not made up for
            self._stands.remove(limit)
