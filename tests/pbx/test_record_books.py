"""The state `record_ready`: in one commit with the result, while the call is on, after it, and after a crash."""

import asyncio
from typing import Any

import pytest

from kobza.call.events import CallAnswered, CallEnded, CallRinging, RecordingStarted
from kobza.call.routing import Party
from kobza.pbx.books import BookKeeper, CallBooks
from kobza.pbx.journal import Journal
from kobza.pbx.record_books import RecordBooks
from kobza.store import Store
from kobza.store.entries import RecordingStatus, RecordingStored
from kobza.store.ids import new_id
from kobza.store.recordings import Remarks
from tests.pbx.office import BOHDAN, NOW, settled
from tests.pbx.test_books import Office
from tests.support.waiting import PATIENCE

STATES = "SELECT call_control_id, sequence, state_type FROM events WHERE enterprise_id = '{}' ORDER BY cursor"


@pytest.fixture
async def office(store: Store, journal: Journal) -> Office:
    made = Office(store, journal)
    await made.listen(made.ours, extended=True)
    return made


async def answered(office: Office) -> CallBooks:
    """Begin a call inside the enterprise that is recorded."""
    books = office.keeper.open()
    callee = Party(BOHDAN, office.ours, owner=True)
    for fact in (
        office.started(callee=callee),
        CallRinging("call-1", NOW + 1, "leg-2"),
        CallAnswered("call-1", NOW + 2, BOHDAN, "leg-2"),
        RecordingStarted("call-1", NOW + 2, "rec-1", office.ours),
    ):
        books.write([fact])
    await settled(office.journal)
    return books


ENDED = CallEnded("call-1", NOW + 12, 16, 200, "caller")


def result(office: Office, status: RecordingStatus = "ready", enterprise_id: str | None = None) -> RecordingStored:
    made = ("a.mp3", 9_001, 7, "abc", Remarks([(100, 250)]).to_json())
    return RecordingStored("rec-1", enterprise_id or office.ours, "call-1", status, NOW + 13, *made)


REMARKED = b'"record_duration":10,"record_remarks":{"paused":[{"from":0.1,"until":0.25}]}}'


def told(office: Office) -> list[tuple[Any, ...]]:
    return [row for row in office.rows(STATES.format(office.ours)) if row[2] in ("finished", "record_ready")]


BOTH = [(leg, 4, "record_ready") for leg in ("leg-1", "leg-2")]
FINISHED = [(leg, 3, "finished") for leg in ("leg-1", "leg-2")]


async def test_after_the_call_it_comes_last(office: Office) -> None:
    books = await answered(office)
    books.write([ENDED])  # not stored yet when the result comes
    await RecordBooks(office.store, office.journal, office.keeper).write([result(office)])
    assert told(office) == [*FINISHED, *BOTH]
    ready = [entry for entry in office.owed if entry.state.extended]
    assert [(entry.state.record_id, entry.state.record_duration) for entry in ready] == [("rec-1", 10)] * 2
    assert all(entry.owed_to_endpoint and entry.payload.endswith(REMARKED) for entry in ready)
    assert office.rows("SELECT status FROM recordings") == [("ready",)]
    assert office.pending() == len(office.owed) == 8


async def test_while_the_call_is_on_the_leg_goes_on_behind_it(office: Office) -> None:
    books = await answered(office)
    await RecordBooks(office.store, office.journal, office.keeper).write([result(office)])
    books.write([ENDED])
    await settled(office.journal)
    assert told(office) == [(leg, 3, "record_ready") for leg in ("leg-1", "leg-2")] + [
        (leg, 4, "finished") for leg in ("leg-1", "leg-2")
    ]


async def test_after_a_crash_the_store_knows_the_legs(office: Office) -> None:
    (await answered(office)).write([ENDED])
    await settled(office.journal)
    fresh = BookKeeper(office.journal, office.view, lambda states: None, new_id)  # the next life's
    await RecordBooks(office.store, office.journal, fresh).write([result(office)])
    assert told(office) == [*FINISHED, *BOTH]


@pytest.mark.parametrize("what", ["failed", "not extended"])
async def test_who_is_told_nothing(office: Office, what: str) -> None:
    books = await answered(office)
    books.write([ENDED])
    if what == "not extended":
        await office.listen(office.ours)
    await RecordBooks(office.store, office.journal, office.keeper).write(
        [result(office, "failed" if what == "failed" else "ready")]
    )
    assert told(office) == FINISHED


async def test_a_call_that_is_cut_off_leaves_no_books_behind(office: Office) -> None:
    books = await answered(office)
    assert list(office.keeper.on) == ["call-1"]
    books.close()
    books.close()
    assert office.keeper.on == {}
    await asyncio.wait_for(RecordBooks(office.store, office.journal, office.keeper).write([result(office)]), PATIENCE)
    assert told(office) == [(leg, 3, "record_ready") for leg in ("leg-1", "leg-2")]
