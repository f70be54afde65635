"""What the statistics show, made of the counts: parts with a table and mostly a chart of the same numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

from babel.dates import format_skeleton, get_day_names

from kobza.portal import charts
from kobza.portal.call_rows import NOBODY
from kobza.portal.charts import Chart
from kobza.portal.days_form import DaysForm
from kobza.portal.formats import phone_text, wall_moment
from kobza.portal.tables import Cell, Table, count_text, share_text, shown
from kobza.portal.tally import ANSWERED, KINDS, MISSED, LostCaller, OfNumber, Tally
from kobza.portal.texts import Say
from kobza.store.search import Person

DAYS_SHOWN: Final = 35
"""Days that are drawn one by one; of more the weeks are."""
CHARTED: Final = 15
"""People or departments that are drawn; the table has all."""
WAITS: Final = (5, 10, 15, 20, 30, 45, 60)
"""Seconds by which answered calls are grouped; the last group is all that is longer."""
SOON: Final = 20
"""Seconds within which a call should be answered: the usual measure of a call centre."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page. `key` names it in addresses."""

    key: str
    table: Table
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class _Counted:
    """What parts are made of."""

    tally: Tally
    form: DaysForm
    people: Mapping[str, Person]
    say: Say


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is said large."""

    key: str
    text: str
    note: str = ""


def figures(tally: Tally, say: Say) -> list[Figure]:
    """Return the numbers that say most."""
    sums = _sum(tally.days.values())
    incoming = sums[ANSWERED] + sums[MISSED]
    soon = sum(count for seconds, count in tally.waited.items() if seconds < SOON)
    return [
        Figure("stat_calls", count_text(sum(sums), say)),
        Figure(
            "stat_incoming",
            count_text(incoming, say),
            _share_note("stat_share_answered", sums[ANSWERED], incoming, say),
        ),
        Figure("stat_missed", count_text(sums[MISSED], say), _share_note("stat_share", sums[MISSED], incoming, say)),
        Figure(
            "stat_wait",
            shown(_mean(tally.waited_ms, sums[ANSWERED]), say),
            _share_note("stat_share_soon", soon, sums[ANSWERED], say, seconds=SOON),
        ),
        Figure(
            "stat_talk",
            shown(_mean(tally.talk_ms, tally.talks), say),
            say("stat_in_all", time=shown(_time(tally.talk_ms), say)),
        ),
        Figure(
            "stat_lost",
            count_text(tally.lost_count, say),
            say.count("stat_hidden", tally.lost_hidden) if tally.lost_hidden else "",
        ),
    ]


def part(key: str, tally: Tally, form: DaysForm, people: Mapping[str, Person], say: Say) -> Part:
    """Return one part. `people` are those of all numbers in the counts. Raises KeyError for one that does not exist."""
    return _PARTS[key](_Counted(tally, form, people, say))


def numbers_in(tally: Tally) -> set[str]:
    """Return all numbers that are to be named."""
    return {*tally.people, *(caller.number for caller in tally.lost), *(caller.called_number for caller in tally.lost)}


def _days(of: _Counted) -> Part:
    tally, form, say = of.tally, of.form, of.say
    by_week = form.days > DAYS_SHOWN
    begin = form.first - timedelta(days=form.first.weekday()) if by_week else form.first
    rows: list[list[Cell]] = []
    counts, labels = [], []
    step = timedelta(days=7 if by_week else 1)
    while begin <= form.last:
        chosen = [
            tally.days[day]
            for at in range(step.days)
            if (day := (begin + timedelta(days=at)).isoformat()) in tally.days
        ]
        counts.append(_sum(chosen))
        labels.append(format_skeleton("Md", begin, locale=say.locale))
        rows.append([begin, *counts[-1], sum(counts[-1])])
        begin += step
    names = [say("stat_week_of", day=label) for label in labels] if by_week else [shown(row[0], say) for row in rows]
    table = Table([say("stat_week" if by_week else "day"), *_kinds(say), _heading("stat_all", say)], rows)
    return Part("days", table, _bars(counts, names, charts.sparse(labels), say))


def _hours(of: _Counted) -> Part:
    tally, say = of.tally, of.say
    counts = [_sum(day[hour] for day in tally.week) for hour in range(24)]
    names = [f"{hour:02d}:00–{hour:02d}:59" for hour in range(24)]
    table = Table(
        [say("hour"), *_kinds(say), _heading("stat_all", say)],
        [[name, *each, sum(each)] for name, each in zip(names, counts, strict=True)],
    )
    return Part(
        "hours", table, _bars(counts, names, [f"{hour:02d}" if hour % 3 == 0 else "" for hour in range(24)], say)
    )


def _weekdays(of: _Counted) -> Part:
    tally, form, say = of.tally, of.form, of.say
    counts = [_sum(hours) for hours in tally.week]
    names = _day_names("wide", say)
    rows: list[list[Cell]] = []
    for weekday, each in enumerate(counts):
        had = _weekdays_in(form.first, form.last, weekday)
        rows.append([names[weekday], *each, sum(each), round(sum(each) / had) if had else None])
    table = Table([say("weekday"), *_kinds(say), _heading("stat_all", say), _heading("stat_per_day", say)], rows)
    return Part("weekdays", table, _bars(counts, names, _day_names("abbreviated", say), say))


def _week(of: _Counted) -> Part:
    tally, say = of.tally, of.say
    counts = [[sum(each) for each in day] for day in tally.week]
    names = _day_names("wide", say)
    short = _day_names("abbreviated", say)
    titles = [
        [f"{short[weekday]} {hour:02d}:00 – {count_text(count, say)}" for hour, count in enumerate(day)]
        for weekday, day in enumerate(counts)
    ]
    columns = [f"{hour:02d}" if hour % 3 == 0 else "" for hour in range(24)]
    table = Table(
        [say("weekday"), *(f"{hour:02d}:00" for hour in range(24))],
        [[names[weekday], *day] for weekday, day in enumerate(counts)],
    )
    return Part("week", table, charts.grid(counts, "outgoing", titles, short, columns))


def _waits(of: _Counted) -> Part:
    tally, say = of.tally, of.say
    bounds = [0, *WAITS]
    names = [
        *(say("stat_wait_within", least=least, most=most) for least, most in zip(bounds, WAITS, strict=False)),
        say("stat_wait_over", least=WAITS[-1]),
    ]
    counts = [0] * len(names)
    for seconds, count in tally.waited.items():
        counts[sum(seconds >= bound for bound in WAITS)] += count
    every = sum(counts)
    table = Table(
        [say("stat_waited"), say("calls"), _heading("stat_of_answered", say)],
        [[name, count, count / every if every else None] for name, count in zip(names, counts, strict=True)],
    )
    labels = [*(f"<{bound}" for bound in WAITS), f"≥{WAITS[-1]}"]
    titles = [f"{name}: {say.count('stat_n_calls', count)}" for name, count in zip(names, counts, strict=True)]
    return Part(
        "waits",
        table,
        charts.bars([[count] for count in counts], ("answered",), titles, labels, lambda n: count_text(n, say)),
    )


OF_PEOPLE: Final = (
    "stat_kind_answered",
    "stat_kind_missed",
    "stat_share_of_answered",
    "stat_wait",
    "stat_made",
    "stat_got_through",
    "stat_talked",
)


def _people(of: _Counted) -> Part:
    tally, people, say = of.tally, of.people, of.say
    known = sorted(tally.people.items(), key=lambda each: (-_all(each[1]), each[0]))
    rows: list[list[Cell]] = []
    for number, had in known:
        person = people.get(number, NOBODY)
        rows.append([person.name, phone_text(number, say), person.department, *_cells(had)])
    names = [people.get(number, NOBODY).name or phone_text(number, say) for number, _ in known]
    table = Table([_heading(key, say) for key in ("name", "number", "department", *OF_PEOPLE)], rows)
    return Part("people", table, _named(names, [had for _, had in known], say))


def _departments(of: _Counted) -> Part:
    tally, people, say = of.tally, of.people, of.say
    sums: dict[str, OfNumber] = {}
    numbers: dict[str, int] = {}
    for number, had in tally.people.items():
        department = people.get(number, NOBODY).department
        into = sums.setdefault(department, OfNumber())
        numbers[department] = numbers.get(department, 0) + 1
        for field in OfNumber.__struct_fields__:
            setattr(into, field, getattr(into, field) + getattr(had, field))
    known = sorted(sums.items(), key=lambda each: (-_all(each[1]), each[0]))
    names = [department or say("stat_no_department") for department, _ in known]
    rows: list[list[Cell]] = [
        [name, numbers[department], *_cells(had)] for name, (department, had) in zip(names, known, strict=True)
    ]
    table = Table([_heading(key, say) for key in ("department", "stat_numbers", *OF_PEOPLE)], rows)
    return Part("departments", table, _named(names, [had for _, had in known], say))


def _lost(of: _Counted) -> Part:
    tally, people, say = of.tally, of.people, of.say
    headings = [
        _heading(key, say)
        for key in ("name", "number", "stat_missed_calls", "stat_last_call", "stat_called", "stat_tried")
    ]
    return Part("lost", Table(headings, [_lost_row(caller, people, say) for caller in tally.lost]))


def _lost_row(caller: LostCaller, people: Mapping[str, Person], say: Say) -> list[Cell]:
    called = people.get(caller.called_number, NOBODY).name or phone_text(caller.called_number, say)
    name = people.get(caller.number, NOBODY).name
    return [name, phone_text(caller.number, say), caller.calls, wall_moment(caller.last_at), called, caller.tried]


_PARTS: Final = {
    "days": _days,
    "hours": _hours,
    "weekdays": _weekdays,
    "week": _week,
    "waits": _waits,
    "lost": _lost,
    "people": _people,
    "departments": _departments,
}
PARTS: Final = tuple(_PARTS)


def _bars(counts: Sequence[Sequence[int]], names: Sequence[str], labels: Sequence[str], say: Say) -> Chart:
    titles = [f"{name}: {_said(each, KINDS, say)}" for name, each in zip(names, counts, strict=True)]
    return charts.bars(counts, KINDS, titles, labels, lambda number: count_text(number, say))


def _named(names: Sequence[str], had: Sequence[OfNumber], say: Say) -> Chart:
    kinds = ("answered", "missed", "outgoing")
    rows, titles = [], []
    for name, each in list(zip(names, had, strict=True))[:CHARTED]:
        counts = (each.answered, each.missed, each.made)
        rows.append((name, count_text(sum(counts), say), counts))
        titles.append(f"{name}: {_said(counts, kinds, say)}")
    return charts.named(rows, kinds, titles)


def _said(counts: Sequence[int], kinds: Sequence[str], say: Say) -> str:
    return ", ".join(
        f"{say('stat_kind_' + kind)} {count_text(count, say)}"
        for kind, count in zip(kinds, counts, strict=True)
        if count
    )


def _cells(had: OfNumber) -> list[Cell]:
    received = had.answered + had.missed
    return [
        had.answered,
        had.missed,
        had.answered / received if received else None,
        _mean(had.waited_ms, had.answered),
        had.made,
        had.got_through,
        _time(had.talk_ms),
    ]


def _all(had: OfNumber) -> int:
    return had.answered + had.missed + had.made


def _sum(counts: Iterable[Sequence[int]]) -> list[int]:
    """Add up counts of each kind."""
    sums = [0] * len(KINDS)
    for each in counts:
        for kind, count in enumerate(each):
            sums[kind] += count
    return sums


def _kinds(say: Say) -> list[str]:
    return [_heading(f"stat_kind_{kind}", say) for kind in KINDS]


def _heading(key: str, say: Say) -> str:
    text = say(key)
    return text[0].upper() + text[1:]


def _day_names(width: Literal["wide", "abbreviated"], say: Say) -> list[str]:
    names = get_day_names(width, "stand-alone", locale=say.locale)
    return [str(names[weekday]).capitalize() for weekday in range(7)]


def _weekdays_in(first: date, last: date, weekday: int) -> int:
    """Return how many of some days are such a weekday."""
    ahead = (weekday - first.weekday()) % 7
    return max(0, ((last - first).days - ahead) // 7 + 1)


def _time(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)


def _mean(ms: int, count: int) -> timedelta | None:
    return timedelta(milliseconds=ms / count) if count else None


def _share_note(key: str, count: int, every: int, say: Say, **values: int) -> str:
    return say(key, share=share_text(count / every, say), **values) if every else ""
