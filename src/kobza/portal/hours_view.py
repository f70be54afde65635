"""Working hours in words: what a week is, and whether it is open now and until when."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from babel.dates import format_date, get_day_names

from kobza.call.hours import ALWAYS, DAYS, Spans, State, Week, WorkingHours
from kobza.call.hours_form import spans_text, week_text
from kobza.portal.texts import Say


@dataclass(frozen=True, slots=True)
class StateView:
    """Whether calls are taken now."""

    open: bool
    words: str
    """With the end of it: `Open until 18:00`."""


def state_view(hours: WorkingHours | None, now: float, say: Say) -> StateView:
    """Say whether calls are taken at a moment (s), and until when; None: there are no hours."""
    if hours is None:
        return StateView(open=True, words=say("work_hours_open"))
    return StateView(hours.state_at(now).open, _words(hours.state_at(now), hours, now, say))


def _words(state: State, hours: WorkingHours, now: float, say: Say) -> str:
    if state.until is None:
        return say("work_hours_open" if state.open else "work_hours_closed")
    until = until_text(state.until, now, hours, say)
    return say("work_hours_open_until" if state.open else "work_hours_closed_until", until=until)


def until_text(until: float, now: float, hours: WorkingHours, say: Say) -> str:
    """Write a moment to come as one says it after "until": `18:00`, `Monday 09:00`, `3 January 09:00`."""
    at, today = (datetime.fromtimestamp(moment, hours.zone) for moment in (until, now))
    days = (at.date() - today.date()).days
    clock = f"{at:%H:%M}"
    if days == 0:
        return clock
    if days == 1:
        return f"{say('work_hours_tomorrow')} {clock}"
    if days < 7:
        return f"{say(f'work_hours_until_{DAYS[at.weekday()]}')} {clock}"
    pattern = "d MMMM" if at.year == today.year else "d MMMM y"
    return f"{format_date(at, pattern, locale=say.locale)} {clock}"


def week_words(week: Week, say: Say) -> str:
    """Write a week in one line: `Mon–Fri 09:00–18:00; Sat 10:00–15:00`."""
    if week == ALWAYS:
        return say("work_hours_open")
    names = get_day_names("abbreviated", context="stand-alone", locale=say.locale)
    text = week_text(week).replace("-", "–")
    for day, name in enumerate(DAYS):
        text = text.replace(name, names[day])
    return say("work_hours_closed") if not any(week) else text


def day_names(say: Say) -> list[str]:
    """Return the days of a week, from Monday."""
    names = get_day_names("wide", context="stand-alone", locale=say.locale)
    return [names[day][0].upper() + names[day][1:] for day in range(len(DAYS))]


def spans_words(spans: Spans) -> str:
    """Write the hours of a day as a field has them: nothing for a closed one."""
    return spans_text(spans).replace("-", "–") if spans else ""


def wall_field(until_ms: int, hours: WorkingHours) -> str:
    """Write a moment (ms) as a field of date and time has it."""
    at = datetime.fromtimestamp(until_ms / 1000, hours.zone)
    return f"{at:%Y-%m-%dT%H:%M}"


def days_to_come(dates: dict[date, Spans], now: float) -> dict[date, Spans]:
    """Leave out the dates that are over, wherever on earth."""
    first = datetime.fromtimestamp(now, UTC).date() - timedelta(days=1)
    return {day: spans for day, spans in sorted(dates.items()) if day >= first}
