"""What calls come to in numbers."""

from collections.abc import Sequence

import pytest

from kobza.call.causes import CAUSE_BY_STATUS
from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallRinging,
    CallStarted,
    CallTransferred,
    Origin,
    TransferAnswered,
)
from kobza.call.routing import Party
from kobza.pbx.call_meter import CallMeter, MeteredCall, outcome_of
from tests.pbx.office import ANNA, BOHDAN, NOW, OUTSIDE

OURS, THEIRS, AWAY = Party(ANNA, "ent-1"), Party(BOHDAN, "ent-2"), Party(OUTSIDE)


def started(caller: Party, callee: Party, origin: Origin = "phone") -> CallStarted:
    return CallStarted("call", NOW, caller, callee.number, callee, origin, "leg-1", "leg-2")


RANG = CallRinging("call", NOW + 1.5, "leg-2")
ANSWERED = CallAnswered("call", NOW + 4, BOHDAN, "leg-2")


def ended(cause: int = 16, status: int = 200, after: float = 64) -> CallEnded:
    return CallEnded("call", NOW + after, cause, status, "caller")


def fed(meter: CallMeter, *facts: CallFact, came_by: str | None = None, goes_by: Sequence[str] = ()) -> MeteredCall:
    call = MeteredCall(meter)
    if came_by is not None:
        call.came_by(came_by)
    call.feed(facts[:1])
    for trunk in goes_by:
        call.goes_by(trunk, trunk)
    for fact in facts[1:]:
        call.feed((fact,))
    return call


def test_an_answered_call() -> None:
    meter = CallMeter()
    call = fed(meter, started(OURS, THEIRS), RANG, ANSWERED)
    assert meter.active == {"incoming": 0, "outgoing": 0, "local": 1} == meter.talking
    call.feed((ended(),))
    assert meter.active == meter.talking == {"incoming": 0, "outgoing": 0, "local": 0}
    assert meter.attempts == {("local", "phone"): 1}
    assert meter.answers["local"] == 1
    assert meter.ends == {("local", "answered", 16): 1}
    assert meter.setup["local"].count == 1
    assert meter.setup["local"].total == pytest.approx(1.5)
    assert (meter.talk["local"].count, meter.talk["local"].total) == (1, 60)


def test_a_call_from_outside_that_nobody_answers() -> None:
    meter = CallMeter()
    fed(meter, started(AWAY, OURS, "trunk"), RANG, ended(19, 480), came_by="carrier")
    assert meter.ends == {("incoming", "no_answer", 19): 1}
    assert meter.talk["incoming"].count == 0
    assert meter.trunk_attempts == {("carrier", "incoming"): 1}
    assert meter.trunk_ends == {("carrier", "incoming", "no_answer"): 1}
    assert not meter.trunk_answers


def test_a_call_outside_that_answers_without_ringing() -> None:
    meter = CallMeter()
    fed(meter, started(OURS, AWAY), ANSWERED, ended(), goes_by=["carrier"])
    assert meter.setup["outgoing"].total == 4
    assert meter.trunk_answers == {("carrier", "outgoing"): 1}
    assert meter.trunk_ends == {("carrier", "outgoing", "answered"): 1}


def test_a_trunk_that_failed_has_an_end_of_its_own() -> None:
    meter = CallMeter()
    call = fed(meter, started(OURS, AWAY), goes_by=["first", "second"])
    assert call.failed_over("first") == "first"
    assert call.failed_over("one that was never dialled") is None
    call.feed((ANSWERED, ended()))
    assert meter.trunk_answers == {("second", "outgoing"): 1}
    assert meter.trunk_ends == {("first", "outgoing", "failed"): 1, ("second", "outgoing", "answered"): 1}


def test_a_click_has_no_post_dial_delay() -> None:
    meter = CallMeter()
    fed(meter, started(OURS, THEIRS, "api"), RANG, ANSWERED, ended())
    assert meter.setup["local"].count == 0
    assert meter.attempts == {("local", "api"): 1}


def test_a_transfer_to_a_trunk_is_answered_by_itself() -> None:
    meter = CallMeter()
    call = fed(meter, started(OURS, THEIRS), RANG, ANSWERED)
    call.feed((CallTransferred("call", NOW + 9, "leg-1", 16, "caller", "leg-3", AWAY, THEIRS),))
    call.goes_by("carrier", "branch")
    assert not meter.trunk_answers
    call.feed((TransferAnswered("call", NOW + 12, "leg-3", OUTSIDE),))
    call.feed((ended(),))
    assert meter.trunk_answers == {("carrier", "outgoing"): 1}
    assert meter.answers["local"] == 1


def test_a_call_that_is_cut_off_is_over() -> None:
    meter = CallMeter()
    MeteredCall(meter).cut_off()  # it never began
    call = fed(meter, started(OURS, THEIRS), RANG)
    call.cut_off()
    call.cut_off()
    assert meter.ends == {("local", "failed", 41): 1}
    assert meter.active["local"] == 0
    ended_well = fed(meter, started(OURS, THEIRS), ANSWERED, ended())
    ended_well.cut_off()
    assert meter.ends[("local", "failed", 41)] == 1


def test_every_cause_has_an_outcome() -> None:
    causes = set(CAUSE_BY_STATUS.values())
    outcomes = {outcome_of(cause, answered=False) for cause in causes | {16, 19, 20}}
    assert outcomes == {"busy", "no_answer", "rejected", "cancelled", "absent", "wrong_number", "failed"}
    assert {outcome_of(cause, answered=True) for cause in causes} == {"answered"}
