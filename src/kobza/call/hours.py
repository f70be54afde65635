"""Working hours: when a number or a ringing group takes calls, and where they go when it does not.

Pure: the moment is passed in, and so is the time zone. Hours are wall time; a *span* belongs to the day on which it
begins, and may end on the next one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

DAY: Final = 1440
"""Minutes of a day as clocks count it."""
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of a week, in their order."""
DEFAULT_ZONE: Final = "Europe/Kyiv"
MAX_SPANS: Final = 6
"""Of one day: a break every other hour is more than any office has."""
MAX_DATES: Final = 366
"""Days with hours of their own: each day of a year."""
FORESEEN: Final = timedelta(days=400)
"""How far ahead the next change is looked for."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """When somebody is there, in minutes after the midnight with which its day begins."""

    start: int
    """0 to 1439."""
    end: int
    """After `start`, by less than a day unless that is 0; over 1440 it is on the next day."""


Spans = tuple[Span, ...]
"""Those of one day, in order; they neither overlap nor touch. None: closed."""
Week = tuple[Spans, Spans, Spans, Spans, Spans, Spans, Spans]
"""From Monday to Sunday."""

ALWAYS: Final[Week] = ((Span(0, DAY),),) * 7
NEVER: Final[Week] = ((),) * 7


class Callers(StrEnum):
    """Whose calls the hours are for."""

    OUTSIDE = "outside"
    """All but colleagues: whoever is of the same enterprise gets through at any time."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Override:
    """Open or closed whatever the week says, until a moment."""

    open: bool
    until: int
    """Milliseconds; from then on the week counts again."""


@dataclass(frozen=True, slots=True)
class State:
    """Whether calls are taken at a moment."""

    open: bool
    until: float | None
    """When that changes next (s); None: not within a year."""


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """The hours of a number, of a group, or of a whole enterprise."""

    zone: tzinfo
    week: Week = NEVER
    dates: Mapping[date, Spans] = field(default_factory=dict)
    """Days that are not as their weekday: what begins on them. Nothing: a holiday."""
    company_dates: bool = True
    """Of a number or a group: whether those of the enterprise count for it as well."""
    callers: Callers = Callers.OUTSIDE
    closed_to: str | None = None
    """Where calls go outside the hours: E.164 or a short code; None: nowhere, they are refused."""
    override: Override | None = None
    as_company: bool = False
    """Of a number or a group: whether the override is all that it has of its own."""

    def overridden_at(self, now: float) -> bool:
        """Tell whether the override is in force at a moment (s)."""
        return self.override is not None and now * 1000 < self.override.until

    def state_at(self, now: float) -> State:
        """Tell whether calls are taken at a moment (s), and until when."""
        override = self.override
        if override is None or now * 1000 >= override.until:
            return self._planned(now)
        then = override.until / 1000
        after = self._planned(then)
        return State(override.open, after.until if after.open == override.open else then)

    def open_at(self, now: float) -> bool:
        """Tell whether calls are taken at a moment (s). As `state_at`, but cheap: it is asked for each call."""
        override = self.override
        if override is not None and now * 1000 < override.until:
            return override.open
        today = self._day_of(now)
        return any(start <= now < end for day in (today - _ONE_DAY, today) for start, end in self._moments(day))

    def _planned(self, now: float) -> State:
        """Tell what the week and the dates say."""
        today = self._day_of(now)
        last = min(max((today, *self.dates)), today + FORESEEN) + timedelta(days=8)  # a whole week after the dates
        until: float | None = None
        day = today - _ONE_DAY
        while day <= last:
            for start, end in self._moments(day):
                if end <= now:
                    continue
                if until is None:
                    if start > now:
                        return State(False, start)
                    until = end
                elif start <= until:
                    until = max(until, end)
                else:
                    return State(True, until)
            day += _ONE_DAY
        if until is None:
            return State(False, None)
        return State(True, None if until >= moment_of(last, 0, self.zone) else until)

    def _day_of(self, now: float) -> date:
        return datetime.fromtimestamp(now, self.zone).date()

    def _moments(self, day: date) -> Iterator[tuple[float, float]]:
        """Return when the spans of a day begin and end (s), in order. One within a hour that is skipped is none."""
        spans = self.dates.get(day)
        for span in self.week[day.weekday()] if spans is None else spans:
            start, end = moment_of(day, span.start, self.zone), moment_of(day, span.end, self.zone, last=True)
            if start < end:
                yield start, end


def moment_of(day: date, minute: int, zone: tzinfo, *, last: bool = False) -> float:
    """Return the moment (s) of a wall time, given in minutes after a midnight.

    Of an hour that autumn repeats it is the first one, or the `last`; in an hour that spring skips, or the day that
    Samoa did, it is the moment at which the clock is put forward.
    """
    wall = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - wall time
    while True:
        first = wall.replace(tzinfo=zone)
        if datetime.fromtimestamp(first.timestamp(), zone).replace(tzinfo=None, fold=0) == wall:
            return first.replace(fold=1).timestamp() if last else first.timestamp()
        wall += timedelta(minutes=1)  # no clock shows it


def effective(own: WorkingHours, company: WorkingHours | None) -> WorkingHours:
    """Return the hours of a number or a group with what counts of those of its enterprise (None: it has none)."""
    if own.as_company:
        return replace(company or WorkingHours(own.zone, ALWAYS), override=own.override, as_company=True)
    if company is None or not own.company_dates or not company.dates:
        return own
    return replace(own, dates={**company.dates, **own.dates})


_ONE_DAY: Final = timedelta(days=1)
