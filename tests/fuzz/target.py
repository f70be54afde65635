"""What a target is, and how it is played: rounds of inputs, each timed, each fault kept."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.fuzz.mutation import PIECES, mutated, swollen

Take = Callable[[bytes], bool]
"""Takes an input as Kobza would; tells whether it was read, and did not refuse it. What it raises is a fault."""

ROUND: Final = 1000
"""Inputs that are given to one reader, which may keep something from one to the next."""
SWOLLEN_EVERY: Final = 200
"""One input in so many is blown up: it takes as long as hundreds of others."""
AT_ONCE: Final = 0.02
"""Seconds of CPU that any input may take."""
A_BYTE: Final = 3e-6
"""Seconds more for each byte: what is quadratic takes minutes for 64 kB."""
SLOW: Final = 0.002
"""Seconds of CPU from which on it is looked how long an input takes."""


@dataclass(frozen=True)
class Target:
    """One place that reads what strangers send."""

    name: str
    originals: Callable[[], Sequence[bytes]]
    """Real inputs."""
    begin: Callable[[], Take]
    """Makes a reader."""
    share: int
    """How many of a hundred inputs or so it gets: slow readers get few."""
    pieces: Sequence[bytes] = PIECES
    """What is put into inputs."""
    swells: bool = True
    """Whether an input may be large: a datagram of SIP, not a packet of sound."""


@dataclass(frozen=True)
class Fault:
    """What should not have happened."""

    what: str
    data: bytes
    round: int


@dataclass
class Outcome:
    """What came of some rounds."""

    inputs: int = 0
    read: int = 0
    """Inputs that were not refused."""
    faults: list[Fault] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds of CPU that the slowest input took, and its length; 0: none took long enough to be looked at."""

    def add(self, other: "Outcome") -> None:
        """Count others in."""
        self.inputs += other.inputs
        self.read += other.read
        self.faults += other.faults
        self.slowest = max(self.slowest, other.slowest)


def inputs(target: Target, seed: int, number: int, originals: Sequence[bytes]) -> list[bytes]:
    """Return the inputs of a round."""
    chance = random.Random(f"{seed} {target.name} {number}")
    return [
        swollen(chance, originals, target.pieces)
        if target.swells and chance.randrange(SWOLLEN_EVERY) == 0
        else mutated(chance, originals, target.pieces)
        for _ in range(ROUND)
    ]


def play(target: Target, seed: int, number: int, *, most: int = ROUND) -> Outcome:
    """Play a round, or its first inputs."""
    take = target.begin()
    outcome = Outcome()
    clock = time.thread_time
    for data in inputs(target, seed, number, target.originals())[:most]:
        began = clock()
        try:
            outcome.read += take(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            outcome.faults.append(Fault(_words(error), data, number))
            take = target.begin()
        took = clock() - began
        outcome.inputs += 1
        if took > SLOW and not (outcome.faults and outcome.faults[-1].data is data):
            took = least_time(target, data)  # the collector of garbage may have run
            take = target.begin()
            outcome.slowest = max(outcome.slowest, (took, len(data)))
            if took > allowed(data):
                outcome.faults.append(Fault(f"takes {took:.3f} s of CPU for {len(data)} bytes", data, number))
    return outcome


def allowed(data: bytes) -> float:
    """Return the seconds of CPU that an input may take."""
    return AT_ONCE + A_BYTE * len(data)


def least_time(target: Target, data: bytes) -> float:
    """Return the seconds of CPU that an input takes a new reader, the least of three times."""
    times = []
    for _ in range(3):
        take = target.begin()
        began = time.thread_time()
        take(data)
        times.append(time.thread_time() - began)
    return min(times)


def _words(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__}: {error}{place}"
