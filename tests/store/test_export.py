import tracemalloc
from typing import Any

import pytest

from kobza.store import Store, address_book, calls, enterprises
from kobza.store.entries import CdrClosed, CdrOpened
from kobza.store.export import PAGE, export_pages
from tests.store.builders import ANNA, BOHDAN, FOREVER, NOW, NOW_MS, OUTSIDE, cdr, ended, many
from tests.store.conftest import Write


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


@pytest.mark.database("sqlite")
def test_an_export_keeps_its_index(store: Store) -> None:
    from kobza.store import export as module

    query = module._query(names=True, departments=True, ownership=True, direction=True)
    with store.read() as conn:
        plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("e", 1, 2, 3))]
    assert plan[0].startswith("SEARCH c USING INDEX ix_calls_callstat (enterprise_id=? AND start_at>? AND start_at<?)")
    assert not [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step]


def test_memory_does_not_grow_with_an_export(store: Store, write: Write) -> None:
    write(*many(3 * PAGE, every=0.5))
    with store.read() as conn:
        tracemalloc.start()
        count = sum(len(page) for page in export_pages(conn, "ent-1", *FOREVER))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 3 * PAGE
    assert peak < 3 * PAGE * 300  # two pages; all the rows as tuples would be three and more
