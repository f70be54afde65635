import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kobza.net import tcp
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.ua import MalformedReceived
from tests.net.conftest import Driven, options
from tests.support.ports import has_ipv6
from tests.support.waiting import PATIENCE, until


class Peer:
    """The other end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.address: Address = writer.get_extra_info("sockname")[:2]

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readexactly(count)

    async def closed(self) -> bool:
        """Wait for the end of the stream; True when it ended without further bytes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def accepting() -> "AsyncIterator[tuple[Address, asyncio.Queue[Peer]]]":
    """A server of ours for connections that the endpoint opens."""
    peers: asyncio.Queue[Peer] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await peers.put(Peer(reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname(), peers
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


async def next_peer(peers: "asyncio.Queue[Peer]") -> Peer:
    async with asyncio.timeout(PATIENCE):
        return await peers.get()


def call_ids(driven: Driven) -> list[str]:
    return [message.call_id for message, _ in driven.agent.messages]


async def test_a_message_in_pieces_and_two_in_one_piece(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        whole = options(1)
        for start in range(0, len(whole), 40):
            await peer.write(whole[start : start + 40])
            await asyncio.sleep(0.001)
        await until(lambda: call_ids(driven) == ["1@test"])
        await peer.write(options(2) + options(3) + options(4)[:50])
        await until(lambda: call_ids(driven) == ["1@test", "2@test", "3@test"])
        await peer.write(options(4)[50:])
        await until(lambda: call_ids(driven)[-1] == "4@test")
        flow = driven.agent.messages[0][1]
        assert (flow.transport, flow.local, flow.remote) == (Transport.TCP, local, peer.address)
        assert flow.connection > 0
        assert {flow for _, flow in driven.agent.messages} == {flow}


async def test_answers_take_the_connection_they_are_asked_on(driven: Driven) -> None:
    driven.agent.on_message = lambda message, flow: driven.agent.send(flow, message.call_id.encode())
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as one, connected(local) as other:
        await other.write(options(2))
        await one.write(options(1))
        assert await one.read(6) == b"1@test"
        assert await other.read(6) == b"2@test"


async def test_a_ping_is_answered_and_a_pong_is_not(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(b"\r\n\r\n")
        assert await peer.read(2) == b"\r\n"
        await peer.write(b"\r\n")
        await peer.write(options(1))
        await until(lambda: call_ids(driven) == ["1@test"])
        assert not peer.reader._buffer  # type: ignore[attr-defined]


async def test_a_message_broken_inside_leaves_the_connection_to_the_others(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        broken = options(1).replace(b"CSeq: 1 OPTIONS", b"CSeq: one OPTIONS")
        await peer.write(broken + options(2))
        await until(lambda: call_ids(driven) == ["2@test"])
        assert [data for data, _ in driven.agent.received] == [broken]


async def test_a_stream_that_cannot_be_cut_is_closed_and_told_with_its_place(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(options(1) + options(2).replace(b"Content-Length: 4\r\n", b""))
        assert await peer.closed()
    await until(lambda: driven.endpoint.connections == 0)
    assert call_ids(driven) == ["1@test"]
    (event,) = driven.events
    assert isinstance(event, MalformedReceived)
    assert event.flow.remote == peer.address
    assert "Content-Length" in str(event.error)


async def test_bytes_without_end_are_cut_off(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        with contextlib.suppress(ConnectionError):
            for _ in range(10_000):
                await peer.write(b"x" * 4096)
        assert await peer.closed()
        await until(lambda: driven.endpoint.connections == 0)
    assert not driven.agent.messages


async def test_a_dropped_connection_is_told_once(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(options(1))
        await until(lambda: bool(driven.agent.messages))
        raw = peer.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, as a crash makes
    await until(lambda: bool(driven.agent.failed))
    assert driven.agent.failed == [driven.agent.messages[0][1]]


async def test_a_connection_is_opened_on_demand_and_used_again(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with accepting() as (remote, peers):
        flow = driven.endpoint.flow_to(remote, Transport.TCP)
        assert flow == Flow(Transport.TCP, local, remote, 0)
        driven.agent.send(flow, b"first")
        driven.agent.send(flow, b"second")
        driven.endpoint.pump()
        peer = await next_peer(peers)
        assert await peer.read(11) == b"firstsecond"
        driven.agent.send(flow, b"third")
        driven.endpoint.pump()
        assert await peer.read(5) == b"third"
        assert peers.empty()
        await peer.write(options(5))  # and the other way around on the same connection
        await until(lambda: call_ids(driven) == ["5@test"])
        back = driven.agent.messages[0][1]
        assert (back.local, back.remote) == (local, remote)
        peer.writer.close()
        await until(lambda: len(driven.agent.failed) == 2)
        assert driven.agent.failed == [back, flow]  # both names of it


async def test_a_peer_that_connected_to_us_is_reached_over_its_connection(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(options(1))
        await until(lambda: bool(driven.agent.messages))
        driven.agent.send(driven.endpoint.flow_to(peer.address, Transport.TCP), b"reused")
        driven.endpoint.pump()
        assert await peer.read(6) == b"reused"


async def test_a_connection_that_is_gone_is_replaced_and_its_failure_told_by_the_old_name(driven: Driven) -> None:
    """A phone that registered over a connection: calls to it name that one, though it may be gone."""
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with accepting() as (remote, peers):
        async with connected(local) as peer:
            await peer.write(options(1))
            await until(lambda: bool(driven.agent.messages))
            number = driven.agent.messages[0][1].connection
            named = Flow(Transport.TCP, local, remote, number)  # it takes calls elsewhere than it calls from
            driven.agent.send(named, b"over the old one")
            driven.endpoint.pump()
            assert await peer.read(16) == b"over the old one"
        await until(lambda: len(driven.agent.failed) == 2)
        assert driven.agent.failed == [driven.agent.messages[0][1], named]
        driven.agent.send(named, b"over a new one")
        driven.endpoint.pump()
        newer = await next_peer(peers)
        assert await newer.read(14) == b"over a new one"
        driven.agent.failed.clear()
        newer.writer.close()
        await until(lambda: named in driven.agent.failed)
    driven.agent.failed.clear()
    driven.agent.send(named, b"and now there is nobody")
    driven.endpoint.pump()
    await until(lambda: named in driven.agent.failed)


async def test_nobody_there_is_a_failure_of_the_flow(driven: Driven) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        remote = closed.getsockname()
    flow = driven.endpoint.flow_to(remote, Transport.TCP)
    driven.agent.send(flow, b"hello?")
    driven.endpoint.pump()
    await until(lambda: flow in driven.agent.failed)
    assert driven.endpoint.connections == 0


async def test_a_connection_that_never_stands_gives_up(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "CONNECT_TIMEOUT", 0.05)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        flow = driven.endpoint.flow_to(full.getsockname(), Transport.TCP)
        driven.agent.send(flow, b"hello?")
        driven.endpoint.pump()
        await until(lambda: flow in driven.agent.failed)
        for filler in fillers:
            filler.close()


async def test_a_trickle_of_bytes_is_closed(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "INCOMPLETE_CLOSE", 0.1)
    monkeypatch.setattr(tcp, "SWEEP_INTERVAL", 0.02)
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        with contextlib.suppress(ConnectionError):
            for byte in options(1) * 20:
                await peer.write(bytes([byte]))
                await asyncio.sleep(0.01)
        assert await peer.closed()
    assert not driven.agent.messages


async def test_silence_is_closed_in_the_beginning_and_idleness_later(
    driven: Driven, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "SILENT_CLOSE", 0.05)
    monkeypatch.setattr(tcp, "SWEEP_INTERVAL", 0.02)
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as silent, connected(local) as speaking:
        await speaking.write(options(1))
        assert await silent.closed()
        assert driven.endpoint.connections == 1
        monkeypatch.setattr(tcp, "IDLE_CLOSE", 0.05)
        assert await speaking.closed()


async def test_connections_over_the_limit_are_turned_away(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_CONNECTIONS_PER_HOST", 2)
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local), connected(local):
        await until(lambda: driven.endpoint.connections == 2)
        async with connected(local) as third:
            assert await third.closed()
        assert driven.endpoint.connections == 2
    await until(lambda: driven.endpoint.connections == 0)
    async with connected(local) as later:  # the places are free again
        await later.write(options(9))
        await until(lambda: call_ids(driven) == ["9@test"])
        monkeypatch.setattr(tcp, "MAX_CONNECTIONS", 1)
        flow = driven.endpoint.flow_to(("127.0.0.1", 9), Transport.TCP)
        driven.agent.send(flow, b"no place")
        driven.endpoint.pump()
        assert driven.agent.failed[-1] == flow
        async with connected(local) as another:
            assert await another.closed()


async def test_a_peer_that_does_not_read_loses_its_connection(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_UNSENT", 64 * 1024)
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(options(1))
        await until(lambda: bool(driven.agent.messages))
        flow = driven.agent.messages[0][1]
        for _ in range(10_000):
            if driven.agent.failed:
                break
            driven.agent.send(flow, bytes(16 * 1024))
            driven.endpoint.pump()
            await asyncio.sleep(0)
        assert driven.agent.failed == [flow]


async def test_what_waits_for_a_connection_is_bounded(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_UNSENT", 1000)
    async with accepting() as (remote, _):
        flow = driven.endpoint.flow_to(remote, Transport.TCP)
        for _ in range(3):
            driven.agent.send(flow, bytes(400))
        driven.endpoint.pump()
        assert flow in driven.agent.failed
        assert driven.endpoint.connections == 0


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_servers_at_several_addresses_of_both_families(driven: Driven) -> None:
    first = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    second = await driven.endpoint.listen(Transport.TCP, "127.0.0.2", 0)
    six = await driven.endpoint.listen(Transport.TCP, "::1", 0)
    assert driven.endpoint.sockets == 3
    for number, address in enumerate((first, second, six)):
        async with connected(address) as peer:
            await peer.write(options(number))
            await until(lambda: bool(driven.agent.messages))
            flow = driven.agent.messages.pop()[1]
            assert (flow.local, flow.remote) == (address, peer.address)
            driven.agent.send(flow, b"back")
            driven.endpoint.pump()
            assert await peer.read(4) == b"back"
    assert driven.endpoint.flow_to(("127.0.0.9", 5060), Transport.TCP).local == first
    assert driven.endpoint.flow_to(("::1", 5060), Transport.TCP).local == six
    with pytest.raises(OSError, match="address already in use"):
        await driven.endpoint.listen(Transport.TCP, *first)


async def test_of_another_family_than_the_server_the_connection_itself_is_named(driven: Driven) -> None:
    await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    assert driven.endpoint.flow_to(("::1", 5060), Transport.TCP).local[1] == 0


async def test_bound_to_every_address_it_names_the_one_the_peer_sees(driven: Driven) -> None:
    _, port = await driven.endpoint.listen(Transport.TCP, "0.0.0.0", 0)
    assert driven.endpoint.flow_to(("127.0.0.1", 9), Transport.TCP).local == ("127.0.0.1", port)
    async with connected(("127.0.0.1", port)) as peer:
        await peer.write(options(1))
        await until(lambda: bool(driven.agent.messages))
        assert driven.agent.messages[0][1].local == ("127.0.0.1", port)


async def test_behind_a_nat_peers_outside_are_told_the_address_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "told_host", lambda outside, _: outside)
    driven = Driven(outside="198.51.100.7")
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(options(1))
        await until(lambda: bool(driven.agent.messages))
        flow = driven.agent.messages[0][1]
        assert flow.local == ("198.51.100.7", local[1])
        driven.agent.send(flow, b"back")
        driven.endpoint.pump()
        assert await peer.read(4) == b"back"
        assert driven.endpoint.flow_to(peer.address, Transport.TCP).local == flow.local
    await driven.endpoint.close()


async def test_closing_ends_every_connection(driven: Driven) -> None:
    local = await driven.endpoint.listen(Transport.TCP, "127.0.0.1", 0)
    async with connected(local) as peer:
        await peer.write(options(1))
        await until(lambda: bool(driven.agent.messages))
        await driven.endpoint.close()
        assert await peer.closed()
    assert driven.agent.failed == []  # the owner closes: nobody is left to act on it
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*local)
