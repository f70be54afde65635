import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from kobza.net import udp
from kobza.net.addresses import local_host_for, resolve
from kobza.net.endpoint import MAX_ROUNDS
from kobza.sip.flow import Flow, Transport
from tests.net.conftest import Driven, options
from tests.support.ports import has_ipv6
from tests.support.waiting import PATIENCE, until


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


async def test_datagrams_go_in_with_their_flow_and_out_to_it(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    driven.agent.on_receive = lambda data, flow: driven.agent.send(flow, b"answer to " + data)
    peer.sendto(b"hello", local)
    await until(lambda: bool(driven.agent.received))
    assert driven.agent.received == [(b"hello", Flow(Transport.UDP, local, peer.getsockname()))]
    assert peer.recvfrom(100) == (b"answer to hello", local)
    assert (driven.endpoint.counters.received, driven.endpoint.counters.sent) == (1, 1)


async def test_keep_alives_do_not_reach_the_agent(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    for data in (b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"last"):
        peer.sendto(data, local)
    await until(lambda: bool(driven.agent.received))
    assert [data for data, _ in driven.agent.received] == [b"last"]


async def test_an_exception_for_one_datagram_is_logged_and_the_next_is_served(
    driven: Driven, peer: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(data: bytes, flow: Flow) -> None:
        if data == b"bad":
            raise RuntimeError("a fault of ours")
        driven.agent.send(flow, b"fine")

    driven.agent.on_receive = stumble
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    with caplog.at_level(logging.ERROR):
        peer.sendto(b"bad", local)
        peer.sendto(b"good", local)
        await until(lambda: len(driven.agent.received) == 2)
    assert peer.recv(100) == b"fine"
    assert driven.endpoint.counters.exceptions == 1
    assert f"127.0.0.1:{peer.getsockname()[1]}" in caplog.text
    assert "stumble" in caplog.text  # the traceback names the place


async def test_who_watches_and_fails_keeps_no_message_from_its_way(
    driven: Driven, peer: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(data: bytes, flow: Flow, sent: bool, at: float) -> None:
        raise RuntimeError("a fault of ours")

    driven.agent.on_receive = lambda data, flow: driven.agent.send(flow, b"answer to " + data)
    driven.endpoint.watch = stumble
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    with caplog.at_level(logging.ERROR):
        peer.sendto(b"hello", local)
        await until(lambda: driven.endpoint.counters.exceptions == 2)
    assert peer.recvfrom(100) == (b"answer to hello", local)
    assert "could not be looked at" in caplog.text


async def test_a_burst_is_read_in_bounded_pieces(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    turns: list[int] = []

    async def watch() -> None:
        while len(driven.agent.received) < 200:
            turns.append(len(driven.agent.received))
            await asyncio.sleep(0)

    for number in range(200):
        peer.sendto(b"%d" % number, local)
    async with asyncio.timeout(PATIENCE):
        await watch()
    assert [data for data, _ in driven.agent.received] == [b"%d" % number for number in range(200)]
    steps = [after - before for before, after in zip(turns, [*turns[1:], 200], strict=True)]
    assert 0 < max(steps) <= udp.DATAGRAMS_PER_WAKEUP


async def test_a_full_kernel_buffer_queues_in_order_and_drops_the_oldest(
    driven: Driven, peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "SEND_QUEUE", 3)
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    sock = driven.endpoint._udp[0]
    real = sock._socket

    class Full:
        """The socket, with a buffer that is full until told otherwise."""

        full = True

        def sendto(self, data: bytes, remote: tuple[str, int]) -> int:
            if self.full:
                raise BlockingIOError
            return real.sendto(data, remote)

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    full = Full()
    monkeypatch.setattr(sock, "_socket", full)
    for number in range(5):
        driven.agent.send(Flow(Transport.UDP, local, peer.getsockname()), b"%d" % number)
    driven.endpoint.pump()
    assert driven.endpoint.dropped == 2
    full.full = False
    await until(lambda: not sock._waiting)
    assert [peer.recv(10) for _ in range(3)] == [b"2", b"3", b"4"]


async def test_a_send_error_is_told_to_the_agent_and_harms_nobody_else(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    bad = Flow(Transport.UDP, local, ("127.0.0.1", 0))
    driven.agent.send(bad, b"to nowhere")
    driven.agent.send(Flow(Transport.UDP, local, peer.getsockname()), b"arrives")
    driven.endpoint.pump()
    assert peer.recv(100) == b"arrives"
    assert driven.agent.failed == [bad]
    assert driven.endpoint.counters.send_failures == 1


async def test_a_datagram_too_long_to_send_is_a_failure_of_its_flow(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    flow = Flow(Transport.UDP, local, peer.getsockname())
    driven.agent.send(flow, bytes(70_000))
    driven.endpoint.pump()
    assert driven.agent.failed == [flow]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_nobody_at_the_port_is_told_at_once_and_only_of_that_peer(
    host: str, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    """RFC 3261 section 18.4: an ICMP error is a failure to send, not 32 seconds of retransmissions.

    On both loops, as uvloop stops watching a socket for which the kernel reports an error.
    """
    try:
        local_host_for("::1" if ":" in host else "127.0.0.1")
    except OSError:
        pytest.skip(f"no {host} on this machine")
    run(nobody_at_the_port(host))


async def nobody_at_the_port(host: str) -> None:
    driven = Driven()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    near = "::1" if ":" in host else "127.0.0.1"
    _, port = await driven.endpoint.listen(Transport.UDP, host, 0)
    with socket.socket(family, socket.SOCK_DGRAM) as gone, socket.socket(family, socket.SOCK_DGRAM) as there:
        gone.bind((near, 0))
        there.bind((near, 0))
        there.settimeout(5)
        nobody = Flow(Transport.UDP, (near, port), gone.getsockname()[:2])
        somebody = Flow(Transport.UDP, (near, port), there.getsockname()[:2])
        gone.close()
        for number in range(20):
            driven.agent.send(nobody, b"anybody?")
            driven.agent.send(somebody, b"%d" % number)
            driven.endpoint.pump()
            there.sendto(b"at the same time", (near, port))
            await until(lambda: len(driven.agent.failed) > number)  # noqa: B023 - used at once
            there.sendto(b"and later", (near, port))
            await until(lambda: len(driven.agent.received) == 2 * number + 2)  # noqa: B023
        assert [there.recv(10) for _ in range(20)] == [b"%d" % number for number in range(20)]
        assert set(driven.agent.failed) == {nobody}
    await driven.endpoint.close()


async def test_bound_to_every_address_it_names_the_one_the_peer_sees(driven: Driven, peer: socket.socket) -> None:
    host, port = await driven.endpoint.listen(Transport.UDP, "0.0.0.0", 0)
    assert host == "0.0.0.0"
    flow = driven.endpoint.flow_to(peer.getsockname(), Transport.UDP)
    assert flow.local == ("127.0.0.1", port)
    driven.agent.on_receive = lambda data, flow: driven.agent.send(flow, b"pong")
    peer.sendto(b"ping", ("127.0.0.1", port))
    assert (await asyncio.to_thread(peer.recvfrom, 100))[0] == b"pong"
    assert driven.agent.received[0][1].local == ("127.0.0.1", port)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("bind", ["127.0.0.1", "0.0.0.0"])
async def test_behind_a_nat_peers_outside_are_told_the_address_there(
    peer: socket.socket, monkeypatch: pytest.MonkeyPatch, bind: str
) -> None:
    monkeypatch.setattr(udp, "told_host", lambda outside, _: outside)  # the test's peer counts as one of the internet
    driven = Driven(outside="198.51.100.7")
    _, port = await driven.endpoint.listen(Transport.UDP, bind, 0)
    told = ("198.51.100.7", port)
    driven.agent.on_receive = lambda data, flow: driven.agent.send(flow, b"answer to " + data)
    peer.sendto(b"hello", ("127.0.0.1", port))
    await until(lambda: bool(driven.agent.received))
    assert driven.agent.received == [(b"hello", Flow(Transport.UDP, told, peer.getsockname()))]
    assert peer.recvfrom(100) == (b"answer to hello", ("127.0.0.1", port))
    assert driven.endpoint.flow_to(peer.getsockname(), Transport.UDP).local == told
    await driven.endpoint.close()


async def test_every_address_of_both_families_at_one_port(driven: Driven, peer: socket.socket) -> None:
    _, port = await driven.endpoint.listen(Transport.UDP, "0.0.0.0", 0)
    await driven.endpoint.listen(Transport.UDP, "::", port)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        six.bind(("::1", 0))
        six.settimeout(5)
        for sock, host in ((peer, "127.0.0.1"), (six, "::1")):
            flow = driven.endpoint.flow_to(sock.getsockname()[:2], Transport.UDP)
            assert flow.local == (host, port)
            driven.agent.send(flow, b"out")  # before anything has come in from there
            driven.endpoint.pump()
            assert sock.recvfrom(100)[0] == b"out"
            sock.sendto(b"in", (host, port))
        await until(lambda: len(driven.agent.received) == 2)
        flows = {flow.local[0]: flow.remote[0] for _, flow in driven.agent.received}
        assert flows == {"127.0.0.1": "127.0.0.1", "::1": "::1"}


async def test_of_several_sockets_the_one_on_the_route_is_chosen(driven: Driven) -> None:
    await driven.endpoint.listen(Transport.UDP, "127.0.0.2", 0)
    second = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    assert driven.endpoint.flow_to(("127.0.0.1", 5060), Transport.UDP).local == second


async def test_without_a_socket_there_is_no_flow(driven: Driven) -> None:
    with pytest.raises(ValueError, match="no UDP socket"):
        driven.endpoint.flow_to(("127.0.0.1", 5060), Transport.UDP)
    with pytest.raises(ValueError, match="no WSS transport"):
        driven.endpoint.flow_to(("127.0.0.1", 5060), Transport.WSS)


async def test_a_port_that_is_taken_is_an_error(driven: Driven, peer: socket.socket) -> None:
    with pytest.raises(OSError, match="in use"):
        await driven.endpoint.listen(Transport.UDP, *peer.getsockname())


async def test_events_are_delivered_and_what_they_cause_is_sent_at_once(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)

    def act(events: list[object]) -> None:
        driven.agent.send(Flow(Transport.UDP, local, peer.getsockname()), b"caused")
        driven.endpoint.pump()  # allowed from within, does nothing twice

    driven.on_events = act
    driven.agent.events = ["one", "two"]
    driven.endpoint.pump()
    assert driven.events == ["one", "two"]
    assert peer.recv(10) == b"caused"


async def test_an_exception_in_the_owner_does_not_stop_sending(
    driven: Driven, peer: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)

    def stumble(events: list[object]) -> None:
        raise RuntimeError("the owner's fault")

    driven.on_events = stumble
    driven.agent.events = ["event"]
    driven.endpoint.pump()
    driven.agent.send(Flow(Transport.UDP, local, peer.getsockname()), b"still")
    driven.endpoint.pump()
    assert peer.recv(10) == b"still"
    assert "the owner's fault" in caplog.text


async def test_events_that_breed_events_give_the_loop_its_turn(driven: Driven) -> None:
    driven.on_events = lambda events: driven.agent.events.append("again") if len(driven.events) < 500 else None
    driven.agent.events = ["first"]
    driven.endpoint.pump()
    assert len(driven.events) == MAX_ROUNDS
    await until(lambda: len(driven.events) == 500)


async def test_one_timer_serves_the_next_deadline(driven: Driven) -> None:
    wanted = time.time() + 0.05
    driven.agent.deadline = time.time() + 60
    driven.endpoint.pump()
    driven.agent.deadline = wanted
    driven.endpoint.pump()
    await until(lambda: bool(driven.agent.fired))
    assert driven.agent.fired[0] >= wanted


async def test_a_deadline_that_moves_later_fires_only_then(driven: Driven) -> None:
    driven.agent.deadline = time.time() + 0.03
    driven.endpoint.pump()
    later = driven.agent.deadline = time.time() + 0.15
    driven.endpoint.pump()
    await until(lambda: bool(driven.agent.fired))
    assert len(driven.agent.fired) == 1
    assert driven.agent.fired[0] >= later


async def test_an_exception_in_timers_does_not_spin(
    driven: Driven, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(now: float) -> None:
        driven.agent.deadline = now - 1
        raise RuntimeError("a timer's fault")

    driven.agent.on_timers = stumble
    driven.agent.deadline = time.time()
    driven.endpoint.pump()
    await until(lambda: bool(driven.agent.fired))
    await asyncio.sleep(0.1)
    assert len(driven.agent.fired) == 1  # the next try is a second away
    assert "a timer's fault" in caplog.text


async def test_closing_sends_what_waits_and_nothing_comes_after(driven: Driven, peer: socket.socket) -> None:
    local = await driven.endpoint.listen(Transport.UDP, "127.0.0.1", 0)
    driven.agent.send(Flow(Transport.UDP, local, peer.getsockname()), b"goodbye")
    await driven.endpoint.close()
    assert peer.recv(10) == b"goodbye"
    driven.endpoint.pump()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(local)  # the port is free


async def test_names_are_resolved_and_addresses_taken_as_they_are() -> None:
    assert await resolve("127.0.0.9", 5060) == ("127.0.0.9", 5060)
    assert await resolve("[::1]", 5060) == ("::1", 5060)
    assert await resolve("localhost", 5060) == ("127.0.0.1", 5060)
    assert local_host_for("127.0.0.5") == "127.0.0.1"


def test_the_request_that_tcp_tests_use_is_sound() -> None:
    assert options(7).endswith(b"\r\n\r\nbody")
