"""Erasing a telephone number: nothing of it is left, nothing else is touched, and it is written down."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, event

from kobza.store import (
    NotInStore,
    Store,
    address_book,
    calls,
    deliveries,
    diversions,
    endpoints,
    enterprises,
    erasure,
    erasures,
    events,
    holds,
    recordings,
)
from kobza.store.diversions import Diverted
from kobza.store.entries import CdrClosed, CdrOpened, DetailStored, KeyUsed, LegPromised
from kobza.store.erasure import Request
from kobza.store.erasures import ErasedFile, Erasure, Kept, masked
from kobza.store.errors import ErasureHeld
from kobza.store.recording_files import Doomed, EraseFile
from tests.store.builders import (
    ANNA,
    BOHDAN,
    NOW,
    NOW_MS,
    OUTSIDE,
    Erased,
    attempt,
    cdr,
    ended,
    many,
    recording,
    stored,
)
from tests.store.conftest import Rows, Write
from tests.store.everything import AWKWARD, all_rows

LATER = NOW_MS + 1_000_000
OTHER = "+380447654321"


@pytest.fixture
def owner(store: Store) -> str:
    with store.write() as conn:
        made = enterprises.add(conn, "Пекарня", "olena", "hash", 1).enterprise_id
        endpoints.set(conn, made, "https://crm.example", "t")
        address_book.put(conn, made, [address_book.Entry(OUTSIDE, "Ганна", ""), address_book.Entry(OTHER, "Інша", "")])
        return made


def call(name: str, owner: str, number: str, **fields: Any) -> list[Any]:
    """All that a finished, recorded call of a number from outside leaves behind."""
    of: dict[str, Any] = {"call_id": name, "enterprise_id": owner}
    leg: dict[str, Any] = {**of, "call_control_id": f"leg-{name}", "phone_number": number}
    record: dict[str, Any] = {"record_id": f"rec-{name}", "path": f"{name}.mp3", "sha256": "a" * 64, "size": 5}
    return [
        CdrClosed(ended(name, owner, calling_number=number, record_id=f"rec-{name}", client_state=AWKWARD, **fields)),
        *(stored(sequence, **leg) for sequence in (1, 2, 3)),
        LegPromised(name, f"promised-{name}", owner, ANNA, number, "incoming", AWKWARD, NOW),
        KeyUsed(owner, f"key-{name}", "f" * 64, name, f"leg-{name}", NOW + 90_000),
        recording("ready", **of, **record),
    ]


def erase(
    store: Store, owner: str, number: str = OUTSIDE, erase_file: EraseFile = lambda path: None, **options: Any
) -> Erasure:
    return erasure.erase(
        store, Request(owner, number, "olena", **options), lambda: LATER, erase_file=erase_file, pause=0.0
    )


def counts(found: Erasure) -> dict[str, int]:
    return {kind: went.count for kind, went in found.tally.went.items() if went.count}


def test_nothing_is_left_of_a_number_and_all_of_the_others(store: Store, write: Write, owner: str) -> None:
    with store.write() as conn:
        second = enterprises.add(conn, "B", "b", "hash", 2).enterprise_id
    write(*call("other", owner, OTHER), *call("theirs", second, OUTSIDE, started_at=NOW + 1))
    write(attempt(1, 1, call_id="other", call_control_id="leg-other"))
    before = all_rows(store)
    write(*call("one", owner, OUTSIDE), *call("two", owner, BOHDAN, answered_number=OUTSIDE))
    # A phone that only rang: its call does not name it.
    write(stored(1, call_id="other", call_control_id="rang", enterprise_id=owner, state_owner=OUTSIDE, owed=False))
    write(LegPromised("other", "clicked", owner, ANNA, OUTSIDE, "outgoing", None, NOW))
    write(attempt(1, 1, call_id="one", call_control_id="leg-one", response=OUTSIDE))
    removed = Erased()
    with store.read() as conn:
        cursor = events.of_call(conn, owner, "one")[0].cursor

    done = erase(store, owner, erase_file=removed, with_address_book=True, reference="17/2026")

    assert sorted(removed) == ["one.mp3", "two.mp3"]
    assert counts(done) == {
        "calls": 2,
        "events": 7,
        "deliveries": 6,
        "attempts": 1,
        "promised_legs": 3,
        "idempotency_keys": 2,
        "address_book": 1,
    }
    assert (done.number, done.reference, done.erased_by, done.finished_at) == (
        "+380*******67",
        "17/2026",
        "olena",
        LATER,
    )
    assert done.tally.kept == []
    after = all_rows(store)
    everything = "\n".join(str(rows) for name, rows in after.items() if name != "calls")
    assert OUTSIDE not in everything.replace(str(after["events"]), "").replace(str(after["promised_legs"]), "")
    # What the second enterprise has of it is the second enterprise's.
    for name in ("events", "promised_legs", "idempotency_keys", "attempts"):
        assert after[name] == before[name], name
    with store.read() as conn:
        row = calls.find(conn, owner, "one")
        assert row is not None
        assert (row.calling_number, row.called_number, row.answered_number) == ("anonymous", ANNA, ANNA)
        assert (row.client_state, row.record_id) == (None, "rec-one")  # asked for, the recording answers 410
        two = calls.find(conn, owner, "two")
        assert two is not None
        assert (two.calling_number, two.answered_number) == (BOHDAN, "anonymous")
        for record_id, status in (("rec-one", "erased"), ("rec-two", "erased"), ("rec-other", "ready")):
            found = recordings.find(conn, owner, record_id)
            assert found is not None
            assert (found.status, found.path is None) == (status, status == "erased")
        theirs = calls.find(conn, second, "theirs")
        assert theirs is not None
        assert theirs.calling_number == OUTSIDE
        assert deliveries.was_erased(conn, owner, cursor)
        assert deliveries.find(conn, owner, cursor) is None
        assert [entry.number for entry in address_book.list_for(conn, owner)] == [OTHER]
        assert erasures.list_all(conn, owner) == [done]
        assert erasures.files(conn, done.erasure_id) == [
            ErasedFile(f"rec-{name}", name, "a" * 64, 5, False) for name in ("one", "two")
        ]
    assert counts(erase(store, owner)) == {}


def test_the_hash_is_of_the_rows_as_they_were(store: Store, write: Write, owner: str, rows: Rows) -> None:
    write(*call("one", owner, OUTSIDE), *call("two", owner, OUTSIDE))
    were = rows("SELECT * FROM calls ORDER BY call_id")
    expected = "0" * 64
    for row in were:
        expected = hashlib.sha256(expected.encode() + msgspec.json.encode(row)).hexdigest()
    went = erase(store, owner).tally.went["calls"]
    assert went.count == 2
    if store.backend.__class__.__name__ == "PostgresBackend":
        assert went.sha256 == expected
    else:  # SQLite itself has numbers where the tables have truths
        assert len(went.sha256) == 64


def test_what_is_not_over_stays_and_is_said(store: Store, write: Write, owner: str) -> None:
    write(*call("over", owner, OUTSIDE), CdrOpened(cdr("on", owner)), stored(1, call_id="on", enterprise_id=owner))
    write(CdrClosed(ended("encoding", owner)), recording("encoding", call_id="encoding", enterprise_id=owner))
    done = erase(store, owner)
    assert (counts(done)["calls"], done.tally.kept) == (1, [Kept("not over", 2)])
    with store.read() as conn:
        assert [each.call_id for each in events.after(conn, owner, 0, 10)] == ["on"]
    write(CdrClosed(ended("on", owner)), recording("ready", call_id="encoding", enterprise_id=owner, path="2.mp3"))
    again = erase(store, owner)
    assert (counts(again)["calls"], again.tally.kept) == (2, [])


def test_a_file_that_cannot_be_removed_keeps_its_call(store: Store, write: Write, owner: str) -> None:
    write(*call("one", owner, OUTSIDE), *call("two", owner, OUTSIDE))

    def stuck(doomed: Doomed) -> None:
        if doomed.path == "one.mp3":
            raise PermissionError(doomed.path)

    assert erase(store, owner, erase_file=stuck).tally.kept == [Kept("file", 1)]
    assert erase(store, owner).tally.kept == []


@pytest.mark.parametrize(("kind", "subject"), [("enterprise", ""), ("number", OUTSIDE)])
def test_a_hold_refuses_all_of_it(store: Store, write: Write, owner: str, kind: holds.Kind, subject: str) -> None:
    write(*call("one", owner, OUTSIDE))
    with store.write() as conn:
        hold = holds.place(conn, owner, kind, subject, reason="court 5", placed_by="borys", now_ms=1)
    before = all_rows(store)
    with pytest.raises(
        ErasureHeld, match=f"nothing of 0441234567 may be erased: hold {hold.hold_id} by borys: court 5"
    ):
        erase(store, owner)
    assert all_rows(store) == before


@pytest.mark.parametrize(("kind", "subject"), [("call", "one"), ("number", ANNA)])
def test_a_hold_on_another_keeps_what_is_common(
    store: Store, write: Write, owner: str, kind: holds.Kind, subject: str
) -> None:
    write(*call("one", owner, OUTSIDE), *call("two", owner, OUTSIDE, called_number=BOHDAN, answered_number=BOHDAN))
    with store.write() as conn:
        holds.place(conn, owner, kind, subject, reason="court 5", placed_by="borys", now_ms=1)
    removed = Erased()
    done = erase(store, owner, erase_file=removed)
    assert removed == ["two.mp3"]
    assert (counts(done)["calls"], done.tally.kept) == (1, [Kept("hold", 1)])
    with store.read() as conn:
        assert len(events.of_call(conn, owner, "one")) == 3


def test_it_goes_on_after_a_crash_as_one(
    store: Store, write: Write, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH", 2)
    for number in range(5):
        write(*call(f"c{number}", owner, OUTSIDE, started_at=NOW + number))
    removed = Erased()

    def dies(doomed: Doomed) -> None:
        removed(doomed)
        if len(removed) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(store, owner, erase_file=dies)
    with store.read() as conn:
        (begun,) = erasures.list_all(conn)
    assert (begun.finished_at, begun.number, counts(begun)["calls"]) == (None, OUTSIDE, 2)
    done = erase(store, owner, erase_file=removed)
    assert (done.erasure_id, counts(done)["calls"]) == (begun.erasure_id, 5)
    with store.read() as conn:
        assert len(erasures.files(conn, done.erasure_id)) == 5
    assert set(removed) == {f"c{number}.mp3" for number in range(5)}


def test_many_calls_are_erased_in_small_pieces(
    store: Store, write: Write, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction changes more rows than a batch of calls has, so the journal never waits for long."""
    monkeypatch.setattr(erasure, "BATCH", 20)
    monkeypatch.setattr(erasure, "SCANNED", 150)
    write(*many(400, owner, every=0.001))
    changed: list[int] = []
    write_as_it_is = Store.write

    @contextmanager
    def watched(self: Store) -> Iterator[Connection]:
        with write_as_it_is(self) as conn:
            changed.append(0)

            def count(_conn: Any, cursor: Any, statement: str, *_: Any) -> None:
                if statement.startswith(("DELETE", "UPDATE calls", "UPDATE events", "UPDATE recordings")):
                    changed[-1] += max(0, cursor.rowcount)

            event.listen(conn, "after_cursor_execute", count)
            yield conn

    monkeypatch.setattr(Store, "write", watched)
    assert counts(erase(store, owner)) == {"calls": 400}
    assert max(changed) <= 2 * erasure.BATCH
    assert len(changed) > 400 / erasure.BATCH


def test_an_enterprise_that_is_none(store: Store) -> None:
    with pytest.raises(NotInStore, match="there is no enterprise nobody"):
        erase(store, "nobody")


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+380671234567", "+380*******67"), ("112", "***"), ("123456", "******"), ("+4930123456", "+493*****56")],
)
def test_a_number_is_masked(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_the_file_of_another_enterprise_stays(store: Store, write: Write, owner: str) -> None:
    with store.write() as conn:
        second = enterprises.add(conn, "B", "b", "hash", 2).enterprise_id
    for one in (owner, second):
        write(CdrClosed(ended("both", one)), recording("ready", call_id="both", path="both.mp3", enterprise_id=one))
    removed = Erased()
    done = erase(store, owner, erase_file=removed)
    with store.read() as conn:
        assert [each.shared for each in erasures.files(conn, done.erasure_id)] == [True]
    assert removed == []
    erase(store, second, erase_file=removed)
    assert removed == ["both.mp3"]


def test_files_are_named_relative_to_their_folder(store: Store, write: Write, owner: str, tmp_path: Path) -> None:
    write(CdrClosed(ended("failed", owner)), recording("failed", call_id="failed", enterprise_id=owner))
    removed = Erased()
    erase(store, owner, erase_file=removed)
    assert removed == ["spool/rec-1.spool"]


def test_who_sent_a_call_on_is_made_anonymous_where_no_hold_keeps_the_call(
    store: Store, write: Write, owner: str
) -> None:
    """Though the number took no part in the call; also of a longer number that only contains it nothing goes."""
    sent_on = [Diverted(OUTSIDE, "no-answer"), Diverted(OTHER, "user-busy"), Diverted(f"{OUTSIDE}9", "away")]
    with store.write() as conn:
        second = enterprises.add(conn, "B", "b", "hash", 2).enterprise_id
    for name, of in (("free", owner), ("held", owner), ("theirs", second), ("plain", owner)):
        write(CdrClosed(ended(name, of, calling_number=OTHER)))
        if name != "plain":
            write(DetailStored(name, "diversions", diversions.written(sent_on)))
    with store.write() as conn:
        holds.place(conn, owner, "call", "held", reason="case 5", placed_by="olena", now_ms=NOW_MS)
    done = erase(store, owner)
    assert counts(done) == {"diversions": 1}
    assert done.tally.kept == [Kept("hold", 1)]
    with store.read() as conn:
        found = {name: diversions.find(conn, owner, name) for name in ("free", "held", "plain")}
        assert found == {"free": [Diverted("anonymous", "no-answer"), *sent_on[1:]], "held": sent_on, "plain": []}
        assert diversions.find(conn, second, "theirs") == sent_on
    assert counts(erase(store, owner)) == {}
