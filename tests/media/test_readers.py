"""Many sockets that are waited for at once: who has a turn, and what closes or goes wrong meanwhile."""

import asyncio
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import cast

import pytest

from kobza.media.port_pair import PortPair, drain
from kobza.media.readers import AT_ONCE, Readers
from tests.media.by_hand import ByHand
from tests.media.phone_end import HOST
from tests.support.ports import free_range


class Reader:
    """Reads one datagram, then does what it is told."""

    def __init__(self) -> None:
        self.sock: socket.SocketType = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.sock.bind((HOST, 0))
        self.looks = 0
        self.read: list[bytes] = []
        self.then: Callable[[], object] = lambda: None

    def readable(self) -> None:
        self.looks += 1
        self.read.append(self.sock.recv(100))
        self.then()


class Waiting:
    """Readers, the loop they are in, and a phone."""

    def __init__(self, *, let_gather: bool = False) -> None:
        self.hand = ByHand()
        self.readers = Readers(cast(asyncio.AbstractEventLoop, self.hand), let_gather=let_gather)
        self.phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.made: list[Reader] = []

    def add(self, count: int) -> list[Reader]:
        made = [Reader() for _ in range(count)]
        for reader in made:
            self.readers.add(reader)
        self.made += made
        return made

    def send(self, reader: Reader, data: bytes = b"x") -> None:
        self.phone.sendto(data, reader.sock.getsockname())

    def close(self) -> None:
        self.phone.close()
        for reader in self.made:
            reader.sock.close()


@pytest.fixture(params=[True, False], ids=["epoll", "each by itself"])
def waiting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    if request.param:
        if not hasattr(select, "epoll"):
            pytest.skip("there is no epoll here")
    else:
        monkeypatch.delattr(select, "epoll", raising=False)
    made = Waiting()
    yield made
    made.close()


def test_each_that_has_something_is_read_once_a_turn(waiting: Waiting) -> None:
    one, other, silent = waiting.add(3)
    if hasattr(select, "epoll"):
        assert len(waiting.hand.readers) == 1
    for data in (b"1", b"2"):
        waiting.send(one, data)
    waiting.send(other)
    # Where each is waited for by itself the event loop says who has something; here only these have.
    for reader in () if hasattr(select, "epoll") else (silent,):
        waiting.readers.remove(reader)
    waiting.hand.run()
    assert (one.read, other.read, silent.looks) == ([b"1"], [b"x"], 0)


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="there is no epoll here")
def test_nobody_waits_for_ever_behind_those_that_always_have_something() -> None:
    waiting = Waiting()
    try:
        made = waiting.add(AT_ONCE + 10)
        for reader in made:
            for _ in range(3):
                waiting.send(reader)
        waiting.hand.run()
        assert sum(reader.looks for reader in made) == AT_ONCE
        waiting.hand.run()
        assert min(reader.looks for reader in made) == 1
    finally:
        waiting.close()


def test_one_that_is_closed_by_what_came_before_it_is_left_alone(waiting: Waiting) -> None:
    one, other = waiting.add(2)
    one.then, other.then = (lambda: waiting.readers.close(other)), (lambda: waiting.readers.close(one))
    waiting.send(one)
    waiting.send(other)
    callbacks = list(waiting.hand.readers.values())
    callbacks[0]()
    assert one.looks + other.looks == 1
    assert sorted(reader.sock.fileno() >= 0 for reader in (one, other)) == [False, True]
    assert not waiting.hand.errors


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="there is no epoll here")
def test_what_goes_wrong_for_one_is_told_and_the_others_are_read() -> None:
    waiting = Waiting()
    try:
        made = waiting.add(3)
        for reader in made:
            reader.then = lambda: 1 // 0
            waiting.send(reader)
        waiting.hand.run()
        assert [reader.looks for reader in made] == [1, 1, 1]
        assert {type(error["exception"]) for error in waiting.hand.errors} == {ZeroDivisionError}
        assert len(waiting.hand.errors) == 3
    finally:
        waiting.close()


def test_one_that_pauses_is_not_read_until_it_goes_on(waiting: Waiting) -> None:
    (one,) = waiting.add(1)
    waiting.readers.remove(one)
    waiting.readers.remove(one)
    waiting.send(one)
    waiting.hand.run()
    assert one.looks == 0
    waiting.readers.add(one)
    waiting.hand.run()
    assert one.read == [b"x"]


def test_the_number_of_a_closed_socket_is_good_for_another(waiting: Waiting) -> None:
    (one,) = waiting.add(1)
    number = one.sock.fileno()
    waiting.readers.close(one)
    (other,) = waiting.add(1)
    assert other.sock.fileno() == number
    waiting.send(other)
    waiting.hand.run()
    assert (one.looks, other.read) == (0, [b"x"])
    waiting.readers.close(other)
    waiting.readers.remove(other)
    waiting.hand.run()
    assert other.looks == 1


def test_one_that_paused_can_be_closed(waiting: Waiting) -> None:
    (one,) = waiting.add(1)
    waiting.readers.remove(one)
    waiting.readers.close(one)
    waiting.hand.run()
    assert one.sock.fileno() < 0


def test_what_came_before_the_call_is_thrown_away_of_all_ports() -> None:
    with ExitStack() as stack:
        ports = free_range(4)
        pairs = [PortPair(HOST, ports[0]), PortPair(HOST, ports[2])]
        for pair in pairs:
            stack.callback(pair.close)
        phone = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        drain(pairs)  # nothing is there
        for port in (ports[0], ports[3]):
            for _ in range(3):
                phone.sendto(b"early", (HOST, port))
        drain(pairs)
        for sock in (sock for pair in pairs for sock in (pair.rtp, pair.rtcp)):
            with pytest.raises(BlockingIOError):
                sock.recv(100)
        phone.sendto(b"late", (HOST, ports[0]))
        assert pairs[0].rtp.recv(100) == b"late"


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="there is no epoll here")
def test_packets_that_come_in_company_are_let_gather_as_long_as_they_do() -> None:
    waiting = Waiting(let_gather=True)
    try:
        made = waiting.add(AT_ONCE + 5)
        gathers = []
        for company in (1, 3, 3, 1, 0, AT_ONCE + 5):
            for reader in made[:company]:
                waiting.send(reader)
            waiting.hand.run()
            gathers.append(waiting.readers.gathers)
        assert gathers == [False, True, True, False, False, False]  # at last there are more than are taken at once
        waiting.hand.run()
        assert waiting.readers.gathers
        assert sum(reader.looks for reader in made) == 8 + AT_ONCE + 5
    finally:
        waiting.close()


def test_reports_are_not_waited_for(waiting: Waiting) -> None:
    for reader in waiting.add(5):
        waiting.send(reader)
    waiting.hand.run()
    assert not waiting.readers.gathers
