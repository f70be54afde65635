"""The common beat."""

from hypothesis import given
from hypothesis import strategies as st

from kobza.beat import BEAT_MS, next_beat


@given(st.integers(0, 10**10))
def test_the_next_beat_is_after_a_moment_and_at_most_one_away(milliseconds: int) -> None:
    beat = next_beat(milliseconds / 1000)
    assert milliseconds / 1000 < beat
    assert round(beat * 1000) % BEAT_MS == 0
    assert round(beat * 1000) - milliseconds <= BEAT_MS


def test_moments_between_two_beats_have_the_same() -> None:
    assert {next_beat(moment) for moment in (12.0, 12.001, 12.0091)} == {12.01}
    assert next_beat(12.01) == 12.02
