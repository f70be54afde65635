from itertools import count

from msgspec.structs import replace

from kobza.call.cdr import CdrFold
from kobza.call.events import CallAnswered, CallEnded, CallRinging, CallStarted
from kobza.call.routing import Party
from kobza.call.states import OwnerState, OwnerStates
from kobza.store import Store, recovery
from kobza.store.entries import CdrClosed, CdrOpened, CdrUpdated, Entry, LegPromised, StateStored
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS, OUTSIDE, cdr, ended, state, stored
from tests.store.conftest import Rows, Write


def as_entry(made: OwnerState) -> StateStored:
    return StateStored(made, True, b"{}")


def close(store: Store, last_seen: float | None = None) -> list[list[Entry]]:
    numbers = count(1)
    with store.read() as conn:
        opened = recovery.open_calls(conn)
        seen = recovery.last_sign_of_life(conn) if last_seen is None else last_seen
    return recovery.close_unfinished(opened, last_seen=seen, new_id=lambda: f"new-{next(numbers)}", stored=as_entry)


def test_nothing_is_open_in_a_new_store(store: Store) -> None:
    assert close(store) == []


def test_finished_calls_are_left_alone(store: Store, write: Write) -> None:
    write(CdrOpened(cdr()), CdrClosed(ended()), stored(1), stored(2), stored(3))
    assert close(store) == []


def test_an_answered_call_ends_at_the_last_sign_of_life(store: Store, write: Write) -> None:
    talking = cdr(ringing_at=NOW + 1, answered_at=NOW + 2, answered_number=ANNA, record_id="rec-1")
    write(CdrOpened(cdr(client_state="x")), stored(1, client_state="x"))
    write(CdrUpdated(talking), stored(2, client_state="x"))
    write(alive_at=NOW + 61.5)
    ((closed, finished),) = close(store)
    assert isinstance(closed, CdrClosed)
    assert (closed.cdr.ended_at, closed.cdr.cause, closed.cdr.sip_status) == (NOW + 61.5, 41, 200)
    assert closed.cdr.released_by == "network"
    assert (closed.cdr.answered_at, closed.cdr.record_id, closed.cdr.client_state) == (NOW + 2, "rec-1", "x")
    assert isinstance(finished, StateStored)
    assert finished.state == state(
        3,
        at=NOW + 61.5,
        event_id="new-1",
        client_state="x",
        cause=41,
        call_duration=60,
        ringing=1,
        released_by="network",
        record_id="rec-1",
    )


def test_what_is_closed_so_is_closed_in_the_store(store: Store, write: Write, rows: Rows) -> None:
    write(CdrOpened(cdr()), stored(1))
    (entries,) = close(store, NOW + 10)
    write(*entries)
    assert rows("SELECT ended_at, cause, released_by FROM calls") == [(NOW_MS + 10_000, 41, "network")]
    assert rows("SELECT sequence, state_type FROM events ORDER BY cursor") == [(1, "alerting"), (2, "finished")]
    assert rows("SELECT count(*) FROM deliveries WHERE status = 'pending'") == [(2,)]
    assert close(store) == []


def test_an_unanswered_call_has_no_duration(store: Store, write: Write) -> None:
    write(CdrOpened(cdr()), CdrUpdated(cdr(ringing_at=NOW + 1)), stored(1))
    ((closed, finished),) = close(store, NOW + 10)
    assert isinstance(closed, CdrClosed)
    assert closed.cdr.sip_status == 500
    assert isinstance(finished, StateStored)
    assert (finished.state.call_duration, finished.state.ringing) == (0, 9)


def test_without_a_sign_of_life_the_last_thing_known_counts(store: Store, write: Write) -> None:
    write(CdrOpened(cdr()), CdrUpdated(cdr(ringing_at=NOW + 1, answered_at=NOW + 3)), stored(1), stored(2))
    ((closed, _),) = close(store)
    assert isinstance(closed, CdrClosed)
    assert closed.cdr.ended_at == NOW + 3
    write(stored(3, state_type=state(3).state_type.HELD, at=NOW + 50, extended=True))
    ((closed, _),) = close(store, NOW + 20)
    assert isinstance(closed, CdrClosed)
    assert closed.cdr.ended_at == NOW + 50


def test_an_owner_that_was_told_nothing_is_owed_nothing(store: Store, write: Write) -> None:
    write(CdrOpened(cdr()))
    ((closed,),) = close(store, NOW + 10)
    assert isinstance(closed, CdrClosed)


def test_a_leg_that_has_finished_is_not_finished_again(store: Store, write: Write) -> None:
    """A device that lost a forked call: its leg is over, the call is on."""
    write(CdrOpened(cdr()), stored(1), stored(2), stored(1, call_control_id="leg-2"))
    write(stored(3, call_control_id="leg-2", event_id="x"))
    ((_, finished),) = close(store, NOW + 10)
    assert isinstance(finished, StateStored)
    assert (finished.state.call_control_id, finished.state.sequence) == ("leg-1", 3)


def test_a_recording_that_was_ready_late_does_not_open_a_leg_again(store: Store, write: Write) -> None:
    """A side was transferred away, its recording was stopped, the call went on: then the crash."""
    write(CdrOpened(cdr()), *(stored(number) for number in (1, 2, 3)))
    write(stored(4, state_type=state(4).state_type.RECORD_READY, extended=True))
    assert [type(entry) for group in close(store, NOW + 10) for entry in group] == [CdrClosed]


def test_the_id_of_a_leg_that_was_handed_out_is_owed_a_finished(store: Store, write: Write) -> None:
    write(CdrOpened(cdr()), LegPromised("call-1", "leg-1", "ent-1", ANNA, OUTSIDE, "outgoing", "x", NOW))
    ((_, finished),) = close(store, NOW + 10)
    assert isinstance(finished, StateStored)
    made = finished.state
    assert (made.call_control_id, made.sequence, made.state_owner, made.phone_number) == ("leg-1", 1, ANNA, OUTSIDE)
    assert (made.call_direction, made.client_state, made.ringing) == ("outgoing", "x", 0)
    write(stored(1), stored(2))
    ((_, finished),) = close(store, NOW + 10)
    assert isinstance(finished, StateStored)
    assert (finished.state.sequence, finished.state.ringing, finished.state.call_duration) == (3, 1, 8)


def test_both_enterprises_of_a_call_see_the_same_end(store: Store, write: Write) -> None:
    write(CdrOpened(cdr()), CdrOpened(cdr(enterprise_id="ent-2", direction="outgoing")))
    write(stored(1), stored(1, enterprise_id="ent-2", call_control_id="leg-2", at=NOW + 7))
    groups = close(store)
    assert sorted(
        (entry.cdr.enterprise_id, entry.cdr.ended_at)
        for group in groups
        for entry in group
        if isinstance(entry, CdrClosed)
    ) == [("ent-1", NOW + 7), ("ent-2", NOW + 7)]
    owners = [entry.state.enterprise_id for group in groups for entry in group if isinstance(entry, StateStored)]
    assert sorted(owners) == ["ent-1", "ent-2"]


def test_a_crash_is_told_as_the_living_server_would_tell_an_end(store: Store, write: Write) -> None:
    """Feed the same facts to the living projection and to the store, and compare what both say at the end."""
    numbers = count(1)
    anna = Party(ANNA, "ent-1", owner=True, convergent=True, record=False, display_name="")
    bohdan = Party(BOHDAN, "ent-1", owner=True, convergent=True, record=False, display_name="")
    states, record = OwnerStates(lambda: f"id-{next(numbers)}"), CdrFold()
    facts = [
        CallStarted(
            call_id="call-1",
            at=NOW,
            caller=anna,
            dialled=BOHDAN,
            callee=bohdan,
            origin="phone",
            caller_leg_id="leg-a",
            callee_leg_id="leg-b",
            client_state=None,
        ),
        CallRinging(call_id="call-1", at=NOW + 1.2, leg_id="leg-b"),
        CallAnswered(call_id="call-1", at=NOW + 4.5, answered_number=BOHDAN),
    ]
    for fact in facts:
        made = states.feed(fact)
        changed = record.feed(fact)
        entries: list[Entry] = [as_entry(one) for one in made]
        if changed:
            first = isinstance(fact, CallStarted)
            entries += [CdrOpened(one) if first else CdrUpdated(one) for one in record.records]
        write(*entries)
    end = CallEnded(call_id="call-1", at=NOW + 33.25, cause=41, sip_status=200, released_by="network")
    expected = {made.call_control_id: made for made in states.feed(end)}
    record.feed(end)
    ((closed, *finished),) = close(store, NOW + 33.25)
    assert closed == CdrClosed(record.records[0])
    told = {entry.state.call_control_id: entry.state for entry in finished if isinstance(entry, StateStored)}
    assert told.keys() == expected.keys() == {"leg-a", "leg-b"}
    for leg, state_told in told.items():
        assert state_told == replace(expected[leg], event_id=state_told.event_id)
