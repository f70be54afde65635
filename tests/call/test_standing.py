"""What a standing call has let go of, and that it goes on without: it may last for hours, and there are thousands."""

import gc
import weakref

import pytest

from kobza.call import actions as do
from kobza.call.b2bua import CALLERS_BRANCH, Call
from kobza.call.causes import TEMPORARY_FAILURE
from kobza.call.core import RING_TIMER
from kobza.call.errors import WrongStateError
from kobza.call.leg import Rejection
from kobza.call.phases import Phase
from kobza.call.step import Destination, Step
from tests.call.ladder import ANSWER, OFFER, OLENA, TARAS


class Way:
    """Where a call goes on to when nobody answers; nowhere."""

    def __call__(self, _rejection: Rejection, _now: float) -> Step | None:
        return None


def ringing(onward: Way, sdp: bytes = OFFER) -> tuple[Call, str]:
    """Return a call with one phone that rings, and the branch of that."""
    ids = iter(range(100))
    call = Call.incoming(
        "call",
        caller=OLENA,
        callee=TARAS,
        dialled=TARAS.number,
        sdp=sdp,
        first=Step(["phone"]),
        onward=onward,
        origin="phone",
        caller_leg_id="leg-caller",
        callee_leg_id="leg-callee",
        new_id=lambda: f"id{next(ids)}",
        now=0.0,
    )
    call.media_replied(asked(call, do.MediaOffer), OFFER, 0.0)
    (dial,) = [action for action in call.take_actions() if isinstance(action, do.Dial)]
    return call, dial.branch_id


def asked(call: Call, what: type[do.Action]) -> str:
    """Return the id of what was asked of the media plane just now."""
    (action,) = [action for action in call.take_actions() if isinstance(action, what)]
    return str(getattr(action, "request_id"))  # noqa: B009  of which only some kinds of action have one


def answer(call: Call, branch_id: str) -> None:
    call.branch_answered(branch_id, ANSWER, 1.0)
    call.media_replied(asked(call, do.MediaAnswer), ANSWER, 1.0)


def is_kept(way: "weakref.ref[Way]") -> bool:
    gc.collect()
    return way() is not None


def test_the_way_on_is_let_go_when_both_talk() -> None:
    way = Way()
    kept = weakref.ref(way)
    call, branch_id = ringing(way)
    del way
    assert is_kept(kept)
    answer(call, branch_id)
    assert call.phase is Phase.TALKING
    assert not is_kept(kept)


def test_the_way_on_is_let_go_when_the_caller_has_answered_too() -> None:
    """Its INVITE had no offer, so the answer to ours comes with its ACK."""
    way = Way()
    kept = weakref.ref(way)
    call, branch_id = ringing(way, b"")
    del way
    answer_of_callee = call, branch_id
    answer(*answer_of_callee)
    call.media_replied(asked(call, do.MediaOffer), OFFER, 1.0)
    assert call.phase is Phase.TALKING
    assert is_kept(kept)
    call.branch_confirmed(CALLERS_BRANCH, ANSWER, 1.0)
    call.media_replied(asked(call, do.MediaAnswer), b"", 1.0)
    assert not is_kept(kept)


def test_what_comes_late_changes_nothing() -> None:
    call, branch_id = ringing(Way())
    answer(call, branch_id)
    call.take_actions()
    call.timer_fired(RING_TIMER, 2.0)
    call.branch_progressed(branch_id, 180, b"", 2.0)
    call.branch_answered(branch_id, ANSWER, 2.0)
    call.branch_rejected(branch_id, 486, (), 2.0)
    call.branch_answered_early(CALLERS_BRANCH, ANSWER, 2.0)
    call.branch_confirmed(CALLERS_BRANCH, b"", 2.0)
    call.media_replied("1", OFFER, 2.0)
    assert (call.phase, call.take_actions()) == (Phase.TALKING, [])
    assert not call.rings("leg-callee")
    with pytest.raises(WrongStateError, match="Nothing rings"):
        call.pick_up("leg-callee", TARAS, "picks-up", OFFER, 2.0)


def test_a_timer_that_fires_after_the_end_changes_nothing() -> None:
    call, _ = ringing(Way())
    call.terminate(TEMPORARY_FAILURE, 2.0)
    call.take_actions()
    call.timer_fired(RING_TIMER, 3.0)
    assert (call.phase, call.take_actions()) == (Phase.ENDED, [])


def test_a_timer_of_a_transfer_that_fires_after_the_end_changes_nothing() -> None:
    call, branch_id = ringing(Way())
    answer(call, branch_id)
    nobody = Destination(TARAS, ())
    call.transfer("leg-callee", nobody, nobody, 2.0)
    call.terminate(TEMPORARY_FAILURE, 3.0)
    call.take_actions()
    call.timer_fired(RING_TIMER, 4.0)
    assert (call.phase, call.take_actions()) == (Phase.ENDED, [])


def test_a_phone_offers_anew_in_a_call_that_stands() -> None:
    call, branch_id = ringing(Way())
    answer(call, branch_id)
    call.branch_offered(CALLERS_BRANCH, OFFER, 2.0)
    call.media_replied(asked(call, do.MediaReoffer), ANSWER, 2.0)
    assert any(isinstance(action, do.AnswerOffer) for action in call.take_actions())


def test_branches_have_ids_of_their_own_within_a_call_alone() -> None:
    """They are text that calls share: nobody else asks for a branch by its id."""
    (_, first), (_, second) = ringing(Way()), ringing(Way())
    assert first is second
    assert first != CALLERS_BRANCH
