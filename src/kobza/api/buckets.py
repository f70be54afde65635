"""Token buckets, pure: the moment is passed in, nothing here reads a clock.

A bucket holds `quota` units and gains one every `window / quota` seconds; each request takes one. Kept is one number
for each bucket, the moment at which it will be full again (the generic cell rate algorithm of ATM Forum TM 4.0). A full
bucket is the same as one that was never used, so forgetting it changes nothing.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

NANOSECONDS: Final = 1_000_000_000
MAX_BUCKETS: Final = 20_000
"""Buckets kept by one policy: some 4 MB. Beyond it that used the longest ago is forgotten, which means filled."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How much there is and how fast it comes back: `quota` requests at once, and as many in each `window` seconds."""

    name: str
    quota: int
    window: int

    @property
    def interval(self) -> int:
        """Nanoseconds in which a bucket gains one unit."""
        return self.window * NANOSECONDS // self.quota


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a request for one unit."""

    allowed: bool
    remaining: int
    """Units that are there now."""
    wait: int
    """Seconds, rounded up, until there is one unit more than `remaining`. Refused: until the next request will pass."""


class Buckets:
    """The buckets of one policy by their keys, of which there are no more than `most`."""

    def __init__(self, policy: Policy, *, most: int = MAX_BUCKETS) -> None:
        self.policy = policy
        self._most = most
        self._interval = policy.interval
        self._capacity = policy.interval * policy.quota
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, now: float) -> Taken:
        """Take one unit if there is one; a request that is refused takes nothing. `now` is in seconds."""
        now_ns = round(now * NANOSECONDS)
        kept = self._full_at
        missing = max(kept.get(key, 0) - now_ns, 0) + self._interval
        if missing > self._capacity:
            return Taken(allowed=False, remaining=0, wait=_seconds(missing - self._capacity))
        kept[key] = now_ns + missing
        kept.move_to_end(key)
        self._forget(now_ns)
        remaining = (self._capacity - missing) // self._interval
        return Taken(True, remaining, _seconds((remaining + 1) * self._interval - (self._capacity - missing)))

    def _forget(self, now_ns: int) -> None:
        """Drop full buckets at the old end, two for each one that may have been added, and keep to the bound."""
        kept = self._full_at
        for _ in range(2):
            key = next(iter(kept))
            if kept[key] > now_ns:
                break
            del kept[key]
        while len(kept) > self._most:
            kept.popitem(last=False)


def _seconds(nanoseconds: int) -> int:
    return max(1, -(-nanoseconds // NANOSECONDS))
