"""When a delivery is tried again (contract, section 4). Pure: no clock, no randomness of its own."""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

STEPS: Final[Sequence[float]] = (5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000)
"""Seconds to wait after the first failed attempt, the second, … The first attempt is made at once."""

ATTEMPTS: Final = len(STEPS) + 1
"""After so many failed attempts a delivery has failed."""

JITTER: Final = 0.1
"""Part of a step by which the wait varies, so that what failed together does not come back together."""

RETRY_AFTER_STEPS: Final = 2
"""A receiver may ask for a longer wait, up to so many times the step: it cannot stop the deliveries."""


def wait_after(attempts: int, jitter: float, retry_after: float | None = None) -> float | None:
    """Return the seconds to wait after the last of so many failed attempts; None when there are no more.

    `jitter` is a random number from -1 to 1. `retry_after` is what the receiver asked for, in seconds.
    """
    if not 1 <= attempts <= len(STEPS):
        return None
    step = STEPS[attempts - 1]
    wait = step * (1 + JITTER * max(-1.0, min(jitter, 1.0)))
    if retry_after is None:
        return wait
    return max(wait, min(retry_after, step * RETRY_AFTER_STEPS))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3: seconds or a date); None for nonsense.

    `now` is in seconds since the Unix epoch. A date in the past is 0.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(value[:12])  # more digits would not fit a float, and mean no other wait
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
