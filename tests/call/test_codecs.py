"""Two sides that talk different codecs, as ladders: one of them is asked for the codec of the other."""

import pytest

from kobza.call.leg import LegState
from kobza.call.phases import Phase
from tests.call.ladder import STRANGER, Ladder, with_direction

TO_CALLER = "media: codec of the other side to caller"
TO_CALLEE = "media: codec of the other side to callee"


def ringing(*devices: str) -> Ladder:
    """A click2dial call whose destination rings; what it will answer with is not what the originator sends."""
    ladder = Ladder()
    ladder.originate(["mine"], devices or ["desk"])
    ladder.progress("mine")
    ladder.answer("mine")
    ladder.progress("desk")
    ladder.take()
    ladder.codecs_differ = True
    return ladder


def asked() -> Ladder:
    """The destination has answered, and the originator's phone is asked."""
    ladder = ringing()
    ladder.answer("desk")
    assert ladder.take() == ["media: answer from callee", "timer ring: 10 s", TO_CALLER, "to mine: re-INVITE"]
    assert ladder.call.phase is Phase.CONNECTING
    return ladder


def both_asked() -> Ladder:
    """The originator's phone has refused, and the destination's is asked."""
    ladder = asked()
    ladder.refuse_offer("mine", 488)
    assert ladder.take() == [TO_CALLEE, "to desk: re-INVITE"]
    return ladder


# click2dial


def test_the_originator_takes_the_codec_of_the_destination() -> None:
    ladder = asked()
    ladder.accept_offer("mine")
    assert ladder.take() == ["media: new answer from caller", "timer ring: stop", "media: play none to caller"]
    ladder.hang_up("desk")
    assert ladder.told("caller") == ladder.told("callee") == "alerting established finished"


def test_the_destination_takes_the_codec_of_the_originator() -> None:
    ladder = both_asked()
    ladder.accept_offer("desk")
    assert ladder.take() == ["media: new answer from callee", "timer ring: stop", "media: play none to caller"]
    assert ladder.call.phase is Phase.TALKING


def test_nothing_in_common() -> None:
    ladder = both_asked()
    ladder.refuse_offer("desk", 488)
    assert ladder.take() == ["to mine: BYE, cause 65", "to desk: BYE, cause 65", "media: release", "timer ring: stop"]
    assert (ladder.ended.cause, ladder.ended.sip_status, ladder.ended.released_by) == (65, 488, "network")
    assert ladder.told("caller") == ladder.told("callee") == "alerting finished"
    assert [state.cause for state in ladder.states if state.state_type == "finished"] == [65, 65]


def test_an_answer_that_cannot_be_used_is_a_refusal_and_the_phone_gets_back_what_it_had() -> None:
    ladder = asked()
    ladder.media = "manual"
    ladder.accept_offer("mine", b"no audio")
    ladder.accept_offer("mine", b"again")  # repeated, and nobody asked
    assert ladder.take() == ["media: new answer from caller"]
    ladder.media_fails("not acceptable: no audio stream")
    assert ladder.take() == ["media: sendrecv to caller", TO_CALLEE]
    ladder.media_replies()
    ladder.media_replies()
    assert ladder.take() == ["to mine: re-INVITE", "to desk: re-INVITE"]
    ladder.accept_offer("mine")
    ladder.media_replies()
    ladder.accept_offer("desk")
    ladder.media_replies()
    ladder.media_replies(b"")
    assert ladder.call.phase is Phase.TALKING


def test_a_phone_that_does_not_take_back_what_it_had_is_let_be() -> None:
    ladder = asked()
    ladder.media = "manual"
    ladder.accept_offer("mine", b"no audio")
    ladder.media_fails("not acceptable: no audio stream")
    ladder.media_replies()
    ladder.media_replies()
    ladder.accept_offer("mine", b"no audio")
    ladder.take()
    ladder.media_fails("not acceptable: no audio stream")
    assert ladder.take() == []


@pytest.mark.parametrize("usable", [True, False])
def test_the_answer_of_a_phone_that_has_left_changes_nothing(*, usable: bool) -> None:
    ladder = transferred("new")
    ladder.refuse_offer("caller", 488)
    ladder.media = "manual"
    ladder.accept_offer("new")
    ladder.timer("ring", after=10)
    ladder.take()
    if usable:
        ladder.media_replies()
    else:
        ladder.media_fails("not acceptable: no audio stream")
    assert ladder.take() == []


def test_the_plane_fails_to_compare() -> None:
    ladder = ringing()
    ladder.media = "manual"
    ladder.answer("desk")
    ladder.media_replies()
    ladder.take()
    ladder.media_fails()
    assert ladder.take() == [TO_CALLEE]
    ladder.media_fails()
    assert ladder.ended.cause == 65


def test_an_offer_that_crosses_ours_comes_again() -> None:
    ladder = asked()
    ladder.offer("mine", with_direction("sendonly"))
    ladder.offer("desk", with_direction("sendonly"))  # no answer of the destination is in effect yet
    assert ladder.take() == ["to mine: 491 to the re-INVITE", "to desk: 491 to the re-INVITE"]
    ladder.accept_offer("mine", with_direction("sendonly"))
    assert ladder.fact_names[-2:] == ["CallAnswered", "CallHeld"]
    assert ladder.state_of("caller") == LegState.HELD


def test_ours_waits_for_an_offer_that_came_before() -> None:
    ladder = ringing()
    ladder.media = "manual"
    ladder.offer("mine", with_direction("sendonly"))
    ladder.answer("desk")
    ladder.take()
    ladder.asked.append(ladder.asked.pop(0))  # the plane reads the destination's answer first
    ladder.media_replies()
    assert ladder.take() == ["timer ring: 10 s"]
    ladder.media_replies()
    assert ladder.take() == ["to mine: 200 to the re-INVITE", TO_CALLER]
    ladder.media_replies(b"")
    assert ladder.fact_names[-2:] == ["CallAnswered", "CallHeld"]


def test_a_destination_that_holds_when_it_is_asked_holds() -> None:
    ladder = both_asked()
    ladder.accept_offer("desk", with_direction("sendonly"))
    assert ladder.fact_names[-2:] == ["CallAnswered", "CallHeld"]
    assert ladder.state_of("callee") == LegState.HELD


@pytest.mark.parametrize(("phone", "cause", "by"), [("mine", 31, "caller"), ("desk", 16, "called")])
def test_somebody_hangs_up_meanwhile(phone: str, cause: int, by: str) -> None:
    ladder = asked()
    ladder.hang_up(phone)
    other = "desk" if phone == "mine" else "mine"
    assert ladder.take() == [f"to {other}: BYE, cause {cause}", "media: release", "timer ring: stop"]
    assert (ladder.ended.cause, ladder.ended.released_by) == (cause, by)
    ladder.accept_offer("mine")
    assert ladder.take() == []
    assert ladder.call.finished


def test_the_phone_answers_too_late() -> None:
    ladder = asked()
    ladder.timer("ring", after=10)
    assert (ladder.ended.cause, ladder.ended.sip_status) == (41, 503)


# early media


def test_early_media_is_heard_when_the_originator_understands_it() -> None:
    ladder = ringing()
    ladder.progress("desk", 183, b"early")
    assert ladder.take() == ["media: answer from callee", TO_CALLER, "to mine: re-INVITE"]
    ladder.accept_offer("mine")
    assert ladder.take() == ["media: new answer from caller", "media: play none to caller"]
    ladder.answer("desk")
    assert ladder.take() == ["media: answer from callee", "timer ring: 10 s", "timer ring: stop"]


def test_early_media_that_the_originator_refuses_leaves_the_ringback() -> None:
    ladder = ringing()
    ladder.progress("desk", 183, b"early")
    ladder.refuse_offer("mine", 488)
    ladder.take()
    ladder.progress("desk", 183, b"early")  # the same again
    assert ladder.take() == []
    assert ladder.call.phase is Phase.RINGING


def test_a_device_answers_while_the_early_media_of_another_one_is_agreed() -> None:
    ladder = ringing("desk", "soft")
    ladder.progress("desk", 183, b"early")
    ladder.answer("soft")
    assert ladder.take() == [
        "media: answer from callee",
        TO_CALLER,
        "to mine: re-INVITE",
        "to desk: CANCEL, cause 26, answered elsewhere",
        "media: answer from callee",
        "timer ring: 10 s",
    ]
    ladder.refuse_offer("mine", 488)  # it was asked for the codec of the device that lost
    assert ladder.take() == [TO_CALLER, "to mine: re-INVITE"]
    ladder.accept_offer("mine")
    assert ladder.call.phase is Phase.TALKING


def test_a_device_is_busy_while_its_early_media_is_agreed() -> None:
    ladder = ringing("desk", "soft")
    ladder.progress("desk", 183, b"early")
    ladder.reject("desk", 486)
    ladder.take()
    ladder.accept_offer("mine")
    assert ladder.take() == ["media: new answer from caller"]


def test_a_device_answers_while_the_plane_compares() -> None:
    ladder = ringing()
    ladder.media = "manual"
    ladder.progress("desk", 183, b"early")
    ladder.media_replies()
    ladder.answer("desk")
    assert ladder.take() == ["media: answer from callee", TO_CALLER, "media: answer from callee"]
    ladder.asked.append(ladder.asked.pop(0))
    ladder.media_replies()
    assert ladder.take() == ["timer ring: 10 s"]
    ladder.media_replies(b"")  # so it was before the answer
    assert ladder.take() == [TO_CALLER]
    ladder.media_replies(b"")
    assert ladder.call.phase is Phase.TALKING


# while both talk


def test_a_phone_that_drops_the_codec_takes_the_other_one_along() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.codecs_differ = True
    ladder.offer("desk", with_direction("sendrecv"))
    assert ladder.take() == [
        "media: new offer from callee",
        "to desk: 200 to the re-INVITE",
        TO_CALLER,
        "to caller: re-INVITE",
    ]
    ladder.refuse_offer("caller", 488)
    assert ladder.take() == []
    assert ladder.call.phase is Phase.TALKING


def test_so_does_one_that_answers_an_offer_of_ours() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.offer("desk", b"")
    ladder.codecs_differ = True
    ladder.take()
    ladder.media = "manual"
    ladder.ack("desk", with_direction("sendrecv"))
    ladder.media_replies(b"")
    assert ladder.take() == ["media: new answer from callee", TO_CALLER]
    ladder.media_replies(b"")
    ladder.offer("desk", b"")
    ladder.media_replies()
    ladder.ack("desk", with_direction("sendrecv"))
    ladder.take()
    ladder.media_fails("not acceptable: video")
    assert ladder.take() == []


def test_one_comparison_at_a_time() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.media = "manual"
    ladder.offer("desk", with_direction("sendrecv"))
    ladder.media_replies()
    ladder.offer("desk", with_direction("sendrecv"))
    ladder.take()
    ladder.asked.append(ladder.asked.pop(0))
    ladder.media_replies()
    assert ladder.take() == ["to desk: 200 to the re-INVITE"]


def test_a_phone_that_cannot_be_compared_any_more_is_let_be() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.media = "manual"
    ladder.offer("caller", with_direction("sendrecv"))
    ladder.media_replies()
    ladder.transfer("callee", "new")  # the desk leaves while the plane compares
    ladder.take()
    ladder.media_replies(b"")
    assert ladder.take() == []


# transfer


def transferred(*devices: str, **more: object) -> Ladder:
    """The called one has transferred the caller; the new phone has answered, and the caller's is asked."""
    ladder = Ladder()
    ladder.talk(caller=STRANGER, origin="trunk")
    ladder.transfer("callee", *devices, **more)  # type: ignore[arg-type]
    ladder.take()
    ladder.codecs_differ = True
    ladder.answer(devices[0])
    assert ladder.take() == ["media: answer from callee", "timer ring: 10 s", TO_CALLER, "to caller: re-INVITE"]
    assert ladder.call.phase is Phase.TRANSFERRING
    return ladder


def test_the_side_that_stays_takes_the_codec_of_the_new_one() -> None:
    ladder = transferred("new")
    ladder.accept_offer("caller")
    assert ladder.take() == ["media: new answer from caller", "timer ring: stop", "media: play none to caller"]
    assert ladder.fact_names[-1] == "TransferAnswered"


def test_the_new_side_takes_the_codec_of_the_one_that_stays() -> None:
    ladder = transferred("new")
    ladder.refuse_offer("caller", 488)
    assert ladder.take() == [TO_CALLEE, "to new: re-INVITE"]
    ladder.accept_offer("new")
    assert ladder.call.phase is Phase.TALKING


def test_with_nothing_in_common_the_one_who_transferred_is_called_again() -> None:
    ladder = transferred("new")
    ladder.refuse_offer("caller", 488)
    ladder.take()
    ladder.refuse_offer("new", 488)
    assert ladder.take() == [
        "to new: BYE, cause 65",
        "callee is +380671110002",
        "media: callee leaves",
        "timer ring: 60 s",
        "media: offer from caller to callee",
        "to again: INVITE",
    ]
    ladder.codecs_differ = False
    ladder.answer("again")
    assert ladder.call.phase is Phase.TALKING


def test_an_answer_that_comes_when_the_new_side_is_over_changes_nothing() -> None:
    ladder = transferred("new")
    ladder.timer("ring", after=10)
    assert ladder.take()[0] == "to new: BYE, cause 19"
    ladder.accept_offer("caller")
    assert ladder.take() == ["media: new answer from caller"]
    assert ladder.call.phase is Phase.TRANSFERRING


def test_early_media_of_the_new_side() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.transfer("callee", "one", "two")
    ladder.take()
    ladder.codecs_differ = True
    ladder.progress("one", 183, b"early")
    assert ladder.take() == ["media: answer from callee", TO_CALLER, "to caller: re-INVITE"]
    ladder.reject("one", 486)
    ladder.take()
    ladder.accept_offer("caller")
    assert ladder.take() == ["media: new answer from caller"]
