"""How two sides heard each other, from what the relay has counted."""

import pytest

from kobza.media.call_quality import judged
from kobza.media.messages import CallQuality, SideQuality
from kobza.media.plane import Side


def test_reports_tell_of_the_whole_way() -> None:
    caller = SideQuality(received=990, lost=10, reports=4, lost_beyond=30, jitter=0.004, round_trip=0.08)
    callee = SideQuality(received=1000, lost=0, reports=4, lost_beyond=12, jitter=0.002, round_trip=0.02)
    heard = judged(CallQuality("call", caller, callee))
    first, second = heard[Side.CALLER], heard[Side.CALLEE]
    assert (first.sent, first.lost, first.missed, first.jitter, first.round_trip) == (1000, 10, 30, 0.004, 0.08)
    assert (second.sent, second.lost, second.missed, second.jitter, second.round_trip) == (1000, 0, 12, 0.002, 0.02)
    assert first.mos is not None
    assert second.mos is not None
    assert 1 < first.mos < second.mos < 4.4


def test_without_reports_what_came_to_us_has_to_do() -> None:
    heard = judged(CallQuality("call", SideQuality(received=500), SideQuality(received=450, lost=50)))
    caller = heard[Side.CALLER]
    assert (caller.missed, caller.jitter, caller.round_trip) == (50, None, None)
    assert heard[Side.CALLEE].mos == pytest.approx(4.41, abs=0.02)


def test_who_hears_nothing_has_no_score() -> None:
    heard = judged(CallQuality("call", SideQuality(received=500), SideQuality()))
    assert heard[Side.CALLER].mos is None
    assert heard[Side.CALLEE].mos is not None
    assert heard[Side.CALLEE].sent == 0
