"""Trunks that are looked after, over real sockets: registration, questions, changes, and what is written down."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kobza.net.clock import SteadyClock
from kobza.net.endpoint import SipEndpoint
from kobza.pbx import trunk_keeper
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.kept_trunk import KeptTrunk
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.sip import ua as sip
from kobza.sip.flow import Address, Transport
from kobza.sip.ua import UserAgent
from kobza.store import Store, StoreAway, trunks
from tests.support.carrier import Carrier
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

ACCOUNT: dict[str, Any] = {"username": "office", "password": "open sesame", "expires": 60}


class Desk:
    """A keeper with its sockets, without any calls."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.names: dict[str, list[Address]] = {}
        self.view = DirectoryView(store, resolve_host=self.resolve)
        ids = itertools.count(1)
        now = SteadyClock().now
        ua = UserAgent(new_token=lambda: f"t{next(ids):08d}")
        self.keeper = TrunkKeeper(ua=ua, view=self.view, store=store, now=now, new_id=lambda: f"id{next(ids)}")
        self.endpoint = SipEndpoint(ua, now=now, on_events=self.take)

    async def resolve(self, host: str, port: int) -> list[Address]:
        if host[0].isdigit():
            return [(host, port)]
        if host not in self.names:
            raise OSError(f"no such host: {host}")
        return self.names[host]

    def take(self, events: list[sip.UaEvent]) -> None:
        for event in events:
            match event:
                case sip.ResponseReceived(request, response):
                    self.keeper.answered(request, response)
                case sip.RequestFailed(request, status):
                    self.keeper.failed(request, status)
                case _:
                    pass

    async def add(self, name: str, port: int = 5060, host: str = "127.0.0.1", **settings: Any) -> KeptTrunk:
        with self.store.write() as conn:
            trunks.add(conn, name, host, port, **settings)
        await self.view.refresh()
        return self.kept(name)

    async def change(self, name: str, **settings: Any) -> KeptTrunk:
        with self.store.write() as conn:
            trunks.change(conn, name, settings)
        await self.view.refresh()
        return self.kept(name)

    async def remove(self, name: str) -> None:
        with self.store.write() as conn:
            trunks.remove(conn, name)
        await self.view.refresh()

    def kept(self, name: str) -> KeptTrunk:
        return next(kept for kept in self.keeper if kept.trunk.name == name)

    def written(self, name: str) -> tuple[str, str | None, str]:
        with self.store.read() as conn:
            ids = {trunk.name: trunk.trunk_id for trunk in trunks.list_all(conn)}
            found = trunks.states(conn).get(ids[name])
        return ("", None, "") if found is None else (found.state, found.registration, found.detail)

    async def until_written(self, name: str, state: str, registration: str | None = None, detail: str = "") -> None:
        await until(lambda: self.written(name) == (state, registration, detail))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - it is another thread's doing
            await asyncio.sleep(0.02)


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store)
    await made.endpoint.listen(Transport.UDP, "127.0.0.1", free_port())
    await made.view.refresh()
    made.keeper.start(made.endpoint)
    yield made
    await made.keeper.stop()
    await made.endpoint.close()


async def test_it_registers_at_the_address_that_answers_and_moves_when_that_falls_silent(desk: Desk) -> None:
    first, second = free_port(), free_port()
    desk.names["carrier"] = [("127.0.0.1", first), ("127.0.0.1", second)]
    async with Carrier(port=second) as carrier:
        carrier.accounts = {"office": "open sesame"}
        kept = await desk.add("line", host="carrier", options_every=1, **ACCOUNT)
        await desk.until_written("line", "up", "registered")
        assert desk.view.address_of(kept.trunk) == ("127.0.0.1", second)
        assert desk.keeper.is_usable(kept.trunk)
    async with Carrier(port=first) as carrier:
        await carrier.until(lambda: carrier.registers)
        await until(lambda: desk.view.address_of(kept.trunk) == ("127.0.0.1", first))
        await desk.until_written("line", "up", "registered")


async def test_a_trunk_without_account_goes_to_its_next_address_too(desk: Desk) -> None:
    first, second = free_port(), free_port()
    desk.names["carrier"] = [("127.0.0.1", first), ("127.0.0.1", second)]
    async with Carrier(port=second) as carrier:
        kept = await desk.add("line", host="carrier", options_every=1)
        await desk.until_written("line", "up")
        assert desk.view.address_of(kept.trunk) == ("127.0.0.1", second)
        assert carrier.options
        carrier.options_status = 503
        desk.keeper.suspect("line")
        desk.keeper.suspect("nobody")
        await until(lambda: desk.written("line")[0] == "down")


async def test_changes_begin_anew_only_what_they_must(desk: Desk) -> None:
    async with Carrier() as carrier:
        kept = await desk.add("line", carrier.port, options_every=0, **ACCOUNT)
        await desk.until_written("line", "unknown", "registered")
        assert await desk.change("line", capacity=5) is kept
        assert kept.trunk.capacity == 5
        await desk.change("line", expires=120)  # the same contact: it is not taken away
        await carrier.until(lambda: [each.expires for each in carrier.registers] == [60, 120])
        await desk.change("line", username="other")
        await carrier.until(lambda: len(carrier.registers) == 4)
        told = {(str(each.to.uri.user), each.expires) for each in carrier.registers[2:]}
        assert told == {("office", 0), ("other", 120)}
        await desk.change("line", expires=None)
        await carrier.until(lambda: len(carrier.registers) == 5)
        assert (carrier.registers[-1].to.uri.user, carrier.registers[-1].expires) == ("other", 0)
        await desk.until_written("line", "unknown")
        await desk.change("line", expires=60)
        await carrier.until(lambda: len(carrier.registers) == 6)
        await until(lambda: desk.kept("line").is_registered(SteadyClock().now()))
        await desk.remove("line")
        await carrier.until(lambda: len(carrier.registers) == 7)
        assert carrier.registers[-1].expires == 0
        assert list(desk.keeper) == []


async def test_at_the_end_contacts_are_taken_away_where_registrars_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(trunk_keeper, "LEAVE_SECONDS", 0.3)
    async with Carrier() as carrier:
        await desk.add("line", carrier.port, **ACCOUNT)
        await desk.until_written("line", "up", "registered")
        await desk.keeper.stop()
        assert carrier.registers[-1].expires == 0
        assert "some registrars" not in caplog.text
        desk.keeper.start(desk.endpoint)
        await desk.until_written("line", "up", "registered")
        await carrier.until(lambda: carrier.registers[-1].expires == 60)
        await until(lambda: desk.kept("line").is_registered(SteadyClock().now()))
        carrier.deaf = True
        await desk.keeper.stop()
        assert "some registrars" in caplog.text
        await desk.keeper.stop()


async def test_what_cannot_be_reached_says_why(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    kept = await desk.add("lost", host="lost", **ACCOUNT)
    await desk.until_written("lost", "down", "failed", "it cannot be reached; it cannot be reached")
    assert not desk.keeper.is_usable(kept.trunk)
    await until(lambda: "trunk lost: down, failed (it cannot be reached" in caplog.text)  # once it is written
    refused = await desk.add("refused", free_port())  # nobody listens: the system says so
    await desk.until_written("refused", "down", None, "it cannot be reached")
    assert refused.registers is False


async def test_what_the_store_does_not_take_is_written_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trunk_keeper, "RETRY_INTERVAL", 0.05)
    faults = iter([StoreAway("away"), RuntimeError("a fault of ours")])
    set_states = trunks.set_states

    def failing(*arguments: Any) -> None:
        for fault in faults:
            raise fault
        set_states(*arguments)

    monkeypatch.setattr(trunks, "set_states", failing)
    async with Carrier() as carrier:
        await desk.add("line", carrier.port)
        await desk.until_written("line", "up")
    assert "how trunks do cannot be written down: away" in caplog.text
    assert "the trunks could not be looked after" in caplog.text


def test_a_trunk_that_nobody_keeps_yet_may_be_tried(store: Store) -> None:
    desk = Desk(store)
    with store.write() as conn:
        trunks.add(conn, "line", "192.0.2.1", 5060)
        (trunk,) = trunks.list_all(conn)
    assert desk.keeper.is_usable(trunk)
