"""Working hours as people write them, and back."""

import re
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.call.hours import ALWAYS, DAYS, MAX_DATES, NEVER, Spans, Week
from kobza.call.hours_form import HoursError, dates_of, dates_text, spans_of, spans_text, until_of, week_of, week_text
from tests.call.test_hours import KYIV, days, weeks


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("mon-fri 9-18", "mon-fri 09:00-18:00"),
        ("пн–пт 9:00 – 13:00, 14.00–18.00; сб 10-15", "mon-fri 09:00-13:00, 14:00-18:00; sat 10:00-15:00"),
        ("Mon, Wed 9-12;fri: 22:00-04:00", "mon 09:00-12:00; wed 09:00-12:00; fri 22:00-04:00"),
        ("sat-mon 10-12", "mon 10:00-12:00; sat-sun 10:00-12:00"),
        ("mon-sun always", "always"),
        ("завжди", "always"),
        ("", "closed"),
        ("mon closed", "closed"),
        ("mon; tue 18-0;;", "tue 18:00-24:00"),
        ("mon 14-18, 9-13", "mon 09:00-13:00, 14:00-18:00"),
    ],
)
def test_a_week_in_usual_spellings(text: str, written: str) -> None:
    assert week_text(week_of(text)) == written


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9-18", "begins with no day of the week: mon, tue"),
        ("someday 9-18", "begins with no day of the week"),
        ("mon 9-25", "'9-25' is no interval, as in 09:00-18:00"),
        ("mon 9:61-10", "is no interval"),
        ("mon 9-9", "is no interval"),
        ("mon 9-24:01", "is no interval"),
        ("mon 9-13 14-18", "is no interval"),
        ("mon 9-13, 12-18", "09:00-13:00 and 12:00-18:00 overlap or touch"),
        ("mon 9-13, 13-18", "overlap or touch"),
        ("mon 9-18; mon-fri 9-17", "mon is given twice"),
        (f"mon {', '.join(f'{hour}-{hour}:30' for hour in range(7))}", "6 intervals at most, not 7"),
        ("x" * 20_001, "longer than"),
    ],
)
def test_a_week_that_cannot_be(text: str, told: str) -> None:
    with pytest.raises(HoursError) as caught:
        week_of(text)
    assert told in caught.value.detail
    assert caught.value.parameter == "week"


def test_dates_in_usual_spellings() -> None:
    found = dates_of("31.12.2026..02.01.2027\n2026-12-24 9:00-13:00; 2026-12-25 closed;\n")
    assert [f"{day:%d.%m}" for day in found] == ["24.12", "25.12", "31.12", "01.01", "02.01"]
    assert dates_text(found).startswith("2026-12-24 09:00-13:00; 2026-12-25 closed; 2026-12-31 closed")
    assert dates_text({}) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("christmas", "'christmas' is no date, as in 2026-12-31 or 31.12.2026"),
        ("2026-02-29", "is no date"),
        ("1999-01-01", "is no date"),
        ("2026-01-01; 01.01.2026 9-10", "2026-01-01 is given twice"),
        ("2026-01-02..2026-01-01", "is before"),
        ("2026-01-01..2027-01-02", f"{MAX_DATES} dates at most"),
        ("2026-01-01 soon", "'soon' is no interval"),
    ],
)
def test_dates_that_cannot_be(text: str, told: str) -> None:
    with pytest.raises(HoursError) as caught:
        dates_of(text)
    assert told in caught.value.detail
    assert caught.value.parameter == "dates"


@settings(max_examples=25)
@given(weeks)
def test_a_week_reads_back(week: Week) -> None:
    assert week_of(week_text(week)) == week


@settings(max_examples=30)
@given(st.dictionaries(st.dates(date(2000, 1, 1), date(2099, 12, 31)), days, max_size=20))
def test_dates_read_back(dates: dict[date, Spans]) -> None:
    assert dates_of(dates_text(dates)) == dates


WORDS = st.lists(
    st.sampled_from(
        [*DAYS, "пн", "-", ";", ",", " ", ":", ".", "9", "18", "24:00", "closed", "always", "..", "2026-01-01"]
    )
    | st.characters(),
    max_size=14,
).map("".join)


@settings(max_examples=60)
@given(WORDS)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    for read, write in ((week_of, week_text), (dates_of, dates_text), (spans_of, spans_text)):
        try:
            found = read(text)
        except HoursError:
            continue
        assert read(write(found)) == found  # type: ignore[arg-type] # each writes what it reads


def test_the_whole_week_has_words() -> None:
    assert (week_of("always"), week_of("closed")) == (ALWAYS, NEVER)


NOW = datetime(2026, 11, 26, 17, 30, tzinfo=KYIV).timestamp()


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("18:00", "2026-11-26 18:00"),
        ("17:30", "2026-11-27 17:30"),
        ("9:15", "2026-11-27 09:15"),
        ("2026-12-31 18:00", "2026-12-31 18:00"),
        ("31.12.2026T18:00:00", "2026-12-31 18:00"),
        ("2h", "2026-11-26 19:30"),
        ("45 m", "2026-11-26 18:15"),
    ],
)
def test_the_end_of_an_override(text: str, until: str) -> None:
    assert f"{datetime.fromtimestamp(until_of(text, KYIV, NOW) / 1000, KYIV):%Y-%m-%d %H:%M}" == until


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tomorrow", "'tomorrow' is no moment, as in 18:00, 2026-12-31 18:00 or 2h."),
        ("24:00", "24:00 is no time of day."),
        ("17:60", "17:60 is no time of day."),
        ("2026-02-30 10:00", "'2026-02-30' is no date"),
        ("2026-11-26 17:30", "is past, or more than a year ahead"),
        ("2028-01-01 10:00", "is past, or more than a year ahead"),
        ("0h", "is past, or more than a year ahead"),
    ],
)
def test_what_is_no_end_of_an_override(text: str, told: str) -> None:
    with pytest.raises(HoursError, match=re.escape(told)) as raised:
        until_of(text, KYIV, NOW)
    assert raised.value.parameter == "until"
