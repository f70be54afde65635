"""When datagrams are read: the first at once, what follows it together, on the beat."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kobza.beat import BEAT_MS
from kobza.net.udp import DATAGRAMS_PER_WAKEUP, MANY, UdpSocket
from tests.support.waiting import until


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@asynccontextmanager
async def batches() -> AsyncIterator[tuple[UdpSocket, list[list[bytes]]]]:
    """Bind a socket; give it, and what was read, by batch: the last one is not over."""
    read: list[list[bytes]] = [[]]
    sock = UdpSocket(
        ("127.0.0.1", 0),
        received=lambda _sock, data, _remote: read[-1].append(data),
        drained=lambda: read.append([]),
        failed=lambda _sock, _remote, error: pytest.fail(str(error)),
    )
    try:
        yield sock, read
    finally:
        sock.close()


async def test_what_comes_soon_after_a_datagram_is_read_together(peer: socket.socket) -> None:
    async with batches() as (sock, read):
        peer.sendto(b"first", sock.address)
        await until(lambda: len(read) == 2)
        for data in (b"second", b"third"):
            peer.sendto(data, sock.address)  # in the same turn of the loop: before it can look
        await until(lambda: len(read) == 3)
        assert read == [[b"first"], [b"second", b"third"], []]


async def test_after_a_pause_the_next_datagram_wakes_the_loop_by_itself(peer: socket.socket) -> None:
    async with batches() as (sock, read):
        for number in range(1, 4):
            peer.sendto(b"%d" % number, sock.address)
            await until(lambda number=number: len(read) == number + 1)  # type: ignore[misc]
            await asyncio.sleep(0.05)  # several beats without any: it looks no longer
        assert read == [[b"1"], [b"2"], [b"3"], []]


@pytest.mark.parametrize("before", [0, 1])
async def test_more_than_a_batch_is_read_without_waiting_for_a_beat(peer: socket.socket, before: int) -> None:
    """Both when the loop was woken by the datagrams, and when it looked."""
    async with batches() as (sock, read):
        for _ in range(before):
            peer.sendto(b"before", sock.address)
            await until(lambda: len(read) == 2)
        for number in range(2 * DATAGRAMS_PER_WAKEUP + 1):
            peer.sendto(b"%d" % number, sock.address)
        await until(lambda: len(read) == before + 4)
        assert [len(batch) for batch in read[before:]] == [DATAGRAMS_PER_WAKEUP, DATAGRAMS_PER_WAKEUP, 1, 0]


async def test_where_many_come_the_next_look_is_two_beats_away(
    peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, waits = asyncio.get_running_loop(), list[float]()
    call_at = loop.call_at

    def noted(when: float, callback: Any, *rest: Any, **named: Any) -> asyncio.TimerHandle:
        if getattr(callback, "__name__", "") == "_look":
            waits.append(1000 * (when - loop.time()))
        return call_at(when, callback, *rest, **named)

    async with batches() as (sock, read):
        peer.sendto(b"first", sock.address)
        await until(lambda: len(read) == 2)
        for count in (MANY, MANY - 1):
            for _ in range(count):
                peer.sendto(b"more", sock.address)
            with monkeypatch.context() as patch:
                patch.setattr(loop, "call_at", noted)
                await until(lambda: not read[-1] and len(read[-2]) == count)  # noqa: B023 - used at once
        many, few = waits
        assert BEAT_MS - 1 < many < 2 * BEAT_MS + 1
        assert few < BEAT_MS + 1


async def test_closed_before_the_beat_it_looks_no_more(peer: socket.socket) -> None:
    async with batches() as (sock, read):
        peer.sendto(b"first", sock.address)
        await until(lambda: len(read) == 2)
        sock.close()
        await asyncio.sleep(0.05)
        assert read == [[b"first"], []]


async def test_an_owner_that_fails_makes_it_no_deafer(peer: socket.socket) -> None:
    loop, faults = asyncio.get_running_loop(), list[Any]()
    loop.set_exception_handler(lambda _loop, context: faults.append(context["exception"]))
    read: list[bytes] = []

    def fail() -> None:
        raise RuntimeError("the owner")

    sock = UdpSocket(
        ("127.0.0.1", 0),
        received=lambda _sock, data, _remote: read.append(data),
        drained=fail,
        failed=lambda _sock, _remote, error: pytest.fail(str(error)),
    )
    try:
        for number in range(1, 6):
            for _ in range(2):
                peer.sendto(b"more", sock.address)
            await until(lambda number=number: len(read) == 2 * number)  # type: ignore[misc]
    finally:
        sock.close()
    assert {str(fault) for fault in faults} == {"the owner"}
