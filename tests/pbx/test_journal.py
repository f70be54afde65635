"""The journal: nothing is heard of before it is stored, in order, whatever the disk does."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kobza.pbx import journal as module
from kobza.pbx.journal import Journal, JournalFailure, JournalFull, JournalStopped
from kobza.store import Store, driver, events, meta, schema
from kobza.store import journal as store_journal
from kobza.store.entries import BindingStored, CdrClosed, CdrOpened, CdrUpdated, Entry
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from tests.store.builders import NOW, NOW_MS, binding, cdr, ended, stored
from tests.support.postgres import PostgresServer
from tests.support.stores import empty_store
from tests.support.waiting import PATIENCE


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = empty_store(place)
    yield opened
    opened.close()


def heartbeat(store: Store) -> int | None:
    """Return the last sign of life."""
    with store.read() as conn:
        return meta.get_number(conn, meta.HEARTBEAT)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the commits of entries that succeeded."""
    sizes: list[int] = []
    write = JournalWriter.write

    def watched(self: JournalWriter, batch: Sequence[Entry], *, alive_at: float | None = None) -> None:
        write(self, batch, alive_at=alive_at)
        if batch:  # not a sign of life alone
            sizes.append(len(batch))

    monkeypatch.setattr(JournalWriter, "write", watched)
    return sizes


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail and try again fast."""
    monkeypatch.setattr(store_journal.JournalWriter.__init__, "__kwdefaults__", {"busy_timeout_ms": 20})
    monkeypatch.setattr(module, "FIRST_BACKOFF", 0.005)
    monkeypatch.setattr(module, "LAST_BACKOFF", 0.02)


class Watched(Journal):
    """A journal that keeps the failures it is told of."""

    def __init__(self, store: Store, **bounds: int) -> None:
        self.failures: list[JournalFailure] = []
        super().__init__(store.place, now=lambda: NOW, on_failure=self.failures.append, **bounds)

    async def stored(self, *entries: Entry) -> None:
        """Append and wait until it is stored."""
        done = asyncio.Event()
        self.append(entries, done.set)
        async with asyncio.timeout(PATIENCE):
            await done.wait()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - a thread tells nobody
                await asyncio.sleep(0.002)


@asynccontextmanager
async def running(store: Store, **bounds: int) -> AsyncIterator[Watched]:
    journal = Watched(store, **bounds)
    journal.start()
    try:
        yield journal
    finally:
        await journal.stop(timeout=1.0)


def leg(number: int, **fields: Any) -> Entry:
    """The first state of a leg of its own."""
    return stored(1, call_control_id=f"leg-{number:04}", **fields)


def legs(store: Store) -> list[str]:
    """The legs whose state is stored, in the order of the cursors."""
    with store.read() as conn:
        return [event.call_control_id for event in events.after(conn, "ent-1", 0, 100_000)]


def names(*numbers: int) -> list[str]:
    return [f"leg-{number:04}" for number in numbers]


async def test_what_waits_goes_on_when_the_store_has_it(store: Store) -> None:
    seen: list[list[str]] = []
    threads: list[int] = []
    async with running(store) as journal:

        def look() -> None:
            seen.append(legs(store))
            threads.append(threading.get_ident())

        for number in range(20):
            journal.append([leg(number)], look)
        assert seen == []  # not even at once
        await journal.until(lambda: len(seen) == 20)
        assert journal.waiting == 0
    for number, stored_then in enumerate(seen):
        assert stored_then[: number + 1] == names(*range(number + 1))
    assert set(threads) == {threading.get_ident()}


async def test_the_order_is_that_of_the_hand_over(store: Store) -> None:
    told: list[int] = []
    async with running(store) as journal:
        for number in range(500):
            journal.append([leg(number)], lambda number=number: told.append(number))  # type: ignore[misc]
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        await journal.stored()
    assert told == list(range(500))
    assert legs(store) == names(*range(500))


async def test_what_it_does_is_counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    may_write = threading.Event()
    write = JournalWriter.write

    def held_up(self: JournalWriter, batch: Sequence[Entry], *, alive_at: float | None = None) -> None:
        may_write.wait(PATIENCE)
        write(self, batch, alive_at=alive_at)

    monkeypatch.setattr(JournalWriter, "write", held_up)
    journal = Watched(store, limit=2)
    assert (journal.running, journal.stored_ago, journal.oldest_age) == (False, None, 0.0)
    journal.start()
    journal.append([leg(1)])
    await asyncio.sleep(0.02)
    journal.append([leg(2)])
    age = journal.oldest_age
    assert age >= 0.02  # of the first, whether or not it is being written
    assert (journal.running, journal.waiting, journal.full) == (True, 2, True)
    assert journal.counts.entries == 0
    may_write.set()
    await journal.stored(leg(3))
    await journal.until(lambda: journal.oldest_age == 0.0)
    assert journal.stored_ago is not None
    assert (journal.counts.entries, journal.counts.failures, journal.counts.rejected) == (3, 0, 0)
    assert journal.counts.commit_seconds.count >= 1
    await journal.stop()
    assert not journal.running


async def test_what_comes_together_is_one_commit(
    store: Store, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP_WINDOW", 0.3)
    async with running(store) as journal:
        for number in range(40):
            journal.append([leg(number), leg(1000 + number)])
        await journal.stored()
    assert batches[0] == 80
    assert len(legs(store)) == 80


async def test_what_has_patience_is_written_with_what_has_none(store: Store, batches: list[int]) -> None:
    async with running(store) as journal:
        journal.append([leg(1)], patience=PATIENCE)
        journal.append([leg(2)], patience=2 * PATIENCE)
        await journal.stored(leg(3))
        assert batches == [3]
    assert legs(store) == names(1, 2, 3)


async def test_patience_has_an_end(store: Store, batches: list[int]) -> None:
    async with running(store) as journal:
        done = asyncio.Event()
        journal.append([leg(1)], patience=PATIENCE)
        journal.append([leg(2)], done.set, patience=0.05)
        async with asyncio.timeout(PATIENCE / 2):
            await done.wait()
        assert batches == [2]
        journal.append([leg(3)], patience=PATIENCE)
    assert legs(store) == names(1, 2, 3)  # stopping waits for nobody


async def test_a_large_backlog_is_cut_between_groups(
    store: Store, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_LIMIT", 10)
    async with running(store) as journal:
        with store.write():
            for number in range(16):
                journal.append([leg(3 * number + part) for part in range(3)])
            await journal.until(lambda: journal.failures)  # the first commit, of one group or more, found it locked
        await journal.stored()
    assert sum(batches) == 48
    assert all(size % 3 == 0 and size <= 12 for size in batches)
    assert legs(store) == names(*range(48))


async def test_any_thread_may_hand_over(store: Store) -> None:
    async with running(store) as journal:

        def hand_over(first: int) -> None:
            for number in range(first, first + 50):
                journal.append([leg(number)])

        await asyncio.gather(*(asyncio.to_thread(hand_over, first) for first in (0, 100, 200)))
        await journal.stored()
    found = legs(store)
    assert sorted(found) == names(*range(50), *range(100, 150), *range(200, 250))
    for first in (0, 100, 200):  # each thread's own are in its order
        assert [name for name in found if name in set(names(*range(first, first + 50)))] == names(
            *range(first, first + 50)
        )


async def test_without_entries_it_waits_for_what_was_before(store: Store) -> None:
    async with running(store) as journal:
        journal.append([leg(1)])
        await journal.stored()
        assert legs(store) == names(1)


async def test_at_the_bound_nothing_new_begins_and_what_runs_goes_on(store: Store) -> None:
    async with running(store, limit=10, reserve=5) as journal:
        with store.write():
            for number in range(9):
                journal.append([CdrOpened(cdr(f"call-{number}"))])
            with pytest.raises(JournalFull):
                journal.append([CdrOpened(cdr("call-a")), leg(1)])
            with pytest.raises(JournalFull):
                journal.append([BindingStored(binding()), BindingStored(binding(contact="sip:b@h"))])
            journal.append([CdrOpened(cdr("call-9"))])
            assert journal.waiting == 10
            # The reserve is for those that run already.
            journal.append([CdrUpdated(cdr("call-1", ringing_at=NOW + 1))])
            journal.append([leg(1), leg(2), leg(3)])
            journal.append([CdrClosed(ended("call-1"))])
            assert journal.waiting == 15
            with pytest.raises(JournalFull, match="15 entries"):
                journal.append([leg(4)])
            with pytest.raises(JournalFull):
                journal.append([CdrOpened(cdr("call-b"))])
        await journal.until(lambda: journal.waiting == 0)
        await journal.stored(CdrOpened(cdr("call-c")))
    with store.read() as conn:
        found = conn.exec_driver_sql("SELECT call_id FROM calls ORDER BY call_id").scalars().all()
    assert found == [f"call-{number}" for number in (*range(10), "c")]
    assert legs(store) == names(1, 2, 3)


async def test_a_locked_store_is_tried_again(store: Store) -> None:
    told: list[int] = []
    async with running(store) as journal:
        with store.write():
            journal.append([leg(1)], lambda: told.append(1))
            await journal.until(lambda: len(journal.failures) >= 3)
            was_failing = journal.failing
            journal.append([leg(2)], lambda: told.append(2))
            assert told == []
        await journal.until(lambda: told == [1, 2])
        await journal.stored()
        assert (was_failing, journal.failing) == (True, False)
    assert [failure.failures for failure in journal.failures[:3]] == [1, 2, 3]
    assert {type(failure.error) for failure in journal.failures} <= {
        driver.dbapi.OperationalError,
        psycopg.errors.LockNotAvailable,
    }
    assert {failure.rejected for failure in journal.failures} == {()}
    assert journal.failures[0].waiting == 1
    assert legs(store) == names(1, 2)


@pytest.mark.database("sqlite")
async def test_a_full_disk_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    full = True
    connect = driver.connect

    def limited(path: Path, **options: Any) -> driver.RawConnection:
        connection = connect(path, **options)
        if full:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(driver, "connect", limited)
    async with running(store) as journal:
        told: list[str] = []
        journal.append([leg(number, client_state="x" * 3000) for number in range(50)], lambda: told.append("stored"))
        await journal.until(lambda: len(journal.failures) >= 2)
        assert "full" in str(journal.failures[0].error)
        assert (told, legs(store)) == ([], [])
        full = False
        await journal.until(lambda: told)
    assert legs(store) == names(*range(50))


@pytest.mark.database("sqlite")
async def test_a_store_that_is_not_there_yet_is_waited_for(store: Store) -> None:
    hidden = store.path.with_suffix(".away")
    store.close()
    store.path.rename(hidden)
    async with running(store) as journal:
        journal.append([leg(1)])
        await journal.until(lambda: journal.failures)
        hidden.rename(store.path)
        await journal.until(lambda: journal.waiting == 0)
    assert {failure.rejected for failure in journal.failures} == {()}
    assert legs(store) == names(1)


@pytest.mark.database("postgresql")
@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_goes_and_comes_back_is_waited_for(
    store: Store, postgres: PostgresServer, mode: str
) -> None:
    """Whatever was appended before, while and after it was away is stored once, in order, and told once, in order."""
    told: list[int] = []
    async with running(store) as journal:
        for number in range(300):
            journal.append([leg(number)], lambda number=number: told.append(number))  # type: ignore[misc]
            if number == 100:
                await journal.until(lambda: told)
                await asyncio.to_thread(postgres.stop, mode)
            if number == 200:
                await journal.until(lambda: journal.failures)
                await asyncio.to_thread(postgres.start)
            if number % 10 == 0:
                await asyncio.sleep(0.001)
        await journal.until(lambda: journal.waiting == 0)
        await journal.stored()
    assert {failure.rejected for failure in journal.failures} == {()}
    assert told == list(range(300))
    assert legs(store) == names(*range(300))


async def test_entries_that_the_store_refuses_harm_no_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_WINDOW", 0.3)
    told: list[str] = []
    twice = [leg(2), leg(1)]
    async with running(store) as journal:
        await journal.stored(leg(1))
        for name, group in {
            "a": [leg(3)],
            "bad": twice,
            "worse": [leg(4, client_state="\ud800")],
            "b": [leg(5)],
        }.items():
            journal.append(group, lambda name=name: told.append(name))  # type: ignore[misc]
        await journal.until(lambda: told == ["a", "b"])
        assert journal.waiting == 0
        assert not journal.failing
    assert legs(store) == names(1, 3, 5)
    assert [failure.rejected[:1] for failure in journal.failures] == [(leg(2),), (leg(4, client_state="\ud800"),)]
    assert isinstance(journal.failures[0].error, driver.dbapi.IntegrityError | psycopg.IntegrityError)


async def test_stopping_writes_what_waits(store: Store) -> None:
    told: list[int] = []
    journal = Watched(store)
    journal.start()
    for number in range(200):
        journal.append([leg(number)], lambda number=number: told.append(number))  # type: ignore[misc]
    assert await journal.stop() == 0
    assert legs(store) == names(*range(200))
    assert told == list(range(200))
    assert await journal.stop() == 0


async def test_a_store_that_stays_locked_does_not_keep_the_journal_from_stopping(store: Store) -> None:
    journal = Watched(store)
    journal.start()
    told: list[int] = []
    with store.write():
        journal.append([leg(1), leg(2)], lambda: told.append(1))
        await journal.until(lambda: journal.failures)
        assert await journal.stop(timeout=0.05) == 2
    assert told == []
    assert legs(store) == []
    # Started again, it begins anew: what was lost was told.
    journal.start()
    assert journal.waiting == 0
    await journal.stored(leg(3))
    assert await journal.stop() == 0
    assert legs(store) == names(3)
    assert told == []


async def test_only_a_running_journal_takes_entries(store: Store) -> None:
    journal = Watched(store)
    with pytest.raises(JournalStopped):
        journal.append([leg(1)])
    journal.start()
    with pytest.raises(RuntimeError, match="is running"):
        journal.start()
    await journal.stop()
    with pytest.raises(JournalStopped):
        journal.append([leg(1)])


async def test_a_thread_that_dies_is_seen(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit("the end of the thread")

    async with running(store) as journal:
        monkeypatch.setattr(JournalWriter, "write", die)
        journal.append([leg(1)])
        await journal.until(lambda: journal.failures)
        assert isinstance(journal.failures[0].error, SystemExit)

        def refused() -> bool:
            try:
                journal.append([leg(2)])
            except JournalStopped:
                return True
            return False

        await journal.until(refused)


async def test_one_that_fails_to_go_on_does_not_hold_up_the_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP_WINDOW", 0.1)
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def fail() -> None:
        raise ValueError("no")

    async with running(store) as journal:
        journal.append([leg(1)], fail)
        await journal.stored(leg(2))
    assert [str(complaint["exception"]) for complaint in complaints] == ["no"]
    assert journal.failures == []


async def test_an_idle_journal_gives_signs_of_life(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_INTERVAL", 0.01)
    async with running(store) as journal:
        await journal.until(lambda: heartbeat(store) == NOW_MS)
        with store.write() as conn:
            conn.execute(schema.meta.delete().where(schema.meta.c.key == meta.HEARTBEAT))
        await journal.until(lambda: heartbeat(store) == NOW_MS)


async def test_the_first_sign_of_life_does_not_wait(store: Store) -> None:
    assert heartbeat(store) is None
    async with running(store) as journal:
        await journal.until(lambda: heartbeat(store) == NOW_MS)


async def test_a_busy_journal_gives_signs_of_life_beside(
    store: Store, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_INTERVAL", 0.0)
    async with running(store) as journal:
        await journal.stored(leg(1))
    assert heartbeat(store) == NOW_MS
    assert 1 in batches


def test_a_loop_that_is_gone_is_no_reason_not_to_write(store: Store) -> None:
    told: list[int] = []

    async def start() -> Watched:
        journal = Watched(store)
        journal.start()
        return journal

    journal = asyncio.run(start())
    journal.append([leg(1)], lambda: told.append(1))
    asyncio.run(journal.stop())
    assert legs(store) == names(1)
    assert told == []
