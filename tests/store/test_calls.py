import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from kobza.store import Store, address_book, calls, driver, enterprises
from kobza.store.calls import HistoryRow
from kobza.store.entries import CdrClosed, CdrOpened, Entry
from kobza.store.export import FIRST_PAGE, PAGE, export, export_pages
from tests.store.builders import ANNA, BOHDAN, NOW, NOW_MS, OUTSIDE, cdr, ended
from tests.store.conftest import Write

FOREVER = (0, 2 * NOW_MS)


def many(count: int, enterprise_id: str = "ent-1", *, every: float = 1.0) -> list[Entry]:
    """Finished calls, `every` seconds from start to start."""
    return [
        CdrClosed(ended(f"call-{index:05}", enterprise_id, started_at=NOW + int(index * every)))
        for index in range(count)
    ]


def ids(rows: list[HistoryRow]) -> list[str]:
    return [row.call_id for row in rows]


def history(store: Store, *arguments: Any, **options: Any) -> list[HistoryRow]:
    with store.read() as conn:
        return list(calls.history(conn, "ent-1", *arguments, **options))


def test_the_history_is_that_of_one_enterprise_and_of_finished_calls(store: Store, write: Write) -> None:
    write(CdrOpened(cdr("on")), CdrClosed(ended("done")), CdrClosed(ended("theirs", "ent-2")))
    assert ids(history(store, *FOREVER)) == ["done"]


def test_both_ends_of_the_interval_belong_to_it(store: Store, write: Write) -> None:
    write(*many(5))
    assert ids(history(store, NOW_MS + 1000, NOW_MS + 3000)) == ["call-00001", "call-00002", "call-00003"]
    assert history(store, NOW_MS + 3001, NOW_MS + 3999) == []


def test_history_by_number_and_direction(store: Store, write: Write) -> None:
    write(
        CdrClosed(ended("in")),
        CdrClosed(ended("out", calling_number=BOHDAN, called_number=OUTSIDE, direction="outgoing", talk=None)),
        CdrClosed(ended("taken", calling_number=OUTSIDE, called_number=BOHDAN)),
    )
    assert ids(history(store, *FOREVER, number=BOHDAN)) == ["out", "taken"]
    assert ids(history(store, *FOREVER, number=ANNA)) == ["in", "taken"]  # who answered counts, too
    assert ids(history(store, *FOREVER, direction="outgoing")) == ["out"]
    assert ids(history(store, *FOREVER, number=ANNA, direction="outgoing")) == []


@pytest.mark.parametrize("every", [1.0, 0.01], ids=["apart", "hundreds at one moment"])
@pytest.mark.parametrize("limit", [1, 7, 700])
def test_pages_follow_each_other_without_gap_or_doubling(store: Store, write: Write, every: float, limit: int) -> None:
    write(*many(60, every=every))
    seen: list[str] = []
    cursor = None
    while page := history(store, *FOREVER, limit=limit, cursor=cursor):
        assert len(page) <= limit
        seen += ids(page)
        cursor = page[-1].cursor
    assert seen == [f"call-{index:05}" for index in range(60)]


def test_a_long_history_comes_whole(store: Store, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PAGE", 7)
    write(*many(50, every=0.2))
    assert ids(history(store, *FOREVER)) == [f"call-{index:05}" for index in range(50)]
    assert len(history(store, *FOREVER, limit=15)) == 15
    assert history(store, *FOREVER, limit=0) == []


@pytest.mark.parametrize("cursor", ["", "x", "12", "12-", "-a", "²-a", "1.5-a", "9" * 30 + "-a"])
def test_a_cursor_that_is_not_ours_is_refused_at_once(store: Store, cursor: str) -> None:
    with store.read() as conn, pytest.raises(ValueError, match="not a cursor"):
        calls.history(conn, "ent-1", *FOREVER, cursor=cursor)


def test_the_latest_calls_come_newest_first(store: Store, write: Write) -> None:
    write(*many(5), CdrOpened(cdr("on", started_at=NOW + 100)))
    with store.read() as conn:
        assert ids(calls.latest(conn, "ent-1", NOW_MS, limit=2)) == ["call-00004", "call-00003"]
        assert ids(calls.latest(conn, "ent-1", NOW_MS + 4000, limit=9)) == ["call-00004"]
        assert calls.count(conn, "ent-1") == 6
        assert calls.count(conn, "ent-2") == 0


def test_a_call_of_another_enterprise_does_not_exist(store: Store, write: Write) -> None:
    write(CdrClosed(ended()))
    with store.read() as conn:
        assert calls.find(conn, "ent-2", "call-1") is None
        found = calls.find(conn, "ent-1", "call-1")
    assert found is not None
    assert found.cause == 16


def exported(store: Store, *interval: int, enterprise_id: str = "ent-1", **options: bool) -> list[tuple[Any, ...]]:
    with store.read() as conn:
        return list(calls.export(conn, enterprise_id, *(interval or FOREVER), **options))


def test_an_exported_call(store: Store, write: Write) -> None:
    write(CdrClosed(ended()))
    assert exported(store) == [(NOW_MS + 15_000, NOW_MS + 5000, OUTSIDE, 10, ANNA)]


def test_an_unanswered_call_starts_at_the_attempt(store: Store, write: Write) -> None:
    write(CdrClosed(ended(talk=None)))
    assert exported(store) == [(NOW_MS + 5000, NOW_MS, OUTSIDE, 0, ANNA)]


@pytest.mark.parametrize(("talk", "seconds"), [(0.0, 1), (0.001, 1), (1.0, 1), (1.001, 2), (13.5, 14), (-3.0, 1)])
def test_durations_are_rounded_up(store: Store, write: Write, talk: float, seconds: int) -> None:
    write(CdrClosed(ended(talk=talk)))
    assert exported(store)[0][3] == seconds


def test_only_finished_calls_of_convergent_numbers_are_exported(store: Store, write: Write) -> None:
    write(CdrOpened(cdr("on")), CdrClosed(ended("plain", convergent=False)), CdrClosed(ended("theirs", "ent-2")))
    assert exported(store) == []


def test_the_answer_decides_whether_a_call_is_in_the_interval(store: Store, write: Write) -> None:
    write(CdrClosed(ended()))
    assert len(exported(store, NOW_MS + 5000, NOW_MS + 5000)) == 1
    assert exported(store, NOW_MS, NOW_MS + 4999) == []
    assert exported(store, NOW_MS + 5001, NOW_MS + 99_999) == []


def test_names_departments_ownership_and_direction_in_the_contracts_order(store: Store, write: Write) -> None:
    with store.write() as conn:
        own = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        address_book.put(conn, own, [address_book.Entry(ANNA, "Ганна", "Продажі")])
    write(
        CdrClosed(ended("1", own, started_at=NOW)),
        CdrClosed(
            ended("2", own, started_at=NOW + 1, calling_number=ANNA, called_number=OUTSIDE, direction="outgoing")
        ),
        CdrClosed(ended("3", own, started_at=NOW + 2, calling_number=BOHDAN, called_number=ANNA, direction="local")),
    )
    rows = exported(store, enterprise_id=own, names=True, departments=True, ownership=True, direction=True)
    assert [row[5:] for row in rows] == [
        ("", "Ганна", "", "Продажі", 0, 1, "incoming"),
        ("Ганна", "", "Продажі", "", 1, 0, "outgoing"),
        ("", "Ганна", "", "Продажі", 1, 1, "outgoing"),
    ]
    assert exported(store, enterprise_id=own, departments=True)[0][5:] == ("", "Продажі")
    assert exported(store, enterprise_id=own, direction=True)[2][5:] == ("outgoing",)


@pytest.mark.parametrize("every", [1.0, 0.01, 0.0], ids=["apart", "many at one moment", "all at one moment"])
def test_a_long_export_comes_whole(store: Store, write: Write, monkeypatch: pytest.MonkeyPatch, every: float) -> None:
    monkeypatch.setattr("kobza.store.export.FIRST_PAGE", 2)
    monkeypatch.setattr("kobza.store.export.PAGE", 5)
    write(*many(303, every=every))
    starts = [NOW_MS + 5000 + 1000 * int(index * every) for index in range(303)]
    assert [row[1] for row in exported(store)] == starts


def test_an_export_keeps_its_index(store: Store) -> None:
    from kobza.store import export as module

    query = module._query(names=True, departments=True, ownership=True, direction=True)
    with store.read() as conn:
        plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("e", 1, 2, 3))]
    assert plan[0].startswith("SEARCH c USING INDEX ix_calls_callstat (enterprise_id=? AND start_at>? AND start_at<?)")
    assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step]


def test_the_history_keeps_its_index(store: Store) -> None:
    with store.read() as conn:
        plan = [
            row[3]
            for row in conn.exec_driver_sql(
                "EXPLAIN QUERY PLAN SELECT * FROM calls WHERE ended_at IS NOT NULL AND enterprise_id = ? "
                "AND started_at <= ? AND started_at >= ? AND (started_at, call_id) > (?, ?) "
                "ORDER BY started_at, call_id LIMIT 10",
                ("e", 1, 2, 3, "x"),
            )
        ]
    assert len(plan) == 1
    assert "ix_calls_history (enterprise_id=? AND started_at>? AND started_at<?)" in plan[0]


@pytest.mark.parametrize("which", ["export", "history"])
def test_a_reader_that_stops_halfway_pins_nothing(
    store: Store, write: Write, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """A snapshot that stays open would let the WAL grow without end."""
    monkeypatch.setattr(calls, "PAGE", FIRST_PAGE)
    write(*many(FIRST_PAGE * 3))
    with store.read() as conn:
        rows: Iterator[Any] = (export if which == "export" else calls.history)(conn, "ent-1", *FOREVER)
        next(rows)
        write(CdrClosed(ended("later", started_at=NOW + 99_999)))
        other = driver.connect(store.path)
        busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        other.close()
        assert busy == 0
        assert sum(1 for _ in rows) == FIRST_PAGE * 3  # the later one is seen as well


def test_memory_does_not_grow_with_an_export(store: Store, write: Write) -> None:
    write(*many(3 * PAGE, every=0.5))
    with store.read() as conn:
        tracemalloc.start()
        count = sum(len(page) for page in export_pages(conn, "ent-1", *FOREVER))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 3 * PAGE
    assert peak < 3 * PAGE * 300  # two pages; all the rows as tuples would be three and more
