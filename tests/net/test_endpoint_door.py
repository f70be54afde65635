"""A door in front of the endpoint: what it drops is neither read nor answered, on every transport."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import cast

import pytest

from kobza.defence.bans import Ban, BanList
from kobza.defence.door import Door, Rules
from kobza.defence.pace import Pace
from kobza.net.endpoint import SipEndpoint
from kobza.net.websocket import POLICY_VIOLATION
from kobza.sip.flow import Transport
from kobza.sip.ua import UserAgent
from tests.net.agent import ScriptedAgent
from tests.net.conftest import options
from tests.net.test_endpoint_tcp import connected
from tests.support.waiting import until

HERE = "127.0.0.1"
PACE = 5
ANSWER = b"SIP/2.0 200 OK\r\n\r\n"


class Guarded:
    """An endpoint behind a door that lets in five messages of a source."""

    def __init__(self) -> None:
        self.agent = ScriptedAgent()
        free = Pace.of(0, 0)
        rules = Rules(phone=free, source=Pace.of(PACE, 1000), strangers=free, guesses=free, known_for=1000.0)
        self.bans = BanList(600)
        self.door = Door(rules, self.bans, is_ours=lambda *_: False)
        self.endpoint = SipEndpoint(
            cast(UserAgent, self.agent), now=time.time, on_events=lambda _: None, door=self.door
        )

    def ban(self) -> None:
        self.bans.load([Ban(HERE, "by hand", "olena", time.time(), None)])


@pytest.fixture
async def guarded() -> AsyncIterator[Guarded]:
    made = Guarded()
    yield made
    await made.endpoint.close()


async def test_udp_is_dropped_beyond_the_pace_and_never_answered_at_length(guarded: Guarded) -> None:
    local = await guarded.endpoint.listen(Transport.UDP, HERE, 0)
    guarded.agent.on_receive = lambda data, flow: guarded.agent.send(flow, ANSWER + data)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((HERE, 0))
        peer.settimeout(0.0)
        for _ in range(3 * PACE):
            peer.sendto(options(1), local)
        await until(lambda: guarded.door.dropped["flood"] == 2 * PACE)
        assert len(guarded.agent.received) == PACE
        # five came and four went: the fifth answer would be more than was asked with
        assert guarded.door.dropped["amplifying"] == 1
        assert guarded.endpoint.counters.sent == PACE - 1
        guarded.door.proved(peer.getsockname(), time.time())
        peer.sendto(options(2), local)
        await until(lambda: len(guarded.agent.received) == PACE + 1)
        await until(lambda: guarded.endpoint.counters.sent == PACE)


async def test_a_connection_that_sends_too_fast_is_closed(guarded: Guarded) -> None:
    address = await guarded.endpoint.listen(Transport.TCP, HERE, 0)
    async with connected(address) as peer:
        await peer.write(b"".join(options(number) for number in range(2 * PACE)))
        assert await peer.closed()
    assert len(guarded.agent.messages) == PACE


async def test_who_is_banned_is_not_even_connected(guarded: Guarded) -> None:
    guarded.ban()
    address = await guarded.endpoint.listen(Transport.TCP, HERE, 0)
    async with connected(address) as peer:
        assert await peer.closed()
    assert guarded.endpoint.connections == 0
    guarded.door.trust([ip_network(HERE)])
    async with connected(address) as peer:
        await peer.write(options(1))
        await until(lambda: bool(guarded.agent.messages))


class Socket:
    """A WebSocket that brings the same message again and again."""

    def __init__(self) -> None:
        self.closed_with = 0

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        return options(1)

    async def send(self, message: str | bytes) -> None:
        """Take it."""

    async def close(self, code: int, _reason: str) -> None:
        self.closed_with = code


async def test_the_portal_vouches_for_its_sockets_and_nobody_for_others(guarded: Guarded) -> None:
    local, remote = (HERE, 1), (HERE, 2)
    guarded.ban()
    stranger = Socket()
    await guarded.endpoint._carry_accepted(stranger, local, remote, secure=False)
    assert stranger.closed_with == POLICY_VIOLATION
    assert guarded.agent.received == []
    of_the_portal = asyncio.create_task(guarded.endpoint.carry(Socket(), local=local, remote=remote, secure=True))
    await until(lambda: len(guarded.agent.received) > 2 * PACE)
    of_the_portal.cancel()
    await asyncio.gather(of_the_portal, return_exceptions=True)
