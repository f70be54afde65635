"""The estimate of how good a voice sounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.rtp.quality import CODECS, mos

ANY = st.floats(-1, 100, allow_nan=False)


def test_known_scores() -> None:
    assert mos(0, 0) == pytest.approx(4.41, abs=0.01)  # G.107 gives 4.41 for R = 93.2
    assert mos(0, 0.15) == pytest.approx(4.34, abs=0.03)
    assert mos(0, 0.4) == pytest.approx(3.1, abs=0.15)
    assert mos(0.02, 0) == pytest.approx(3.3, abs=0.2)
    assert mos(1, 0) < 1.6
    assert mos(0, 5) == 1.0


def test_codecs_differ_by_themselves_and_under_loss() -> None:
    clean = {codec: round(mos(0, 0, 0, codec), 2) for codec in ("PCMA", "G722", "opus", "G729", "GSM", "unheard-of")}
    # R is 93.2, 82.2 and 73.2.
    assert clean == {"PCMA": 4.41, "G722": 4.41, "opus": 4.41, "G729": 4.1, "GSM": 3.74, "unheard-of": 4.41}
    # With 2 of 100 packets lost R is 63.0 and 74.2: G.729 conceals, plain G.711 does not.
    assert mos(0.02, 0, 0, "pcmu") == pytest.approx(3.25, abs=0.02)
    assert mos(0.02, 0, 0, "g729") == pytest.approx(3.79, abs=0.02)
    assert mos(0.02, 0, 0, "opus") > mos(0.02, 0, 0, "g729")


@given(ANY, ANY, ANY, st.sampled_from(["", *CODECS]))
def test_it_is_a_score_and_worse_is_never_better(loss: float, delay: float, jitter: float, codec: str) -> None:
    score = mos(loss, delay, jitter, codec)
    assert 1.0 <= score <= 4.5
    assert mos(loss + 0.01, delay, jitter, codec) <= score
    assert mos(loss, delay + 0.1, jitter, codec) <= score
    assert mos(loss, delay, jitter + 0.05, codec) <= score
