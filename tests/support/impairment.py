"""What a bad network does to datagrams: loses, repeats, delays and reorders them, drawn from a seed."""

import random
from dataclasses import dataclass
from typing import Final

LATE: Final = 0.05
"""Seconds for which a datagram waits that those behind it overtake."""


@dataclass(frozen=True)
class Impairment:
    """How bad. Each but `delay` is a share of the datagrams, from 0 to 1."""

    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    delay: float = 0.0
    """Seconds that a datagram takes at most; each takes a time of its own below that."""

    @classmethod
    def of(cls, share: float, *, delay: float = 0.1) -> "Impairment":
        """Return a network that does everything to a share of the datagrams."""
        return cls(share, share, share, delay)

    def __str__(self) -> str:
        shares = {"loss": self.loss, "duplication": self.duplication, "reordering": self.reordering}
        words = [f"{share:.0%} {name}" for name, share in shares.items() if share]
        words += [f"up to {self.delay * 1000:.0f} ms delay"] if self.delay else []
        return ", ".join(words) or "nothing"


class Fate:
    """Draws what becomes of each datagram."""

    def __init__(self, impairment: Impairment, seed: object) -> None:
        self.impairment = impairment
        self._chance = random.Random(str(seed))
        self.passed = self.lost = self.repeated = self.reordered = 0

    def next(self) -> list[float]:
        """Return after how many seconds the next datagram arrives: never, once, or twice."""
        bad, chance = self.impairment, self._chance.random
        self.passed += 1
        if chance() < bad.loss:
            self.lost += 1
            return []
        arrivals = [bad.delay * chance()]
        if chance() < bad.reordering:
            self.reordered += 1
            arrivals[0] += LATE
        if chance() < bad.duplication:
            self.repeated += 1
            arrivals.append(bad.delay * chance())
        return arrivals
