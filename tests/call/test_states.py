"""Owner states: who is told what, of which fact."""

import itertools
from collections.abc import Collection

import pytest
from msgspec.structs import replace

from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallHeld,
    CallResumed,
    CallRinging,
    CallStarted,
    CallTransferred,
    OriginatorRang,
    RecordingStarted,
)
from kobza.call.heard import HeardCall, HeardSide
from kobza.call.routing import Party
from kobza.call.states import OwnerState, OwnerStates, StateType
from tests.call.ladder import COMPETITOR, OLENA, STRANGER, TARAS

T = 1_700_000_000.0


def started(caller: Party = OLENA, callee: Party = TARAS, **more: str) -> CallStarted:
    return CallStarted("call", T, caller, callee.number, callee, more.pop("origin", "phone"), "a", "b", **more)  # type: ignore[arg-type]


def told(*facts: CallFact, **options: object) -> list[OwnerState]:
    ids = itertools.count(1)
    states = OwnerStates(lambda: f"e{next(ids)}", **options)  # type: ignore[arg-type]
    return [state for fact in facts for state in states.feed(fact)]


RANG = CallRinging("call", T + 0.2, "b")
ANSWERED = CallAnswered("call", T + 5.0, TARAS.number, "b")
ENDED = CallEnded("call", T + 18.7, 16, 200, "called")


def test_a_local_call_has_two_owners() -> None:
    states = told(started(), RANG, ANSWERED, ENDED)
    assert [(state.call_control_id, state.sequence, state.state_type) for state in states] == [
        ("a", 1, "alerting"),
        ("b", 1, "alerting"),
        ("a", 2, "established"),
        ("b", 2, "established"),
        ("a", 3, "finished"),
        ("b", 3, "finished"),
    ]
    assert {(state.state_owner, state.phone_number, state.call_direction) for state in states} == {
        (OLENA.number, TARAS.number, "local"),
        (TARAS.number, OLENA.number, "local"),
    }
    assert [state.event_id for state in states] == ["e1", "e2", "e3", "e4", "e5", "e6"]
    assert {state.call_id for state in states} == {"call"}
    assert [state.at for state in states[::2]] == [T + 0.2, T + 5.0, T + 18.7]


@pytest.mark.parametrize("shown_as", ["anonymous", "+380800123456"])
def test_another_enterprise_sees_the_caller_as_it_is_shown(shown_as: str) -> None:
    caller = replace(OLENA, shown_as=shown_as)
    states = told(started(caller, COMPETITOR), RANG, ANSWERED, ENDED)
    assert {(state.state_owner, state.phone_number) for state in states} == {
        (OLENA.number, COMPETITOR.number),
        (COMPETITOR.number, shown_as),
    }
    local = told(started(caller), RANG, ENDED)
    assert {state.phone_number for state in local if state.state_owner == TARAS.number} == {OLENA.number}


def test_what_finished_tells() -> None:
    finished = told(started(), RANG, ANSWERED, ENDED)[-1]
    assert (finished.cause, finished.released_by, finished.record_id) == (16, "called", None)
    assert (finished.ringing, finished.call_duration) == (5, 14)
    alerting = told(started(), RANG)[0]
    assert (alerting.cause, alerting.released_by, alerting.ringing, alerting.call_duration) == (None, None, None, None)


@pytest.mark.parametrize(
    ("caller", "callee", "legs"),
    [(OLENA, STRANGER, "a outgoing"), (STRANGER, TARAS, "b incoming"), (OLENA, COMPETITOR, "a outgoing b incoming")],
)
def test_owners_of_calls_from_and_to_elsewhere(caller: Party, callee: Party, legs: str) -> None:
    states = told(started(caller, callee), RANG)
    assert " ".join(f"{state.call_control_id} {state.call_direction}" for state in states) == legs


def test_a_number_without_the_service_is_no_owner() -> None:
    plain = Party(TARAS.number, "mriia", convergent=True)
    assert {state.call_control_id for state in told(started(callee=plain), RANG, ENDED)} == {"a"}
    assert told(started(STRANGER, plain), RANG, ANSWERED, ENDED) == []
    assert told(started(Party("+380445550000", None, owner=True), plain), RANG, ENDED) == []


def test_who_was_told_nothing_is_not_told_the_end() -> None:
    assert told(started(), CallEnded("call", T + 1, 17, 486, "called")) == []


def test_the_far_end_rings_once() -> None:
    assert len(told(started(), RANG, RANG)) == 2


def test_finished_comes_once() -> None:
    assert [state.state_type for state in told(started(), RANG, ENDED, ENDED)].count(StateType.FINISHED) == 2


# click2dial


def test_the_originator_is_alerted_by_its_own_phone_and_only_once() -> None:
    states = told(started(origin="api"), OriginatorRang("call", T + 0.1, "a"), RANG, ANSWERED, ENDED)
    assert [(state.call_control_id, state.state_type) for state in states[:2]] == [("a", "alerting"), ("b", "alerting")]
    assert [state.at for state in states[:2]] == [T + 0.1, T + 0.2]
    assert [state.state_type for state in states if state.call_control_id == "a"] == [
        "alerting",
        "established",
        "finished",
    ]


def test_the_originator_is_always_told_the_end() -> None:
    states = told(started(origin="api"), CallEnded("call", T + 1, 20, 480, "network"))
    assert [(state.call_control_id, state.sequence, state.state_type) for state in states] == [("a", 1, "finished")]
    assert (states[0].ringing, states[0].call_duration, states[0].cause) == (0, 0, 20)


def test_client_state_stays_in_the_enterprise() -> None:
    assert {state.client_state for state in told(started(client_state="deal 7", origin="api"), RANG)} == {"deal 7"}
    states = told(started(callee=COMPETITOR, client_state="deal 7", origin="api"), RANG)
    assert [state.client_state for state in states] == ["deal 7", None]


# recording


@pytest.mark.parametrize(
    ("callee", "recorder", "seen"),
    [(TARAS, "mriia", ["rec", "rec"]), (COMPETITOR, "mriia", ["rec", None]), (COMPETITOR, "sokil", [None, "rec"])],
)
def test_whose_the_recording_is(callee: Party, recorder: str, seen: list[str | None]) -> None:
    recorded = RecordingStarted("call", T + 5.0, "rec", recorder)
    states = told(started(callee=callee), RANG, ANSWERED, recorded, ENDED)
    assert [state.record_id for state in states[-2:]] == seen


# held and resumed


def test_held_and_resumed_are_told_to_the_owner_that_holds() -> None:
    states = told(started(), ANSWERED, CallHeld("call", T + 6, "a"), CallResumed("call", T + 7, "a"), ENDED)
    assert [(state.call_control_id, state.sequence, state.state_type, state.extended) for state in states[2:]] == [
        ("a", 2, "held", True),
        ("a", 3, "resumed", True),
        ("a", 4, "finished", False),
        ("b", 2, "finished", False),
    ]


def test_an_enterprise_that_does_not_hear_of_hold_has_no_gap() -> None:
    facts = (started(), ANSWERED, CallHeld("call", T + 6, "a"), ENDED)
    assert [state.sequence for state in told(*facts, extended_for=()) if state.call_control_id == "a"] == [1, 2]
    assert [state.sequence for state in told(*facts, extended_for={"mriia"}) if state.call_control_id == "a"] == [
        1,
        2,
        3,
    ]


# record_ready


def test_who_has_talked_hears_of_the_recording_while_the_call_is_on() -> None:
    ids = itertools.count(1)
    states = OwnerStates(lambda: f"e{next(ids)}", extended_for={"mriia"})
    left = CallTransferred("call", T + 7, "b", 16, "api", "c", COMPETITOR, OLENA)
    for fact in (started(), RANG, ANSWERED, left, CallRinging("call", T + 8, "c")):
        states.feed(fact)
    ready = states.record_ready("mriia", "rec", 3, T + 9)
    assert [(state.call_control_id, state.sequence, state.state_type) for state in ready] == [
        ("a", 3, "record_ready"),
        ("b", 4, "record_ready"),
    ]
    assert {(state.call_id, state.at, state.record_id, state.record_duration, state.extended) for state in ready} == {
        ("call", T + 9, "rec", 3, True)
    }
    assert states.record_ready("sokil", "rec", 3, T + 9) == []  # its endpoint did not ask for it
    assert [state.sequence for state in states.feed(ENDED) if state.call_control_id == "a"] == [4]


@pytest.mark.parametrize(
    ("callee", "extended_for", "told_of_it"),
    [
        (TARAS, None, True),
        (TARAS, {"mriia"}, True),
        (TARAS, {"sokil"}, False),
        (COMPETITOR, {"sokil"}, True),
        (COMPETITOR, (), False),
    ],
)
def test_how_it_was_heard_is_asked_for_who_has_talked_and_is_told(
    callee: Party, extended_for: Collection[str] | None, told_of_it: bool
) -> None:
    states = OwnerStates(lambda: "e", extended_for=extended_for)
    asks = []
    for fact in (started(callee=callee), RANG, ANSWERED, ENDED):
        states.feed(fact)
        asks.append(states.tells_quality)
    assert asks == [False, False, told_of_it, False]
    heard = HeardCall(HeardSide(500, 0, 0), HeardSide(400, 0, 0))
    finished = told(started(callee=callee), ANSWERED, replace(ENDED, heard=heard), extended_for=extended_for)[2:]
    assert any(state.heard == heard for state in finished) is told_of_it


def test_something_else_is_no_fact() -> None:
    with pytest.raises(TypeError, match="not a call fact"):
        told(CallFact("call", T))
