"""Wall time of Europe/Kyiv: reading what a client asks, writing what it is shown (contract, section 1).

Pure: `now` is passed in, nothing here reads a clock. Moments inside are whole seconds or milliseconds since the epoch,
UTC; a *wall* time is a naive `datetime` as a clock in Kyiv shows it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from kobza.call.durations import rfc3339 as rfc3339
from kobza.call.errors import Fault, KobzaError

KYIV: Final = ZoneInfo("Europe/Kyiv")
DEFAULT_SPAN: Final = timedelta(days=7)
"""The interval when one of its ends is absent, and the longest one of the basic call information."""
CALLSTAT_REACH: Final = timedelta(days=30)
"""How far back the basic call information goes."""
HISTORY_SPAN: Final = timedelta(days=31)
"""The longest interval of the call history."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: arithmetic on wall times
_WALL: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


class IntervalError(KobzaError):
    """An interval that cannot be answered; `parameter` names the end that is wrong."""

    code = "invalid_parameter"
    http_status = 400
    sip_status = 400
    fault = Fault.CALLER


@dataclass(frozen=True, slots=True)
class Interval:
    """What was asked, both ends included: the wall times in force and the moments they mean (ms, UTC)."""

    wall_from: datetime
    wall_to: datetime
    from_ms: int
    to_ms: int
    """The last millisecond of the last second: a call at 12:00:00.7 is shown as 12:00:00 and belongs to it."""


def parse_wall(text: str, parameter: str) -> datetime:
    """Read `YYYY-MM-DDTHH:MM:SS`. Raises IntervalError for any other form and for a date that no calendar has."""
    if _WALL.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise IntervalError(f"{parameter} must be a time like 2026-03-01T09:30:00.", parameter=parameter)


def first_moment(wall: datetime) -> int:
    """Return the moment (s) of a wall time: of a repeated hour the first; of a skipped hour it moves by the gap."""
    return _moment(wall, fold=0)


def last_moment(wall: datetime) -> int:
    """Return the moment (s) of a wall time: of a repeated hour the second; of a skipped hour it moves by the gap."""
    # Within the gap fold=1 would move the time back (PEP 495); the later of the two is right in both cases.
    return max(_moment(wall, fold=0), _moment(wall, fold=1))


def _moment(wall: datetime, *, fold: int) -> int:
    offset = wall.replace(tzinfo=KYIV, fold=fold).utcoffset() or timedelta()
    return int((wall - _EPOCH - offset) // timedelta(seconds=1))


def wall_of(now: float) -> datetime:
    """Return the wall time of a moment in seconds, truncated to the second."""
    return datetime.fromtimestamp(int(now // 1), KYIV).replace(tzinfo=None, fold=0)


def callstat_interval(from_text: str | None, to_text: str | None, now: float) -> Interval:
    """Return the interval of the basic call information (section 2); at least one end is given.

    Raises IntervalError: malformed, `from` after `to`, over 7 days of wall time, older than 30 days, in the future.
    """
    wall_from, wall_to = _parse_ends(from_text, to_text)
    wall_now = wall_of(now)
    oldest = wall_now - CALLSTAT_REACH
    if wall_from is not None and wall_from < oldest:
        raise IntervalError("from must not be older than 30 days.", parameter="from")
    if wall_to is not None:
        # In the first pass of a repeated hour the second one is still to come, and in the hour after a skipped one the
        # times that were skipped mean some that are: what is past on the wall is past.
        if wall_to > wall_now and first_moment(wall_to) > now:
            raise IntervalError("to must not be in the future.", parameter="to")
        if wall_to < oldest:
            raise IntervalError("to must not be older than 30 days.", parameter="to")
    start, end = _complete(wall_from, wall_to, wall_now, oldest)
    return _interval(start, end, now, longest=DEFAULT_SPAN)


def history_interval(from_text: str | None, to_text: str | None, now: float) -> Interval:
    """Return the interval of the call history (section 3): up to 31 days, any past, a future `to` means now.

    At least one end is given. Raises IntervalError as `callstat_interval` does.
    """
    wall_from, wall_to = _parse_ends(from_text, to_text)
    wall_now = wall_of(now)
    if wall_to is not None and wall_to > wall_now and first_moment(wall_to) > now:
        wall_to = wall_now
    start, end = _complete(wall_from, wall_to, wall_now, datetime.min)  # noqa: DTZ901 - wall times are naive
    return _interval(start, end, now, longest=HISTORY_SPAN)


def _parse_ends(from_text: str | None, to_text: str | None) -> tuple[datetime | None, datetime | None]:
    return (
        None if from_text is None else parse_wall(from_text, "from"),
        None if to_text is None else parse_wall(to_text, "to"),
    )


def _complete(
    wall_from: datetime | None, wall_to: datetime | None, wall_now: datetime, oldest: datetime
) -> tuple[datetime, datetime]:
    """Fill in the end that is absent. Compares before it adds, because year 1 and year 9999 have no neighbours."""
    if wall_from is None and wall_to is not None:
        return max(oldest, wall_to - min(DEFAULT_SPAN, wall_to - datetime.min)), wall_to  # noqa: DTZ901
    if wall_from is None:
        raise IntervalError("One of from and to is needed.", parameter="from")
    if wall_to is None:
        wall_to = wall_now if wall_from >= wall_now - DEFAULT_SPAN else wall_from + DEFAULT_SPAN
    return wall_from, wall_to


def _interval(wall_from: datetime, wall_to: datetime, now: float, *, longest: timedelta) -> Interval:
    start = first_moment(wall_from)
    end = last_moment(wall_to)
    # Both orders must be wrong. In the repeated hour 03:30 to 03:20 is 50 minutes; and an interval that begins in the
    # skipped hour and ends soon after it is an empty one, not a mistake of the client's.
    if wall_from > wall_to and start > end:
        raise IntervalError("from must not be after to.", parameter="from")
    if wall_to - wall_from > longest:
        raise IntervalError(f"The interval must not be longer than {longest.days} days.", parameter="to")
    end = min(end, int(now // 1))
    return Interval(wall_from, wall_to, start * 1000, end * 1000 + 999)


def parse_moment(text: str, parameter: str) -> int:
    """Read a single moment, such as `until`: RFC 3339, or wall time of Kyiv without an offset. Returns ms, UTC.

    Raises IntervalError. Of a repeated hour the second pass is meant, so that nothing ends earlier than asked.
    """
    if _RFC3339.fullmatch(text):
        try:
            at = datetime.fromisoformat(text.upper())
            if at.tzinfo is None:
                return last_moment(at.replace(microsecond=0)) * 1000 + at.microsecond // 1000
            return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            pass
    raise IntervalError(
        f"{parameter} must be a time like 2026-03-01T09:30:00 (Kyiv) or 2026-03-01T07:30:00Z.", parameter=parameter
    )


SECONDS: Final = tuple(f"{second:02d}" for second in range(60))
"""What stands after a minute of `MinuteTexts`."""
MILLIS: Final = tuple(f".{millis:03d}Z" for millis in range(1000))
"""What ends a moment of RFC 3339 in UTC."""

_HOURS: Final = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_QUARTER: Final = 15
"""Offsets of time zones change on quarters of an hour of UTC only."""
_REMEMBERED: Final = 4096
"""Minutes kept: some 400 KB."""


class MinuteTexts(dict[int, str]):
    """The text of each minute since the epoch, made when it is first asked for: `2026-03-01 21:39:`.

    `texts[ms // 60_000] + SECONDS[ms // 1000 % 60]` writes a moment in a tenth of a microsecond when the calls of an
    export come in order of time, because `strftime` and a zone conversion for each row would cost more than all else of
    it. One for each export. `mark` stands between date and time.
    """

    __slots__ = ("_day", "_day_text", "_mark", "_offset", "_quarter", "_zone")

    def __init__(self, zone: tzinfo = KYIV, mark: str = " ") -> None:
        self._zone = zone
        self._mark = mark
        self._quarter: int | None = None
        self._offset = 0
        self._day: int | None = None
        self._day_text = ""

    def __missing__(self, minute: int) -> str:
        quarter = minute // _QUARTER
        if quarter != self._quarter:
            self._quarter = quarter
            offset = datetime.fromtimestamp(minute * 60, self._zone).utcoffset() or timedelta()
            self._offset = offset // timedelta(minutes=1)
        day, of_day = divmod(minute + self._offset, 1440)
        if day != self._day:
            self._day = day
            self._day_text = f"{_EPOCH + timedelta(days=day):%Y-%m-%d}{self._mark}"
        if len(self) >= _REMEMBERED:
            self.clear()
        text = self[minute] = self._day_text + _HOURS[of_day]
        return text


def wall_text(ms: int) -> str:
    """Return one moment (ms) as `YYYY-MM-DD HH:MM:SS` of Kyiv, truncated to the second."""
    return MinuteTexts()[ms // 60_000] + SECONDS[ms // 1000 % 60]
