"""Targets of which one is tried after the other: trunks that take the same number."""

import pytest

from kobza.call.actions import Dial, InTurn, Servers
from kobza.call.events import CallEnded
from tests.call.ladder import OFFER, PETRO, STRANGER, Ladder, q850

TRUNKS = InTurn(("first", "second", "third"))


def dials(ladder: Ladder) -> list[Dial]:
    return [action for action in ladder.actions if isinstance(action, Dial)]


@pytest.mark.parametrize("status", [500, 503, 504, 599, 401, 407, 408])
def test_the_next_one_is_tried_when_the_way_failed(status: int) -> None:
    ladder = Ladder()
    ladder.invite(TRUNKS, callee=STRANGER)
    ladder.reject("first", status)
    first, second = dials(ladder)
    assert (first.has_next, first.replaces, second.has_next, second.replaces) == (True, "", True, first.branch_id)
    assert first.sdp == second.sdp
    ladder.reject("second", status)
    third = dials(ladder)[-1]
    assert (third.target, third.has_next, third.replaces) == ("third", False, second.branch_id)
    ladder.reject("third", status)
    assert ladder.call.finished
    assert len(ladder.records) == 1
    assert [type(fact) for fact in ladder.facts].count(CallEnded) == 1


@pytest.mark.parametrize(
    ("status", "cause"),
    [(404, None), (480, None), (486, None), (603, None), (302, None), (403, None), (500, 17), (503, 1), (502, 21)],
)
def test_no_other_is_tried_when_the_called_side_said_no(status: int, cause: int | None) -> None:
    ladder = Ladder()
    ladder.invite(TRUNKS, callee=STRANGER)
    ladder.reject("first", status, () if cause is None else q850(cause))
    assert ladder.call.finished
    assert len(dials(ladder)) == 1


@pytest.mark.parametrize(("progress", "sdp"), [(180, b""), (183, b"early")])
def test_no_other_is_tried_once_the_called_side_was_reached(progress: int, sdp: bytes) -> None:
    ladder = Ladder()
    ladder.invite(TRUNKS, callee=STRANGER)
    ladder.progress("first", progress, sdp)
    ladder.reject("first", 503)
    assert len(dials(ladder)) == 1
    assert (ladder.ended.sip_status, ladder.ended.cause) == (503, 41)


def test_a_silent_one_is_taken_back_and_what_it_still_says_changes_nothing() -> None:
    ladder = Ladder()
    ladder.invite(TRUNKS, callee=STRANGER)
    ladder.silence("first")
    assert ladder.take()[-2:] == ["to first: CANCEL, cause 102", "to second: INVITE"]
    ladder.progress("first")
    ladder.answer("first")
    assert ladder.take() == ["to first: BYE, cause 102"]
    ladder.silence("first")  # late, and again
    ladder.silence("caller")
    assert ladder.take() == []
    ladder.answer("second")
    ladder.hang_up("second")
    assert ladder.call.finished


def test_silence_of_the_last_one_is_waited_out() -> None:
    ladder = Ladder()
    ladder.invite(InTurn(("only",)), callee=STRANGER)
    ladder.take()
    ladder.silence("only")
    assert ladder.take() == []
    ladder.answer("only")
    assert ladder.state_of("caller") == "established"


def test_beside_a_phone_that_rings() -> None:
    ladder = Ladder()
    ladder.invite("desk", InTurn(("mobile", "spare")))
    ladder.progress("desk")
    ladder.reject("mobile", 503)
    assert ladder.take()[-1] == "to spare: INVITE"
    ladder.reject("spare", 503)
    ladder.answer("desk")
    ladder.hang_up("desk")
    assert (ladder.ended.sip_status, ladder.ended.cause) == (200, 16)


def test_the_caller_gives_up_between_two_trunks() -> None:
    ladder = Ladder()
    ladder.invite(TRUNKS, callee=STRANGER)
    ladder.silence("first")
    ladder.cancel()
    ladder.reject("second", 487)
    assert "to first: CANCEL, cause 102" in ladder.take()
    before = ladder.call.finished  # the silent one may still answer
    ladder.timer("settle", after=40)
    assert (before, ladder.call.finished) == (False, True)
    assert (ladder.ended.sip_status, ladder.ended.cause) == (487, 31)


def test_a_late_offer_is_made_again() -> None:
    ladder = Ladder()
    ladder.invite(TRUNKS, callee=STRANGER, sdp=b"")
    ladder.reject("first", 503)
    assert [dial.sdp for dial in dials(ladder)] == [b"plane", b"plane"]
    assert OFFER not in [dial.sdp for dial in dials(ladder)]


def test_a_transfer_to_the_outside() -> None:
    ladder = Ladder()
    ladder.talk()
    ladder.transfer("callee", InTurn(("first", "second")), to=PETRO)
    ladder.reject("first", 503)
    ladder.answer("second")
    assert ladder.state_of("callee") == "established"


def test_a_click_to_the_outside() -> None:
    ladder = Ladder()
    ladder.originate(["mine"], [TRUNKS], callee=STRANGER)
    ladder.answer("mine")
    ladder.silence("first")
    ladder.answer("second")
    assert ladder.state_of("caller") == "established"


FARM = InTurn((Servers(("first", "second")), "spare"))
"""A trunk with two servers, and another trunk."""


@pytest.mark.parametrize("status", [503, 408])
def test_the_next_server_is_tried_when_one_is_out_of_service(status: int) -> None:
    """RFC 3263, section 4.3; after the last of them the next trunk."""
    ladder = Ladder()
    ladder.invite(FARM, callee=STRANGER)
    for name in ("first", "second"):
        ladder.reject(name, status)
    first, second, spare = dials(ladder)
    assert [each.target for each in (first, second, spare)] == ["first", "second", "spare"]
    assert [each.has_next for each in (first, second, spare)] == [True, True, False]
    assert (second.replaces, spare.replaces) == (first.branch_id, second.branch_id)
    ladder.answer("spare")
    assert ladder.state_of("caller") == "established"


@pytest.mark.parametrize("status", [500, 401, 407, 504])
def test_what_another_server_would_say_too_goes_to_the_next_trunk(status: int) -> None:
    ladder = Ladder()
    ladder.invite(FARM, callee=STRANGER)
    ladder.reject("first", status)
    assert [each.target for each in dials(ladder)] == ["first", "spare"]


def test_of_the_only_trunk_the_other_servers_are_tried_too() -> None:
    ladder = Ladder()
    ladder.invite(InTurn((Servers(("first", "second")),)), callee=STRANGER)
    ladder.silence("first")
    assert [each.target for each in dials(ladder)] == ["first", "second"]
    ladder.reject("second", 500)
    assert (ladder.ended.sip_status, ladder.ended.cause) == (408, 102)  # as it was: the better of two failures
    ladder = Ladder()
    ladder.invite(InTurn((Servers(("first", "second")),)), callee=STRANGER)
    ladder.reject("first", 503, q850(17))  # the called is busy, whatever the status
    assert [each.target for each in dials(ladder)] == ["first"]
