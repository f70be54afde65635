"""The books of a call: one row for each enterprise, states owed only to who listens, nobody told before the commit."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallHeld,
    CallRinging,
    CallStarted,
    CallTransferred,
    Origin,
    RecordingStarted,
    TransferAnswered,
)
from kobza.call.routing import Party
from kobza.pbx import books as books_module
from kobza.pbx.books import BookKeeper
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import Journal, JournalFull, JournalStopped
from kobza.store import Store, deliveries, endpoints, enterprises, recovery
from kobza.store.entries import LegPromised, StateStored
from kobza.store.ids import new_id
from tests.pbx.office import ANNA, BOHDAN, NOW, OUTSIDE, settled
from tests.support.waiting import until

RANG = CallRinging("call-1", NOW + 1, "leg-2")
ANSWERED = CallAnswered("call-1", NOW + 5, BOHDAN, "leg-2")
ENDED = CallEnded("call-1", NOW + 65, 16, 200, "caller")


class Office:
    """A book-keeper with all that it works on, and what it handed to the dispatcher."""

    def __init__(self, store: Store, journal: Journal) -> None:
        with store.write() as conn:
            self.ours = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
            self.theirs = enterprises.add(conn, "B", "b", "hash", 1).enterprise_id
        self.store = store
        self.journal = journal
        self.view = DirectoryView(store)
        self.owed: list[StateStored] = []
        self.keeper = BookKeeper(journal, self.view, self._take, new_id)

    def _take(self, states: Sequence[StateStored]) -> None:
        assert len(self.rows("SELECT cursor FROM events")) >= len(self.owed) + len(states), "told before it was stored"
        self.owed += states

    async def listen(self, enterprise_id: str, *, active: bool = True, extended: bool = False) -> None:
        with self.store.write() as conn:
            endpoints.set(conn, enterprise_id, "https://e.example/", "t", extended=extended)
            if not active:
                endpoints.deactivate(conn, enterprise_id, "410", 1)
        await self.view.refresh()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.store.read() as conn:
            return [tuple(row) for row in conn.exec_driver_sql(query)]

    def pending(self) -> int:
        with self.store.read() as conn:
            return deliveries.count_pending(conn)

    @property
    def caller(self) -> Party:
        return Party(ANNA, self.ours, owner=True, convergent=True, record=True)

    @property
    def callee(self) -> Party:
        return Party(BOHDAN, self.theirs, owner=True)

    def started(self, caller: Party | None = None, callee: Party | None = None, origin: Origin = "phone") -> CallFact:
        return CallStarted(
            "call-1", NOW, caller or self.caller, "0671000002", callee or self.callee, origin, "leg-1", "leg-2"
        )


@pytest.fixture
async def office(store: Store, journal: Journal) -> Office:
    made = Office(store, journal)
    await made.view.refresh()
    return made


CALLS = "SELECT enterprise_id, ringing_at, answered_at, ended_at, cause FROM calls ORDER BY enterprise_id"


async def test_a_call_opens_grows_and_closes(office: Office) -> None:
    books = office.keeper.open()
    start, moments = int(NOW * 1000), [RANG, ANSWERED, ENDED]
    ours, theirs = sorted((office.ours, office.theirs))
    expected: list[int | None] = [None, None, None, None]
    for fact, changed in zip([office.started(), *moments], range(-1, 3), strict=True):
        books.write([fact])
        if changed >= 0:
            expected[changed] = start + (1000, 5000, 65_000)[changed]
        if fact is ENDED:
            expected[3] = 16
        await settled(office.journal)
        assert office.rows(CALLS) == [(ours, *expected), (theirs, *expected)]


async def test_what_is_owed_to_nobody_is_stored_with_what_is(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books_module, "PATIENCE", 3600.0)
    books, opened = office.keeper.open(), asyncio.Event()
    books.write([office.started()], then=opened.set)
    await opened.wait()
    books.write([RANG])
    books.write([ANSWERED])
    assert office.journal.waiting == 4 + 4  # of each fact a row and a state for either enterprise
    assert office.rows("SELECT * FROM events") == []
    await office.listen(office.ours)
    books.write([ENDED])
    await until(lambda: len(office.owed) == 6, "the call's states")
    assert [row[3] for row in office.rows(CALLS)] == [int(NOW * 1000) + 65_000] * 2


async def test_a_refused_call_is_closed_at_once(office: Office) -> None:
    done: list[bool] = []
    refused = CallEnded("call-1", NOW, 21, 480, "network")
    office.keeper.open().write([office.started(), refused], then=lambda: done.append(True))
    await settled(office.journal)
    assert [(row[3], row[4]) for row in office.rows(CALLS)] == [(int(NOW * 1000), 21)] * 2
    assert office.rows("SELECT * FROM events") == []  # nothing rang
    assert done == [True]


async def test_a_call_between_strangers_leaves_no_trace(office: Office) -> None:
    books = office.keeper.open()
    books.write([office.started(Party(OUTSIDE), Party("112"), "trunk"), ENDED])
    await settled(office.journal)
    assert office.rows(CALLS) == []


async def test_a_transfer_into_another_enterprise_opens_its_row_too(office: Office) -> None:
    """Killed in the middle, the next start finds both rows open, and who is still owed an end."""
    books = office.keeper.open()
    ours = Party(BOHDAN, office.ours, owner=True)
    books.write([office.started(callee=ours), RANG, ANSWERED])
    theirs = Party("+380672000009", office.theirs, owner=True, convergent=True)
    books.write([CallTransferred("call-1", NOW + 20, "leg-2", 16, "api", "leg-3", theirs, office.caller)])
    books.write([CallRinging("call-1", NOW + 21, "leg-3")])
    await settled(office.journal)
    with office.store.read() as conn:
        opened = {each.cdr.enterprise_id: each for each in recovery.open_calls(conn)}
    assert [leg.call_control_id for leg in opened[office.ours].legs] == ["leg-1"]
    assert [(leg.call_control_id, leg.answered_at) for leg in opened[office.theirs].legs] == [("leg-3", None)]
    books.write([TransferAnswered("call-1", NOW + 25, "leg-3", theirs.number)])
    books.write([ENDED])
    await settled(office.journal)
    columns = "calling_number, called_number, answered_number, started_at, answered_at, ended_at, direction"
    rows = office.rows(f"SELECT enterprise_id, {columns} FROM calls")
    start = int(NOW * 1000)
    assert sorted(rows, key=lambda row: row[4]) == [
        (office.ours, ANNA, BOHDAN, theirs.number, start, start + 5000, start + 65_000, "local"),
        (office.theirs, ANNA, theirs.number, theirs.number, start + 20_000, start + 25_000, start + 65_000, "incoming"),
    ]


async def test_states_are_owed_to_who_listens(office: Office) -> None:
    await office.listen(office.ours)
    books = office.keeper.open()
    for fact in (office.started(), RANG, ANSWERED, ENDED):
        books.write([fact])
    await settled(office.journal)
    ours = [entry for entry in office.owed if entry.state.enterprise_id == office.ours]
    theirs = [entry for entry in office.owed if entry.state.enterprise_id == office.theirs]
    assert [entry.state.state_type for entry in ours] == ["alerting", "established", "finished"]
    assert [entry.state.state_type for entry in theirs] == ["alerting", "established", "finished"]
    assert all(entry.owed_to_endpoint for entry in ours)
    assert not any(entry.owed_to_endpoint for entry in theirs)
    assert len(office.rows("SELECT cursor FROM events")) == 6
    assert office.pending() == 3


async def test_an_endpoint_that_is_off_is_owed_nothing(office: Office) -> None:
    await office.listen(office.ours, active=False)
    office.keeper.open().write([office.started(), RANG])
    await settled(office.journal)
    assert len(office.owed) == 2
    assert office.pending() == 0


async def test_owed_as_the_endpoint_is_when_it_happens(office: Office) -> None:
    books = office.keeper.open()
    books.write([office.started(), RANG])
    await office.listen(office.ours)
    books.write([ANSWERED])
    await settled(office.journal)
    assert [entry.owed_to_endpoint for entry in office.owed if entry.state.enterprise_id == office.ours] == [
        False,
        True,
    ]


async def test_extended_states_are_settled_when_the_call_begins(office: Office) -> None:
    before = office.keeper.open()
    await office.listen(office.ours, extended=True)
    after = office.keeper.open()
    for books in (before, after):
        books.write([office.started(), CallHeld("call-1", NOW + 6, "leg-1")])
    await settled(office.journal)
    assert [entry.state.state_type for entry in office.owed] == ["held"]


async def test_a_recording_is_that_of_who_pays_for_it(office: Office) -> None:
    books = office.keeper.open()
    books.write([office.started()])
    books.write([ANSWERED, RecordingStarted("call-1", NOW + 5, "rec-1", office.ours)])
    await settled(office.journal)
    assert office.rows("SELECT record_id, enterprise_id, call_id, status FROM recordings") == [
        ("rec-1", office.ours, "call-1", "recording")
    ]
    assert office.rows("SELECT enterprise_id FROM calls WHERE record_id = 'rec-1'") == [(office.ours,)]


async def test_a_recording_within_an_enterprise_has_one_row(office: Office) -> None:
    books = office.keeper.open()
    books.write([office.started(callee=Party(BOHDAN, office.ours, record=True))])
    books.write([ANSWERED, RecordingStarted("call-1", NOW + 5, "rec-1", office.ours)])
    await settled(office.journal)
    assert office.rows("SELECT record_id, enterprise_id FROM recordings") == [("rec-1", office.ours)]


async def test_a_promised_leg_ends_though_nothing_rang(office: Office) -> None:
    books = office.keeper.open()
    promised = LegPromised("call-1", "leg-1", office.ours, ANNA, BOHDAN, "outgoing", None, NOW)
    books.write([office.started(origin="api")], [promised])
    await settled(office.journal)
    assert len(office.rows("SELECT * FROM promised_legs")) == 1
    books.write([ENDED])
    await settled(office.journal)
    assert [(entry.state.call_control_id, entry.state.state_type) for entry in office.owed] == [("leg-1", "finished")]
    with office.store.read() as conn:
        assert recovery.open_calls(conn) == []  # a crash later owes nothing more


async def test_nothing_to_write_writes_nothing(office: Office) -> None:
    books = office.keeper.open()
    books.write([office.started()])
    await settled(office.journal)
    books.write([CallHeld("call-1", NOW + 6, "leg-1")])
    assert office.journal.waiting == 0


async def test_a_call_does_not_begin_when_nothing_is_written(store: Store) -> None:
    journal = Journal(store.place, now=lambda: NOW, on_failure=lambda failure: None, limit=0)
    office = Office(store, journal)
    with pytest.raises(JournalStopped):
        office.keeper.open().write([office.started()])
    journal.start()
    with pytest.raises(JournalFull):
        office.keeper.open().write([office.started()])
    await journal.stop()
    assert office.rows(CALLS) == []
    assert office.keeper.meter.refused == 2
    assert office.keeper.meter.active["local"] == 0
