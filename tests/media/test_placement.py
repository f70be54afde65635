"""Placement alone, in simulated time: an hour of two phones whose clocks drift."""

import random
from itertools import pairwise

from kobza.media.placement import Placed, Placement
from kobza.rtp.g711 import Law

HOUR = 3600
PTIME = 0.12
"""Seconds in a packet: few packets make an hour short."""
SAMPLES = 960


def _off(rng: random.Random, drift: float, jitter: float) -> list[float]:
    """Return by how many seconds each packet of an hour is off its time, of a phone whose clock is so much slow."""
    placement, placed = Placement(), list[Placed]()
    payload = bytes(SAMPLES)
    spoken = []
    for number in range(round(HOUR / PTIME)):
        at = number * PTIME * (1 + drift)
        spoken.append(at)
        arrived = at + PTIME + rng.uniform(0, jitter)
        placement.add(round(arrived * 8000), 1, (SAMPLES * number + 2**32 - 99) % 2**32, Law.A, payload)
        if number % 50 == 0:
            placed += placement.take(round(arrived * 8000))
    placed += placement.take(None)
    assert len(placed) == len(spoken)
    return [packet.start / 8000 - at for packet, at in zip(placed, spoken, strict=True)]


def test_two_clocks_that_drift_stay_together_for_an_hour() -> None:
    """One is 0.01 % slow on a bad network, the other as much fast: unminded, they would end 0.7 s apart."""
    rng = random.Random(3)
    slow, fast = _off(rng, 1e-4, 0.04), _off(rng, -1e-4, 0.0)
    apart = [abs(one - other) for one, other in zip(slow, fast, strict=False)]
    assert max(apart) < 0.02
    # A slip is one sample; the sound never jumps.
    for off in (slow, fast):
        assert max(abs(later - one) for one, later in pairwise(off)) < 2.5 / 8000
