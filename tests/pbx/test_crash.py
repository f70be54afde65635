"""`kill -9` at any moment: what was heard of is stored, the next start closes what was open, and closes it once."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import text

from kobza.call.states import OwnerState
from kobza.store import Store, deliveries, recovery
from kobza.store.entries import StateStored
from kobza.store.place import Place, PostgresUrl
from tests.support.postgres import text_of
from tests.support.stores import empty_store

CALLS = """
import asyncio, os, sys, time
from msgspec.structs import replace
from kobza.pbx.journal import Journal
from kobza.store.entries import CdrClosed, CdrOpened, CdrUpdated
from kobza.call.states import StateType
from tests.store.builders import cdr, stored
from tests.support.postgres import place_of

async def main():
    journal = Journal(place_of(sys.argv[1]), now=time.time, on_failure=lambda failure: print("failed", failure))
    journal.start()
    done = asyncio.Event()

    def said(what):
        os.write(1, what.encode() + b"\\n")  # out when the call returns, as a POST would be

    for number in range(3000):
        call, at = f"call-{number}", time.time()
        record = cdr(call, started_at=at)
        journal.append([CdrOpened(record)], lambda call=call: said(f"{call} opened"))
        for sequence, kind in enumerate(("alerting", "established", "finished"), 1):
            changed = replace(record, ringing_at=at, answered_at=at if sequence > 1 else None)
            entry = CdrUpdated(changed)
            if kind == "finished":
                entry = CdrClosed(replace(changed, ended_at=at, cause=16, sip_status=200, released_by="caller"))
            state = stored(sequence, call_id=call, call_control_id=call, at=at, state_type=StateType(kind))
            journal.append([entry, state], lambda call=call, kind=kind: said(f"{call} {kind}"))
            if number % 3 == 0:
                await asyncio.sleep(0.001)
    await asyncio.sleep(60)

asyncio.run(main())
"""

RECOVER = """
import itertools, sys, time
from kobza.store import Store, recovery
from kobza.store.entries import StateStored
from tests.support.postgres import place_of
store = Store.open(place_of(sys.argv[1]))
print("begin", flush=True)
recovery.recover(store, new_id=map(str, itertools.count()).__next__, stored=lambda s: StateStored(s, True, b"{}"))
print("done", flush=True)
time.sleep(60)
"""


def new_ids() -> Iterator[str]:
    return (f"new-{number}" for number in count())


def recover(store: Store) -> list[StateStored]:
    def as_entry(state: OwnerState) -> StateStored:
        return StateStored(state, True, b"{}")

    return recovery.recover(store, new_id=new_ids().__next__, stored=as_entry)


def killed(script: str, store: Store, *, lines: int, seconds: float = 0.0) -> list[str]:
    """Run a script, kill it after so many lines and seconds; return what it said."""
    with subprocess.Popen(
        [sys.executable, "-c", script, text_of(store.place)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(lines)]
        time.sleep(seconds)
        process.kill()
        rest = process.stdout.read()
    settled(store)
    complete = rest.rpartition("\n")[0]  # the last line may be torn
    return [*said, *(complete.splitlines() if complete else [])]


def settled(store: Store) -> None:
    """Wait until a server has done what the killed process had still asked it for."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'kobza' "
        "AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    while isinstance(store.place, PostgresUrl):
        with store.read() as conn:
            if conn.execute(others).scalar_one() == 0:
                return
        time.sleep(0.005)


@pytest.mark.parametrize("lines", [1, 40, 400])
def test_what_was_heard_of_before_a_kill_is_stored_and_told_to_its_end(place: Place, lines: int) -> None:
    store = empty_store(place)
    said = killed(CALLS, store, lines=lines)
    assert len(said) >= lines
    assert not [line for line in said if "failed" in line]
    with store.read() as conn:
        calls = {row[0]: row[1] for row in conn.exec_driver_sql("SELECT call_id, ended_at FROM calls")}
        states = {tuple(row) for row in conn.exec_driver_sql("SELECT call_id, state_type FROM events")}
        still_open = {opened.cdr.call_id for opened in recovery.open_calls(conn)}
        if conn.dialect.name == "sqlite":
            assert conn.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    for line in said:
        call_id, what = line.split()
        assert call_id in calls
        if what != "opened":
            assert (call_id, what) in states
    assert still_open == {call_id for call_id, ended_at in calls.items() if ended_at is None}

    closed = recover(store)
    alerted = {call_id for call_id, state_type in states if state_type == "alerting"}
    assert {entry.state.call_id for entry in closed} == still_open & alerted
    with store.read() as conn:
        assert recovery.open_calls(conn) == []
        ends = conn.exec_driver_sql("SELECT call_id, cause, released_by FROM calls").all()
        told = Counter(conn.exec_driver_sql("SELECT call_id FROM events WHERE state_type = 'finished'").scalars().all())
        sequences = conn.exec_driver_sql("SELECT call_id, sequence FROM events ORDER BY cursor").all()
        owed = deliveries.count_pending(conn)
    assert {call_id for call_id, cause, _ in ends if cause == 41} == still_open
    assert {by for _, cause, by in ends if cause == 41} <= {"network"}
    # Each owner that heard anything hears the end, once, as the last.
    assert told == Counter(dict.fromkeys(alerted, 1))
    for call_id in alerted:
        numbers = [sequence for call, sequence in sequences if call == call_id]
        assert numbers == list(range(1, len(numbers) + 1))
    assert owed == len(sequences)
    assert recover(store) == []  # and the start after that finds nothing to do
    store.close()


def test_a_recovery_that_is_killed_is_done_again_by_the_next(place: Place) -> None:
    chance = random.Random(7)
    store = empty_store(place)
    assert killed(CALLS, store, lines=30)
    with store.read() as conn:
        opened = recovery.open_calls(conn)
    for _ in range(4):
        killed(RECOVER, store, lines=1, seconds=chance.random() * 0.02)
        with store.read() as conn:
            left = recovery.open_calls(conn)
        assert left in (opened, [])  # all of it or nothing
    recover(store)
    with store.read() as conn:
        finished = conn.exec_driver_sql(
            "SELECT count(*), count(DISTINCT call_id) FROM events WHERE state_type = 'finished'"
        ).one()
        assert recovery.open_calls(conn) == []
    assert finished[0] == finished[1]
    store.close()


def test_a_record_that_was_closed_stays_as_it_is(place: Place) -> None:
    store = empty_store(place)
    killed(CALLS, store, lines=100)
    recover(store)
    with store.read() as conn:
        before = conn.exec_driver_sql("SELECT * FROM calls ORDER BY call_id").all()
    assert before
    assert recover(store) == []
    with store.read() as conn:
        assert conn.exec_driver_sql("SELECT * FROM calls ORDER BY call_id").all() == before
    store.close()
