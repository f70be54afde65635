"""Durations as the contract rounds them, and the milliseconds in which moments are stored.

Moments are `float` seconds since the Unix epoch in the engine and integer milliseconds, rounded down, in the store. A
duration is always counted from the stored milliseconds, so that what a call state said and what the history says later
are the same figure.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final


def to_ms(at: float) -> int:
    """Convert a moment in seconds to milliseconds, rounded down.

    A float near 1.7e9 is exact to a quarter of a microsecond only: one microsecond of grace keeps 12:00:00.123, which
    is 12:00:00.12299999, from becoming 12:00:00.122.
    """
    return int(at * 1000 + 0.001)


def whole_seconds(start_ms: int, end_ms: int) -> int:
    """Return the whole seconds from one stored moment to another, rounded up; 0 when the clock went backwards.

    The manual's example: 21:39:35 to 21:39:48 with fractions is 14 s.
    """
    return max(0, -((start_ms - end_ms) // 1000))


def talk_seconds(answered_ms: int | None, ended_ms: int) -> int:
    """Return the `call_duration` of a call: 0 means "not answered", so an answered call lasts 1 s or more."""
    if answered_ms is None:
        return 0
    return max(1, whole_seconds(answered_ms, ended_ms))


def ringing_seconds(ringing_ms: int | None, answered_ms: int | None, ended_ms: int) -> int:
    """Return the `ringing` of a call: the seconds of alerting until the answer or the end; 0 when nothing rang."""
    if ringing_ms is None:
        return 0
    return whole_seconds(ringing_ms, ended_ms if answered_ms is None else answered_ms)


def rfc3339(at_ms: int) -> str:
    """Write a moment in milliseconds since the Unix epoch as RFC 3339 in UTC: `2025-03-01T12:00:00.123Z`."""
    seconds = at_ms // 1000
    second = _latest.second
    if second[0] != seconds:
        second = _latest.second = (seconds, _utc_second(seconds))
    # Compiled, a format costs ten times as much, and so does asking what is remembered of the other seconds.
    return second[1] + str(1000 + at_ms - 1000 * seconds)[1:] + "Z"


class _Latest:
    """The second that was written last, and what was written: one value, as several threads write moments."""

    __slots__ = ("second",)

    def __init__(self) -> None:
        self.second = (0, "1970-01-01T00:00:00.")


_latest: Final = _Latest()


@lru_cache(maxsize=256)  # what is written together is of the same few seconds, and a page of history of a few minutes
def _utc_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19] + "."
