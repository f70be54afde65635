"""DTMF digits that the plane itself sends to a phone: telephone events (RFC 4733), a step each 20 ms.

A digit sounds for 100 ms and is followed by as much of a gap, slow enough for every voice menu (ITU-T Q.24 asks for
40 ms of each). Its last packet is sent three times, since a lost one would leave the tone on (section 2.5.1.4).
"""

from collections.abc import Iterator
from typing import Final

from kobza.rtp.event import DIGITS, TelephoneEvent

STEP_SAMPLES: Final = 160
"""Units of the timestamp in a step of 20 ms."""
TONE_STEPS: Final = 5
END_REPEATS: Final = 2
"""How often the last packet is sent again."""
GAP_STEPS: Final = 5
PAUSE: Final = ","
PAUSE_STEPS: Final = 25
"""A comma is half a second without a digit."""
VOLUME: Final = 10
"""In dBm0 below zero: as loud as phones send them."""


def steps(digits: str) -> Iterator[TelephoneEvent | None]:
    """Give what is to be sent at each step; None: the voice passes. KeyError is impossible: digits are checked."""
    for digit in digits:
        if digit == PAUSE:
            yield from (None,) * PAUSE_STEPS
            continue
        code = DIGITS.index(digit)
        for count in range(1, TONE_STEPS):
            yield TelephoneEvent(code, end=False, volume=VOLUME, duration=count * STEP_SAMPLES)
        last = TelephoneEvent(code, end=True, volume=VOLUME, duration=TONE_STEPS * STEP_SAMPLES)
        yield from (last,) * (1 + END_REPEATS)
        yield from (None,) * (GAP_STEPS - END_REPEATS)
