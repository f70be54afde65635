"""Whether an endpoint may be tried now: one that is dead is probed, not hammered. Pure: no clock, no chance of its own.

Closed: everything that is due goes out, fewer at once the more fails. Open, after some failures in a row that say the
receiver is dead: nothing goes out until a moment. Then half open: one attempt, which closes it or opens it for longer.
"""

from typing import Final

OPENS_AFTER: Final = 5
"""Dead attempts in a row."""
FIRST_PAUSE: Final = 5.0
LAST_PAUSE: Final = 60.0
"""Seconds: doubled from the first to the last. A receiver that is back waits a minute at most."""
JITTER: Final = 0.1
"""Part of a pause by which it varies, so that what died together is not probed together."""


class Circuit:
    """The circuit breaker of one endpoint. Moments are seconds since the Unix epoch."""

    __slots__ = ("_dead", "_pauses", "failures", "open_until")

    def __init__(self) -> None:
        self.failures = 0
        """Attempts that failed, in whatever way, since the last one that did not."""
        self.open_until: float | None = None
        """While it is open, and half open: when it may be tried; None when it is closed."""
        self._dead = 0
        self._pauses = 0

    def allowed(self, limit: int, now: float) -> int:
        """Return how many attempts may be under way."""
        if self.open_until is not None:
            return 1 if now >= self.open_until else 0
        return limit if not self.failures else max(1, limit >> min(self.failures, 16))

    def succeeded(self) -> None:
        """Close it: the receiver takes states."""
        self.failures = self._dead = self._pauses = 0
        self.open_until = None

    def failed(self, now: float, jitter: float, *, dead: bool) -> None:
        """Count a failure. `dead`: it says that the receiver does not work, not that it minds this one state.

        `jitter` is a random number from -1 to 1.
        """
        self.failures += 1
        if not dead:
            self._dead = self._pauses = 0
            self.open_until = None
            return
        self._dead += 1
        if self._dead < OPENS_AFTER or (self.open_until is not None and now < self.open_until):
            return  # the latter: attempts that were under way when it opened
        pause = min(LAST_PAUSE, FIRST_PAUSE * 2 ** min(self._pauses, 16))
        self._pauses += 1
        self.open_until = now + pause * (1 + JITTER * jitter)
