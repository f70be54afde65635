"""The directory in memory: it follows the store."""

import asyncio
from collections.abc import Callable

import pytest

from kobza.call.directory import Directory
from kobza.pbx import directory_view as module
from kobza.pbx.directory_view import DirectoryView
from kobza.store import Store, directory, enterprises, numbers
from tests.pbx.office import ANNA, BOHDAN
from tests.support.waiting import PATIENCE


def add_number(store: Store) -> None:
    with store.write() as conn:
        enterprise_id = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        numbers.add(conn, ANNA, enterprise_id)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.005)


async def test_it_has_what_the_store_has(store: Store) -> None:
    view = DirectoryView(store)
    assert view.snapshot.subscribers == {}
    add_number(store)
    await view.refresh()
    assert list(view.snapshot.subscribers) == [ANNA]
    assert view.snapshot.version == store.directory_version()


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with another change"])
async def test_a_setting_that_was_written_is_taken_over(
    store: Store, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """Without reading everything, unless something else changed too."""
    with store.write() as conn:
        own = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        for number in (ANNA, BOHDAN):
            numbers.add(conn, number, own, "Хтось")
    view = DirectoryView(store)
    await view.refresh()
    before = view.snapshot
    loaded: list[Directory] = []
    load = view._load

    def watched() -> Directory:
        loaded.append(load())
        return loaded[-1]

    monkeypatch.setattr(view, "_load", watched)
    for _ in range(others):
        with store.write() as conn:
            numbers.set_dnd(conn, own, BOHDAN, True)
    with store.write() as conn:
        numbers.set_dnd(conn, own, ANNA, True)
    await view.refresh_number(own, ANNA)
    assert len(loaded) == others
    assert view.snapshot.version == store.directory_version()
    assert view.snapshot.subscribers[ANNA].dnd
    assert view.snapshot.subscribers[BOHDAN].dnd is bool(others)
    assert list(view.snapshot.subscribers) == [ANNA, BOHDAN]
    assert not before.subscribers[ANNA].dnd  # a snapshot is what it was
    with store.read() as conn:
        assert view.snapshot == directory.load(conn)
    await view.refresh_number(own, ANNA)
    assert len(loaded) == others


async def test_a_number_that_is_gone_when_its_setting_is_taken_over(store: Store) -> None:
    add_number(store)
    view = DirectoryView(store)
    await view.refresh()
    own = view.snapshot.subscribers[ANNA].enterprise_id
    with store.write() as conn:
        numbers.remove(conn, own, ANNA)
    await view.refresh_number(own, ANNA)
    assert view.snapshot.subscribers == {}


async def test_nothing_new_is_the_same_snapshot(store: Store) -> None:
    add_number(store)
    view = DirectoryView(store)
    await view.refresh()
    before = view.snapshot
    await view.refresh()
    assert view.snapshot is before


async def test_it_follows_what_others_change(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0.005)
    view = DirectoryView(store)
    await view.start()
    add_number(store)
    await until(lambda: ANNA in view.snapshot.subscribers)
    await view.stop()
    await view.stop()


async def test_a_store_that_does_not_answer_is_asked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "POLL_INTERVAL", 0.005)
    monkeypatch.setattr(module, "RETRY_INTERVAL", 0.005)
    view = DirectoryView(store)
    await view.start()
    with monkeypatch.context() as broken:
        broken.setattr(store, "directory_version", lambda: 1 // 0)
        await until(lambda: "could not be read" in caplog.text)
    add_number(store)
    await until(lambda: ANNA in view.snapshot.subscribers)
    await view.stop()
