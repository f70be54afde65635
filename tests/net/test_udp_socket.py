"""When datagrams are read: the first at once, what follows it together, on the beat."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from kobza.net.udp import DATAGRAMS_PER_WAKEUP, UdpSocket
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


async def test_closed_before_the_beat_it_looks_no_more(peer: socket.socket) -> None:
    async with batches() as (sock, read):
        peer.sendto(b"first", sock.address)
        await until(lambda: len(read) == 2)
        sock.close()
        await asyncio.sleep(0.05)
        assert read == [[b"first"], []]
