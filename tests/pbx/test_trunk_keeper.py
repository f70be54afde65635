"""Trunks that are looked after, over real sockets: registration, questions, changes, and what is written down."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kobza.net import resolver
from kobza.net.clock import SteadyClock
from kobza.net.endpoint import SipEndpoint
from kobza.pbx import trunk_hops, trunk_keeper
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.kept_trunk import KeptTrunk
from kobza.pbx.trunk_keeper import TrunkKeeper
from kobza.sip import ua as sip
from kobza.sip.flow import Transport
from kobza.sip.headers import NameAddr
from kobza.sip.ua import UserAgent
from kobza.store import Store, StoreAway, trunks
from tests.support.carrier import Carrier
from tests.support.name_server import NameServer
from tests.support.ports import free_port, free_ports
from tests.support.waiting import PATIENCE

ACCOUNT: dict[str, Any] = {"username": "office", "password": "open sesame", "expires": 60}


class Desk:
    """A keeper with its sockets, without any calls."""

    def __init__(self, store: Store, names: NameServer) -> None:
        self.store = store
        self.names = names
        self.view = DirectoryView(store, locate=names.locator(try_within=0.2, answer_within=0.5).locate)
        ids = itertools.count(1)
        now = SteadyClock().now
        ua = self.ua = UserAgent(new_token=lambda: f"t{next(ids):08d}")
        self.now = now
        self.refused: list[int] = []
        """The statuses of calls that were refused."""
        self.keeper = TrunkKeeper(ua=ua, view=self.view, store=store, now=now, new_id=lambda: f"id{next(ids)}")
        self.endpoint = SipEndpoint(ua, now=now, on_events=self.take)

    def take(self, events: list[sip.UaEvent]) -> None:
        for event in events:
            match event:
                case sip.ResponseReceived(request, response):
                    self.keeper.answered(request, response)
                case sip.RequestFailed(request, status):
                    self.keeper.failed(request, status)
                case sip.InviteRejected(dialog, status, response) if response is not None:
                    self.keeper.refused(dialog, response)
                    self.refused.append(status)
                case _:
                    pass

    async def add(self, name: str, port: int | None = 5060, host: str = "127.0.0.1", **settings: Any) -> KeptTrunk:
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
async def desk(store: Store, names: NameServer) -> AsyncIterator[Desk]:
    made = Desk(store, names)
    await made.endpoint.listen(Transport.UDP, "127.0.0.1", free_port())
    await made.view.refresh()
    made.keeper.start(made.endpoint)
    yield made
    await made.keeper.stop()
    await made.view.stop()
    await made.endpoint.close()


def two_servers(names: NameServer) -> tuple[int, int]:
    """Have the carrier's name lead to two ports, the first one preferred."""
    first, second = free_ports(2)
    names.say("_sip._udp.carrier.example", "SRV", f"1 0 {first} host.example.", f"2 0 {second} host.example.", ttl=3600)
    names.say("host.example", "A", "127.0.0.1", ttl=3600)
    return first, second


async def test_it_registers_at_the_server_that_answers_and_moves_when_that_falls_silent(desk: Desk) -> None:
    first, second = two_servers(desk.names)
    async with Carrier(port=second) as carrier:
        carrier.accounts = {"office": "open sesame"}
        carrier.service_route = "<sip:edge.example;lr>, <sip:core.example;lr>"
        kept = await desk.add("line", None, "carrier.example", options_every=1, **ACCOUNT)
        nobody = "127.0.0.1:{}: it cannot be reached"
        await desk.until_written("line", "up", "registered", nobody.format(first))
        assert [hop.address[1] for hop in desk.view.hops.for_call(kept.trunk)] == [second, first]
        here, there = desk.view.hops.for_call(kept.trunk)
        assert desk.view.hops.routes(kept.trunk, here) == ("<sip:edge.example;lr>", "<sip:core.example;lr>")
        assert desk.view.hops.routes(kept.trunk, there) == ()
        assert desk.keeper.is_usable(kept.trunk)
    async with Carrier(port=first) as carrier:
        carrier.service_route = "<<"
        await carrier.until(lambda: carrier.registers)
        await until(lambda: desk.view.hops.for_call(kept.trunk)[0].address[1] == first)
        assert desk.view.hops.routes(kept.trunk, desk.view.hops.for_call(kept.trunk)[0]) == ()
        await desk.until_written("line", "up", "registered", nobody.format(second))


async def test_every_server_is_asked_and_the_trunk_is_down_when_all_are(desk: Desk) -> None:
    first, second = two_servers(desk.names)
    async with Carrier(port=first) as preferred, Carrier(port=second) as other:
        kept = await desk.add("line", None, "carrier.example", options_every=1)
        await desk.until_written("line", "up")
        await other.until(lambda: other.options)
        preferred.options_status = 503
        hops = desk.view.hops.all(kept.trunk)
        desk.keeper.suspect("line", hops[0], out_of_service=False)
        desk.keeper.suspect("nobody", hops[0], out_of_service=False)
        refuses = "127.0.0.1:{}: it answers OPTIONS with 503 Service Unavailable"
        await desk.until_written("line", "up", None, refuses.format(first))
        assert [hop.address[1] for hop in desk.view.hops.for_call(kept.trunk)] == [second, first]
        other.options_status = 503
        await desk.until_written("line", "down", None, f"{refuses.format(first)}; {refuses.format(second)}")
        preferred.options_status = other.options_status = 200
        await desk.until_written("line", "up")
        desk.keeper.suspect("line", hops[0], out_of_service=True)  # a call had no luck: others go elsewhere for a while
        assert [hop.address[1] for hop in desk.view.hops.for_call(kept.trunk)] == [second, first]


class Refused:
    """Calls of ours to a carrier over the keeper's sockets, each until it is refused."""

    def __init__(self, desk: Desk, carrier: Carrier) -> None:
        self.desk = desk
        self.carrier = carrier

    async def call(self, status: int, *headers: tuple[str, str]) -> None:
        self.carrier.invite_status, self.carrier.refusal_headers = status, headers
        flow = self.desk.endpoint.flow_to(("127.0.0.1", self.carrier.port), Transport.UDP)
        before = len(self.desk.refused)
        who = NameAddr.parse("<sip:0671110001@127.0.0.1>")
        self.desk.ua.invite("sip:1@127.0.0.1", from_=who, to=who, flow=flow, body=b"v=0", now=self.desk.now())
        self.desk.endpoint.pump()
        await until(lambda: len(self.desk.refused) > before)


async def test_a_server_that_wants_no_calls_for_a_while_gets_none_until_then(desk: Desk) -> None:
    """And what says no such thing changes nothing."""
    first, second = two_servers(desk.names)
    asks_rest = ("127.0.0.1:{}: it wants no calls for {} s (503 with Retry-After)").format
    async with Carrier(port=first) as preferred, Carrier(port=second) as other:
        kept = await desk.add("line", None, "carrier.example", options_every=0)
        await until(lambda: len(desk.view.hops.for_call(kept.trunk)) == 2)
        calls = Refused(desk, preferred)
        for status, headers in (
            (503, ()),
            (503, (("Retry-After", "0"),)),
            (503, (("Retry-After", "soon"),)),
            (480, (("Retry-After", "60"),)),
        ):
            await calls.call(status, *headers)
            assert [hop.address[1] for hop in desk.view.hops.for_call(kept.trunk)] == [first, second]
        await calls.call(503, ("Retry-After", "86400;duration=5 (overload)"))
        assert [hop.address[1] for hop in desk.view.hops.for_call(kept.trunk)] == [second, first]
        await desk.until_written("line", "unknown", None, asks_rest(first, 300))  # no longer than that
        await Refused(desk, other).call(503, ("Retry-After", "1"))
        assert desk.view.hops.rests(kept.trunk)
        await desk.until_written("line", "resting", None, f"{asks_rest(first, 300)}; {asks_rest(second, 1)}")
        await desk.until_written("line", "unknown", None, asks_rest(first, 300))  # it was for a second
        await until(lambda: not desk.view.hops.rests(kept.trunk))


async def test_a_registrar_that_is_overloaded_wants_no_calls_either(desk: Desk) -> None:
    async with Carrier() as carrier:
        carrier.register_status, carrier.refusal_headers = 503, (("Retry-After", "120"),)
        kept = await desk.add("line", carrier.port, options_every=0, **ACCOUNT)
        rest = "it wants no calls for 120 s (503 with Retry-After)"
        await desk.until_written("line", "resting", "failed", f"{rest}; 503 Service Unavailable")
        assert desk.view.hops.rests(kept.trunk)


async def test_it_registers_as_soon_as_its_name_leads_somewhere(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trunk_hops, "RETRY", 0.1)
    monkeypatch.setattr(resolver, "LEAST_LIFE", 0.1)
    desk.names.denial_ttl = 0
    kept = await desk.add("line", None, "carrier.example", options_every=0, **ACCOUNT)
    nothing = "carrier.example has no NAPTR, SRV, A or AAAA record"
    await desk.until_written("line", "down", "trying", nothing)
    assert not desk.keeper.is_usable(kept.trunk)
    async with Carrier() as carrier:
        desk.names.say("_sip._udp.carrier.example", "SRV", f"1 0 {carrier.port} host.example.", ttl=0)
        desk.names.say("host.example", "A", "127.0.0.1", ttl=0)
        await desk.until_written("line", "unknown", "registered")
        desk.names.forget("host.example", "A")  # its servers are gone: nobody is called at an address of the past
        await desk.until_written(
            "line", "down", "registered", "carrier.example: its SRV records name no server that has an address"
        )
        assert desk.view.hops.for_call(kept.trunk) == ()


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
    lost = await desk.add("lost", host="lost.example", **ACCOUNT)
    await desk.until_written("lost", "down", "trying", "lost.example has no A or AAAA record")
    assert not desk.keeper.is_usable(lost.trunk)
    await desk.add("closed", free_port(), **ACCOUNT)
    await desk.until_written("closed", "down", "failed", "it cannot be reached; it cannot be reached")
    await until(lambda: "trunk closed: down, failed (it cannot be reached" in caplog.text)  # once it is written
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


def test_a_trunk_that_nobody_keeps_yet_may_be_tried(store: Store, names: NameServer) -> None:
    desk = Desk(store, names)
    with store.write() as conn:
        trunks.add(conn, "line", "192.0.2.1", 5060)
        (trunk,) = trunks.list_all(conn)
    assert desk.keeper.is_usable(trunk)
