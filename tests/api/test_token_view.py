"""Tokens in memory follow the store; last uses are written together."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kobza.api.problems import ApiError
from kobza.api.token_uses import TokenUses
from kobza.api.token_view import CHECK_EVERY, CHECK_UNKNOWN_EVERY, GOOD_FOR, RETRY_AFTER, TokenView
from kobza.store import Store, enterprises, tokens
from kobza.store.place import Place
from kobza.store.tokens import Token
from tests.support.stores import empty_store
from tests.support.waiting import PATIENCE


@dataclass
class Clock:
    at: float = 1000.0

    def now(self) -> float:
        return self.at


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = empty_store(place)
    yield opened
    opened.close()


@pytest.fixture
def enterprise_id(store: Store) -> str:
    with store.write() as conn:
        return enterprises.add(conn, "E", "admin", "hash", 0).enterprise_id


def added(store: Store, enterprise_id: str) -> tokens.NewToken:
    with store.write() as conn:
        return tokens.add(conn, enterprise_id, 0)


def stored(store: Store, enterprise_id: str, token_id: str) -> Token:
    with store.read() as conn:
        return tokens.get(conn, enterprise_id, token_id)


class Counted:
    """Counts the readings of a store, and breaks it on demand."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = 0
        self.broken = False
        read: Callable[[], Any] = store.read

        def counted() -> Any:
            self.reads += 1
            if self.broken:
                raise OSError("the disk is gone")
            return read()

        monkeypatch.setattr(store, "read", counted)


async def test_a_change_in_another_process_is_seen_after_a_moment(store: Store, enterprise_id: str) -> None:
    clock = Clock()
    view = TokenView(store, clock.now)
    assert await view.find("0" * 64) is None
    made = added(store, enterprise_id)
    assert await view.find(made.secret) is None
    clock.at += CHECK_UNKNOWN_EVERY
    assert await view.find(made.secret) == made.token, "a new one is looked for sooner"
    with store.write() as conn:
        tokens.revoke(conn, enterprise_id, made.token.token_id, 0)
    clock.at += CHECK_EVERY
    found = await view.find(made.secret)
    assert found is not None
    assert not found.valid_at(0)


async def test_a_change_in_this_process_is_seen_at_once(store: Store, enterprise_id: str) -> None:
    view = TokenView(store, Clock().now)
    await view.find("0" * 64)
    made = added(store, enterprise_id)
    view.changed()
    assert await view.find(made.secret) == made.token


async def test_requests_cost_no_reading_of_the_store(
    store: Store, enterprise_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, made = Clock(), added(store, enterprise_id)
    counted = Counted(store, monkeypatch)
    view = TokenView(store, clock.now)
    for _ in range(1000):
        assert await view.find(made.secret) is not None
        assert await view.find("0" * 64) is None
    assert counted.reads == 1
    clock.at += CHECK_EVERY
    await asyncio.gather(*(view.find(made.secret) for _ in range(100)))
    assert counted.reads == 2, "those that come together look once"


async def test_without_the_store_the_tokens_known_are_believed_for_a_while(
    store: Store, enterprise_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, made = Clock(), added(store, enterprise_id)
    counted = Counted(store, monkeypatch)
    view = TokenView(store, clock.now)
    await view.find(made.secret)
    counted.broken = True
    clock.at += GOOD_FOR
    assert await view.find(made.secret) == made.token
    clock.at += RETRY_AFTER
    with pytest.raises(ApiError) as caught:
        await view.find(made.secret)
    assert (caught.value.http_status, caught.value.headers) == (503, {"retry-after": "2"})
    counted.broken = False
    clock.at += RETRY_AFTER
    assert await view.find(made.secret) == made.token


async def test_a_store_that_never_answered_lets_nobody_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    Counted(store, monkeypatch).broken = True
    view = TokenView(store, Clock().now)
    for _ in range(2):
        with pytest.raises(ApiError, match="does not answer"):
            await view.find("0" * 64)


async def test_uses_are_written_by_themselves_and_together(
    store: Store, enterprise_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = added(store, enterprise_id).token, added(store, enterprise_id).token
    writes: list[int] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    note = tokens.note_uses

    def noting(conn: Any, uses: Any) -> None:
        written = list(uses)
        note(conn, written)
        writes.append(len(written))
        loop.call_soon_threadsafe(done.set)

    monkeypatch.setattr(tokens, "note_uses", noting)
    uses = TokenUses(store, written_after=0.01)
    for at in range(50):
        uses.note(first.token_id, at, "192.0.2.1", "a")
        uses.note(second.token_id, at, "192.0.2.2", "b")
    await asyncio.wait_for(done.wait(), PATIENCE)
    await uses.stop()
    assert writes == [2]
    assert stored(store, enterprise_id, first.token_id).last_used_at == 49
    assert stored(store, enterprise_id, second.token_id).last_used_address == "192.0.2.2"


async def test_uses_that_could_not_be_written_are_kept_and_newer_ones_win(
    store: Store, enterprise_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = added(store, enterprise_id).token, added(store, enterprise_id).token
    uses = TokenUses(store)
    uses.note(first.token_id, 1, "192.0.2.1", "a")
    uses.note(second.token_id, 1, "192.0.2.1", "a")

    def failing(_conn: Any, _uses: Any) -> None:
        uses.note(first.token_id, 2, "192.0.2.2", "b")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(uses, "_write", lambda written: failing(None, written))
        patch.setattr(asyncio, "to_thread", _at_once)
        with pytest.raises(OSError, match="disk is full"):
            await uses.flush()
        await uses._write_now()
    assert "could not be written, to be tried again: the disk is full" in caplog.text
    await uses.stop()
    assert stored(store, enterprise_id, first.token_id).last_used_at == 2
    assert stored(store, enterprise_id, second.token_id).last_used_at == 1


async def _at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    return work(*arguments)


async def test_a_stop_says_what_is_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uses = TokenUses(store)
    uses.note("x", 1, "192.0.2.1", "a")

    def failing(_uses: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(uses, "_write", failing)
    await uses.stop()
    assert "the last uses of 1 tokens could not be written and are lost" in caplog.text


async def test_without_uses_nothing_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "write", None)
    await TokenUses(store).stop()
