"""Port pairs that the relay has bound ahead of the calls that will need them: such a call waits for nobody."""

from collections import deque
from typing import Final

from kobza.media.ports import NoFreePorts, PortPool

STOCK: Final = 16
"""Pairs that are kept bound: what the calls of a moment take before the relay has bound the next ones."""
SHARE: Final = 16
"""At most one in so many pairs of the pool is kept bound: a small pool is for calls, which cannot have those that are
being bound at that moment."""


class PortStock:
    """Takes pairs out of a pool and hands out those that the relay has reported bound. Bounded by STOCK.

    Packets that come to a pair before its call are thrown away by the relay when the call takes it.
    """

    def __init__(self, pool: PortPool) -> None:
        self._pool = pool
        self._full = min(STOCK, pool.size // SHARE)
        self._ready: deque[int] = deque()
        self._asked: set[int] = set()

    def __len__(self) -> int:
        """Pairs of the pool that are here, bound or being bound."""
        return len(self._ready) + len(self._asked)

    def take(self, count: int) -> list[int]:
        """Return up to `count` pairs that are bound; they belong to a call from now on."""
        return [self._ready.popleft() for _ in range(min(count, len(self._ready)))]

    def put_back(self, pairs: list[int]) -> None:
        """Return pairs that were taken and about which the relay was told nothing."""
        self._ready.extendleft(reversed(pairs))

    def refill(self, now: float) -> list[int]:
        """Return the pairs that the relay is to bind now: none as long as half of the stock is there."""
        if len(self) * 2 > self._full or not self._full:
            return []
        wanted: list[int] = []
        try:
            while len(self) + len(wanted) < self._full:
                wanted.append(self._pool.take(now))
        except NoFreePorts:
            pass
        self._asked.update(wanted)
        return wanted

    def arrived(self, bound: list[int], refused: list[int], now: float) -> None:
        """Take what the relay has bound; what it could not, because some other program has it, rests in the pool."""
        self._asked.difference_update(bound, refused)
        self._ready.extend(bound)
        for port in refused:
            self._pool.set_aside(port, now)

    def lost(self, now: float) -> None:
        """Return everything to the pool: the relay is gone."""
        for port in (*self._ready, *self._asked):
            self._pool.give_back(port, now)
        self._ready.clear()
        self._asked.clear()
