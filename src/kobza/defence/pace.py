"""How much of something may come at once, and how fast it comes back."""

from dataclasses import dataclass
from math import inf
from typing import Self


@dataclass(frozen=True, slots=True)
class Pace:
    """A bucket that gains one unit in each `interval` seconds and is full after `span` of them.

    Kept of a bucket is one number, the moment at which it will be full again (the generic cell rate algorithm of ATM
    Forum TM 4.0): `taken` turns the one into the next. A bucket never used has 0.0.
    """

    interval: float
    span: float

    @classmethod
    def of(cls, units: int, seconds: int) -> Self:
        """So many units at once, and as many again in so many seconds; of 0 units: as many as come."""
        return cls(seconds / units, seconds) if units else cls(0.0, inf)

    def taken(self, full_at: float, now: float) -> float | None:
        """Take one unit; return what is to be kept then, None when there is no unit."""
        full_at = max(full_at, now) + self.interval
        return full_at if full_at - now <= self.span else None
