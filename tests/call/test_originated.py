"""Click2dial calls, as ladders: the originator's phones first, ringback, then the destination."""

import pytest
from msgspec.structs import replace

from kobza.call.phases import Phase
from tests.call.ladder import STRANGER, TARAS, Ladder, q850, with_direction


def originator_answered(**parties: object) -> Ladder:
    """A click2dial call whose originator has answered; the destination's device is dialled."""
    ladder = Ladder()
    ladder.originate(["mine"], ["desk"], **parties)  # type: ignore[arg-type]
    ladder.progress("mine")
    ladder.answer("mine")
    ladder.take()
    return ladder


def test_a_click2dial_call() -> None:
    ladder = Ladder()
    ladder.originate(["mine", "mine too"], ["desk"], callee=replace(TARAS, record=True))
    assert ladder.take() == [
        "timer ring: 60 s",
        "media: offer from the plane to caller",
        "to mine: INVITE",
        "to mine too: INVITE",
    ]
    ladder.progress("mine")
    ladder.progress("mine too", 183, b"early")
    assert ladder.take() == []
    ladder.answer("mine")
    assert ladder.take() == [
        "to mine too: CANCEL, cause 26, answered elsewhere",
        "media: answer from caller",
        "media: play ringback to caller",
        "timer ring: 60 s",
        "media: offer from caller to callee",
        "to desk: INVITE",
    ]
    ladder.progress("desk")
    ladder.ack("mine")
    assert ladder.take() == []
    ladder.answer("desk")
    assert ladder.take() == [
        "media: answer from callee",
        "timer ring: 10 s",
        "timer ring: stop",
        "media: play none to caller",
        "media: record",
    ]
    ladder.hang_up("desk")
    assert ladder.take() == ["to mine: BYE, cause 16", "media: release", "timer settle: 40 s"]
    ladder.reject("mine too", 487)
    assert ladder.call.finished
    assert ladder.fact_names == [
        "CallStarted",
        "OriginatorRang",
        "CallRinging",
        "CallAnswered",
        "RecordingStarted",
        "CallEnded",
    ]


def test_early_media_of_the_destination_replaces_the_ringback() -> None:
    ladder = originator_answered(callee=STRANGER)
    ladder.progress("desk", 183, b"early")
    assert ladder.take() == ["media: answer from callee", "media: play none to caller"]
    ladder.answer("desk")
    assert ladder.take() == ["media: answer from callee", "timer ring: 10 s", "timer ring: stop"]


def test_ringback_comes_back_when_the_early_media_ends() -> None:
    ladder = Ladder()
    ladder.originate(["mine"], ["one", "two"])
    ladder.answer("mine")
    ladder.progress("one", 183, b"early")
    ladder.take()
    ladder.reject("one", 480)
    assert ladder.take() == ["media: play ringback to caller"]


def test_early_media_that_the_plane_refuses_leaves_the_ringback() -> None:
    ladder = originator_answered()
    ladder.media = "manual"
    ladder.progress("desk", 183, b"bad")
    ladder.take()
    ladder.media_fails()
    assert ladder.take() == []


def test_the_originator_refuses() -> None:
    ladder = Ladder()
    ladder.originate(["mine"], ["desk"])
    ladder.take()
    ladder.reject("mine", 603)
    assert ladder.take() == ["media: release", "timer ring: stop"]
    assert (ladder.ended.cause, ladder.ended.released_by) == (21, "caller")


def test_the_originators_media_fails() -> None:
    ladder = Ladder(media="manual")
    ladder.originate(["mine"], ["desk"])
    ladder.media_fails()
    assert (ladder.ended.cause, ladder.ended.sip_status) == (41, 503)


def test_the_originator_hangs_up_while_the_plane_reads_its_answer() -> None:
    ladder = Ladder(media="manual")
    ladder.originate(["mine"], ["desk"])
    ladder.media_replies()
    ladder.answer("mine")
    ladder.hang_up("mine")
    assert (ladder.ended.cause, ladder.ended.sip_status, ladder.ended.released_by) == (31, 487, "caller")


def test_the_destination_refuses() -> None:
    ladder = originator_answered()
    ladder.reject("desk", 486, q850(17))
    assert ladder.take() == ["to mine: BYE, cause 17", "media: release", "timer ring: stop"]


def test_the_destination_does_not_answer() -> None:
    ladder = originator_answered()
    ladder.timer("ring")
    assert ladder.take()[:2] == ["to mine: BYE, cause 19", "to desk: CANCEL, cause 19"]


def test_cleared_at_every_stage() -> None:
    for stage in range(4):
        ladder = Ladder()
        ladder.originate(["mine"], ["desk"])
        if stage > 0:
            ladder.progress("mine")
        if stage > 1:
            ladder.answer("mine")
        if stage > 2:
            ladder.answer("desk")
        ladder.clear("caller")
        assert (ladder.ended.cause, ladder.ended.released_by) == (16 if stage > 2 else 21, "api")
        assert ladder.told("caller").endswith("finished")


def test_the_originators_media_stops_while_the_destination_rings() -> None:
    ladder = originator_answered()
    ladder.media_times_out("callee")
    assert ladder.call.phase is Phase.RINGING
    ladder.media_times_out("caller")
    assert (ladder.ended.cause, ladder.ended.sip_status) == (41, 503)


def test_an_originator_that_holds_while_it_rings_holds_after_the_answer() -> None:
    ladder = originator_answered()
    ladder.offer("mine", with_direction("sendonly"))
    assert ladder.take() == ["media: new offer from caller", "to mine: 200 to the re-INVITE"]
    ladder.answer("desk")
    assert ladder.fact_names[-2:] == ["CallAnswered", "CallHeld"]


def test_client_state_and_states() -> None:
    ladder = Ladder()
    ladder.originate(["mine"], ["desk"], client_state="deal 7")
    ladder.progress("mine")
    ladder.answer("mine")
    ladder.progress("desk")
    ladder.answer("desk")
    ladder.hang_up("desk")
    assert ladder.told("caller") == ladder.told("callee") == "alerting established finished"
    assert {state.client_state for state in ladder.states} == {"deal 7"}


@pytest.mark.parametrize("rings", [True, False])
def test_an_originator_whose_phone_answers_by_itself_is_alerted_by_the_far_end(*, rings: bool) -> None:
    ladder = Ladder()
    ladder.originate(["mine"], ["desk"])
    ladder.answer("mine")
    if rings:
        ladder.progress("desk")
    ladder.answer("desk")
    ladder.hang_up("desk")
    assert ladder.told("caller") == ("alerting established finished" if rings else "established finished")
