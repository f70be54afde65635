"""Long requests over real sockets: to peers of UDP that take TCP, that take none, and that say nothing."""

import asyncio
import secrets
import socket
import time
from collections.abc import Iterator

import pytest

from kobza.net import large_requests
from kobza.net.endpoint import SipEndpoint
from kobza.sip.flow import Transport
from kobza.sip.headers import NameAddr
from kobza.sip.ua import UserAgent
from kobza.sip.uri import SipUri
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

LIMIT = 1300
WHO = NameAddr("", SipUri("sip", user="a", host="127.0.0.1"))


class Caller:
    """An endpoint that sends requests of any size to a peer on UDP."""

    def __init__(self, peer: int) -> None:
        self.now = time.monotonic
        self.ua = UserAgent(new_token=lambda: secrets.token_hex(8))
        self.endpoint = SipEndpoint(self.ua, now=lambda: self.now(), on_events=lambda _: None, datagram_limit=LIMIT)
        self.peer = ("127.0.0.1", peer)

    def send(self, size: int) -> None:
        flow = self.endpoint.flow_to(self.peer, Transport.UDP)
        body = b"x" * size
        self.ua.request("MESSAGE", "sip:b@127.0.0.1", from_=WHO, to=WHO, flow=flow, body=body, now=self.now())
        self.endpoint.pump()


@pytest.fixture
def datagrams() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", free_port()))
        sock.setblocking(False)
        yield sock


async def came(sock: socket.socket) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await asyncio.get_running_loop().sock_recv(sock, 65535)


async def test_over_tcp_where_the_peer_takes_it(datagrams: socket.socket) -> None:
    port = datagrams.getsockname()[1]
    came_by_tcp: asyncio.Queue[bytes] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(65535):
            await came_by_tcp.put(request)
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", port):
        caller = Caller(port)
        await caller.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
        caller.send(2000)
        assert b"SIP/2.0/UDP" in await came(datagrams)  # we could not be reached over TCP
        local = await caller.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
        caller.send(500)
        while b"Content-Length: 500" not in await came(datagrams):
            pass
        caller.send(2000)
        request = await asyncio.wait_for(came_by_tcp.get(), PATIENCE)
        assert f"Via: SIP/2.0/TCP 127.0.0.1:{local[1]};".encode() in request
        caller.send(2001)
        assert b"Content-Length: 2001" in await asyncio.wait_for(came_by_tcp.get(), PATIENCE)
        assert caller.endpoint.connections == 1
        await caller.endpoint.close()


@pytest.mark.parametrize("deaf", [False, True])
async def test_by_udp_where_it_takes_none(
    datagrams: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, deaf: bool
) -> None:
    """Refused, or dropped by a firewall: UDP it is, at once for the next hour, and then TCP is tried anew."""
    caplog.set_level("INFO")
    monkeypatch.setattr(large_requests, "CONNECT_WITHIN", 0.05)
    caller = Caller(datagrams.getsockname()[1])
    await caller.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    await caller.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    if deaf:

        async def never(*_: object, **__: object) -> None:
            await asyncio.sleep(PATIENCE)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(type(loop), "create_connection", never)
    tries = "takes no TCP"
    caller.send(2000)
    assert b"SIP/2.0/UDP" in await came(datagrams)
    assert caplog.text.count(tries) == 1
    caller.send(2001)
    while b"Content-Length: 2001" not in await came(datagrams):
        pass
    assert (caplog.text.count(tries), caller.endpoint.connections) == (1, 0)
    elsewhere = ("127.0.0.1", free_port())
    body = b"x" * 2000
    flow = caller.endpoint.flow_to(elsewhere, Transport.TCP)  # of TCP from the start: it cannot be reached, that is all
    caller.ua.request("MESSAGE", "sip:b@127.0.0.1", from_=WHO, to=WHO, flow=flow, body=body, now=caller.now())
    caller.endpoint.pump()
    await until(lambda: not caller.endpoint.connections)
    assert caplog.text.count(tries) == 1
    later = time.monotonic() + large_requests.WITHOUT_FOR
    caller.now = lambda: later
    caller.send(2002)
    await until(lambda: caplog.text.count(tries) == 2)
    await caller.endpoint.close()
