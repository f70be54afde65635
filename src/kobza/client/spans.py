"""Long intervals in parts that a server answers, without a call twice or none at the seams. Pure.

Parts meet at a midnight of Kyiv, where the clock never changes, and both have that second: whether a server counts the
last second of an interval in or not, nothing is lost, and `Seam` drops what came before.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Final

HISTORY_SPAN: Final = timedelta(days=31)
STATISTICS_SPAN: Final = timedelta(days=7)
"""The longest intervals of the contract, in wall time."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of an interval, both ends included: naive wall times of Kyiv."""

    first: datetime
    last: datetime
    is_last: bool


def spans(first: datetime, last: datetime, longest: timedelta) -> Iterator[Span]:
    """Cut an interval into parts of `longest` or less. One whose ends are in the wrong order stays whole."""
    while last - first > longest:
        seam = datetime.combine(first.date(), time()) + longest
        yield Span(first, seam, is_last=False)
        first = seam
    yield Span(first, last, is_last=True)


@dataclass(slots=True)
class Seam:
    """Drops the rows of the second in which two parts meet that the part before had already."""

    _seen: "Counter[Hashable]" = field(default_factory=Counter)
    _before: "Counter[Hashable]" = field(default_factory=Counter)

    def next_part(self) -> None:
        """Say that the rows from now on are the next part's."""
        self._before, self._seen = self._seen, Counter()

    def is_new(self, span: Span, start: datetime, row: Hashable) -> bool:
        """Tell whether a row of a part, with its start as wall time, did not come before.

        Rows without an id may be the same though the calls are two: as many are dropped as came before.
        """
        wall = start.replace(tzinfo=None, microsecond=0, fold=0)
        new = True
        if wall == span.first and self._before[row] > 0:
            self._before[row] -= 1
            new = False
        if wall == span.last and not span.is_last:
            self._seen[row] += 1
        return new
