"""Working hours: weeks, dates, time zones, the night on which clocks change, and what switches by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.call.hours import (
    ALWAYS,
    DAY,
    FORESEEN,
    MAX_SPANS,
    NEVER,
    Override,
    Span,
    Spans,
    State,
    WorkingHours,
    effective,
    moment_of,
)
from kobza.call.hours_form import week_of
from tests.support.hours import working

KYIV = ZoneInfo("Europe/Kyiv")
ZONES = ("Europe/Kyiv", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "UTC", "Africa/Cairo")


def at(text: str, zone: ZoneInfo = KYIV, fold: int = 0) -> float:
    """The moment (s) of a wall time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def shown(state: State) -> tuple[bool, str | None]:
    """A state with its end on the clock of Kyiv."""
    until = None if state.until is None else f"{datetime.fromtimestamp(state.until, KYIV):%Y-%m-%d %H:%M}"
    return state.open, until


OFFICE = working("mon-fri 09:00-13:00, 14:00-18:00; sat 10:00-15:00", "2026-12-25 closed; 2026-12-31 09:00-12:00")
BAR = working("fri-sat 20:00-04:00; sun 20:00-24:00; mon 00:00-02:00")
# 26 November 2026 is a Thursday


@pytest.mark.parametrize(
    ("hours", "now", "is_open", "until"),
    [
        (OFFICE, "2026-11-26 08:59:59", False, "2026-11-26 09:00"),
        (OFFICE, "2026-11-26 09:00", True, "2026-11-26 13:00"),
        (OFFICE, "2026-11-26 13:00", False, "2026-11-26 14:00"),
        (OFFICE, "2026-11-26 17:59:59", True, "2026-11-26 18:00"),
        (OFFICE, "2026-11-27 18:00", False, "2026-11-28 10:00"),
        (OFFICE, "2026-11-28 15:00", False, "2026-11-30 09:00"),
        (OFFICE, "2026-12-24 18:00", False, "2026-12-26 10:00"),  # over the holiday
        (OFFICE, "2026-12-25 10:00", False, "2026-12-26 10:00"),
        (OFFICE, "2026-12-31 11:00", True, "2026-12-31 12:00"),
        (OFFICE, "2026-12-31 12:00", False, "2027-01-01 09:00"),
        (BAR, "2026-11-27 23:00", True, "2026-11-28 04:00"),
        (BAR, "2026-11-28 03:59", True, "2026-11-28 04:00"),
        (BAR, "2026-11-28 04:00", False, "2026-11-28 20:00"),
        (BAR, "2026-11-29 21:00", True, "2026-11-30 02:00"),  # two days that meet at midnight are one evening
        (replace(BAR, dates={date(2026, 11, 28): ()}), "2026-11-28 03:00", True, "2026-11-28 04:00"),  # it began before
        (replace(BAR, dates={date(2026, 11, 28): ()}), "2026-11-28 21:00", False, "2026-11-29 20:00"),
        (replace(BAR, dates={date(2026, 11, 27): ()}), "2026-11-28 03:00", False, "2026-11-28 20:00"),
        (working("always"), "2026-11-26 12:00", True, None),
        (working("always", "2026-12-25"), "2026-11-26 12:00", True, "2026-12-25 00:00"),
        (working("closed"), "2026-11-26 12:00", False, None),
        (working("closed", "2027-02-01 10-11"), "2026-11-26 12:00", False, "2027-02-01 10:00"),
        (working("closed", "2026-02-01 10-11"), "2026-11-26 12:00", False, None),
        (working("closed", "2029-02-01 10-11"), "2026-11-26 12:00", False, None),  # further ahead than is looked
    ],
)
def test_open_or_closed_and_until_when(hours: WorkingHours, now: str, is_open: bool, until: str | None) -> None:
    assert shown(hours.state_at(at(now))) == (is_open, until)
    assert hours.open_at(at(now)) is is_open


@pytest.mark.parametrize(
    ("week", "begins", "ends"),
    [
        # 29 March 2026: 03:00 is 04:00
        ("sun 02:00-05:00", "2026-03-29T00:00Z", "2026-03-29T02:00Z"),
        ("sun 03:30-05:00", "2026-03-29T01:00Z", "2026-03-29T02:00Z"),
        ("sun 02:00-03:30", "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        ("sat 22:00-03:15", "2026-03-28T20:00Z", "2026-03-29T01:00Z"),
        # 25 October 2026: 03:00 to 04:00 comes twice
        ("sun 03:30-05:00", "2026-10-25T00:30Z", "2026-10-25T03:00Z"),
        ("sun 02:00-03:30", "2026-10-24T23:00Z", "2026-10-25T01:30Z"),
        ("sun 03:10-03:20", "2026-10-25T00:10Z", "2026-10-25T01:20Z"),
        ("sat 22:00-03:30", "2026-10-24T19:00Z", "2026-10-25T01:30Z"),
    ],
)
def test_the_nights_on_which_clocks_change(week: str, begins: str, ends: str) -> None:
    hours = working(week)
    begin, end = (datetime.fromisoformat(text).timestamp() for text in (begins, ends))
    assert hours.state_at(begin - 1) == State(False, begin)
    assert hours.state_at(begin) == hours.state_at(end - 1) == State(True, end)
    assert not hours.open_at(end)


def test_what_is_within_the_skipped_hour_alone_is_not() -> None:
    hours = working("sun 03:10-03:50")
    assert shown(hours.state_at(at("2026-03-28 12:00"))) == (False, "2026-04-05 03:10")


@pytest.mark.parametrize(
    ("override", "now", "is_open", "until"),
    [
        ((False, "2026-11-26 15:00"), "2026-11-26 14:30", False, "2026-11-26 15:00"),
        ((False, "2026-11-26 15:00"), "2026-11-26 15:00", True, "2026-11-26 18:00"),
        ((False, "2026-11-26 20:00"), "2026-11-26 14:30", False, "2026-11-27 09:00"),  # the week goes on with it
        ((True, "2026-11-26 20:00"), "2026-11-26 19:00", True, "2026-11-26 20:00"),
        ((True, "2026-11-26 17:00"), "2026-11-26 08:00", True, "2026-11-26 18:00"),
        ((True, "2026-11-26 20:00"), "2026-11-26 20:00", False, "2026-11-27 09:00"),
    ],
)
def test_an_override_ends_by_itself(override: tuple[bool, str], now: str, is_open: bool, until: str) -> None:
    hours = replace(OFFICE, override=Override(override[0], int(at(override[1]) * 1000)))
    assert shown(hours.state_at(at(now))) == (is_open, until)
    assert hours.open_at(at(now)) is is_open


def test_dates_of_the_company_count_where_there_are_none_of_its_own() -> None:
    company = working("closed", "2026-12-25; 2026-12-31 9-12")
    own = working("always", "2026-12-31")
    assert effective(own, company).dates == {date(2026, 12, 25): (), date(2026, 12, 31): ()}
    apart = replace(own, company_dates=False)
    assert effective(apart, company) is apart
    assert effective(own, None) is own


def merged(spans: list[tuple[int, int]]) -> Spans:
    """Any spans as those of a day: in order, apart."""
    found: list[Span] = []
    for start, length in sorted(spans):
        if not found or start > found[-1].end:
            found.append(Span(start, start + length))
    return tuple(found[:MAX_SPANS])


days = st.lists(st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY - 1)), max_size=4).map(merged)
weeks = st.one_of(st.tuples(*[days] * 7), st.sampled_from([ALWAYS, NEVER, week_of("mon-sun 00:00-12:00, 12:01-24:00")]))
moments = st.integers(int(at("2024-01-01")), int(at("2030-01-01"))).map(float)


@st.composite
def cases(draw: st.DrawFn) -> tuple[WorkingHours, float]:
    """Hours, and a moment that is often near to where something happens."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    now = draw(
        st.one_of(moments, st.sampled_from([at("2026-03-29 01:00"), at("2026-10-25 01:00"), at("2026-04-05 01:00")]))
    ) + draw(st.integers(-7200, 4 * 3600))
    near = datetime.fromtimestamp(now, zone).date()
    dates = draw(st.dictionaries(st.integers(-3, 20).map(lambda days: near + timedelta(days=days)), days, max_size=4))
    override = draw(st.none() | st.builds(Override, st.booleans(), st.integers(-(10**8), 10**9)))
    if override is not None:
        override = replace(override, until=override.until + int(now * 1000))
    return WorkingHours(zone, draw(weeks), dates, override=override), now


@settings(max_examples=40)
@given(cases())
def test_the_next_change_is_where_it_changes(case: tuple[WorkingHours, float]) -> None:
    hours, now = case
    state = hours.state_at(now)
    assert hours.open_at(now) is state.open
    until = now + timedelta(days=16).total_seconds() if state.until is None else state.until
    assert until > now
    assert state.until is None or hours.open_at(until) is not state.open
    for part in range(1, 40):  # and nowhere before
        assert hours.open_at(now + (until - now) * part / 40) is state.open
    assert hours.open_at(until - 0.001) is state.open
    if state.until is not None:
        assert hours.state_at(until).open is not state.open
        assert until - now <= (FORESEEN + timedelta(days=10)).total_seconds()


@settings(max_examples=20)
@given(st.sampled_from(ZONES), st.dates(date(2010, 1, 1), date(2040, 1, 1)), st.booleans())
def test_moments_of_a_day_are_in_order(zone_name: str, day: date, last: bool) -> None:
    """Also where an hour, or a whole day (Apia, 30 December 2011), is left out."""
    zone = ZoneInfo(zone_name)
    found = [moment_of(day, minute, zone, last=last) for minute in range(0, 2 * DAY, 15)]
    assert all(before <= after for before, after in pairwise(found))


@given(st.dates(date(2010, 1, 1), date(2040, 1, 1)), st.integers(0, 2 * DAY - 1))
def test_a_wall_time_that_is_shown_once_is_that_moment(day: date, minute: int) -> None:
    moment = moment_of(day, minute, ZoneInfo("UTC"))
    expected = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    assert moment == moment_of(day, minute, ZoneInfo("UTC"), last=True) == expected.timestamp()


def test_a_wall_time_of_a_day_that_was_left_out_is_when_the_next_one_begins() -> None:
    """Apia went from 29 to 31 December 2011."""
    apia = ZoneInfo("Pacific/Apia")
    assert moment_of(date(2011, 12, 30), 12 * 60, apia) == moment_of(date(2011, 12, 31), 0, apia)


def test_what_has_nothing_of_its_own_but_an_override_has_the_hours_of_the_company() -> None:
    override = Override(open=True, until=int(at("2026-11-26 20:00") * 1000))
    own = working(override=override, as_company=True)
    shared = effective(own, OFFICE)
    assert (shared.week, shared.dates, shared.override, shared.as_company) == (
        OFFICE.week,
        OFFICE.dates,
        override,
        True,
    )
    assert effective(own, None).week == ALWAYS
    assert shared.overridden_at(at("2026-11-26 19:59"))
    assert not shared.overridden_at(at("2026-11-26 20:00"))
    assert not OFFICE.overridden_at(at("2026-11-26 19:59"))
