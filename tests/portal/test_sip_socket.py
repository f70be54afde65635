"""The phone's socket at the portal's address: who is let in, as which number, and until when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, NegotiationError
from websockets.typing import Subprotocol

from kobza.net.endpoint import SipEndpoint
from kobza.pbx.browser_phones import BrowserPhones
from kobza.portal import sip_socket
from kobza.portal.access import COOKIE
from kobza.sip.flow import Flow, Transport
from kobza.sip.ua import RequestReceived, UaEvent, UserAgent
from kobza.store import sessions, users
from kobza.store.users import Role
from tests.api.world import BORYS, PASSWORD_HASH, World
from tests.net.conftest import options
from tests.portal.people import EMPLOYEE, add_people
from tests.portal.serving import served
from tests.portal.visitor import Visitor
from tests.support.waiting import PATIENCE, until

SIP = Subprotocol("sip")


class Exchange:
    """An endpoint that tells which requests came over which flows, behind the portal of a world."""

    def __init__(self, world: World, **options: Any) -> None:
        self.phones = BrowserPhones()
        self.flows: list[Flow] = []
        ua = UserAgent(new_token=iter(map(str, range(10**6))).__next__)
        self.endpoint = SipEndpoint(ua, now=lambda: world.at, on_events=self._take)
        self.phones.start(self.endpoint)
        self.app = world.build(browser_phones=self.phones, **options)

    def _take(self, events: list[UaEvent]) -> None:
        self.flows += [event.incoming.flow for event in events if isinstance(event, RequestReceived)]


@asynccontextmanager
async def portal(world: World) -> AsyncIterator[tuple[Exchange, str]]:
    """Serve a portal with phones; give them and its address."""
    add_people(world)
    exchange = Exchange(world)
    world.app = exchange.app
    async with served(world) as address:
        try:
            yield exchange, address
        finally:
            await exchange.endpoint.close()


async def cookie_of(world: World, login: str) -> str:
    """Sign somebody in; return the Cookie header."""
    async with world.client() as client:
        await Visitor(client).sign_in(login)
        return f"{COOKIE}={client.cookies[COOKIE]}"


def opening(
    address: str, cookie: str | None, *, origin: str | None = "here", protocols: tuple[Subprotocol, ...] = (SIP,)
) -> connect:
    headers = {} if cookie is None else {"Cookie": cookie}
    if origin is not None:
        headers["Origin"] = address if origin == "here" else origin
    url = address.replace("http:", "ws:") + "/sip"
    return connect(url, subprotocols=protocols or None, additional_headers=headers, compression=None)


async def closing_of(socket: ClientConnection) -> int | None:
    async with asyncio.timeout(PATIENCE):
        await socket.wait_closed()
    return socket.close_code


async def test_whoever_has_a_number_is_its_phone(world: World) -> None:
    async with portal(world) as (exchange, address):
        cookie = await cookie_of(world, EMPLOYEE)
        async with opening(address, cookie) as socket:
            assert socket.subprotocol == "sip"
            await socket.send(options(1).decode())
            await until(lambda: len(exchange.flows) == 1)
            flow = exchange.flows[0]
            assert (flow.transport, flow.remote) == (Transport.WS, socket.local_address)
            assert exchange.phones.owner_of(flow) == BORYS
        await until(lambda: exchange.phones.owner_of(flow) is None)
        assert exchange.endpoint.web_sockets == 0


@pytest.mark.parametrize(
    ("origin", "protocols"),
    [
        ("http://evil.example", (SIP,)),
        (None, (SIP,)),
        ("null", (SIP,)),
        ("http://127.0.0.1", (SIP,)),
        ("here", ()),
        ("here", (Subprotocol("msrp"),)),
    ],
)
async def test_pages_of_other_sites_and_what_is_no_page_are_refused(
    world: World, origin: str | None, protocols: tuple[Subprotocol, ...]
) -> None:
    """The browser would send the cookie along; the origin is what gives the page away."""
    async with portal(world) as (exchange, address):
        cookie = await cookie_of(world, EMPLOYEE)
        with pytest.raises((InvalidStatus, NegotiationError), match=r"40[03]"):
            async with opening(address, cookie, origin=origin, protocols=protocols):
                pass
        assert exchange.endpoint.web_sockets == 0


async def test_who_has_no_number_or_no_session_is_refused(world: World) -> None:
    async with portal(world) as (exchange, address):
        cookies = [None, f"{COOKIE}=made-up"]
        cookies += [await cookie_of(world, login) for login in ("olena", "root", "maria", "svitlana", "newcomer")]
        for cookie in cookies:
            with pytest.raises(InvalidStatus, match="403"):
                async with opening(address, cookie):
                    pass
        assert exchange.endpoint.web_sockets == 0


async def test_who_signed_in_by_a_provider_needs_no_password_of_their_own_first(world: World) -> None:
    """Whoever is added gets a password to change; the portal lets them in without, and so does the phone."""
    async with portal(world) as (exchange, address):
        with world.store.write() as conn:
            users.add(
                conn, "iryna", PASSWORD_HASH, Role.EMPLOYEE, world.own.enterprise_id, 0, number=BORYS, must_change=True
            )
            iryna = users.find(conn, "iryna")
            assert iryna is not None
            now_ms = int(world.at * 1000)
            begin = partial(
                sessions.begin, conn, iryna.user_id, now_ms=now_ms, ends_at=now_ms + 60_000, address="", client=""
            )
            begin(secret="by-provider", openid=True)
            begin(secret="by-password")
        async with opening(address, f"{COOKIE}=by-provider") as socket:
            await socket.send(options(1).decode())
            await until(lambda: len(exchange.flows) == 1)
            assert exchange.phones.owner_of(exchange.flows[0]) == BORYS
        with pytest.raises(InvalidStatus, match="403"):
            async with opening(address, f"{COOKIE}=by-password"):
                pass


@pytest.mark.parametrize("end", ["sign out", "number taken away"])
async def test_the_socket_goes_with_the_session_and_with_the_number(
    world: World, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sip_socket, "LOOK_EVERY", 0.02)
    async with portal(world) as (exchange, address):
        async with world.client() as client:
            visitor = Visitor(client)
            await visitor.sign_in(EMPLOYEE)
            async with opening(address, f"{COOKIE}={client.cookies[COOKIE]}") as socket:
                await socket.send(options(1).decode())
                await until(lambda: len(exchange.flows) == 1)
                if end == "sign out":
                    await visitor.submit("/account", "/signout")
                else:
                    with world.store.write() as conn:
                        users.number_removed(conn, BORYS)
                assert await closing_of(socket) == 1008
        assert exchange.phones.owner_of(exchange.flows[0]) is None


async def test_sockets_of_one_number_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.pbx.browser_phones.MAX_OF_NUMBER", 1)
    async with portal(world) as (exchange, address):
        cookie = await cookie_of(world, EMPLOYEE)
        async with opening(address, cookie):
            await until(lambda: exchange.endpoint.web_sockets == 1)
            async with opening(address, cookie) as second:
                assert await closing_of(second) == 1013


async def test_a_process_without_calls_says_so(world: World) -> None:
    add_people(world)
    async with served(world) as address:
        with pytest.raises(InvalidStatus, match="503"):
            async with opening(address, await cookie_of(world, EMPLOYEE)):
                pass
