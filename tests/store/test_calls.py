from collections.abc import Iterator
from typing import Any

import pytest

from kobza.store import Store, calls, driver
from kobza.store.calls import HistoryRow
from kobza.store.entries import CdrClosed, CdrOpened
from kobza.store.export import FIRST_PAGE, export
from tests.store.builders import ANNA, BOHDAN, FOREVER, NOW, NOW_MS, OUTSIDE, cdr, ended, many
from tests.store.conftest import Write


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


@pytest.mark.database("sqlite")
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
@pytest.mark.database("sqlite")
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
