"""What a phone is to the media plane: a pair of ports, a description, a tone it sends and what it hears."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from kobza.rtp.g711 import Law, decode, encode
from kobza.rtp.packet import RtpPacket, is_rtp
from tests.support.ports import free_port
from tests.support.spectrum import Samples, from_pcm16
from tests.support.waiting import PATIENCE

HOST = "127.0.0.1"
PACKET = 160
"""Samples of a packet: 20 ms."""
REPORT = b"\x80\xc9\x00\x01\x00\x00\x00\x07"
"""The shortest RTCP: a receiver report about nobody."""


def tone(frequency: float, packets: int, law: Law = Law.A) -> list[bytes]:
    """Return payloads of a sine."""
    step = 2 * math.pi * frequency / 8000
    octets = encode((round(8000 * math.sin(step * index)) for index in range(packets * PACKET)), law)
    return [octets[start : start + PACKET] for start in range(0, len(octets), PACKET)]


def heard(packets: Iterable[RtpPacket]) -> Samples:
    """Return what packets sound like one after the other."""
    return from_pcm16(b"".join(decode(packet.payload, Law(packet.payload_type)) for packet in packets))


class PhoneEnd:
    """Binds a pair of ports; collects what arrives."""

    def __init__(self, frequency: float = 440.0, law: Law = Law.A, ssrc: int = 1, host: str = HOST) -> None:
        self.law = law
        self.host = host
        self.ssrc = ssrc
        self.sequence = 100
        self.timestamp = 5000
        self.payloads = tone(frequency, 50, law)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.rtp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.rtcp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.port = free_port(host)
        self.rtp.bind((host, self.port))
        self.rtcp.bind((host, self.port + 1))
        self.datagrams: list[bytes] = []
        self.sources: list[int] = []
        self.reports: list[bytes] = []
        self.to = 0
        self._arrived = asyncio.Event()
        self._talking: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        loop.add_reader(self.rtp, self._read, self.rtp, self.datagrams)
        loop.add_reader(self.rtcp, self._read, self.rtcp, self.reports)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._talking is not None:
            self._talking.cancel()
        for opened in (self.rtp, self.rtcp):
            asyncio.get_running_loop().remove_reader(opened)
            opened.close()

    def _read(self, opened: socket.socket, to: list[bytes]) -> None:
        data, source = opened.recvfrom(4096)
        to.append(data)
        if opened is self.rtp:
            self.sources.append(source[1])
        self._arrived.set()

    @property
    def packets(self) -> list[RtpPacket]:
        """The RTP packets that arrived."""
        return [RtpPacket.parse(data) for data in self.datagrams if is_rtp(data)]

    def sdp(
        self,
        formats: str = "8 101",
        direction: str = "sendrecv",
        *,
        host: str | None = None,
        port: int | None = None,
        lines: Iterable[str] = (),
    ) -> bytes:
        """Return a description of the phone."""
        address = f"IP{6 if ':' in self.host else 4} {self.host if host is None else host}"
        text = ["v=0", f"o=phone {self.port} 1 IN {address}", "s=-", f"c=IN {address}", "t=0 0"]
        text.append(f"m=audio {self.port if port is None else port} RTP/AVP {formats}")
        if "101" in formats.split():
            text.append("a=rtpmap:101 telephone-event/8000")
        return "".join(f"{line}\r\n" for line in (*text, f"a={direction}", *lines)).encode()

    def learn(self, sdp: bytes) -> bytes:
        """Take the description that the plane gave us: send there from now on."""
        self.to = audio_port(sdp)
        return sdp

    def send(self, payload: bytes | None = None, *, payload_type: int | None = None) -> bytes:
        """Send the next packet; return it."""
        packet = self.made(payload, payload_type=payload_type)
        self.rtp.sendto(packet, (self.host, self.to))
        return packet

    def made(self, payload: bytes | None = None, *, payload_type: int | None = None) -> bytes:
        """Return the next packet, which somebody else sends."""
        packet = RtpPacket(
            int(self.law) if payload_type is None else payload_type,
            self.sequence % 65536,
            self.timestamp % 2**32,
            self.ssrc,
            self.payloads[self.sequence % len(self.payloads)] if payload is None else payload,
        ).to_bytes()
        self.sequence += 1
        self.timestamp += PACKET
        return packet

    def talk(self) -> None:
        """Send the tone, 50 packets a second, until `hush`."""
        self._talking = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.send()
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    def hush(self) -> None:
        """Stop sending."""
        if self._talking is not None:
            self._talking.cancel()
            self._talking = None

    async def hear(self, count: int, seconds: float = PATIENCE) -> list[RtpPacket]:
        """Wait for RTP packets beyond those that came already; return the new ones."""
        start = len(self.packets)
        await self.wait(lambda: len(self.packets) >= start + count, seconds)
        return self.packets[start : start + count]

    async def wait(self, until: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something holds, looking whenever something arrives."""
        async with asyncio.timeout(seconds):
            while not until():
                self._arrived.clear()
                await self._arrived.wait()


def audio_port(sdp: bytes) -> int:
    """Return the port of the first audio stream."""
    return int(sdp.split(b"m=audio ")[1].split()[0])
