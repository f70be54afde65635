"""The checker of the books finds what is wrong: each kind of fault is planted into books that are in order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.crash.books import Arrival, Click, Event, Found, Recorded, violations
from tests.crash.phones import Seen, key_of
from tests.crash.plan import BLOWS, draw
from tests.crash.records import KeptSpool, Measured

ANNA, BOHDAN, STRANGER = "0671110001", "0671110002", "0501234567"
KEY = key_of(ANNA, BOHDAN)
SECONDS = Measured(1.5, 1.4, 1.4)


def event(leg: str, sequence: int, state: str, owner: str) -> Event:
    cursor, event_id = 10 * int(leg[-1]) + sequence, f"{leg}-{sequence}"
    return Event(cursor, event_id, "call", leg, sequence, state, owner, f"body of {event_id}", "delivered")


def in_order() -> Found:
    """Return the books of one recorded local call, made by click2dial."""
    states = ("alerting", "established", "finished")
    legs = (("leg1", ANNA), ("leg2", BOHDAN))
    events = [event(leg, number, state, owner) for leg, owner in legs for number, state in enumerate(states, 1)]
    row = {"call_id": "call", "calling_number": ANNA, "called_number": BOHDAN, "ended_at": "now", "record_id": "rec"}
    return Found(
        planned={KEY},
        seen=[Seen("arrived", "+38" + BOHDAN, ANNA, 0.0), Seen("arrived", ANNA, "+38" + BOHDAN, 1.0)],
        clicks=[Click(KEY, "call", "leg1")],
        history=[row],
        events=events,
        arrivals=[Arrival(each.event_id, each.call_control_id, each.sequence, each.payload) for each in events],
        spools=[KeptSpool("rec", "call", SECONDS)],
        recordings=[Recorded("rec", "call", "ready", SECONDS.length, replace(SECONDS, length=1.7))],
        registered={ANNA, BOHDAN},
        bound={ANNA, BOHDAN},
    )


def without(items: Sequence[Any], place: int) -> list[Any]:
    return [item for index, item in enumerate(items) if index != place]


def changed(items: Sequence[Any], place: int, **changes: Any) -> list[Any]:
    return [replace(item, **changes) if index == place else item for index, item in enumerate(items)]


def test_books_in_order() -> None:
    assert violations(in_order()) == []


def test_a_state_may_come_again() -> None:
    found = in_order()
    found.arrivals = [*found.arrivals[:2], *found.arrivals[:3], *found.arrivals[3:]]
    assert violations(found) == []


def test_a_recording_has_no_more_sound_than_the_talk_had_time_for() -> None:
    found = in_order()
    found.spools = [KeptSpool("rec", "call", Measured(0.42, 0.50, 0.56))]
    found.recordings = [Recorded("rec", "call", "ready", 0.42, Measured(0.65, 0.38, 0.38))]
    assert violations(found) == []
    found.recordings = [Recorded("rec", "call", "ready", 0.42, Measured(0.65, 0.38, 0.20))]
    assert len(violations(found)) == 1


Fault = Callable[[Found], dict[str, Any]]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda f: {"history": []}, "a phone saw the call"),
        (lambda f: {"history": [], "seen": []}, "click2dial promised call call"),
        (lambda f: {"history": [*f.history, *f.history]}, "the history has it 2 times"),
        (lambda f: {"history": [{**f.history[0], "ended_at": None}]}, "has no end"),
        (lambda f: {"planned": set()}, "nobody made the call"),
        (lambda f: {"clicks": [Click(KEY, "other", "leg1")]}, "promised call other"),
        (lambda f: {"clicks": [Click(KEY, "call", "leg9")]}, "leg9 that click2dial promised"),
        (lambda f: {"events": without(f.events, 1)}, "is not 1, 2, 3"),
        (lambda f: {"events": without(f.events, 2)}, "has 0 `finished`"),
        (lambda f: {"events": changed(f.events, 1, state_type="finished")}, "has 2 `finished`"),
        (lambda f: {"events": changed(f.events, 0, delivery="pending")}, "is pending, not delivered"),
        (lambda f: {"events": changed(f.events, 0, payload="else")}, "stored is else"),
        (lambda f: {"events": f.events[:3]}, "the sink got what is not stored"),
        (lambda f: {"arrivals": without(f.arrivals, 5)}, "never came to the sink"),
        (lambda f: {"arrivals": changed(f.arrivals, 5, taken=False)}, "never came to the sink"),
        (lambda f: {"arrivals": [f.arrivals[1], f.arrivals[0], *f.arrivals[2:]]}, "came when only 0 had been taken"),
        (lambda f: {"arrivals": changed(f.arrivals, 0, taken=False)}, "came when only 0 had been taken"),
        (lambda f: {"recordings": []}, "is not in the store"),
        (lambda f: {"recordings": changed(f.recordings, 0, status="failed")}, "is failed"),
        (lambda f: {"recordings": changed(f.recordings, 0, mp3="does not play")}, "does not play"),
        (lambda f: {"recordings": changed(f.recordings, 0, said=1.2)}, "said to be of 1.20 s"),
        (lambda f: {"recordings": changed(f.recordings, 0, mp3=Measured(1.0, 1.0, 1.0))}, "has an mp3 of 1.00 s"),
        (lambda f: {"recordings": changed(f.recordings, 0, mp3=Measured(1.6, 1.4, 0.0))}, "callee 0.00"),
        (lambda f: {"recordings": changed(f.recordings, 0, status="recording")}, "is still recording"),
        (lambda f: {"history": [{**f.history[0], "record_id": None}]}, "is not named by its call"),
        (lambda f: {"bound": {ANNA}}, f"the phone of {BOHDAN} was told"),
        (lambda f: {"left_over": ["x.partial is left over"]}, "x.partial is left over"),
    ],
)
def test_a_planted_fault_is_found(fault: Fault, words: str) -> None:
    found = in_order()
    assert any(words in wrong for wrong in violations(replace(found, **fault(found)))), violations(
        replace(found, **fault(found))
    )


@pytest.mark.parametrize("database", sorted(BLOWS))
def test_a_seed_is_a_plan_and_calls_are_told_apart(database: str) -> None:
    numbers = (ANNA, BOHDAN, "0671110003")
    for number in range(1, 50):
        planned = draw(7, number, numbers, database)
        assert planned == draw(7, number, numbers, database)
        keys = [frozenset(key_of(call.caller, call.called)) for call in planned.calls]
        assert len(set(keys)) == len(keys)
    assert draw(7, 1, numbers, database) != draw(8, 1, numbers, database)
