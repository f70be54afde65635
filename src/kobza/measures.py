"""Numbers that only grow, for metrics: counted where things happen, read when somebody asks.

They are plain integers and lists, because the path of a call is measured in microseconds: counting costs some tens of
nanoseconds, and nothing is formatted before a scrape. Counts by label are `defaultdict(int)`; whoever counts bounds the
labels.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Self


class Histogram:
    """How often a value was how large. `bounds` are the upper ends of the buckets, ascending; above is one more."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    @classmethod
    def of(cls, bounds: Sequence[float], counts: Sequence[int], total: float) -> Self:
        """Return what another process has counted: `counts` has one number more than there are bounds."""
        histogram = cls(bounds)
        histogram._counts = list(counts)
        histogram.total = total
        return histogram

    @property
    def counts(self) -> list[int]:
        """How many values each bucket has, that above the last bound included."""
        return self._counts.copy()

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self._counts)

    def cumulative(self) -> list[int]:
        """Return for each bound how many values were at most that, and at the end how many there were."""
        reached = 0
        return [reached := reached + count for count in self._counts.copy()]
