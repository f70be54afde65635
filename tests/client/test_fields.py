"""Reading of JSON and of times, whatever comes."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.client import AnswerNotUnderstood
from kobza.client.fields import Fields, decode_fields
from kobza.client.history import plain_number
from kobza.client.models import read_delivery, read_history_call, read_statistics_row, read_webhook
from kobza.client.spans import Seam, spans
from kobza.client.wall import KYIV, first_second, last_second, read_moment, read_wall, to_wall
from tests.client.test_history import wall

HISTORY: dict[str, Any] = {
    "call_id": "a",
    "calling_number": "067",
    "called_number": "068",
    "start_datetime": "2026-03-01 21:39:30",
    "end_datetime": "2026-03-01 21:39:48",
    "call_duration": 14,
    "ringing": 5,
    "direction": "outgoing",
    "cause": 16,
    "record_id": None,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries({}, optional={name: JSON | st.just(value) for name, value in HISTORY.items()}))
def test_a_row_is_read_or_refused(values: dict[str, Any]) -> None:
    for read in (read_history_call, read_statistics_row, read_webhook, read_delivery):
        with suppress(AnswerNotUnderstood):
            read(Fields(values, "the row"))


@given(st.binary(max_size=100))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with suppress(AnswerNotUnderstood):
        decode_fields(body, "it").text("x")


def test_what_is_read_leniently() -> None:
    fields = Fields({"n": "7", "e": "", "t": 67, "on": "on", "off": "OFF", "b": True, "none": None}, "it")
    assert (fields.whole("n"), fields.whole_or_none("e"), fields.text("t")) == (7, None, "67")
    assert (fields.flag("on"), fields.flag("off"), fields.flag("b"), fields.flag("none")) == (True, False, True, False)
    assert (fields.has("none"), fields.flag_or_none("x"), fields.items("x")) == (False, None, [])


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("text", None),
        ("text", True),
        ("text", 1.5),
        ("whole", None),
        ("whole", True),
        ("whole", "1.5"),
        ("whole", "1" * 30),
        ("flag", "yes"),
        ("flag", 1),
        ("wall", "2026-03-01 25:00:00"),
        ("wall", "2026-03-01T10:00:00Z"),
        ("wall", 7),
        ("moment", "2026-03-01T10:00:00"),
        ("moment", "soon"),
        ("items", {}),
    ],
)
def test_what_is_refused(method: str, value: Any) -> None:
    with pytest.raises(AnswerNotUnderstood, match="x of it is not"):
        getattr(Fields({"x": value}, "it"), method)("x")
    if method not in ("flag", "items"):
        with pytest.raises(AnswerNotUnderstood, match="it has no x"):
            getattr(Fields({}, "it"), method)("x")


def test_a_document_that_is_too_deep() -> None:
    with pytest.raises(AnswerNotUnderstood, match="is not JSON"):
        decode_fields(b"[" * 100_000, "it")
    with pytest.raises(AnswerNotUnderstood, match="is no JSON object"):
        decode_fields(msgspec.Raw(b"7"), "it")


@given(st.datetimes(min_value=wall(1995, 1, 1), max_value=wall(2100, 1, 1)))
def test_an_interval_is_never_smaller_than_asked(at: datetime) -> None:
    assert first_second(at) <= last_second(at)
    for fold in (0, 1):
        moment = at.replace(tzinfo=KYIV, fold=fold)
        exists = moment.astimezone(UTC).astimezone(KYIV).replace(tzinfo=None) == at
        if exists:
            assert first_second(at) <= moment.timestamp() < last_second(at) + 1


@given(st.datetimes(timezones=st.just(UTC), min_value=wall(1995, 1, 1), max_value=wall(2100, 1, 1)))
def test_times_come_back(at: datetime) -> None:
    assert read_moment(at.isoformat()) == at
    assert to_wall(read_wall(f"{to_wall(at):%Y-%m-%d %H:%M:%S}")) == to_wall(at)
    assert first_second(at) == last_second(at) == at.timestamp() // 1


@given(
    st.datetimes(min_value=wall(2000, 1, 1), max_value=wall(2100, 1, 1)),
    st.timedeltas(min_value=datetime.resolution * 0, max_value=wall(2000, 6, 1) - wall(2000, 1, 1)),
    st.integers(1, 40),
)
def test_parts_cover_an_interval_and_meet_at_midnights(first: datetime, length: Any, days: int) -> None:
    longest = (wall(2000, 1, 2) - wall(2000, 1, 1)) * days
    parts = list(spans(first, first + length, longest))
    assert parts[0].first == first
    assert parts[-1].last == first + length
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]
    for before, after in pairwise(parts):
        assert before.last == after.first
        assert before.last.time() == datetime.min.time()
    assert all(part.first <= part.last and part.last - part.first <= longest for part in parts)


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_rows_of_the_second_between_two_parts_come_once(before: list[str], after: list[str]) -> None:
    """A server may count that second to the one part, to the other, or to both: each row comes as often as it is."""
    one, other = spans(wall(2026, 1, 1), wall(2026, 1, 12), wall(2026, 1, 8) - wall(2026, 1, 1))
    seam = Seam()
    came = [row for row in before if seam.is_new(one, one.last, row)]
    seam.next_part()
    came += [row for row in after if seam.is_new(other, other.first, row)]
    for row in "abc":
        assert came.count(row) == max(before.count(row), after.count(row))


@pytest.mark.parametrize(
    ("spelling", "plain"),
    [
        ("0671234567", "0671234567"),
        ("+380671234567", "0671234567"),
        ("380671234567", "0671234567"),
        ("00380 67 123-45-67", "0671234567"),
        ("(067) 123.45.67", "0671234567"),
        ("+48601234567", "+48601234567"),
        ("101", "101"),
        ("", ""),
    ],
)
def test_spellings_of_a_number(spelling: str, plain: str) -> None:
    assert plain_number(spelling) == plain
