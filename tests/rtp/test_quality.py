"""The estimate of how good a voice sounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.rtp.quality import mos

ANY = st.floats(-1, 100, allow_nan=False)


def test_known_scores() -> None:
    assert mos(0, 0) == pytest.approx(4.41, abs=0.01)  # G.107 gives 4.41 for R = 93.2
    assert mos(0, 0.15) == pytest.approx(4.34, abs=0.03)
    assert mos(0, 0.4) == pytest.approx(3.1, abs=0.15)
    assert mos(0.02, 0) == pytest.approx(3.3, abs=0.2)
    assert mos(1, 0) < 1.6
    assert mos(0, 5) == 1.0


@given(ANY, ANY, ANY)
def test_it_is_a_score_and_worse_is_never_better(loss: float, delay: float, jitter: float) -> None:
    score = mos(loss, delay, jitter)
    assert 1.0 <= score <= 4.5
    assert mos(loss + 0.01, delay, jitter) <= score
    assert mos(loss, delay + 0.1, jitter) <= score
    assert mos(loss, delay, jitter + 0.05) <= score
