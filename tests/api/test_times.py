"""Wall time of Europe/Kyiv: each rule of the contract's sections 1 and 2 at its boundaries."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.api.times import (
    MILLIS,
    SECONDS,
    IntervalError,
    MinuteTexts,
    callstat_interval,
    first_moment,
    history_interval,
    last_moment,
    parse_moment,
    parse_wall,
    rfc3339,
    wall_of,
    wall_text,
)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = float(utc("2026-04-20T09:00:00"))
"""12:00:00 in Kyiv (EEST)."""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-01",
        "2026-03-01 09:30:00",
        "2026-03-01T09:30",
        "2026-03-01T09:30:00Z",
        "2026-03-01T09:30:00+02:00",
        "2026-03-01T09:30:00.5",
        "2026-3-1T9:30:00",
        "2026-02-29T00:00:00",
        "2026-13-01T00:00:00",
        "2026-04-31T00:00:00",
        "2026-03-01T24:00:00",
        "2026-03-01T23:60:00",
        "2026-03-01T23:59:60",
        "0000-01-01T00:00:00",
        "٢٠٢٦-03-01T09:30:00",
        " 2026-03-01T09:30:00",
        "2026-03-01T09:30:00\n",
        "now",
    ],
)
def test_malformed_and_impossible_times_are_refused(text: str) -> None:
    with pytest.raises(IntervalError) as caught:
        parse_wall(text, "from")
    assert (caught.value.http_status, caught.value.code, caught.value.parameter) == (400, "invalid_parameter", "from")


@pytest.mark.parametrize(
    ("wall", "first", "last"),
    [
        ("2026-01-15T12:00:00", "2026-01-15T10:00:00", "2026-01-15T10:00:00"),  # EET
        ("2026-07-15T12:00:00", "2026-07-15T09:00:00", "2026-07-15T09:00:00"),  # EEST
        ("2026-03-29T02:59:59", "2026-03-29T00:59:59", "2026-03-29T00:59:59"),  # before the hour that is skipped
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00", "2026-03-29T01:00:00"),  # skipped: 04:00 EEST
        ("2026-03-29T03:30:00", "2026-03-29T01:30:00", "2026-03-29T01:30:00"),  # skipped: 04:30 EEST
        ("2026-03-29T04:00:00", "2026-03-29T01:00:00", "2026-03-29T01:00:00"),  # after it
        ("2026-10-25T02:59:59", "2026-10-24T23:59:59", "2026-10-24T23:59:59"),  # before the hour that is repeated
        ("2026-10-25T03:00:00", "2026-10-25T00:00:00", "2026-10-25T01:00:00"),
        ("2026-10-25T03:30:00", "2026-10-25T00:30:00", "2026-10-25T01:30:00"),
        ("2026-10-25T03:59:59", "2026-10-25T00:59:59", "2026-10-25T01:59:59"),
        ("2026-10-25T04:00:00", "2026-10-25T02:00:00", "2026-10-25T02:00:00"),  # after it
    ],
)
def test_the_two_nights_on_which_the_clock_changes(wall: str, first: str, last: str) -> None:
    at = parse_wall(wall, "from")
    assert first_moment(at) == utc(first)
    assert last_moment(at) == utc(last)


@given(st.datetimes(datetime.fromisoformat("1995-01-01"), datetime.fromisoformat("2037-12-31")))
def test_last_is_never_before_first_and_both_are_the_wall_time_or_later_by_the_gap(at: datetime) -> None:
    at = at.replace(microsecond=0)
    first, last = first_moment(at), last_moment(at)
    assert 0 <= last - first <= 3600
    for moment in (first, last):
        assert wall_of(moment) - at in (timedelta(), timedelta(hours=1))


def callstat(from_text: str | None, to_text: str | None, now: float = NOW) -> tuple[str, str, int, int]:
    asked = callstat_interval(from_text, to_text, now)
    return asked.wall_from.isoformat(), asked.wall_to.isoformat(), asked.from_ms, asked.to_ms


def test_an_interval_includes_both_its_seconds() -> None:
    asked = callstat("2026-04-19T00:00:00", "2026-04-19T23:59:59")
    assert asked[2:] == (utc("2026-04-18T21:00:00") * 1000, utc("2026-04-19T20:59:59") * 1000 + 999)


@pytest.mark.parametrize(
    ("from_text", "to_text", "effective"),
    [
        (
            "2026-04-13T12:00:00",
            "2026-04-20T12:00:00",
            ("2026-04-13T12:00:00", "2026-04-20T12:00:00"),
        ),  # 7 days
        ("2026-04-20T12:00:00", "2026-04-20T12:00:00", ("2026-04-20T12:00:00", "2026-04-20T12:00:00")),  # one second
        (
            "2026-03-21T12:00:00",
            "2026-03-22T00:00:00",
            ("2026-03-21T12:00:00", "2026-03-22T00:00:00"),
        ),  # 30 days
        ("2026-04-10T00:00:00", None, ("2026-04-10T00:00:00", "2026-04-17T00:00:00")),
        ("2026-04-19T00:00:00", None, ("2026-04-19T00:00:00", "2026-04-20T12:00:00")),  # not beyond now
        ("2026-04-13T12:00:00", None, ("2026-04-13T12:00:00", "2026-04-20T12:00:00")),
        (None, "2026-04-19T00:00:00", ("2026-04-12T00:00:00", "2026-04-19T00:00:00")),
        (None, "2026-03-23T00:00:00", ("2026-03-21T12:00:00", "2026-03-23T00:00:00")),  # not before the 30-day bound
        (None, "2026-03-21T12:00:00", ("2026-03-21T12:00:00", "2026-03-21T12:00:00")),
    ],
)
def test_intervals_that_are_answered(from_text: str | None, to_text: str | None, effective: tuple[str, str]) -> None:
    assert callstat(from_text, to_text)[:2] == effective


@pytest.mark.parametrize(
    ("from_text", "to_text", "parameter"),
    [
        ("2026-04-13T12:00:00", "2026-04-20T12:00:01", "to"),  # future by a second
        ("2026-04-12T11:59:59", "2026-04-19T12:00:00", "to"),  # 7 days and 1 s
        ("2026-03-21T11:59:59", "2026-03-22T00:00:00", "from"),  # 30 days and 1 s
        ("2026-04-19T00:00:01", "2026-04-19T00:00:00", "from"),  # from after to
        ("2026-04-20T12:00:01", None, "from"),  # from in the future
        (None, "2026-04-20T12:00:01", "to"),
        (None, "2026-03-21T11:59:59", "to"),  # older than 30 days
        (None, "0001-01-01T00:00:00", "to"),
        ("0001-01-01T00:00:00", None, "from"),
        ("9999-12-31T23:59:59", None, "from"),
        ("2026-04-19T00:00:00", "9999-12-31T23:59:59", "to"),
        ("yesterday", "2026-04-19T00:00:00", "from"),
        ("2026-04-19T00:00:00", "today", "to"),
    ],
)
def test_intervals_that_are_refused(from_text: str | None, to_text: str | None, parameter: str) -> None:
    with pytest.raises(IntervalError) as caught:
        callstat(from_text, to_text)
    assert caught.value.parameter == parameter


AUTUMN_NOW = float(utc("2026-10-30T10:00:00"))
SPRING_NOW = float(utc("2026-04-02T09:00:00"))


@pytest.mark.parametrize(
    ("now", "from_text", "to_text", "from_utc", "to_utc"),
    [
        # 7 days of wall time are 169 hours over the night of autumn and 167 over that of spring
        (AUTUMN_NOW, "2026-10-22T00:00:00", "2026-10-29T00:00:00", "2026-10-21T21:00:00", "2026-10-28T22:00:00"),
        (SPRING_NOW, "2026-03-26T00:00:00", "2026-04-02T00:00:00", "2026-03-25T22:00:00", "2026-04-01T21:00:00"),
        # starts, ends and lies inside the repeated hour
        (AUTUMN_NOW, "2026-10-25T03:30:00", "2026-10-25T06:00:00", "2026-10-25T00:30:00", "2026-10-25T04:00:00"),
        (AUTUMN_NOW, "2026-10-25T00:00:00", "2026-10-25T03:30:00", "2026-10-24T21:00:00", "2026-10-25T01:30:00"),
        (AUTUMN_NOW, "2026-10-25T03:10:00", "2026-10-25T03:20:00", "2026-10-25T00:10:00", "2026-10-25T01:20:00"),
        (AUTUMN_NOW, "2026-10-25T03:20:00", "2026-10-25T03:10:00", "2026-10-25T00:20:00", "2026-10-25T01:10:00"),
        # starts, ends and lies inside the skipped hour
        (SPRING_NOW, "2026-03-29T03:30:00", "2026-03-29T06:00:00", "2026-03-29T01:30:00", "2026-03-29T03:00:00"),
        (SPRING_NOW, "2026-03-29T00:00:00", "2026-03-29T03:30:00", "2026-03-28T22:00:00", "2026-03-29T01:30:00"),
        (SPRING_NOW, "2026-03-29T03:10:00", "2026-03-29T03:20:00", "2026-03-29T01:10:00", "2026-03-29T01:20:00"),
    ],
)
def test_intervals_over_the_nights_on_which_the_clock_changes(
    now: float, from_text: str, to_text: str, from_utc: str, to_utc: str
) -> None:
    assert callstat(from_text, to_text, now)[2:] == (utc(from_utc) * 1000, utc(to_utc) * 1000 + 999)


def test_an_interval_that_leaves_the_skipped_hour_is_empty_and_no_error() -> None:
    start, end = callstat("2026-03-29T03:30:00", "2026-03-29T04:10:00", SPRING_NOW)[2:]
    assert start > end


def test_in_the_first_pass_of_the_repeated_hour_to_may_be_now() -> None:
    now = float(utc("2026-10-25T00:30:00"))  # 03:30 for the first time
    assert callstat("2026-10-25T03:00:00", "2026-10-25T03:30:00", now)[3] == int(now) * 1000 + 999
    with pytest.raises(IntervalError):
        callstat("2026-10-25T03:00:00", "2026-10-25T03:30:01", now)


@pytest.mark.parametrize(
    ("from_text", "to_text", "effective"),
    [
        ("2020-01-01T00:00:00", "2020-02-01T00:00:00", ("2020-01-01T00:00:00", "2020-02-01T00:00:00")),  # 31 days
        ("2026-04-01T00:00:00", "2099-01-01T00:00:00", ("2026-04-01T00:00:00", "2026-04-20T12:00:00")),
        ("2020-01-01T00:00:00", None, ("2020-01-01T00:00:00", "2020-01-08T00:00:00")),
        (None, "2020-01-08T00:00:00", ("2020-01-01T00:00:00", "2020-01-08T00:00:00")),
        (None, "2099-01-01T00:00:00", ("2026-04-13T12:00:00", "2026-04-20T12:00:00")),
        (None, "0001-01-01T00:00:00", ("0001-01-01T00:00:00", "0001-01-01T00:00:00")),
        ("0001-01-01T00:00:00", None, ("0001-01-01T00:00:00", "0001-01-08T00:00:00")),
    ],
)
def test_history_reaches_back_for_ever_and_its_future_means_now(
    from_text: str | None, to_text: str | None, effective: tuple[str, str]
) -> None:
    asked = history_interval(from_text, to_text, NOW)
    assert (asked.wall_from.isoformat(), asked.wall_to.isoformat()) == effective


@pytest.mark.parametrize(
    ("from_text", "to_text", "parameter"),
    [
        ("2020-01-01T00:00:00", "2020-02-01T00:00:01", "to"),  # 31 days and 1 s
        ("2026-01-01T00:00:00", "2099-01-01T00:00:00", "to"),
        ("2026-04-20T12:00:01", "2099-01-01T00:00:00", "from"),
        ("9999-12-31T23:59:59", None, "from"),
        ("2020-01-01T00:00:01", "2020-01-01T00:00:00", "from"),
    ],
)
def test_history_intervals_that_are_refused(from_text: str, to_text: str | None, parameter: str) -> None:
    with pytest.raises(IntervalError) as caught:
        history_interval(from_text, to_text, NOW)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-01T07:30:00Z", utc("2026-03-01T07:30:00") * 1000),
        ("2026-03-01t07:30:00.25z", utc("2026-03-01T07:30:00") * 1000 + 250),
        ("2026-03-01T09:30:00+02:00", utc("2026-03-01T07:30:00") * 1000),
        ("2026-03-01T09:30:00", utc("2026-03-01T07:30:00") * 1000),
        ("2026-10-25T03:30:00", utc("2026-10-25T01:30:00") * 1000),
    ],
)
def test_single_moments_are_rfc_3339_or_wall_time(text: str, ms: int) -> None:
    assert parse_moment(text, "until") == ms


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-03-01", "2026-02-30T00:00:00Z", "2026-03-01T07:30:00+99:00"])
def test_other_single_moments_are_refused(text: str) -> None:
    with pytest.raises(IntervalError) as caught:
        parse_moment(text, "until")
    assert caught.value.parameter == "until"


def test_rfc_3339_has_milliseconds_and_utc() -> None:
    assert rfc3339(utc("2026-03-01T07:30:00") * 1000 + 7) == "2026-03-01T07:30:00.007Z"


@given(st.lists(st.integers(min_value=0, max_value=4_000_000_000_999), min_size=1, max_size=20))
def test_the_wall_clock_writes_what_strftime_would(moments: list[int]) -> None:
    wall, utc_texts = MinuteTexts(), MinuteTexts(UTC, "T")
    for ms in moments:
        second = SECONDS[ms // 1000 % 60]
        expected = datetime.fromtimestamp(ms // 1000, ZoneInfo("Europe/Kyiv"))
        assert wall[ms // 60_000] + second == f"{expected:%Y-%m-%d %H:%M:%S}" == wall_text(ms)
        assert utc_texts[ms // 60_000] + second + MILLIS[ms % 1000] == rfc3339(ms)


def test_the_wall_clock_over_both_nights() -> None:
    clock = MinuteTexts()
    for start in ("2026-03-29T00:30:00", "2026-10-25T00:30:00"):
        for second in range(0, 7200, 7):
            at = utc(start) + second
            assert clock[at // 60] + SECONDS[at % 60] == wall_of(at).isoformat(sep=" ")


def test_minutes_that_were_written_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.api.times._REMEMBERED", 10)
    clock = MinuteTexts()
    for minute in range(1000):
        assert clock[minute].endswith(f":{minute % 60:02d}:")
        assert len(clock) <= 10


@given(st.text(max_size=25) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", fullmatch=True))
def test_any_text_is_a_wall_time_as_it_is_written_or_refused(text: str) -> None:
    try:
        at = parse_wall(text, "from")
    except IntervalError:
        return
    assert at.isoformat() == text


@given(st.none() | st.datetimes(), st.none() | st.datetimes(), st.integers(0, 4_000_000_000))
def test_any_two_times_are_an_interval_within_its_bounds_or_refused(
    first: datetime | None, last: datetime | None, now: int
) -> None:
    texts = [None if at is None else at.replace(microsecond=0).isoformat() for at in (first, last)]
    for interval, longest in ((callstat_interval, 7), (history_interval, 31)):
        try:
            asked = interval(texts[0], texts[1], float(now))
        except IntervalError:
            continue
        assert asked.wall_to - asked.wall_from <= timedelta(days=longest)
        assert asked.to_ms <= now * 1000 + 999
        assert interval is history_interval or asked.wall_from >= wall_of(now) - timedelta(days=30)
