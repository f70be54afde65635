from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from kobza.store import (
    NotInStore,
    Store,
    deliveries,
    endpoints,
    enterprises,
    holds,
    recording_files,
    recovery,
    retention,
    terms,
)
from kobza.store import events as events_module
from kobza.store.days import OwnTerms, Terms
from kobza.store.entries import CdrClosed, CdrOpened, DetailStored, LegPromised, StateStored
from kobza.store.recording_files import Doomed
from kobza.store.retention import DAY_MS, TOMBSTONE_DAYS, Purged
from kobza.store.schema import events
from kobza.store.schema import recordings as recordings_table
from tests.store.builders import ANNA, NOW, NOW_MS, OUTSIDE, Erased, attempt, cdr, ended, many, recording, stored
from tests.store.conftest import Rows, Write

DAY = 24 * 3600.0
KEEP = 30
EVENT_DAYS = 7
TERMS = Terms(KEEP, 36_500, EVENT_DAYS, EVENT_DAYS)
LATER = NOW_MS + KEEP * DAY_MS
"""When what happened at NOW is as old as it may be; a millisecond later it is too old."""


def nothing_to_erase(doomed: Doomed) -> None:
    raise AssertionError(f"{doomed.path} should have been left alone")


def purge(
    store: Store, now_ms: int, erase: recording_files.EraseFile = nothing_to_erase, terms: Terms = TERMS
) -> Purged:
    return retention.purge(store, now_ms, terms, erase=erase, pause=0.0)


def test_nothing_to_do(store: Store) -> None:
    assert purge(store, LATER) == Purged()


def test_calls_stay_for_their_days_and_no_longer(store: Store, write: Write, rows: Rows) -> None:
    write(CdrClosed(ended("old")), CdrClosed(ended("later", started_at=NOW + 1)))
    assert purge(store, LATER) == Purged()
    assert purge(store, LATER + 1) == Purged(calls=1)
    assert rows("SELECT call_id FROM calls") == [("later",)]


def test_details_go_with_the_last_record_of_their_call(store: Store, write: Write, rows: Rows) -> None:
    write(CdrClosed(ended("old")), CdrClosed(ended("shared")), CdrClosed(ended("young", started_at=NOW + 1)))
    write(CdrClosed(ended("shared", "ent-2", started_at=NOW + 1)))
    write(*(DetailStored(call_id, "quality", "{}") for call_id in ("old", "shared", "young")))
    purge(store, LATER + 1)
    assert rows("SELECT call_id FROM call_details ORDER BY 1") == [("shared",), ("young",)]
    purge(store, LATER + DAY_MS)
    assert rows("SELECT call_id FROM call_details") == []


def test_all_enterprises_that_the_history_knows(store: Store, write: Write, rows: Rows) -> None:
    for enterprise_id in ("a", "b", "c"):  # none of them exists any more
        write(*many(3, enterprise_id), CdrClosed(ended("young", enterprise_id, started_at=NOW + 2 * DAY)))
    assert purge(store, LATER + DAY_MS) == Purged(calls=9)
    assert rows("SELECT enterprise_id, call_id FROM calls ORDER BY 1") == [(one, "young") for one in "abc"]


@pytest.mark.parametrize("every", [1.0, 0.0], ids=["apart", "at one moment"])
def test_no_transaction_is_long(
    store: Store, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch, every: float
) -> None:
    """While one runs nothing else is written: not more than a batch of rows changes in it."""
    changes: list[int] = []
    write_as_it_is = Store.write

    @contextmanager
    def watched(self: Store) -> Iterator[Connection]:
        with write_as_it_is(self) as conn:
            changes.append(0)

            def count(_conn: Any, cursor: Any, statement: str, *_: Any) -> None:
                if statement.startswith("DELETE"):
                    changes[-1] += cursor.rowcount

            event.listen(conn, "after_cursor_execute", count)
            yield conn

    monkeypatch.setattr(retention, "BATCH", 10)
    monkeypatch.setattr(Store, "write", watched)
    write(*many(47, every=every), *(stored(1, call_control_id=f"leg-{number}", owed=False) for number in range(23)))
    write(*(LegPromised(f"c{n}", f"leg-{n}", "ent-1", ANNA, OUTSIDE, "outgoing", None, NOW) for n in range(20)))
    assert purge(store, LATER + 60_000) == Purged(calls=47, events=23, promised_legs=20)
    assert sum(changes) == 90
    assert max(changes) == 10
    assert rows("SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM events)") == [(0,)]


def test_a_recording_goes_with_its_call_the_file_first(store: Store, write: Write, rows: Rows, tmp_path: Path) -> None:
    write(CdrClosed(ended("old")), recording("ready", path="a/b.mp3", call_id="old"))
    write(CdrClosed(ended("none")), recording("failed", record_id="rec-2", call_id="none"))
    write(
        CdrClosed(ended("young", started_at=NOW + DAY)),
        recording("ready", record_id="rec-3", call_id="young", at=NOW + DAY),
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.mp3").touch()

    erased = Erased()

    def erase(doomed: Doomed) -> None:
        assert rows("SELECT count(*) FROM calls WHERE call_id = 'old'") == [(1,)]
        assert rows("SELECT status FROM recordings WHERE call_id = 'old'") == [("erasing",)]  # nobody is given it
        (tmp_path / doomed.path).unlink(missing_ok=True)
        erased(doomed)

    assert purge(store, LATER + 1, erase) == Purged(calls=2, recordings=2)
    assert not (tmp_path / "a/b.mp3").exists()
    assert sorted(erased) == ["a/b.mp3", "spool/rec-2.spool"]  # of a failed one the spool is all there is
    tombstones = "SELECT record_id, status, path, sha256 FROM recordings ORDER BY 1"
    assert rows(tombstones) == [
        ("rec-1", "erased", None, None),
        ("rec-2", "erased", None, None),
        ("rec-3", "ready", None, None),
    ]
    assert purge(store, LATER + 1 + TOMBSTONE_DAYS * DAY_MS, erase, TERMS._replace(history_days=36_500)) == Purged()
    later = LATER + 2 + TOMBSTONE_DAYS * DAY_MS
    assert purge(store, later, erase, TERMS._replace(history_days=36_500)) == Purged(tombstones=2)


def test_a_file_that_cannot_be_erased_keeps_its_call_and_no_other(
    store: Store, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for number in range(5):
        name = f"call-{number}"
        write(CdrClosed(ended(name, started_at=NOW + number)))
        write(recording("ready", record_id=f"rec-{number}", path=f"{number}.mp3", call_id=name))
    stuck = {"0.mp3", "1.mp3", "3.mp3"}

    def erase(doomed: Doomed) -> None:
        if doomed.path in stuck:
            raise PermissionError(doomed.path)

    assert purge(store, LATER + DAY_MS, erase) == Purged(calls=2, recordings=2, kept=3)
    left = "SELECT record_id FROM recordings WHERE status = 'erasing' ORDER BY 1"
    assert rows(left) == [("rec-0",), ("rec-1",), ("rec-3",)]
    stuck.clear()
    assert purge(store, LATER + DAY_MS, erase) == Purged(calls=3, recordings=3)
    assert rows(left) == []


def test_a_file_that_two_share_goes_with_the_last(store: Store, write: Write) -> None:
    erased = Erased()
    write(CdrClosed(ended()), CdrClosed(ended(enterprise_id="ent-2", started_at=NOW + 1)))
    write(recording("ready", path="1.mp3"), recording("ready", path="1.mp3", enterprise_id="ent-2", at=NOW + 1))
    assert purge(store, LATER + 1, erased) == Purged(calls=1, recordings=1)
    assert erased == []
    assert purge(store, LATER + 1001, erased) == Purged(calls=1, recordings=1)
    assert erased == ["1.mp3"]


def test_the_other_enterprise_keeps_its_recording(store: Store, write: Write, rows: Rows) -> None:
    """Both recorded the same call; for one of them it began a moment later."""
    erased = Erased()
    write(CdrClosed(ended()), CdrClosed(ended(enterprise_id="ent-2", started_at=NOW + 1)))
    write(recording("ready", path="1.mp3"), recording("ready", path="2.mp3", enterprise_id="ent-2", at=NOW + 1))
    assert purge(store, LATER + 1, erased) == Purged(calls=1, recordings=1)
    assert erased == ["1.mp3"]
    assert rows("SELECT enterprise_id FROM recordings WHERE status = 'ready'") == [("ent-2",)]


def test_a_call_that_is_on_is_never_too_old(store: Store, write: Write, rows: Rows) -> None:
    write(CdrOpened(cdr()), stored(1), LegPromised("call-1", "leg-9", "ent-1", ANNA, OUTSIDE, "outgoing", None, NOW))
    assert purge(store, LATER + 400 * DAY_MS) == Purged()
    # And what is needed to close it is still there.
    owed = recovery.recover(
        store, new_id=iter(["a", "b"]).__next__, stored=lambda state: StateStored(state, False, b"{}")
    )
    assert {entry.state.call_control_id for entry in owed} == {"leg-1", "leg-9"}
    assert purge(store, LATER + 400 * DAY_MS) == Purged(calls=1, events=3, promised_legs=1)


def test_events_stay_for_a_week_with_their_deliveries(store: Store, write: Write, rows: Rows) -> None:
    write(stored(1), stored(2), stored(3, owed=False), attempt(1, 1), attempt(2, 1, outcome="failed"))
    week = NOW_MS + EVENT_DAYS * DAY_MS
    assert purge(store, week + 1000) == Purged()
    assert purge(store, week + 2001) == Purged(events=2)
    assert rows("SELECT cursor FROM events") == [(3,)]
    assert rows("SELECT count(*) FROM deliveries") == rows("SELECT count(*) FROM attempts") == [(0,)]
    write(stored(4))
    assert rows("SELECT max(cursor) FROM events") == [(4,)]


def test_what_is_owed_to_an_active_endpoint_stays(store: Store, write: Write, rows: Rows) -> None:
    """The server was off for longer than a week: the CRM still has to hear what happened before."""
    with store.write() as conn:
        active, off = (enterprises.add(conn, name, name, "hash", 1).enterprise_id for name in "ab")
        for enterprise_id in (active, off):
            endpoints.set(conn, enterprise_id, "https://crm.example", "t")
        endpoints.deactivate(conn, off, "410 Gone", 1)
    write(*(stored(1, enterprise_id=one, call_control_id=one) for one in (off, active, "nobody")))
    assert purge(store, LATER) == Purged(events=2)
    assert rows("SELECT enterprise_id FROM events") == [(active,)]
    write(attempt(1, 1, call_control_id=active))
    assert purge(store, LATER) == Purged(events=1)


def test_old_events_behind_younger_ones_go(store: Store, write: Write, rows: Rows) -> None:
    """A crash is told with the moment of the crash, after the restart."""
    write(stored(1, at=NOW), stored(2, at=NOW + DAY), stored(3, at=NOW + 1))
    assert purge(store, NOW_MS + EVENT_DAYS * DAY_MS + 60_000) == Purged(events=2)
    assert rows("SELECT sequence FROM events") == [(2,)]


def test_each_kind_has_its_own_time_and_each_enterprise_too(store: Store, write: Write, rows: Rows) -> None:
    with store.write() as conn:
        first, second = (enterprises.add(conn, name, name, "hash", 1).enterprise_id for name in "ab")
        terms.set_own(conn, first, OwnTerms(60, 2, 9, 3), NOW_MS)
    for one in (first, second):
        write(CdrClosed(ended(one, one)), recording("ready", record_id=one, call_id=one, enterprise_id=one, path=one))
        write(*(stored(n, call_id=one, enterprise_id=one, call_control_id=one) for n in (1, 2)))
        write(attempt(1, 1, call_id=one, call_control_id=one, response="Ганна", status_code=500, outcome="failed"))
    erased = Erased()

    def after(days: int) -> Purged:
        return purge(store, NOW_MS + days * DAY_MS + 5000, erased, Terms(30, 40, 7, 7))

    assert after(1) == Purged()
    assert after(2) == Purged(recordings=1)
    assert erased == [first]
    assert after(3) == Purged(payloads=2)
    with store.read() as conn:
        assert events_module.after(conn, first, 0, 10) == []
        assert len(events_module.after(conn, second, 0, 10)) == 2
        (_, bare) = deliveries.list_for(conn, first)
        assert b"0671000001" not in bare.payload
        (tried,) = deliveries.list_attempts(conn, first, bare.cursor)
        assert (tried.response, tried.status_code) == (None, 500)
        assert deliveries.count_pending(conn, first) == 0  # what says nothing any more is not posted
        assert deliveries.was_erased(conn, first, bare.cursor)
        assert not deliveries.was_erased(conn, second, bare.cursor)
    assert after(3) == Purged()
    assert after(7) == Purged(events=2)
    assert after(9) == Purged(events=2)
    assert after(30) == Purged(calls=1, recordings=1)  # a recording never outlives its call
    assert erased == [first, second]
    assert after(60) == Purged(calls=1)
    assert rows("SELECT count(*) FROM events") == [(0,)]


def test_persons_stay_in_what_is_owed_and_are_found_later(store: Store, write: Write) -> None:
    with store.write() as conn:
        owner = enterprises.add(conn, "a", "a", "hash", 1).enterprise_id
        endpoints.set(conn, owner, "https://crm.example", "t")
    write(*(stored(number, enterprise_id=owner) for number in (1, 2, 3)), attempt(2, 1))
    keep = TERMS._replace(event_days=90, payload_days=1)
    assert purge(store, NOW_MS + 2 * DAY_MS, terms=keep) == Purged(payloads=1)
    write(attempt(1, 1), attempt(3, 1))
    assert purge(store, NOW_MS + 2 * DAY_MS, terms=keep) == Purged(payloads=2)
    write(stored(4, enterprise_id=owner, owed=False))
    assert purge(store, NOW_MS + 2 * DAY_MS, terms=keep) == Purged(payloads=1)  # goes on behind what was done


@pytest.mark.parametrize(("kind", "subject"), [("enterprise", ""), ("number", OUTSIDE), ("call", "held")])
def test_what_a_hold_keeps_outlives_every_term(
    store: Store, write: Write, rows: Rows, kind: holds.Kind, subject: str
) -> None:
    with store.write() as conn:
        owner = enterprises.add(conn, "a", "a", "hash", 1).enterprise_id
    other: dict[str, Any] = {"calling_number": "+380441111111", "enterprise_id": owner}
    write(CdrClosed(ended("held", owner)), CdrClosed(ended("free", **other)))
    for name, number in (("held", OUTSIDE), ("free", "+380441111111")):
        of: dict[str, Any] = {"enterprise_id": owner, "call_id": name}
        write(recording("ready", record_id=name, path=name, **of))
        write(stored(1, call_control_id=name, phone_number=number, owed=False, **of))
    with store.write() as conn:
        hold = holds.place(conn, owner, kind, subject, reason="court", placed_by="olena", now_ms=NOW_MS)
    erased = Erased()
    much_later = LATER + 300 * DAY_MS
    freed = 0 if kind == "enterprise" else 1
    assert purge(store, much_later, erased) == Purged(calls=freed, recordings=freed, events=freed)
    assert purge(store, much_later, erased, TERMS._replace(recording_days=1, payload_days=1)) == Purged()
    assert erased == ["free"] * freed
    assert ("held",) in rows("SELECT call_id FROM calls")
    with store.write() as conn:
        ended_hold = holds.end(conn, hold.hold_id, reason="over", ended_by="borys", now_ms=much_later)
        assert (ended_hold.ended_by, ended_hold.end_reason) == ("borys", "over")
        assert holds.list_all(conn) == []
        assert holds.list_all(conn, owner, ended=True) == [ended_hold]
        with pytest.raises(NotInStore):
            holds.end(conn, hold.hold_id, reason="again", ended_by="borys", now_ms=much_later)
    left = 2 - freed
    assert purge(store, much_later, erased) == Purged(calls=left, recordings=left, events=left)


def test_a_hold_that_comes_in_the_middle_counts(store: Store, write: Write, rows: Rows) -> None:
    """While the file is removed somebody places a hold: what is not gone yet stays."""
    with store.write() as conn:
        owner = enterprises.add(conn, "a", "a", "hash", 1).enterprise_id
    write(CdrClosed(ended("held", owner)), recording("ready", path="1.mp3", enterprise_id=owner, call_id="held"))

    def erase(doomed: Doomed) -> None:
        with store.write() as conn:
            holds.place(conn, owner, "call", "held", reason="court", placed_by="olena", now_ms=NOW_MS)

    assert purge(store, LATER + 1, erase) == Purged(recordings=1)
    assert rows("SELECT call_id FROM calls") == [("held",)]


def test_a_crash_in_the_middle_forgets_no_file(store: Store, write: Write, rows: Rows) -> None:
    write(CdrClosed(ended()), recording("ready", path="1.mp3"))

    def cut(doomed: Doomed) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(store, LATER + 1, cut)
    erased = Erased()
    assert purge(store, NOW_MS, erased) == Purged(recordings=1)  # whatever its age: it was begun
    assert erased == ["1.mp3"]


@pytest.mark.database("sqlite")
def test_every_step_uses_an_index(store: Store) -> None:
    part = retention._Enterprise(store, "ent-1", 1, print, 0.0)
    asked: list[Any] = []
    part._pairs = lambda query: asked.append(query) or []  # type: ignore[method-assign,func-returns-value]
    part._old_calls(1, (1, "a"))
    part._old_recordings(1, (1, "a"))
    with store.read() as conn:
        for query in (
            *asked,
            retention._next_enterprise,
            retention._next_of(recordings_table)
            .where(recordings_table.c.status.in_(retention._literal(recording_files.KEPT)))
            .params(last=""),
            retention._next_events,
            retention._needed.where(events.c.cursor.in_([1, 2])),
        ):
            text = str(query.compile(conn, compile_kwargs={"literal_binds": False, "render_postcompile": True}))
            marks = tuple([1] * text.count("?"))
            plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", marks)]
            assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], plan
