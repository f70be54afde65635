"""How two sides heard each other, from what the relay has counted."""

import pytest

from kobza.media.call_quality import judged
from kobza.media.messages import CallQuality, SideQuality
from kobza.media.plane import Side
from kobza.rtp.quality import mos


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


def test_each_leg_has_two_ways() -> None:
    caller = SideQuality(
        received=990, lost=10, reports=4, lost_beyond=0, jitter=0.001, round_trip=0.1, arrival_jitter=0.02
    )
    callee = SideQuality(received=1000, arrival_jitter=0.001, codec="g729")
    heard = judged(CallQuality("call", caller, callee))
    first, second = heard[Side.CALLER], heard[Side.CALLEE]
    # Its own voice came with losses, late and unevenly; the callee's came well, in a codec that is never perfect.
    assert first.arrival_jitter == 0.02
    assert first.arrival_mos == pytest.approx(mos(0.01, 0.05, 0.02))
    assert second.arrival_mos == pytest.approx(mos(0, 0, 0.001, "g729"))
    # At the caller it sounds like that, with its reports; the callee reports nothing, so what came here has to do.
    assert first.mos == pytest.approx(mos(0, 0.05, 0.001, "g729"))
    assert second.mos == pytest.approx(mos(0.01, 0.05, 0.02))
    assert (second.jitter, second.codec) == (None, "g729")


def test_what_never_came_has_no_score() -> None:
    heard = judged(CallQuality("call", SideQuality(received=500), SideQuality()))
    assert heard[Side.CALLEE].arrival_mos is None
    assert heard[Side.CALLER].arrival_mos is not None
