import gc
from typing import Any

import psycopg
import pytest

from kobza.call.heard import HeardCall, HeardSide
from kobza.store import Store, StoreMissing, calls, deliveries, diversions, driver, events, messages, meta, quality
from kobza.store.diversions import Diverted
from kobza.store.entries import (
    AttemptStored,
    CdrClosed,
    CdrOpened,
    CdrUpdated,
    DetailStored,
    LegPromised,
    StateStored,
)
from kobza.store.journal import JournalWriter, passes_by_itself
from kobza.store.journal_sql import ROWS_AT_ONCE
from kobza.store.messages import Message, SipLadder
from kobza.store.place import Place
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS, OUTSIDE, attempt, cdr, ended, kept_ladder, stored
from tests.store.conftest import Rows, Write


def test_a_call_is_there_from_its_start(store: Store, write: Write) -> None:
    write(CdrOpened(cdr(client_state="їжак")))
    with store.read() as conn:
        call = calls.find(conn, "ent-1", "call-1")
    assert call is not None
    assert (call.calling_number, call.called_number, call.answered_number) == (OUTSIDE, ANNA, None)
    assert tuple(call[5:]) == (NOW_MS, None, None, None, "incoming", None, None, None, None, "їжак", True)


def test_a_call_grows_until_its_end(store: Store, write: Write, rows: Rows) -> None:
    write(CdrOpened(cdr()))
    write(CdrUpdated(cdr(ringing_at=NOW + 1.0009)))
    assert rows("SELECT ringing_at, answered_at, start_at FROM calls") == [(NOW_MS + 1000, None, NOW_MS)]
    write(CdrUpdated(cdr(ringing_at=NOW + 1, answered_at=NOW + 5, answered_number=ANNA, record_id="rec-1")))
    assert rows("SELECT answered_number, answered_at, start_at, record_id FROM calls") == [
        (ANNA, NOW_MS + 5000, NOW_MS + 5000, "rec-1")
    ]
    write(CdrClosed(ended(record_id="rec-1")))
    with store.read() as conn:
        call = calls.find(conn, "ent-1", "call-1")
    assert call is not None
    assert (call.ended_at, call.cause, call.sip_status, call.released_by) == (NOW_MS + 15_000, 16, 200, "caller")
    assert call.record_id == "rec-1"


def test_details_of_a_call_are_beside_its_record(store: Store, write: Write) -> None:
    heard = HeardCall(HeardSide(1000, 2, 5, 1.5, 40.0, 4.21), HeardSide(0, 0, 0))
    text = quality.written(heard)
    write(DetailStored("call-1", "quality", text), CdrClosed(ended()), CdrClosed(ended("call-2")))
    write(CdrClosed(ended("call-3")), CdrOpened(cdr("call-4")), DetailStored("call-3", "quality", "{}"))
    write(DetailStored("call-3", "quality", text), DetailStored("call-9", "quality", text))
    said = SipLadder(NOW_MS, ["caller"], [Message(0, 0, False, "INVITE"), Message(20, 0, True, "486 Busy Here")])
    write(DetailStored("call-1", "sip_ladder", kept_ladder(said)))
    with store.read() as conn:
        found = {name: quality.find(conn, "ent-1", name) for name in ("call-1", "call-2", "call-3", "call-4", "call-9")}
        assert quality.find(conn, "ent-2", "call-1") is None
        assert messages.find(conn, "ent-1", "call-1") == said
        assert messages.find(conn, "ent-1", "call-3") is None
    assert found == {"call-1": heard, "call-2": None, "call-3": heard, "call-4": None, "call-9": None}


def test_a_whole_call_in_one_commit(write: Write, rows: Rows) -> None:
    """The order of the kinds is fixed, whatever the order in the batch."""
    write(CdrClosed(ended()), CdrUpdated(cdr(ringing_at=NOW + 1)), CdrOpened(cdr()))
    assert rows("SELECT call_id, ended_at, cause FROM calls") == [("call-1", NOW_MS + 15_000, 16)]


def test_of_what_a_batch_says_of_a_record_the_last_word_counts(write: Write, rows: Rows) -> None:
    write(CdrOpened(cdr()), CdrOpened(cdr("call-2")))
    rang = CdrUpdated(cdr(ringing_at=NOW + 1))
    answered = CdrUpdated(cdr(ringing_at=NOW + 1, answered_at=NOW + 5, answered_number=ANNA))
    write(rang, CdrUpdated(cdr("call-2", ringing_at=NOW + 2)), answered, CdrClosed(ended("call-2", ringing_at=NOW + 3)))
    assert rows("SELECT ringing_at, answered_at, ended_at FROM calls ORDER BY call_id") == [
        (NOW_MS + 1000, NOW_MS + 5000, None),
        (NOW_MS + 3000, NOW_MS + 5000, NOW_MS + 15_000),
    ]


def test_a_finished_call_is_never_missing_and_never_changes(write: Write, rows: Rows) -> None:
    write(CdrClosed(ended()))
    write(CdrOpened(cdr()), CdrUpdated(cdr(ringing_at=NOW + 9)), CdrClosed(ended(cause=41, ended_at=NOW + 99)))
    assert rows("SELECT ringing_at, ended_at, cause FROM calls") == [(NOW_MS + 1000, NOW_MS + 15_000, 16)]


def test_each_enterprise_of_a_call_has_its_record(write: Write, rows: Rows) -> None:
    write(CdrOpened(cdr()), CdrOpened(cdr(enterprise_id="ent-2", direction="outgoing", convergent=False)))
    write(CdrClosed(ended(enterprise_id="ent-2")))
    found = rows("SELECT enterprise_id, direction, convergent, ended_at IS NULL FROM calls ORDER BY 1")
    assert found == [("ent-1", "incoming", 1, 1), ("ent-2", "outgoing", 0, 0)]


def test_a_record_that_is_opened_with_more_than_a_start_keeps_it(write: Write, rows: Rows) -> None:
    talking = cdr("call-2", ringing_at=NOW + 1, answered_at=NOW + 5, answered_number=ANNA)
    write(CdrOpened(cdr()), CdrOpened(talking), CdrOpened(cdr("call-3", record_id="rec-1")))
    assert rows("SELECT ringing_at, answered_at, answered_number, start_at, record_id FROM calls ORDER BY call_id") == [
        (None, None, None, NOW_MS, None),
        (NOW_MS + 1000, NOW_MS + 5000, ANNA, NOW_MS + 5000, None),
        (None, None, None, NOW_MS, "rec-1"),
    ]


def test_who_comes_into_a_call_that_is_on_gets_a_record(write: Write, rows: Rows) -> None:
    write(CdrOpened(cdr()))
    write(CdrUpdated(cdr()), CdrUpdated(cdr(enterprise_id="ent-2", called_number=BOHDAN, ringing_at=NOW + 1)))
    assert rows("SELECT enterprise_id, called_number, ringing_at, ended_at FROM calls ORDER BY enterprise_id") == [
        ("ent-1", ANNA, None, None),
        ("ent-2", BOHDAN, NOW_MS + 1000, None),
    ]


def test_what_is_owed_is_found_under_the_cursor_of_its_state(write: Write, rows: Rows) -> None:
    write(*(stored(at, call_id=f"call-{at}", owed=at % 3 != 0) for at in range(1, 80)))
    owed = "SELECT call_id, due_at FROM deliveries JOIN events ON events.cursor = deliveries.cursor ORDER BY 2"
    assert rows(owed) == [(f"call-{at}", NOW_MS + 1000 * at) for at in range(1, 80) if at % 3]


def test_states_get_growing_cursors(store: Store, write: Write) -> None:
    write(stored(1), stored(2))
    write(stored(3), stored(1, enterprise_id="ent-2", call_control_id="leg-2", owed=False))
    with store.read() as conn:
        found = events.after(conn, "ent-1", 0, 10)
        others = events.after(conn, "ent-2", 0, 10)
    assert [(event.cursor, event.sequence, event.state_type) for event in found] == [
        (1, 1, "alerting"),
        (2, 2, "established"),
        (3, 3, "finished"),
    ]
    assert [event.cursor for event in others] == [4]
    assert found[0].payload == stored(1).payload
    assert found[0].occurred_at == NOW_MS + 1000


def test_cursors_never_come_back(store: Store, write: Write, rows: Rows) -> None:
    write(stored(1), stored(2))
    with store.write() as conn:
        conn.exec_driver_sql("DELETE FROM events")
    write(stored(3))
    assert rows("SELECT cursor FROM events") == [(3,)]


def test_what_is_owed_is_pending_and_due_at_once(write: Write, rows: Rows) -> None:
    write(stored(1), stored(2, owed=False))
    assert rows("SELECT cursor, enterprise_id, status, attempts, due_at FROM deliveries") == [
        (1, "ent-1", "pending", 0, NOW_MS + 1000)
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (attempt(1, 1, outcome="delivered"), ("delivered", 1, NOW_MS + 1000)),
        (attempt(1, 2, outcome="retry", retry_at=NOW + 50, status_code=500), ("pending", 2, NOW_MS + 50_000)),
        (attempt(1, 9, outcome="failed", status_code=None, error="no route"), ("failed", 9, NOW_MS + 1000)),
    ],
)
def test_an_attempt_decides_about_its_delivery(
    write: Write, rows: Rows, entry: AttemptStored, expected: tuple[Any, ...]
) -> None:
    write(stored(1), stored(2))
    write(entry)
    assert rows("SELECT status, attempts, due_at FROM deliveries ORDER BY cursor") == [
        expected,
        ("pending", 0, NOW_MS + 2000),
    ]
    assert rows("SELECT cursor, attempt, started_at, duration_ms, status_code, error FROM attempts") == [
        (1, entry.attempt, NOW_MS + 20_000, 12, entry.status_code, entry.error)
    ]


def test_attempts_are_kept_whole(store: Store, write: Write) -> None:
    write(stored(1))
    write(attempt(1, 1, outcome="retry", retry_at=NOW + 5, status_code=500, response="помилка", url="u", address="a"))
    write(attempt(1, 2))
    with store.read() as conn:
        found = deliveries.list_attempts(conn, "ent-1", 1)
        assert deliveries.list_attempts(conn, "ent-2", 1) == []
    assert [(one.attempt, one.status_code, one.response, one.url, one.address) for one in found] == [
        (1, 500, "помилка", "u", "a"),
        (2, 200, None, None, None),
    ]


def test_a_promised_leg_is_kept_once(write: Write, rows: Rows) -> None:
    promise = LegPromised("call-1", "leg-1", "ent-1", ANNA, OUTSIDE, "outgoing", "state", NOW)
    write(promise)
    write(promise)
    assert rows("SELECT call_control_id, state_owner, client_state, promised_at FROM promised_legs") == [
        ("leg-1", ANNA, "state", NOW_MS)
    ]


def test_a_sign_of_life_is_kept_and_never_goes_back(store: Store, write: Write) -> None:
    with store.read() as conn:
        assert meta.get_number(conn, meta.HEARTBEAT) is None
    write(alive_at=NOW)
    write(alive_at=NOW - 100)
    write(stored(1))
    with store.read() as conn:
        assert meta.get_number(conn, meta.HEARTBEAT) == NOW_MS


def test_a_batch_is_written_whole_or_not_at_all(store: Store, write: Write, rows: Rows) -> None:
    write(stored(1))
    with pytest.raises((driver.dbapi.IntegrityError, psycopg.IntegrityError)):
        write(CdrOpened(cdr("call-2")), stored(2), stored(1))
    assert rows("SELECT count(*) FROM calls") == [(0,)]
    assert rows("SELECT sequence FROM events") == [(1,)]
    write(stored(2))  # and the writer goes on
    assert rows("SELECT cursor, sequence FROM events") == [(1, 1), (2, 2)]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 16, 63, 64, 65, 200])
def test_batches_of_every_size_are_cut_without_a_loss(write: Write, rows: Rows, count: int) -> None:
    assert ROWS_AT_ONCE[-1] == 1
    write(*(stored(1, call_control_id=f"leg-{index:03}") for index in range(count)))
    assert rows("SELECT call_control_id FROM events ORDER BY cursor") == [(f"leg-{i:03}",) for i in range(count)]
    assert rows("SELECT cursor FROM deliveries ORDER BY cursor") == [(i + 1,) for i in range(count)]


def test_what_is_no_entry_is_refused(write: Write) -> None:
    with pytest.raises(TypeError, match="not a journal entry"):
        write("hello")


def test_a_locked_store_passes_by_itself(store: Store, place: Place) -> None:
    writer = JournalWriter(place, busy_timeout_ms=0)
    with store.write(), pytest.raises((driver.dbapi.OperationalError, psycopg.OperationalError)) as locked:
        writer.write([stored(1)])
    assert passes_by_itself(locked.value)
    writer.write([stored(1)])
    writer.close()


def test_a_lone_surrogate_never_passes(write: Write) -> None:
    with pytest.raises(UnicodeEncodeError) as refused:
        write(stored(1, client_state="\ud800"))
    assert not passes_by_itself(refused.value)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (driver.dbapi.OperationalError("disk I/O error"), True),
        (driver.dbapi.DatabaseError("database disk image is malformed"), True),
        (OSError(28, "No space left on device"), True),
        (MemoryError(), True),
        (StoreMissing("the disk is not mounted"), True),
        (driver.dbapi.IntegrityError("UNIQUE constraint failed"), False),
        (driver.dbapi.ProgrammingError("type not supported"), False),
        (TypeError("no"), False),
    ],
)
def test_which_errors_pass(error: BaseException, passes: bool) -> None:
    assert passes_by_itself(error) is passes


def test_a_writer_that_failed_leaves_no_connection_behind(store: Store, place: Place) -> None:
    writer = JournalWriter(place)
    with pytest.raises((AttributeError, TypeError)):  # the one where it is compiled
        writer.write([StateStored(None, True, b"")])  # type: ignore[arg-type]
    gc.collect()  # an unclosed connection would warn here
    with store.write() as conn:
        meta.set_text(conn, "free", "yes")
    writer.close()


def test_who_sent_a_call_on_is_stored_with_its_beginning(store: Store, write: Write) -> None:
    told = [Diverted(OUTSIDE, "user-busy", 2), Diverted("anonymous", "unknown")]
    write(CdrOpened(cdr()), DetailStored("call-1", "diversions", diversions.written(told)))
    write(CdrClosed(ended()), CdrOpened(cdr("call-2")), DetailStored("call-1", "sip_ladder", "[0,[],[]]"))
    with store.read() as conn:
        assert diversions.find(conn, "ent-1", "call-1") == told
        assert diversions.find(conn, "ent-1", "call-2") == diversions.find(conn, "ent-2", "call-1") == []
