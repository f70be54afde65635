from collections import Counter
from datetime import UTC, datetime

import pytest

from kobza.call.directory import Package
from kobza.store import NotInStore, Store, address_book, enterprises, numbers
from kobza.store.fill import KYIV, fill
from kobza.store.fill_people import DEPARTMENTS
from tests.store.builders import ANNA, BOHDAN, NOW_MS
from tests.store.conftest import Rows

DAY_MS = 24 * 3_600_000


def test_exactly_as_many_calls_as_asked_within_the_days(store: Store, enterprise_id: str, rows: Rows) -> None:
    assert fill(store, enterprise_id, 1234, 7, 1, now_ms=NOW_MS) == 1234
    ((count, first, last_start, last_end),) = rows(
        "SELECT count(*), min(started_at), max(started_at), max(ended_at) FROM calls"
    )
    assert count == 1234
    assert NOW_MS - 7 * DAY_MS <= first <= last_start <= last_end <= NOW_MS


def test_the_same_seed_makes_the_same_calls(store: Store, enterprise_id: str, rows: Rows) -> None:
    everything = "SELECT * FROM calls ORDER BY call_id"
    fill(store, enterprise_id, 200, 3, 1, now_ms=NOW_MS)
    first = rows(everything)
    assert fill(store, enterprise_id, 200, 3, 1, now_ms=NOW_MS) == 0
    assert rows(everything) == first
    with store.write() as conn:
        conn.exec_driver_sql("DELETE FROM calls")
        conn.exec_driver_sql("DELETE FROM address_book")
    assert fill(store, enterprise_id, 200, 3, 1, now_ms=NOW_MS) == 200
    assert rows(everything) == first
    assert fill(store, enterprise_id, 200, 3, 2, now_ms=NOW_MS) == 200


def test_the_calls_are_plausible(store: Store, enterprise_id: str, rows: Rows) -> None:
    fill(store, enterprise_id, 4000, 14, 1, now_ms=NOW_MS)
    directions: dict[str, int] = dict(rows("SELECT direction, count(*) FROM calls GROUP BY 1"))
    assert directions.keys() == {"incoming", "outgoing", "local"}
    assert min(directions.values()) > 400
    causes: dict[int, int] = dict(rows("SELECT cause, count(*) FROM calls GROUP BY 1"))
    assert {16, 17, 19, 21} <= causes.keys()
    assert rows(
        "SELECT count(*) FROM calls WHERE calling_number = called_number OR started_at > ended_at "
        "OR ringing_at < started_at OR answered_at < ringing_at OR ended_at < answered_at "
        "OR (answered_at IS NULL) <> (answered_number IS NULL) OR start_at <> coalesce(answered_at, started_at)"
    ) == [(0,)]
    hours = Counter(
        datetime.fromtimestamp(at / 1000, UTC).astimezone(KYIV).hour for (at,) in rows("SELECT started_at FROM calls")
    )
    assert hours[10] > 10 * hours[4]


def test_the_address_book_knows_many_in_ukrainian(store: Store, enterprise_id: str, rows: Rows) -> None:
    fill(store, enterprise_id, 1000, 3, 1, now_ms=NOW_MS)
    with store.read() as conn:
        book = address_book.list_for(conn, enterprise_id)
    known = {entry.number for entry in book if entry.name}
    named = [row for row in rows("SELECT calling_number, called_number FROM calls") if known.issuperset(row)]
    assert len(book) == 420
    assert any("ї" in entry.name or "Ї" in entry.name for entry in book)
    departments = {entry.department for entry in book}
    assert {""} < departments <= {"", *DEPARTMENTS}  # which of them, is drawn by the enterprise's id
    assert len(departments) > 2
    assert len(named) > 300


def test_the_calls_are_those_of_the_enterprises_numbers(store: Store, enterprise_id: str, rows: Rows) -> None:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id, "Ганна", packages=[Package.CONVERGENT])
        numbers.add(conn, BOHDAN, enterprise_id, "Богдан")
    fill(store, enterprise_id, 500, 3, 1, now_ms=NOW_MS)
    own = {number for (number,) in rows("SELECT calling_number FROM calls WHERE direction <> 'incoming'")}
    assert own == {ANNA, BOHDAN}
    assert rows(f"SELECT count(*) FROM calls WHERE convergent <> ('{ANNA}' IN (calling_number, called_number))") == [
        (0,)
    ]
    with store.read() as conn:
        assert address_book.find(conn, enterprise_id, ANNA) == (ANNA, "Ганна", "")


def test_one_number_has_no_local_calls(store: Store, enterprise_id: str, rows: Rows) -> None:
    with store.write() as conn:
        numbers.add(conn, ANNA, enterprise_id)
    fill(store, enterprise_id, 300, 3, 1, now_ms=NOW_MS)
    assert rows("SELECT count(*) FROM calls WHERE direction = 'local'") == [(0,)]


def test_names_that_are_there_are_kept(store: Store, enterprise_id: str) -> None:
    fill(store, enterprise_id, 1, 1, 1, now_ms=NOW_MS)
    with store.write() as conn:
        first = address_book.list_for(conn, enterprise_id)[0]
        address_book.put(conn, enterprise_id, [first._replace(name="Своє ім'я")])
    fill(store, enterprise_id, 1, 1, 1, now_ms=NOW_MS)
    with store.read() as conn:
        kept = address_book.find(conn, enterprise_id, first.number)
    assert kept is not None
    assert kept.name == "Своє ім'я"


def test_now_is_the_default(store: Store, enterprise_id: str, rows: Rows) -> None:
    fill(store, enterprise_id, 10, 1)
    assert rows("SELECT count(*) FROM calls WHERE ended_at > 1750000000000") == [(10,)]


def test_an_unknown_enterprise_is_not_filled(store: Store) -> None:
    with pytest.raises(NotInStore):
        fill(store, "nobody", 10, 1)
    with store.read() as conn:
        assert enterprises.list_all(conn) == []
