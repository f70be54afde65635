"""Calls that come in as an INVITE, as ladders: what is sent, in order."""

import gc

import pytest
from msgspec.structs import replace

from kobza.call.core import SETTLE_TIME
from kobza.call.errors import NotFoundError, WrongStateError
from kobza.call.leg import Branch, Leg, LegState
from kobza.call.phases import Phase
from tests.call.ladder import OLENA, STRANGER, Ladder, q850


def test_a_normal_call() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    assert ladder.take() == ["timer ring: 60 s", "media: offer from caller to callee", "to desk: INVITE"]
    ladder.progress("desk")
    assert ladder.take() == ["to caller: 180"]
    ladder.answer("desk")
    assert ladder.take() == ["media: answer from callee", "timer ring: stop", "to caller: 200"]
    ladder.ack()
    assert ladder.take() == []
    ladder.hang_up("desk")
    assert ladder.take() == ["to caller: BYE, cause 16", "media: release"]
    assert ladder.call.finished
    assert ladder.fact_names == ["CallStarted", "CallRinging", "CallAnswered", "CallEnded"]


def test_several_devices_ring_together_and_the_first_200_wins() -> None:
    ladder = Ladder()
    ladder.invite("desk", "soft", "dect")
    assert ladder.take()[2:] == ["to desk: INVITE", "to soft: INVITE", "to dect: INVITE"]
    ladder.progress("soft")
    ladder.progress("desk")
    assert ladder.take() == ["to caller: 180"]
    ladder.reject("dect", 480)
    assert ladder.take() == []
    ladder.answer("desk")
    assert ladder.take() == [
        "to soft: CANCEL, cause 26, answered elsewhere",
        "media: answer from callee",
        "timer ring: stop",
        "to caller: 200",
    ]
    ladder.answer("soft", after=0)  # its 200 crossed our CANCEL
    assert ladder.take() == ["to soft: BYE, cause 26"]
    ladder.answer("soft")  # and once more
    ladder.answer("desk")
    assert ladder.take() == []
    ladder.hang_up("caller")
    assert ladder.take() == ["to desk: BYE, cause 16", "media: release"]
    assert ladder.call.finished


def test_a_cancelled_device_reports_its_end() -> None:
    ladder = Ladder()
    ladder.invite("desk", "soft")
    ladder.answer("desk")
    ladder.take()
    ladder.reject("soft", 487)
    ladder.reject("soft", 487)
    ladder.hang_up("soft")
    assert ladder.take() == []
    ladder.hang_up("caller")
    assert ladder.call.finished


def test_6xx_ends_the_search_on_all_devices() -> None:
    ladder = Ladder()
    ladder.invite("desk", "soft")
    ladder.take()
    ladder.reject("desk", 603)
    assert ladder.take() == [
        "to caller: 603, cause 21",
        "to soft: CANCEL, cause 21",
        "media: release",
        "timer ring: stop",
        f"timer settle: {SETTLE_TIME:g} s",
    ]
    assert not ladder.call.finished
    ladder.answer("soft", after=0)
    assert ladder.take() == ["to soft: BYE, cause 21", "timer settle: stop"]
    assert ladder.call.finished


def test_a_cancelled_device_that_never_reports_is_forgotten() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.cancel()
    ladder.timer("settle", after=SETTLE_TIME)
    assert ladder.call.finished
    ladder.take()
    ladder.answer("desk")  # later still
    assert ladder.take() == ["to desk: BYE, cause 31"]


def test_the_settle_timer_means_nothing_before_the_end() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.timer("settle")
    assert ladder.call.phase is Phase.RINGING
    ladder.cancel()
    assert not ladder.call.finished


def test_two_cancelled_devices_must_both_report() -> None:
    ladder = Ladder()
    ladder.invite("desk", "soft")
    ladder.cancel()
    ladder.reject("desk", 487)
    assert not ladder.call.finished
    ladder.hang_up("soft")
    assert ladder.call.finished


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (486, 480, 486),
        (480, 486, 486),
        (404, 480, 480),
        (408, 404, 404),
        (302, 408, 408),
        (503, 302, 480),
        (500, 503, 500),
        (480, 600, 600),
        (401, 408, 403),
        (487, 503, 480),
    ],
)
def test_the_best_refusal_goes_to_the_caller(first: int, second: int, status: int) -> None:
    ladder = Ladder()
    ladder.invite("desk", "soft")
    ladder.reject("desk", first)
    assert ladder.call.phase is Phase.RINGING
    ladder.reject("soft", second)
    assert ladder.ended.sip_status == status


def test_a_status_that_is_no_refusal_is_ignored() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.reject("desk", 200)
    assert ladder.call.phase is Phase.RINGING


def test_a_device_that_ends_its_early_dialog_is_a_refusal() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.hang_up("desk", q850(27))
    assert (ladder.ended.sip_status, ladder.ended.cause) == (480, 27)


def test_bye_in_the_callers_early_dialog_still_gets_487() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.take()
    ladder.hang_up("caller")
    assert "to caller: 487, cause 31" in ladder.take()
    assert ladder.ended.released_by == "caller"


def test_the_callers_cause_wins_when_it_gives_up() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.cancel(q850(127))
    assert ladder.ended.cause == 127


def test_the_caller_cancels_while_the_answer_is_on_its_way() -> None:
    ladder = Ladder(media="manual")
    ladder.invite("desk")
    ladder.media_replies()
    ladder.answer("desk")
    ladder.take()
    ladder.cancel()
    assert ladder.take() == ["to desk: BYE, cause 31", "media: release", "timer ring: stop"]
    ladder.media_replies()  # too late
    assert ladder.take() == []
    assert ladder.call.finished


def test_a_cancel_after_the_answer_has_no_effect() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.cancel()
    assert ladder.take() == []
    assert ladder.call.phase is Phase.TALKING


def test_the_device_hangs_up_before_the_caller_is_answered() -> None:
    ladder = Ladder(media="manual")
    ladder.invite("desk")
    ladder.media_replies()
    ladder.answer("desk")
    ladder.take()
    ladder.hang_up("desk", after=0)
    assert ladder.take() == ["to caller: 480, cause 16", "media: release", "timer ring: stop"]
    assert ladder.ended.released_by == "called"


@pytest.mark.parametrize(
    ("reason", "status", "cause"), [("not acceptable: no audio", 488, 65), ("the relay is gone", 503, 41)]
)
def test_media_fails_at_the_answer(reason: str, status: int, cause: int) -> None:
    ladder = Ladder(media="manual")
    ladder.invite("desk")
    ladder.media_replies()
    ladder.answer("desk")
    ladder.take()
    ladder.media_fails(reason)
    assert ladder.take()[:2] == [f"to caller: {status}, cause {cause}", f"to desk: BYE, cause {cause}"]


def test_the_media_plane_never_replies() -> None:
    ladder = Ladder(media="manual")
    ladder.invite("desk")
    ladder.timer("ring")
    assert (ladder.ended.sip_status, ladder.ended.cause) == (503, 41)


def test_the_ring_timer_after_the_answer_is_ignored() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.timer("ring")
    ladder.timer("no such timer")
    assert ladder.call.phase is Phase.TALKING
    ladder.terminate(41)
    ladder.timer("ring")
    ladder.terminate(41)
    assert ladder.fact_names.count("CallEnded") == 1


def test_no_device() -> None:
    ladder = Ladder()
    ladder.invite()
    assert ladder.take() == ["to caller: 480, cause 20"]
    assert ladder.call.finished


def test_recording_starts_with_the_answer() -> None:
    ladder = Ladder()
    ladder.talk(caller=replace(OLENA, record=True))
    assert ladder.fact_names == ["CallStarted", "CallRinging", "CallAnswered", "RecordingStarted"]
    assert ladder.actions[-1].__class__.__name__ == "MediaRecord"


# early media


def test_early_media() -> None:
    ladder = Ladder()
    ladder.invite("trunk", callee=STRANGER)
    ladder.take()
    ladder.progress("trunk", 183, b"early")
    assert ladder.take() == ["media: answer from callee", "to caller: 183 with SDP"]
    ladder.progress("trunk", 183, b"early")
    ladder.progress("trunk", 180)
    assert ladder.take() == []
    ladder.progress("trunk", 183, b"other")
    assert ladder.take() == ["media: answer from callee", "to caller: 183 with SDP"]
    ladder.answer("trunk", b"")  # the peer does not repeat it: the last early answer counts
    assert ladder.actions[-3].sdp == b"other"  # type: ignore[union-attr]
    assert ladder.fact_names.count("CallRinging") == 1


def test_180_then_early_media() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.take()
    ladder.progress("desk", 180)
    ladder.progress("desk", 180, b"early")
    assert ladder.take() == ["to caller: 180", "media: answer from callee", "to caller: 183 with SDP"]


def test_only_one_device_is_heard_early() -> None:
    ladder = Ladder()
    ladder.invite("one", "two")
    ladder.progress("one", 183, b"early one")
    ladder.take()
    ladder.progress("two", 183, b"early two")
    assert ladder.take() == []
    ladder.reject("one", 480)
    ladder.progress("two", 183, b"early two")
    assert ladder.take() == ["media: answer from callee", "to caller: 183 with SDP"]


def test_a_silent_device_is_refused_while_another_is_heard() -> None:
    ladder = Ladder()
    ladder.invite("one", "two")
    ladder.progress("one", 183, b"early")
    ladder.reject("two", 480)
    ladder.take()
    ladder.progress("one", 180)
    assert ladder.take() == []


def test_early_media_that_the_plane_refuses_is_just_ringing() -> None:
    ladder = Ladder(media="manual")
    ladder.invite("trunk", callee=STRANGER)
    ladder.media_replies()
    ladder.progress("trunk", 183, b"bad")
    ladder.take()
    ladder.media_fails("not acceptable")
    assert ladder.take() == ["to caller: 180"]
    ladder.progress("trunk", 183, b"bad")  # it tries again, and so do we
    assert ladder.take() == ["media: answer from callee"]


@pytest.mark.parametrize("fails", [True, False])
def test_the_plane_speaks_of_early_media_after_the_device_answered(*, fails: bool) -> None:
    ladder = Ladder(media="manual")
    ladder.invite("trunk", callee=STRANGER)
    ladder.media_replies()
    ladder.progress("trunk", 183, b"early")
    ladder.answer("trunk")
    ladder.take()
    if fails:
        ladder.media_fails()
    else:
        ladder.media_replies()
    assert ladder.take() == []
    ladder.media_replies()
    assert ladder.take() == ["timer ring: stop", "to caller: 200"]


# late offer


def test_late_offer() -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"")
    assert ladder.take()[1:] == ["media: offer from the plane to callee", "to desk: INVITE"]
    ladder.progress("desk", 183, b"early")
    assert ladder.take() == ["to caller: 180"]
    ladder.answer("desk")
    assert ladder.take() == [
        "media: answer from callee",
        "media: offer from callee to caller",
        "timer ring: stop",
        "to caller: 200",
    ]
    ladder.ack("caller", b"answer")
    assert ladder.take() == ["media: answer from caller"]
    ladder.ack("caller", b"answer")
    assert ladder.take() == []
    assert ladder.call.phase is Phase.TALKING


def test_late_offer_without_an_answer_in_the_ack() -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"")
    ladder.answer("desk")
    ladder.ack()
    assert (ladder.ended.cause, ladder.ended.sip_status, ladder.ended.released_by) == (111, 200, "network")


def test_late_offer_with_an_answer_that_does_not_fit() -> None:
    ladder = Ladder(media="manual")
    ladder.invite("desk", sdp=b"")
    ladder.media_replies()
    ladder.answer("desk")
    ladder.media_replies()
    ladder.media_replies()
    ladder.ack("caller", b"nonsense")
    ladder.media_fails("not acceptable")
    assert (ladder.ended.cause, ladder.ended.sip_status) == (65, 200)


def test_late_offer_with_the_ringing() -> None:
    """The caller acknowledges that it rings (RFC 3262): it is offered with that, and answers before the 200."""
    ladder = Ladder()
    ladder.invite("desk", "mobile", sdp=b"", answers_early=True)
    ladder.progress("desk")
    assert ladder.take()[-2:] == ["media: offer from the plane to caller", "to caller: 180 with SDP"]
    ladder.progress("mobile", 183, b"early")  # not heard before the caller has said where
    assert ladder.take() == []
    ladder.prack(b"answer")
    assert ladder.take() == ["media: answer from caller", "media: answer from callee", "to caller: 183 with SDP"]
    ladder.prack(b"answer")
    assert ladder.take() == []
    ladder.codecs_differ = True
    ladder.answer("mobile")
    assert ladder.take() == [
        "to desk: CANCEL, cause 26, answered elsewhere",
        "media: answer from callee",
        "timer ring: stop",
        "to caller: 200",
        "media: codec of the other side to caller",
        "to caller: re-INVITE",
    ]
    ladder.ack("caller")
    assert ladder.call.phase is Phase.TALKING


def test_late_offer_with_the_ringing_is_made_once() -> None:
    """Who rings after the first ones have failed just rings; what is heard of it follows the caller's answer."""
    ladder = Ladder()
    ladder.then("new")
    ladder.invite("desk", sdp=b"", answers_early=True)
    ladder.progress("desk")
    ladder.reject("desk", 486)
    ladder.take()
    ladder.progress("new")
    assert ladder.take() == ["to caller: 180"]
    ladder.prack(b"answer")
    assert ladder.take() == ["media: answer from caller"]
    ladder.progress("new", 183, b"early")
    assert ladder.take() == ["media: answer from callee", "to caller: 183 with SDP"]


def test_an_answer_in_the_prack_of_a_caller_that_has_given_up() -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"", answers_early=True)
    ladder.progress("desk")
    ladder.cancel()
    ladder.take()
    ladder.prack(b"answer")
    ladder.call.branch_answered_early(ladder.branch_ids["desk"], b"answer", ladder.now)  # nor has a device any
    assert ladder.take() == []
    assert (ladder.ended.cause, ladder.ended.sip_status) == (31, 487)


def test_late_offer_with_the_ringing_whose_answer_comes_after_that_of_the_called() -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"", answers_early=True)
    ladder.progress("desk")
    ladder.answer("desk")
    assert ladder.take()[-3:] == ["media: answer from callee", "timer ring: stop", "to caller: 200"]
    ladder.codecs_differ = True
    ladder.prack(b"answer")
    assert ladder.take() == [
        "media: answer from caller",
        "media: codec of the other side to caller",
        "to caller: re-INVITE",
    ]
    ladder.ack("caller")
    assert ladder.call.phase is Phase.TALKING


def test_late_offer_with_the_ringing_that_is_too_late_for_it() -> None:
    """Who is answered before the plane has made the offer gets it in the 200, as ever."""
    ladder = Ladder(media="manual")
    ladder.invite("desk", sdp=b"", answers_early=True)
    ladder.media_replies()
    ladder.progress("desk")
    ladder.answer("desk")
    ladder.media_replies()  # the offer for the ringing
    ladder.take()
    ladder.media_replies()  # the answer of the called
    assert ladder.take() == ["media: offer from callee to caller"]
    ladder.media_replies()
    assert ladder.take() == ["timer ring: stop", "to caller: 200"]
    ladder.ack("caller", b"answer")
    assert ladder.take() == ["media: answer from caller"]


def test_late_offer_with_the_ringing_and_no_answer() -> None:
    ladder = Ladder()
    ladder.invite("desk", sdp=b"", answers_early=True)
    ladder.progress("desk")
    ladder.prack()
    assert (ladder.ended.cause, ladder.ended.sip_status, ladder.ended.released_by) == (111, 500, "network")
    ladder = Ladder(media="manual")
    ladder.invite("desk", sdp=b"", answers_early=True)
    ladder.media_replies()
    ladder.progress("desk")
    ladder.media_fails("no ports")  # it rings unheard, and is answered all the same
    ladder.progress("desk")
    ladder.answer("desk")
    ladder.take()
    ladder.media_replies()
    assert ladder.take() == ["media: offer from callee to caller"]


# commands and what others see


def test_clear_rejects_an_alerting_call() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.progress("desk")
    ladder.take()
    ladder.clear("callee")
    assert ladder.take()[:2] == ["to caller: 603, cause 21", "to desk: CANCEL, cause 21"]
    with pytest.raises(WrongStateError):
        ladder.clear("callee")


def test_clear_ends_an_established_call() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.clear("callee")
    assert ladder.take() == ["to caller: BYE, cause 16", "to desk: BYE, cause 16", "media: release"]
    assert ladder.ended.released_by == "api"


def test_commands_for_a_leg_of_another_call() -> None:
    ladder = Ladder()
    ladder.talk()
    with pytest.raises(NotFoundError):
        ladder.call.clear("somebody else's", ladder.now)
    with pytest.raises(NotFoundError):
        ladder.call.hold("somebody else's", ladder.now)


def test_legs() -> None:
    ladder = Ladder()
    start = ladder.now
    ladder.invite("desk", caller=OLENA, callee=STRANGER)
    assert ladder.call.call_id == "call"
    caller, callee = ladder.call.legs.values()
    assert (caller.leg_id, caller.number, caller.owner) == ("leg-caller", OLENA.number, True)
    assert (callee.leg_id, callee.number, callee.owner) == ("leg-callee", STRANGER.number, False)
    assert (caller.state, caller.since) == (LegState.ALERTING, start)
    ladder.answer("desk", after=3)
    assert {(leg.state, leg.since) for leg in ladder.call.legs.values()} == {(LegState.ESTABLISHED, start + 3)}
    ladder.hang_up("desk", after=3)
    assert {(leg.state, leg.since) for leg in ladder.call.legs.values()} == {(LegState.FINISHED, start + 6)}


def test_what_there_is_to_say_is_said_once() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    said = [ladder.call.has_said]
    ladder.call.branch_progressed(ladder.branch_ids["desk"], 180, b"", ladder.now)
    said.append(ladder.call.has_said)
    assert len(ladder.call.take_actions()) == 1
    said.append(ladder.call.has_said)  # a fact is left
    assert len(ladder.call.take_facts()) == 1
    said.append(ladder.call.has_said)
    ladder.call.branch_progressed(ladder.branch_ids["desk"], 180, b"", ladder.now)
    assert [*said, ladder.call.has_said] == [False, True, True, False, False]


def test_what_is_over_is_given_back_without_the_collector() -> None:
    def legs_and_branches() -> int:
        return sum(type(each) in (Leg, Branch) for each in gc.get_objects())

    gc.disable()
    try:
        before = legs_and_branches()
        ladder = Ladder()
        ladder.talk("desk")
        ladder.transfer("callee", "one", "two")
        ladder.answer("one")
        ladder.reject("two", 487)
        ladder.hang_up("caller")
        assert ladder.call.finished
        assert legs_and_branches() > before
        ladder.take()
        ladder.call.dissolve()
        ladder.reject("two", 487)  # what is late still
        ladder.hang_up("one")
        ladder.timer("settle")
        assert ladder.take() == []
        del ladder.call
        assert legs_and_branches() == before
    finally:
        gc.enable()


def test_whatever_concerns_an_unknown_branch_is_harmless() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.branch_ids["ghost"] = "ghost"
    ladder.take()
    ladder.progress("ghost")
    ladder.answer("ghost")
    ladder.reject("ghost", 486)
    ladder.hang_up("ghost")
    ladder.ack("ghost")
    ladder.call.branch_answered_early("ghost", b"answer", ladder.now)
    ladder.accept_offer("ghost")
    ladder.refuse_offer("ghost", 488)
    ladder.call.media_replied("ghost", b"", ladder.now)
    ladder.call.media_failed("ghost", "", ladder.now)
    assert ladder.take() == []
    ladder.offer("ghost", b"")
    assert ladder.take() == ["to ghost: 481 to the re-INVITE"]


def test_whatever_suits_only_the_other_kind_of_branch_is_harmless() -> None:
    ladder = Ladder()
    ladder.invite("desk")
    ladder.branch_ids["in"] = ladder.branch_ids["caller"]
    ladder.take()
    ladder.progress("caller")
    ladder.answer("caller")
    ladder.reject("caller", 486)
    ladder.call.branch_cancelled(ladder.branch_ids["desk"], (), ladder.now)
    assert ladder.take() == []
    assert ladder.call.phase is Phase.RINGING


def test_a_phase_that_cannot_follow_is_a_bug_and_says_so() -> None:
    ladder = Ladder()
    ladder.talk()
    with pytest.raises(RuntimeError, match="talking to ringing"):
        ladder.call._core.enter(Phase.RINGING)
