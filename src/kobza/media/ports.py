"""The pool of UDP ports for media: pairs of an even port (RTP) and the odd one above (RTCP, RFC 3550, section 11)."""

from collections import deque
from typing import Final

QUARANTINE: Final = 5.0
"""Seconds: packets still under way to the old call must not reach the next one."""
BUSY_QUARANTINE: Final = 60.0
"""Seconds before a pair is tried again that some other program had bound."""


class NoFreePorts(Exception):
    """All pairs are in use, or rest."""


class PortPool:
    """Hands out pairs by their even port. `ports` is the range configured, e.g. `range(20000, 21000)`.

    The pair that was free longest is handed out first. `now` is in seconds of a steady clock.
    """

    def __init__(self, ports: range) -> None:
        first = ports.start + ports.start % 2
        self._free = deque(range(first, ports.stop - 1, 2))
        self._resting: deque[tuple[float, int]] = deque()
        self._busy: deque[tuple[float, int]] = deque()
        self._used: set[int] = set()
        self.size = len(self._free)
        self.quarantine = QUARANTINE
        """Seconds that a freed pair rests."""

    @property
    def used(self) -> int:
        """Pairs handed out and not given back."""
        return len(self._used)

    def take(self, now: float) -> int:
        """Return the even port of a pair; raise NoFreePorts."""
        for queue in (self._resting, self._busy):
            while queue and queue[0][0] <= now:
                self._free.append(queue.popleft()[1])
        if not self._free:
            raise NoFreePorts
        port = self._free.popleft()
        self._used.add(port)
        return port

    def give_back(self, port: int, now: float) -> None:
        """Return a pair after its call. One that is not handed out is left alone."""
        if port in self._used:
            self._used.remove(port)
            self._resting.append((now + self.quarantine, port))

    def set_aside(self, port: int, now: float) -> None:
        """Return a pair that could not be bound: it rests longer."""
        if port in self._used:
            self._used.remove(port)
            self._busy.append((now + BUSY_QUARANTINE, port))
