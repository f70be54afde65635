"""SIP over WebSocket at a port of its own: whole messages, both ways, and what ends a connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, NegotiationError
from websockets.typing import Subprotocol

from kobza.net import websocket, websocket_server
from kobza.net.endpoint import SipEndpoint
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.ua import UserAgent
from tests.net.conftest import Driven, options
from tests.support.waiting import PATIENCE, until

SIP = Subprotocol("sip")


@asynccontextmanager
async def opened(address: Address, **options: object) -> AsyncIterator[ClientConnection]:
    """Open a socket as a browser's library does."""
    url = f"ws://{address[0]}:{address[1]}"
    async with connect(url, subprotocols=[SIP], compression=None, **options) as socket:  # type: ignore[arg-type]  # the options of a test
        yield socket


async def closing_of(socket: ClientConnection) -> int | None:
    """Wait for the end; return the code that it was closed with."""
    async with asyncio.timeout(PATIENCE):
        await socket.wait_closed()
    return socket.close_code


async def test_messages_go_both_ways_over_the_flow_they_came_on(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local) as socket:
        assert socket.subprotocol == "sip"
        await socket.send(options(1).decode())
        await socket.send([options(2).decode()[:100], options(2).decode()[100:]])
        await socket.send(options(3))
        await until(lambda: len(driven.agent.received) == 3)
        assert [data for data, _ in driven.agent.received] == [options(1), options(2), options(3)]
        flow = driven.agent.received[0][1]
        assert flow == Flow(Transport.WS, local, cast(Address, socket.local_address), flow.connection)
        driven.agent.send(flow, "SIP/2.0 200 Гаразд\r\n\r\n".encode())
        driven.agent.send(flow, b"not text: \xff")
        driven.endpoint.pump()
        async with asyncio.timeout(PATIENCE):
            assert await socket.recv() == "SIP/2.0 200 Гаразд\r\n\r\n"
            assert await socket.recv() == b"not text: \xff"
        assert (driven.endpoint.web_sockets, driven.endpoint.sockets) == (1, 1)
    await until(lambda: driven.agent.failed == [flow])
    assert driven.endpoint.web_sockets == 0
    driven.agent.send(flow, b"too late")
    driven.endpoint.pump()
    assert driven.agent.failed == [flow, flow], "nothing can be opened toward a browser"


async def test_keep_alives_are_answered_and_told_to_nobody(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local) as socket:
        for ping in ("\r\n", "\r\n\r\n", ""):
            await socket.send(ping)
        async with asyncio.timeout(PATIENCE):
            assert await socket.recv() == "\r\n"
        await socket.send(options(1))
        await until(lambda: len(driven.agent.received) == 1)


@pytest.mark.parametrize("asked", [None, [Subprotocol("msrp")]])
async def test_who_does_not_speak_sip_is_turned_away(driven: Driven, asked: list[Subprotocol] | None) -> None:
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    with pytest.raises((InvalidStatus, NegotiationError), match="400"):
        async with connect(f"ws://{local[0]}:{local[1]}", subprotocols=asked):
            pass
    assert driven.endpoint.web_sockets == 0


async def test_a_message_that_is_too_long_ends_the_socket(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local) as socket:
        await socket.send("x" * 65_536)
        assert await closing_of(socket) == 1009
    assert not driven.agent.received


async def test_silence_and_idleness_are_closed(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SILENT_CLOSE", 0.05)
    monkeypatch.setattr(websocket, "IDLE_CLOSE", 0.1)
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local) as silent:
        assert await closing_of(silent) == 1001
    monkeypatch.setattr(websocket, "SILENT_CLOSE", PATIENCE)
    async with opened(local) as speaking:
        await speaking.send(options(1))
        assert await closing_of(speaking) == 1001
    assert len(driven.agent.received) == 1


async def test_a_handshake_that_never_ends_is_cut_off(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_server, "INCOMPLETE_CLOSE", 0.1)
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*local)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
    async with asyncio.timeout(PATIENCE):
        await reader.read()
    writer.close()


async def test_connections_over_the_limits_are_turned_away(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_CONNECTIONS_PER_HOST", 1)
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local):
        await until(lambda: driven.endpoint.web_sockets == 1)
        async with opened(local) as second:
            assert await closing_of(second) == 1013
        monkeypatch.setattr(websocket_server, "MAX_CONNECTIONS", 1)
        with pytest.raises((OSError, InvalidHandshake)):
            async with opened(local):
                pass
    await until(lambda: driven.endpoint.web_sockets == 0)
    async with opened(local) as later:
        await later.send(options(1))
        await until(lambda: len(driven.agent.received) == 1)


async def test_a_peer_that_does_not_read_loses_its_socket(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_UNSENT", 64 * 1024)
    monkeypatch.setattr(websocket_server, "CLOSE_WITHIN", 0.1)
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local, max_queue=1, close_timeout=0.1) as socket:
        await socket.send(options(1))
        await until(lambda: bool(driven.agent.received))
        flow = driven.agent.received[0][1]
        for _ in range(10_000):
            driven.agent.send(flow, b"x" * 16 * 1024)
            driven.endpoint.pump()
            await asyncio.sleep(0)
            if driven.agent.failed:
                break
        await until(lambda: flow in driven.agent.failed)


async def test_closing_the_endpoint_closes_the_sockets(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.WS, "127.0.0.1", 0)
    async with opened(local) as socket:
        await until(lambda: driven.endpoint.web_sockets == 1)
        await driven.endpoint.close()
        assert await closing_of(socket) == 1001


@example("OPTIONS sip:a SIP/2.0\r\n\r\n")
@example("INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/WS x.invalid\r\nContent-Length: 99999999999\r\n\r\n")
@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_in_a_message_breaks_nothing(message: str | bytes) -> None:
    """Rubbish is counted or answered by a real user agent, and what comes behind it is served."""

    async def speak() -> None:
        events: list[object] = []
        ua = UserAgent(new_token=iter(map(str, range(10**6))).__next__)
        endpoint = SipEndpoint(ua, now=asyncio.get_running_loop().time, on_events=events.extend)
        local = await endpoint.listen(Transport.WS, "127.0.0.1", 0)
        async with opened(local) as socket:
            await socket.send(message)
            await socket.send(options(7).decode().replace("TCP", "WS"))
            await until(lambda: any("RequestReceived" in type(event).__name__ for event in events))
        await endpoint.close()
        assert endpoint.counters.exceptions == 0

    asyncio.run(speak())
