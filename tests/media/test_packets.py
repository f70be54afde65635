"""The compiled way of a packet does what Python's does, with whatever strangers send: both are given the same."""

import asyncio
import gc
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.media.embedded import EmbeddedPlane
from kobza.media.packet_loop import PacketLoop, is_compiled, packet_loop
from kobza.media.plane import MediaError
from kobza.media.reception import Doubles
from kobza.media.recorder import Spool, Spools
from kobza.media.rtp_port import RtpPort
from kobza.media.spool import RECORD
from kobza.media.voice_codecs import NO_CODEC
from kobza.rtp.ice import Address
from tests.media.by_hand import ByHand
from tests.media.phone_end import HOST

PHONES = 3
CODECS = bytes([0, NO_CODEC, NO_CODEC, NO_CODEC, NO_CODEC, NO_CODEC, NO_CODEC, NO_CODEC, 8]) + bytes([NO_CODEC]) * 119

Change = Literal[
    "relay", "withhold", "rewrite", "swallow", "pass", "record", "record twice", "stop recording", "protect", "bare",
    "name", "forget", "unreachable", "alone", "listen", "together", "close other",
]  # fmt: skip
first_bytes = st.sampled_from([0x80, 0x80, 0x80, 0x90, 0xA0, 0x8F, 0x40, 0x00])
second_bytes = st.sampled_from([0, 8, 8, 0x88, 101, 200, 201, 191, 224])
packets = st.one_of(
    st.builds(
        lambda first, second, rest: bytes([first, second]) + rest, first_bytes, second_bytes, st.binary(max_size=40)
    ),
    st.binary(max_size=16),
    st.builds(lambda size: b"\x80\x08" + bytes(size), st.integers(10, 3000)),
)
changes = st.sampled_from(Change.__args__)  # type: ignore[attr-defined]  # of a Literal
steps = st.lists(st.one_of(st.tuples(st.integers(0, PHONES - 1), packets), changes), max_size=12)


def udp() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    opened.bind((HOST, 0))
    return opened


@dataclass
class HeardBy:
    """An ear of a mix."""

    seen: list[tuple[str, bytes, int]]

    def withheld(self, kind: int, codec: int, data: bytes) -> None:
        self.seen.append(("ear", data, codec))


class Owner:
    """Believes packets by their last byte."""

    port: RtpPort

    def __init__(self, way: "Way") -> None:
        self.way = way

    def believes(self, data: bytes, source: Address) -> bool:
        self.way.seen.append(("believe", data, self.way.phone(source)))
        if data[-1:] < b"\x80":
            self.port.peer = source
            return True
        return False

    def no_rtp(self, data: bytes, source: Address) -> None:
        self.way.seen.append(("rtcp", data, self.way.phone(source)))


class Stranger:
    """Believes nobody."""

    def believes(self, _data: bytes, _source: Address) -> bool:
        return False

    def no_rtp(self, _data: bytes, _source: Address) -> None:
        pass


@dataclass
class Way:
    """Two ports of one loop, phones that send to the first, and one that hears what the second sends."""

    loop: PacketLoop
    run: Callable[[], object]

    def __post_init__(self) -> None:
        self.seen: list[tuple[str, bytes, int]] = []
        self.phones = [udp() for _ in range(PHONES)]
        self.listener = udp()
        self.port, self.other = (self._open(kind) for kind in (0, 1))
        self.address = self.port.sock.getsockname()
        self.port.codecs = CODECS
        self.port.other, self.other.other = self.other, self.port
        self.other.peer = self.listener.getsockname()
        self.port.relaying = True
        self.spools: list[Spool] = []

    def _open(self, kind: int) -> RtpPort:
        owner = Owner(self)
        owner.port = self.loop.open(udp(), kind, owner)
        return owner.port

    def phone(self, source: Address) -> int:
        return [phone.getsockname() for phone in self.phones].index(source)

    def change(self, change: Change) -> None:
        port, other = self.port, self.other
        match change:
            case "relay" | "withhold":
                port.relaying = change == "relay"
            case "rewrite" | "swallow" | "pass":
                rewrites = {"rewrite": lambda data: b"changed" + data, "swallow": lambda _: b"", "pass": None}
                other.rewrite = rewrites[change]
            case "record" | "record twice":
                new = [Spool(Path("x"), "call", "record") for _ in range(1 + (change == "record twice"))]
                self.spools += new
                port.spool = new[0] if len(new) == 1 else Spools(tuple(new))
            case "stop recording":
                port.spool = None
            case "protect":
                port.protect(lambda size: port.sock.recvfrom(size), other.sock.sendto)
                other.protect(
                    lambda size: other.sock.recvfrom(size), lambda data, to: other.sock.sendto(b"p" + data, to)
                )
            case "bare":
                port.bare()
                other.bare()
            case "name":
                port.peer = self.phones[0].getsockname()
                port.heard = None
            case "forget":
                other.peer = None
            case "unreachable":
                other.peer = ("", 0)
            case "together":
                port.other = other
                other.peer = self.listener.getsockname()
            case "listen":
                port.ear = HeardBy(self.seen)
            case "alone":
                port.other = None
            case "close other":
                self.loop.close(other)
                # Its number goes to another socket: nothing may be sent there.
                self.phones.append(udp())
                self.other = self._open(1)
                self.other.peer = self.listener.getsockname()

    def send(self, phone: int, data: bytes) -> None:
        self.phones[phone].sendto(data, self.address)
        self.run()

    @property
    def state(self) -> dict[str, Any]:
        port, other = self.port, self.other
        heard: list[bytes] = []
        while True:
            try:
                heard.append(self.listener.recv(4096))
            except BlockingIOError:
                break
        return {
            "peer": None if port.peer is None else self.phone(port.peer),
            "heard": port.heard and port.heard[:12],
            "sent": other.sent and other.sent[:12],
            "counts": (port.packets, port.bytes_received, port.beyond, port.bytes_beyond, port.dropped),
            "counts of the other": (other.packets, other.beyond, other.bytes_beyond, other.dropped),
            "seen": self.seen,
            "listener": heard,
            "spools": [without_times(spool.buffer) for spool in self.spools],
        }

    def close(self) -> None:
        for port in (self.port, self.other):
            port.other = None
            self.loop.close(port)
        for sock in (*self.phones, self.listener):
            sock.close()


def without_times(buffer: bytearray) -> list[tuple[int, int, bytes]]:
    """Return the records of a spool but for when they came."""
    records, at = [], buffer.index(b"\n") + 1
    while at < len(buffer):
        kind, codec, length, ticks = RECORD.unpack_from(buffer, at)
        assert 0 <= ticks < 600_000
        at += RECORD.size + length
        records.append((kind, codec, bytes(buffer[at - length : at])))
    return records


def way(name: Literal["python", "compiled"]) -> tuple[Way, ByHand]:
    hand = ByHand()
    loop = packet_loop(cast(asyncio.AbstractEventLoop, hand), name)
    return Way(loop, hand.run), hand


@pytest.mark.usefixtures("compiled_packets")
@settings(max_examples=150, deadline=None)
@given(done=steps)
def test_both_do_the_same(done: list[tuple[int, bytes] | Change]) -> None:
    states = []
    names: tuple[Literal["python", "compiled"], ...] = ("python", "compiled")
    for name in names:
        made, hand = way(name)
        states.append([made.state])
        for step in done:
            if isinstance(step, str):
                made.change(step)
            else:
                made.send(*step)
            states[-1].append(made.state)
        made.close()
        assert not hand.errors
    assert states[0] == states[1]


@pytest.mark.usefixtures("compiled_packets")
@settings(max_examples=50, deadline=None)
@given(st.integers(0, 65535), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), min_size=1, max_size=40))
def test_both_know_what_the_network_has_doubled(first: int, moves: list[tuple[int, int]]) -> None:
    numbers, newest = [first], first
    for ahead, behind in moves:  # among the last 64, which are those that the compiled one remembers
        newest += ahead
        numbers.append(newest - behind if newest - behind >= first else newest)
    found = []
    names: tuple[Literal["python", "compiled"], ...] = ("python", "compiled")
    for name in names:
        made, _ = way(name)
        made.change("name")
        for number in numbers:
            made.send(0, b"\x80\x08" + (number % 65536).to_bytes(2, "big") + bytes(20))
        found.append((made.port.packets, made.port.repeated + Doubles().look(made.port.numbers)))
        made.close()
    assert found == [(len(numbers), len(numbers) - len(set(numbers)))] * 2


@pytest.mark.usefixtures("compiled_packets")
def test_what_goes_wrong_for_one_packet_is_told_and_the_next_passes() -> None:
    made, hand = way("compiled")
    made.port.owner.believes = lambda data, source: 1 // 0  # type: ignore[method-assign,assignment,return-value]
    made.send(0, b"\x80\x08" + bytes(20))
    [told] = hand.errors
    assert isinstance(told["exception"], ZeroDivisionError)
    made.port.peer = made.phones[0].getsockname()
    made.send(0, b"\x80\x08" + bytes(20))
    assert made.state["listener"] == [b"\x80\x08" + bytes(20)]
    made.close()


@pytest.mark.usefixtures("compiled_packets")
def test_wrong_values_are_refused() -> None:
    made, _ = way("compiled")
    port: Any = made.port
    for name, value, error in (
        ("peer", "nonsense", TypeError),
        ("peer", ("127.0.0.1",), TypeError),
        ("other", "nonsense", TypeError),
        ("codecs", b"short", ValueError),
        ("heard", b"short", ValueError),
        ("sent", 5, TypeError),
    ):
        with pytest.raises(error):
            setattr(port, name, value)
    loop: Any = made.loop._ports  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        loop.add("nonsense")
    with pytest.raises(ValueError, match="already"):
        loop.add(port)
    made.close()
    assert loop.run() == 0


@pytest.mark.usefixtures("compiled_packets")
def test_a_port_that_is_closed_by_what_came_before_it_is_left_alone() -> None:
    made, hand = way("compiled")
    # Both are readable; whichever is first closes the other one.
    for port, other in ((made.port, made.other), (made.other, made.port)):
        port.owner.no_rtp = lambda _data, _source, other=other: made.loop.close(other)  # type: ignore[method-assign,misc]
        made.phones[0].sendto(b"nothing", port.sock.getsockname())
    hand.run()
    assert sorted(port.sock.fileno() >= 0 for port in (made.port, made.other)) == [False, True]
    assert not hand.errors
    made.port.other = made.other.other = None
    for sock in (made.port.sock, made.other.sock, *made.phones, made.listener):
        sock.close()


@pytest.mark.usefixtures("compiled_packets")
def test_packets_that_come_in_company_are_let_gather_as_long_as_they_do() -> None:
    made, hand = way("compiled")
    made.change("name")
    alone = (made.port,)
    more = [made.loop.open(udp(), 0, Stranger()) for _ in range(2)]
    gathers: list[bool] = []
    loop: Any = made.loop._ports  # type: ignore[attr-defined]
    for ports in (alone, (*alone, *more), (*alone, *more), alone, ()):
        for port in ports:
            made.phones[0].sendto(b"\x80\x08" + bytes(20), port.sock.getsockname())
        assert loop.run() == len(ports)
        gathers.append(loop.gathers)
    assert gathers == [False, True, True, False, False]
    assert made.state["listener"] == [b"\x80\x08" + bytes(20)] * 4
    assert not hand.errors
    for port in more:
        made.loop.close(port)
    made.close()


@pytest.mark.usefixtures("compiled_packets")
def test_a_loop_that_is_behind_lets_nothing_gather() -> None:
    made, _ = way("compiled")
    ports = [made.loop.open(udp(), 0, Stranger()) for _ in range(300)]
    for port in ports:
        made.phones[0].sendto(b"\x80\x08" + bytes(20), port.sock.getsockname())
    loop: Any = made.loop._ports  # type: ignore[attr-defined]
    assert (loop.run(), loop.gathers) == (256, False)
    assert (loop.run(), loop.gathers) == (44, True)
    assert [port.dropped for port in ports] == [1] * 300
    for port in ports:
        made.loop.close(port)
    made.close()


@pytest.mark.usefixtures("compiled_packets")
def test_nothing_is_kept_alive() -> None:
    made, _ = way("compiled")
    kind = type(made.port)
    made.close()
    del made
    gc.collect()
    assert not [each for each in gc.get_objects() if type(each) is kind]


async def test_a_compiled_loop_that_was_not_built_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.media.embedded.is_compiled", lambda: False)
    monkeypatch.setattr("kobza.media.packet_loop.is_compiled", lambda: False)
    plane = EmbeddedPlane(host=HOST, ports=range(30000, 30010), timeout=60.0, packet_loop="compiled")
    with pytest.raises(MediaError, match="make compile"):
        await plane.start()
    assert packet_loop(asyncio.get_running_loop(), "auto").name == "python"


@pytest.mark.usefixtures("compiled_packets")
async def test_the_compiled_loop_is_taken_where_it_is() -> None:
    loop = asyncio.get_running_loop()
    assert is_compiled()
    assert packet_loop(loop, "auto").name == "compiled"
    assert packet_loop(loop, "python").name == "python"
