"""Wall time of Europe/Kyiv, which the contract speaks when a time has no offset (section 1). Pure.

A time without `tzinfo` that a user passes is wall time of Kyiv; one with `tzinfo` is the moment it says. Of the hour
that autumn repeats, a wall time at the beginning of an interval is its first pass and at the end its second, as servers
read it, so that an interval is never smaller than asked.
"""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

KYIV: Final = ZoneInfo("Europe/Kyiv")


def to_wall(at: datetime) -> datetime:
    """Return the wall time of Kyiv, naive and cut to the second."""
    local = at if at.tzinfo is None else at.astimezone(KYIV)
    return local.replace(tzinfo=None, microsecond=0, fold=0)


def write_wall(wall: datetime) -> str:
    """Write a naive wall time as the contract's parameters want it: `2026-03-01T09:30:00`."""
    return wall.isoformat(timespec="seconds")


def read_wall(text: str) -> datetime:
    """Read `2026-03-01 09:30:00` (or with a T) as a time of Kyiv. Raises ValueError for anything else.

    Which pass of a repeated hour is meant, the text does not say; the first is taken.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is not None:
        raise ValueError(f"{text} has an offset")
    return at.replace(tzinfo=KYIV)


def read_moment(text: str) -> datetime:
    """Read RFC 3339 as a time in UTC. Raises ValueError for anything else."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at.astimezone(UTC)


def first_second(at: datetime) -> int:
    """Return the beginning of an interval in seconds since the epoch: of a repeated hour the first pass."""
    return int(_moment(at, fold=0) // 1)


def last_second(at: datetime) -> int:
    """Return the last second of an interval, in seconds since the epoch: of a repeated hour the second pass."""
    return int(max(_moment(at, fold=0), _moment(at, fold=1)) // 1)


def _moment(at: datetime, *, fold: int) -> float:
    if at.tzinfo is not None:
        return at.timestamp()
    return at.replace(tzinfo=KYIV, fold=fold).timestamp()


def write_until(at: datetime) -> str:
    """Write a moment for the API: with its offset when it has one, else as wall time of Kyiv."""
    return write_wall(at) if at.tzinfo is None else at.astimezone(UTC).isoformat(timespec="milliseconds")
