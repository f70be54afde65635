import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.durations import ringing_seconds, talk_seconds
from kobza.store import Store, address_book, driver, enterprises
from kobza.store import export as module
from kobza.store.entries import CdrClosed, CdrOpened
from kobza.store.export import PAGE, CallReader, Cursor
from tests.store.builders import ANNA, BOHDAN, FOREVER, NOW, NOW_MS, OUTSIDE, cdr, ended, many
from tests.store.conftest import Write

Rows = list[tuple[Any, ...]]
CALL_ID, STARTED_AT = 0, 3
"""Where a row of the history has them."""
HISTORY_INDEX = "ix_calls_history (enterprise_id=? AND started_at>? AND started_at<?)"


@pytest.fixture
def reader(store: Store) -> Iterator[CallReader]:
    opened = CallReader.open(store.place)
    yield opened
    opened.close()


def callstat(reader: CallReader, *interval: int, enterprise_id: str = "ent-1") -> Rows:
    return [row for page in reader.callstat(enterprise_id, *(interval or FOREVER)) for row in page]


def history(reader: CallReader, *interval: int, **options: Any) -> Rows:
    return [row for page in reader.history("ent-1", *(interval or FOREVER), **options) for row in page]


def ids(rows: Rows) -> list[str]:
    return [row[CALL_ID] for row in rows]


# callstat


def test_an_exported_call(reader: CallReader, write: Write) -> None:
    write(CdrClosed(ended()))
    assert callstat(reader) == [(NOW_MS + 15_000, NOW_MS + 5000, OUTSIDE, 10, ANNA, "incoming")]


def test_an_unanswered_call_starts_at_the_attempt(reader: CallReader, write: Write) -> None:
    write(CdrClosed(ended(talk=None)))
    assert callstat(reader) == [(NOW_MS + 5000, NOW_MS, OUTSIDE, 0, ANNA, "incoming")]


@pytest.mark.parametrize(("talk", "seconds"), [(0.0, 1), (0.001, 1), (1.0, 1), (1.001, 2), (13.5, 14), (-3.0, 1)])
def test_durations_are_rounded_up(reader: CallReader, write: Write, talk: float, seconds: int) -> None:
    write(CdrClosed(ended(talk=talk)))
    assert callstat(reader)[0][3] == seconds


def test_only_finished_calls_of_convergent_numbers_are_exported(reader: CallReader, write: Write) -> None:
    write(CdrOpened(cdr("on")), CdrClosed(ended("plain", convergent=False)), CdrClosed(ended("theirs", "ent-2")))
    assert callstat(reader) == []
    assert ids(history(reader)) == ["plain"]


def test_the_answer_decides_whether_a_call_is_in_the_interval(reader: CallReader, write: Write) -> None:
    write(CdrClosed(ended()))
    assert len(callstat(reader, NOW_MS + 5000, NOW_MS + 5000)) == 1
    assert callstat(reader, NOW_MS, NOW_MS + 4999) == []
    assert callstat(reader, NOW_MS + 5001, NOW_MS + 99_999) == []


def test_calls_of_one_moment_have_an_order(reader: CallReader, write: Write) -> None:
    made = [(f"call-{number}", NOW + 10 + number) for number in (3, 9, 1, 7, 5)]
    for call_id, ended_at in made:
        write(CdrClosed(ended(call_id, ended_at=ended_at)))
    in_order = sorted(made) if reader.postgres else made
    assert [row[0] for row in callstat(reader)] == [int(ended_at * 1000) for _, ended_at in in_order]


@pytest.mark.parametrize("every", [1.0, 0.01, 0.0], ids=["apart", "many at one moment", "all at one moment"])
def test_a_long_export_comes_whole(
    reader: CallReader, write: Write, monkeypatch: pytest.MonkeyPatch, every: float
) -> None:
    monkeypatch.setattr(module, "PAGE", 5)
    write(*many(303, every=every))
    starts = [NOW_MS + 5000 + 1000 * int(index * every) for index in range(303)]
    assert [row[1] for row in callstat(reader)] == starts


def test_the_address_book_tells_who_a_number_is(reader: CallReader, store: Store) -> None:
    with store.write() as conn:
        own = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        address_book.put(conn, own, [address_book.Entry(ANNA, "Ганна", "Продажі")])
    assert reader.person(own, ANNA) == ("Ганна", "Продажі")
    assert reader.person(own, OUTSIDE) == ("", "")
    assert reader.person("ent-2", ANNA) == ("", "")


# history


def test_both_ends_of_the_interval_belong_to_it(reader: CallReader, write: Write) -> None:
    write(*many(5))
    assert ids(history(reader, NOW_MS + 1000, NOW_MS + 3000)) == ["call-00001", "call-00002", "call-00003"]
    assert history(reader, NOW_MS + 3001, NOW_MS + 3999) == []


def test_history_by_number_and_direction(reader: CallReader, write: Write) -> None:
    write(
        CdrClosed(ended("in")),
        CdrClosed(ended("out", calling_number=BOHDAN, called_number=OUTSIDE, direction="outgoing", talk=None)),
        CdrClosed(ended("taken", calling_number=OUTSIDE, called_number=BOHDAN)),
    )
    assert ids(history(reader, number=BOHDAN)) == ["out", "taken"]
    assert ids(history(reader, number=ANNA)) == ["in", "taken"]  # who answered counts, too
    assert ids(history(reader, direction="outgoing")) == ["out"]
    assert ids(history(reader, number=ANNA, direction="outgoing")) == []


@pytest.mark.parametrize("every", [1.0, 0.01], ids=["apart", "hundreds at one moment"])
@pytest.mark.parametrize("limit", [1, 7, 700])
@pytest.mark.parametrize("number", [None, ANNA])
def test_pages_follow_each_other_without_gap_or_doubling(
    reader: CallReader, write: Write, every: float, limit: int, number: str | None
) -> None:
    write(*many(60, every=every))
    seen: list[str] = []
    after = None
    while page := history(reader, limit=limit, after=after, number=number):
        assert len(page) <= limit
        seen += ids(page)
        after = Cursor(page[-1][STARTED_AT], page[-1][CALL_ID])
    assert seen == [f"call-{index:05}" for index in range(60)]


def test_a_long_history_comes_whole(reader: CallReader, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 7)
    write(*many(50, every=0.2))
    assert ids(history(reader)) == [f"call-{index:05}" for index in range(50)]
    assert len(history(reader, limit=15)) == 15
    assert history(reader, limit=0) == []


@pytest.mark.parametrize(("page", "scanned"), [(500, 7), (2, 7), (3, 1), (500, 5000)])
def test_what_is_rare_is_found_wherever_it_is(
    reader: CallReader, write: Write, monkeypatch: pytest.MonkeyPatch, page: int, scanned: int
) -> None:
    monkeypatch.setattr(module, "PAGE", page)
    monkeypatch.setattr(module, "SCANNED", scanned)
    rare = {0, 1, 6, 7, 20, 21, 22, 23, 48, 59}
    write(*many(60, every=0.3))
    write(
        *(CdrClosed(ended(f"x-{place:05}", started_at=NOW + int(place * 0.3), called_number=BOHDAN)) for place in rare)
    )
    found = ids(history(reader, number=BOHDAN))
    assert found == [f"x-{place:05}" for place in sorted(rare)]
    assert ids(history(reader, number=BOHDAN, limit=4)) == found[:4]
    assert history(reader, number="+380990000000") == []


def test_a_cursor_before_the_interval_begins_with_it(reader: CallReader, write: Write) -> None:
    write(*many(5))
    assert ids(history(reader, NOW_MS + 3000, 2 * NOW_MS, after=Cursor(NOW_MS, "z"))) == ["call-00003", "call-00004"]
    assert history(reader, 0, NOW_MS, after=Cursor(NOW_MS + 9000, "z")) == []


@pytest.mark.parametrize("text", ["", "x", "12", "12-", "-a", "²-a", "1.5-a", "9" * 30 + "-a"])
def test_a_cursor_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.parse(text)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,16}-.{1,40}", fullmatch=True))
def test_any_text_is_a_cursor_that_is_read_back_or_refused(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except ValueError:
        return
    assert Cursor.parse(str(cursor)) == cursor
    assert cursor.started_at < 2**63  # what a database takes


def test_a_cursor_is_read_back() -> None:
    assert Cursor.parse(str(Cursor(NOW_MS, "call-1"))) == Cursor(NOW_MS, "call-1")


@pytest.mark.parametrize("ringing_at", [None, NOW, NOW + 1.001, NOW + 5, NOW + 7])
@pytest.mark.parametrize("answered_at", [None, NOW + 1.5, NOW + 5, NOW + 9, NOW + 20])
def test_durations_are_those_of_the_call_states(
    reader: CallReader, write: Write, ringing_at: float | None, answered_at: float | None
) -> None:
    """The database rounds as `kobza.call.durations` does, also when the clock went backwards."""
    write(CdrClosed(ended(ringing_at=ringing_at, answered_at=answered_at, ended_at=NOW + 9)))
    ((*_, talk, ringing, _, _, _, _, _, _, _, _),) = history(reader)
    moments = [None if at is None else round(at * 1000) for at in (ringing_at, answered_at)]
    assert talk == talk_seconds(moments[1], NOW_MS + 9000)
    assert ringing == ringing_seconds(moments[0], moments[1], NOW_MS + 9000)


# both


@pytest.mark.database("sqlite")
def test_an_export_keeps_its_index(store: Store) -> None:
    callstat, history = CallReader.callstat_query(), module.HISTORY.replace("{more}", "")
    of_number = history + module._OF_NUMBER + module._UP_TO + module._IN_ORDER
    with store.read() as conn:
        for query, marks, index in (
            (callstat, ("e", 1, 2, 3), "ix_calls_callstat (enterprise_id=? AND start_at>? AND start_at<?)"),
            (history + module._IN_ORDER, ("e", 1, 1, "a", 2, 3), HISTORY_INDEX),
            (of_number, ("e", 1, 1, "a", 2, *"nnn", 2, "b", 3), HISTORY_INDEX),
            (module.SCAN_END, ("e", 1, 1, "a", 2, 3), HISTORY_INDEX),
        ):
            (step,) = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", marks)]
            assert step.startswith("SEARCH calls USING ")
            assert step.endswith(index)


@pytest.mark.parametrize("which", ["callstat", "history"])
@pytest.mark.database("sqlite")
def test_a_reader_that_stops_halfway_pins_nothing(
    reader: CallReader, store: Store, write: Write, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """A snapshot that stays open would let the WAL grow without end."""
    monkeypatch.setattr(module, "PAGE", 100)
    write(*many(300))
    pages = getattr(reader, which)("ent-1", *FOREVER)
    seen = len(next(pages))
    write(CdrClosed(ended("later", started_at=NOW + 99_999)))
    other = driver.connect(store.path)
    busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert busy == 0
    assert seen + sum(len(page) for page in pages) == 301  # the later one is seen as well


@pytest.mark.parametrize("which", ["callstat", "history"])
def test_memory_does_not_grow_with_an_export(reader: CallReader, write: Write, which: str) -> None:
    write(*many(12 * PAGE, every=0.5))
    tracemalloc.start()
    count = sum(len(page) for page in getattr(reader, which)("ent-1", *FOREVER))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 12 * PAGE
    assert peak < 5 * PAGE * 600  # all the rows as tuples would be twelve pages


@pytest.mark.database("sqlite")
def test_a_reader_writes_nothing(reader: CallReader) -> None:
    with pytest.raises(driver.dbapi.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM calls")


def test_a_process_that_only_reads_calls_carries_no_sqlalchemy() -> None:
    """It stays at some 15 MB, where SQLAlchemy and Alembic would add 40."""
    check = "import sys, kobza.store.export; sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
