"""Calls that go on to another number, as ladders: what is sent, in order."""

import pytest

from kobza.call.events import CallForwarded
from kobza.call.leg import Rejection
from tests.call.ladder import COMPETITOR, OLENA, PETRO, STRANGER, TARAS, Ladder


def test_busy_then_the_next_one() -> None:
    ladder = Ladder()
    ladder.then("new", seconds=20)
    ladder.invite("desk", "soft")
    ladder.progress("soft")
    ladder.take()
    ladder.reject("soft", 486)
    assert ladder.take() == []  # the other phone still rings
    ladder.reject("desk", 480)
    assert ladder.take() == [
        f"callee is {PETRO.number}",
        "to caller: 181",
        "timer ring: 20 s",
        "to new: INVITE",
    ]
    assert ladder.failures == [Rejection(486, 17)]
    ladder.progress("new")
    assert ladder.take() == ["to caller: 180"]
    ladder.answer("new")
    assert ladder.take() == ["media: answer from callee", "timer ring: stop", "to caller: 200"]
    ladder.hang_up("new")
    assert [record.answered_number for record in ladder.records] == [PETRO.number]
    assert [state.phone_number for state in ladder.states if state.call_control_id == ladder.leg_ids["callee"]] == [
        OLENA.number
    ] * 3


def test_no_answer_takes_the_phones_back_and_a_200_that_crosses_changes_nothing() -> None:
    ladder = Ladder()
    ladder.then("new")
    ladder.invite("desk", "soft")
    ladder.progress("desk")
    ladder.take()
    ladder.timer("ring", after=20)
    assert ladder.take()[:3] == [
        "to desk: CANCEL, cause 19",
        "to soft: CANCEL, cause 19",
        f"callee is {PETRO.number}",
    ]
    ladder.reject("soft", 487)
    ladder.answer("desk", after=0)
    assert ladder.take()[-1] == "to desk: BYE, cause 19"
    ladder.answer("new")
    ladder.hang_up("caller")
    assert ladder.call.finished
    told = [state for state in ladder.states if state.call_control_id == "leg-callee"]
    assert [(state.state_type, state.cause) for state in told] == [("alerting", None), ("finished", 19)]
    assert told[-1].ringing == 20
    assert told[-1].released_by == "network"


def test_a_6xx_ends_the_ringing_of_the_other_phones() -> None:
    ladder = Ladder()
    ladder.then("new")
    ladder.invite("desk", "soft")
    ladder.take()
    ladder.reject("desk", 600)
    assert ladder.take()[0] == "to soft: CANCEL, cause 17"
    ladder.reject("new", 404)
    ladder.reject("soft", 487)
    assert ladder.call.finished
    assert (ladder.ended.sip_status, ladder.ended.cause) == (404, 1)


def test_over_those_where_nobody_is_to_the_first_who_is_there() -> None:
    ladder = Ladder()
    ladder.then(hops=[COMPETITOR])
    ladder.then("trunk", hops=[STRANGER])
    ladder.invite(hops=[PETRO])
    assert ladder.take() == [
        f"callee is {PETRO.number}",
        f"callee is {COMPETITOR.number}",
        f"callee is {STRANGER.number}",
        "timer ring: 60 s",
        "media: offer from caller to callee",
        "to trunk: INVITE",
    ]
    assert [fact.cause for fact in ladder.facts if isinstance(fact, CallForwarded)] == [23, 20, 20]
    ladder.progress("trunk")
    ladder.answer("trunk")
    ladder.hang_up("caller")
    assert ladder.states
    assert {state.state_owner for state in ladder.states} == {OLENA.number}  # nobody else's phone rang
    own, theirs = ladder.records
    assert (own.called_number, own.answered_number, own.direction) == (TARAS.number, STRANGER.number, "local")
    assert (theirs.enterprise_id, theirs.called_number) == ("sokil", COMPETITOR.number)
    assert (theirs.answered_number, theirs.answered_at) == (STRANGER.number, own.answered_at)


def test_early_media_of_the_first_one_gives_way_to_ringback_and_to_that_of_the_second_one() -> None:
    ladder = Ladder()
    ladder.then("new")
    ladder.invite("desk")
    ladder.progress("desk", 183, b"early")
    ladder.take()
    ladder.reject("desk", 486)
    assert "media: play ringback to caller" in ladder.take()
    ladder.progress("new", 183, b"early too")
    assert ladder.take() == ["media: answer from callee", "to caller: 183 with SDP", "media: play none to caller"]
    ladder.answer("new")
    ladder.hang_up("caller")
    assert ladder.call.finished


def test_ringback_ends_when_who_rings_silently_answers() -> None:
    ladder = Ladder()
    ladder.then("new")
    ladder.invite("desk")
    ladder.progress("desk", 183, b"early")
    ladder.reject("desk", 486)
    ladder.progress("new")
    ladder.take()
    ladder.answer("new")
    assert ladder.take() == [
        "media: answer from callee",
        "timer ring: stop",
        "media: play none to caller",
        "to caller: 200",
    ]
    ladder.hang_up("caller")


def test_what_the_plane_says_of_a_phone_that_is_asked_no_longer_changes_nothing() -> None:
    ladder = Ladder(media="manual")
    ladder.then("new")
    ladder.invite("desk")
    ladder.media_replies()
    ladder.progress("desk", 183, b"early")
    ladder.reject("desk", 486)
    ladder.take()
    ladder.media_replies()
    assert ladder.take() == []
    ladder.answer("new")
    ladder.media_replies()
    ladder.hang_up("caller")
    assert ladder.call.finished


def test_click2dial_goes_on_and_the_originator_hears_ringback() -> None:
    ladder = Ladder()
    ladder.then("new")
    ladder.originate(["mine"], ["desk"])
    ladder.answer("mine")
    ladder.progress("desk", 183, b"early")
    ladder.take()
    ladder.reject("desk", 486)
    assert ladder.take() == [
        f"callee is {PETRO.number}",
        "media: play ringback to caller",
        "timer ring: 60 s",
        "to new: INVITE",
    ]
    ladder.answer("new")
    ladder.hang_up("mine")
    assert ladder.call.finished


@pytest.mark.parametrize("refused_by", ["mine", "timer"])
def test_the_originators_own_phone_forwards_nothing(refused_by: str) -> None:
    """It is this phone that was clicked for."""
    ladder = Ladder()
    ladder.then("new")
    ladder.originate(["mine"], ["desk"])
    if refused_by == "timer":
        ladder.timer("ring")
        ladder.reject("mine", 487)
    else:
        ladder.reject("mine", 486)
    assert ladder.call.finished
    assert ladder.failures == []


def test_a_transfer_afterwards_is_of_the_one_who_answered() -> None:
    ladder = Ladder()
    ladder.then("trunk", hops=[STRANGER])
    ladder.invite("desk")
    ladder.reject("desk", 486)
    ladder.answer("trunk")
    ladder.transfer("caller", "third", to=PETRO, recall=[])
    ladder.reject("third", 486)
    ladder.reject("trunk", 487)
    assert ladder.ended.cause == 17
    assert [record.answered_number for record in ladder.records] == [STRANGER.number]


def test_the_row_of_an_enterprise_between_begins_to_ring_once() -> None:
    ladder = Ladder()
    ladder.then("theirs", hops=[COMPETITOR])
    ladder.then("trunk", hops=[STRANGER])
    ladder.invite("desk")
    ladder.reject("desk", 486)
    ladder.progress("theirs")
    rang_at = ladder.now
    ladder.reject("theirs", 486, after=5)
    ladder.progress("trunk")
    ladder.answer("trunk")
    ladder.hang_up("caller")
    own, theirs = ladder.records
    assert own.ringing_at == theirs.ringing_at == rang_at
