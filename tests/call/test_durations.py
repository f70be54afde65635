"""Durations: whole seconds, rounded up, from stored milliseconds."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from kobza.call.durations import rfc3339, ringing_seconds, talk_seconds, to_ms, whole_seconds


def test_the_example_of_the_manual() -> None:
    """21:39:35 to 21:39:48 with fractions is 14 s."""
    start, end = to_ms(1_700_000_375.2), to_ms(1_700_000_388.9)
    assert (start, end) == (1_700_000_375_200, 1_700_000_388_900)
    assert whole_seconds(start, end) == 14


def test_rounding() -> None:
    assert whole_seconds(0, 0) == 0
    assert whole_seconds(0, 1) == 1
    assert whole_seconds(0, 1000) == 1
    assert whole_seconds(0, 1001) == 2
    assert whole_seconds(5, 0) == 0


def test_an_answered_call_never_lasts_0_s() -> None:
    """Because 0 means "not answered"."""
    assert talk_seconds(5, 5) == 1
    assert talk_seconds(None, 5) == 0
    assert talk_seconds(0, 5000) == 5


def test_ringing() -> None:
    assert ringing_seconds(None, 5000, 9000) == 0
    assert ringing_seconds(1000, 5000, 9000) == 4
    assert ringing_seconds(1000, None, 9000) == 8


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_every_millisecond_survives_as_a_float(milliseconds: int) -> None:
    assert to_ms(milliseconds / 1000) == milliseconds


@given(st.floats(min_value=0, max_value=4e9), st.floats(min_value=0, max_value=1e6))
def test_a_duration_is_never_shorter_than_the_time(start: float, seconds: float) -> None:
    duration = whole_seconds(to_ms(start), to_ms(start + seconds))
    assert -0.002 <= duration - seconds < 1.002


def test_a_moment_is_written_in_utc_with_milliseconds() -> None:
    assert rfc3339(1_700_000_375_007) == "2023-11-14T22:19:35.007Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"


@given(st.lists(st.integers(min_value=0, max_value=4_000_000_000_000), min_size=1))
def test_a_moment_is_written_alike_whatever_was_written_before(moments: list[int]) -> None:
    for at_ms in (at_ms for moment in moments for at_ms in (moment, moment + 1, 0)):
        at = datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
        assert datetime.fromisoformat(rfc3339(at_ms)) == at
