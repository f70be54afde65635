"""Working hours as people and programs write them: `mon-fri 09:00-13:00, 14:00-18:00; sat 10:00-15:00`.

What is written here reads back as the same; the store, the audit, the command line and tables have it in this form.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from kobza.call.errors import Fault, KobzaError
from kobza.call.hours import ALWAYS, DAY, DAYS, MAX_DATES, MAX_SPANS, NEVER, Span, Spans, Week, moment_of

MAX_LENGTH: Final = 20_000
"""Characters of the longest text that is read: each day of a year, each with as many spans as it may have."""
CLOSED: Final = "closed"
ALL_DAYS: Final = "always"

_SPAN: Final = re.compile(r"(\d{1,2})(?:[:.](\d\d))? ?- ?(\d{1,2})(?:[:.](\d\d))?", re.ASCII)
_DASHES: Final = str.maketrans("\u2010\u2011\u2012\u2013\u2014\u2212", "------")
_WEEKDAYS: Final = re.compile(r"([^\W\d]+)(?: ?- ?([^\W\d]+))?")
_CLOSED_WORDS: Final = frozenset({"", "-", CLOSED, "off", "зачинено", "вихідний"})
_ALWAYS_WORDS: Final = frozenset({ALL_DAYS, "завжди"})
_NUMBER_OF: Final[Mapping[str, int]] = {
    word: number for words in (DAYS, ("пн", "вт", "ср", "чт", "пт", "сб", "нд")) for number, word in enumerate(words)
}
_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_UNTIL: Final = re.compile(
    r"(?:(?P<day>\d{4}-\d\d-\d\d|\d{1,2}\.\d{1,2}\.\d{4})[ t])?(?P<clock>\d{1,2}:\d\d)(?::00)?"
    r"|(?P<count>\d{1,4}) ?(?P<unit>[hm])",
    re.ASCII,
)
LONGEST: Final = timedelta(days=366)
"""How long an override may last: who wants more changes the week."""
_YEARS: Final = range(2000, 2100)


class HoursError(KobzaError):
    """A text that is no working hours; `parameter` is what of them is wrong: `week`, `dates`, a day of the week."""

    code = "invalid_hours"
    http_status = 400
    sip_status = 400
    fault = Fault.CALLER


def spans_of(text: str, parameter: str = "week") -> Spans:
    """Read the hours of one day: `9-13, 14:00-18:00`; nothing, `-` or `closed` for a day without any.

    An interval whose end is before its start ends on the next day: `22:00-04:00`. Raises HoursError.
    """
    text = _tidy(text, parameter)
    if text in _CLOSED_WORDS:
        return ()
    if text in _ALWAYS_WORDS:
        return ALWAYS[0]
    parts = [part.strip() for part in re.split(r"[,;]", text)]
    spans = sorted(_span(part, parameter) for part in parts)
    if len(spans) > MAX_SPANS:
        raise HoursError(f"A day has {MAX_SPANS} intervals at most, not {len(spans)}.", parameter=parameter)
    for before, after in pairwise(spans):
        if after.start <= before.end:
            both = f"{_span_text(before)} and {_span_text(after)}"
            raise HoursError(f"{both} overlap or touch: write one interval instead.", parameter=parameter)
    return tuple(spans)


def spans_text(spans: Spans) -> str:
    """Write the hours of one day."""
    return ", ".join(map(_span_text, spans)) or CLOSED


def week_of(text: str, parameter: str = "week") -> Week:
    """Read a week: days or ranges of days with their hours, divided by `;`; what is not named is closed.

    `always` and `closed` stand for a whole week. Raises HoursError.
    """
    text = _tidy(text, parameter)
    if text in _ALWAYS_WORDS:
        return ALWAYS
    week: list[Spans | None] = [None] * len(DAYS)
    if text not in _CLOSED_WORDS:
        for part in text.split(";"):
            if part.strip():
                days, spans = _days_and_spans(part.strip(), parameter)
                for day in days:
                    if week[day] is not None:
                        raise HoursError(f"{DAYS[day]} is given twice.", parameter=parameter)
                    week[day] = spans
    mon, tue, wed, thu, fri, sat, sun = (spans or () for spans in week)
    return mon, tue, wed, thu, fri, sat, sun


def week_text(week: Week) -> str:
    """Write a week, neighbours with the same hours together."""
    if week in (ALWAYS, NEVER):
        return ALL_DAYS if week == ALWAYS else CLOSED
    parts, first = [], 0
    for day in range(len(DAYS)):
        if day + 1 == len(DAYS) or week[day + 1] != week[first]:
            if week[first]:
                names = DAYS[first] if day == first else f"{DAYS[first]}-{DAYS[day]}"
                parts.append(f"{names} {spans_text(week[first])}")
            first = day + 1
    return "; ".join(parts)


def dates_of(text: str, parameter: str = "dates") -> dict[date, Spans]:
    """Read days with hours of their own: `2026-12-25 closed; 2026-12-31 9:00-15:00`. Raises HoursError.

    A line or what stands before a `;` is a day or, with `..`, several: `31.12.2026..02.01.2027`; without hours: closed.
    """
    dates: dict[date, Spans] = {}
    for part in re.split(r"[;\n]", _tidy(text, parameter, lines=True)):
        words = part.strip()
        if not words:
            continue
        days, _, hours = words.partition(" ")
        spans = spans_of(hours, parameter)
        first, _, last = days.partition("..")
        begin, end = date_of(first, parameter), date_of(last or first, parameter)
        if end < begin:
            raise HoursError(f"{last} is before {first}.", parameter=parameter)
        if len(dates) + (end - begin).days >= MAX_DATES:
            raise HoursError(f"There are {MAX_DATES} dates at most.", parameter=parameter)
        for day in (begin + timedelta(days=number) for number in range((end - begin).days + 1)):
            if day in dates:
                raise HoursError(f"{day} is given twice.", parameter=parameter)
            dates[day] = spans
    return dict(sorted(dates.items()))


def dates_text(dates: Mapping[date, Spans]) -> str:
    """Write days with hours of their own."""
    return "; ".join(f"{day} {spans_text(dates[day])}" for day in sorted(dates))


def date_of(text: str, parameter: str = "dates") -> date:
    """Read a day, `2026-12-31` or `31.12.2026`. Raises HoursError."""
    found = _DATE.fullmatch(text.strip())
    if found is not None:
        parts = found.group(1, 2, 3) if found[1] else found.group(6, 5, 4)
        year, month, day = (int(part) for part in parts)
        if year in _YEARS:
            try:
                return date(year, month, day)
            except ValueError:
                pass
    raise HoursError(f"{text.strip()[:20]!r} is no date, as in 2026-12-31 or 31.12.2026.", parameter=parameter)


def until_of(text: str, zone: tzinfo, now: float, parameter: str = "until") -> int:
    """Read the end of an override as a moment in ms: `18:00` (the next one), `2026-12-31 18:00`, `2h`, `45m`.

    Raises HoursError, also for one that is past, or more than a year ahead.
    """
    words = _tidy(text, parameter)
    found = _UNTIL.fullmatch(words)
    if found is None:
        raise HoursError(f"{words[:40]!r} is no moment, as in 18:00, 2026-12-31 18:00 or 2h.", parameter=parameter)
    day, clock, count, unit = found["day"], found["clock"], found["count"], found["unit"]
    if count:
        until = now + int(count) * {"m": 60, "h": 3600}[unit]
    else:
        hour, minute = (int(part) for part in clock.split(":"))
        if hour > 23 or minute > 59:
            raise HoursError(f"{clock} is no time of day.", parameter=parameter)
        on = datetime.fromtimestamp(now, zone).date() if day is None else date_of(day, parameter)
        until = moment_of(on, hour * 60 + minute, zone)
        if day is None and until <= now:
            until = moment_of(on + timedelta(days=1), hour * 60 + minute, zone)
    if not now < until <= now + LONGEST.total_seconds():
        raise HoursError(f"{words} is past, or more than a year ahead.", parameter=parameter)
    return int(until * 1000)


def _tidy(text: str, parameter: str, *, lines: bool = False) -> str:
    if len(text) > MAX_LENGTH:
        raise HoursError(f"The text is longer than {MAX_LENGTH} characters.", parameter=parameter)
    text = text.translate(_DASHES).casefold()
    return "\n".join(" ".join(line.split()) for line in text.splitlines()) if lines else " ".join(text.split())


def _days_and_spans(part: str, parameter: str) -> tuple[list[int], Spans]:
    """Read `mon-fri 9-18`, `mon, wed 9-18`, `sat closed`."""
    named, hours = part, ""
    found = re.search(r"\d", part)
    if found is not None:
        named, hours = part[: found.start()], part[found.start() :]
    else:
        head, _, word = part.rpartition(" ")
        if word in _CLOSED_WORDS | _ALWAYS_WORDS:
            named, hours = head, word
    days: list[int] = []
    for each in named.strip().rstrip(":").split(","):
        match = _WEEKDAYS.fullmatch(each.strip())
        ends = [] if match is None else [_NUMBER_OF.get(name) for name in match.groups() if name]
        if not ends or None in ends:
            raise HoursError(f"{part[:40]!r} begins with no day of the week: {', '.join(DAYS)}.", parameter=parameter)
        first, last = ends[0] or 0, ends[-1] or 0
        days += [(first + number) % len(DAYS) for number in range((last - first) % len(DAYS) + 1)]
    return days, spans_of(hours, parameter)


def _span(text: str, parameter: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is not None:
        start, end = (int(found[at]) * 60 + int(found[at + 1] or 0) for at in (1, 3))
        minutes = [int(found[at] or 0) for at in (2, 4)]
        if start < DAY and end <= DAY and max(minutes) < 60 and start != end:
            return Span(start, end if start < end else end + DAY)
    raise HoursError(f"{text[:40]!r} is no interval, as in 09:00-18:00 or 22:00-04:00.", parameter=parameter)


def _span_text(span: Span) -> str:
    end = span.end if span.end <= DAY else span.end - DAY
    return f"{_clock(span.start)}-{_clock(end)}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
