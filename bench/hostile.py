"""Calls in a flood: `python -m bench.hostile [--rounds 3] [--one 5000] [--method INVITE]`, `make bench-hostile`.

Phones call each other through `kobza serve` and talk for some seconds, with a packet of sound each 20 ms, first in
peace, then while bad REGISTERs come: 5,000 a second from one address and 500 a second from 400 others (`bench.flood`);
in turns, so that both have the same machine.
Loopback is no trusted network here, so all of it goes by the door as it would from the internet. Prints how many calls
were set up and how soon, the longest silence that any of them heard, how soon a phone registers that was never
there before, and the CPU of a bad message; the same in peace is what each is compared with.

When a packet comes is told by the kernel, and what the sender of the sound was late itself is taken off a silence.
"""

import argparse
import asyncio
import itertools
import os
import secrets
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench.memory import HOST, PASSWORD, prepare, serving
from bench.rows import Row, cpu_ms
from kobza.net.clock import SteadyClock
from kobza.net.endpoint import SipEndpoint
from kobza.sip.flow import Address, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.request import Credentials
from kobza.sip.ua import (
    InviteAnswered,
    InviteDialog,
    InviteEnded,
    InviteReceived,
    InviteRejected,
    RequestFailed,
    ResponseReceived,
    UaEvent,
    UserAgent,
)
from kobza.sip.uri import SipUri

PACKET: Final = 0.02
"""Seconds of sound in a packet."""
HEADER: Final = struct.Struct(">BBHIId")
"""RTP's, and in the sound the moment at which it was sent."""
SO_TIMESTAMP: Final = 29
"""Linux: the kernel tells when a datagram came."""
NOBODY_TRUSTED: Final = "192.0.2.0/24"
NEWCOMERS: Final = 4
"""Phones that come while it lasts."""
GAP: Final = 0.06
"""Seconds of silence that no call may hear: three packets."""


class Extent(NamedTuple):
    """How much is measured, of peace and of flood each."""

    seconds: float = 20.0
    pairs: int = 12
    rate: float = 4.0
    """Calls a second."""
    talk: float = 2.0
    one: int = 5000
    many: int = 500
    method: str = "REGISTER"
    rounds: int = 1
    """Turns of peace and flood."""


@dataclass
class Seen:
    """What came of the calls of one part."""

    begun: int = 0
    failed: int = 0
    setups: list[float] = field(default_factory=list)
    silences: list[float] = field(default_factory=list)
    """The longest of each call, seconds."""
    newcomers: list[float] = field(default_factory=list)
    cpu_ms: float = 0.0
    bad: int = 0

    def add(self, other: "Seen") -> None:
        """Take what came of another part."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def gaps(self) -> int:
        """How many calls heard a silence that people hear too."""
        return sum(silence > GAP for silence in self.silences)


class Line:
    """A socket for the sound of one side of a call; notes the longest silence between what came."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self.port = int(self.socket.getsockname()[1])
        self.longest = 0.0
        self._before: tuple[float, float, int] | None = None
        asyncio.get_running_loop().add_reader(self.socket, self._readable)

    @property
    def sdp(self) -> bytes:
        lines = ("v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0", f"m=audio {self.port} RTP/AVP 8")
        return "".join(f"{line}\r\n" for line in lines).encode()

    async def speak(self, to: int, seconds: float) -> None:
        begun, ssrc = time.monotonic(), secrets.randbits(32)
        for number in range(int(seconds / PACKET)):
            packet = HEADER.pack(0x80, 8, number, number * 160, ssrc, time.time()) + b"\xd5" * 152
            self.socket.sendto(packet, (HOST, to))
            await asyncio.sleep(max(0.0, begun + (number + 1) * PACKET - time.monotonic()))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()

    def _readable(self) -> None:
        while True:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(2048, 64)
            except OSError:
                return
            if len(data) != HEADER.size + 152 or not ancillary:
                continue
            seconds, micros = struct.unpack("qq", ancillary[0][2][:16])
            _, _, sequence, _, _, sent = HEADER.unpack_from(data)
            came = seconds + micros / 1e6
            if self._before is not None:
                before, sent_before, last = self._before
                late = max(0.0, sent - sent_before - PACKET * (sequence - last))
                self.longest = max(self.longest, came - before - late)
            self._before = came, sent, sequence


class Phone:
    """A phone with sockets of its own: registers, takes every call at once, calls."""

    def __init__(self, name: str, server: Address, host: str = HOST, password: str = PASSWORD) -> None:
        self.name = name
        self.password = password
        self.server = server
        self.host = host
        self.now = SteadyClock().now
        self.ua = UserAgent(new_token=lambda: secrets.token_hex(8), methods=())
        self.endpoint = SipEndpoint(self.ua, now=self.now, on_events=self._told)
        self.lines: dict[InviteDialog, Line] = {}
        self._waiting: dict[object, asyncio.Future[object]] = {}

    async def start(self) -> None:
        self.local = await self.endpoint.listen(Transport.UDP, self.host, 0)

    async def register(self) -> None:
        """Register; raises SystemExit when that is refused."""
        status = await self.try_to_register()
        if status != 200:
            raise SystemExit(f"{self.name} was not registered: {status}")

    async def try_to_register(self) -> object:
        """Return the status of a registration: 408 when nobody answers."""
        aor = self._party(self.name)
        done = self.ua.request(
            "REGISTER",
            f"sip:{self.server[0]}:{self.server[1]}",
            from_=aor,
            to=aor,
            flow=self.endpoint.flow_to(self.server, Transport.UDP),
            headers=[
                ("Contact", f"<sip:{self.name}@{self.local[0]}:{self.local[1]};transport=udp>;expires=3600"),
                ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, NOTIFY, REFER"),
            ],
            credentials=Credentials(self.name, self.password),
            now=self.now(),
        )
        return await self._outcome(done)

    async def call(self, other: str, talk: float, seen: Seen, heard_by: "Phone") -> None:
        """Call, speak, hang up."""
        seen.begun += 1
        begun, line = time.monotonic(), Line()
        dialog = self.ua.invite(
            f"sip:{other}@{self.server[0]}:{self.server[1]}",
            from_=self._party(self.name),
            to=self._party(other),
            flow=self.endpoint.flow_to(self.server, Transport.UDP),
            body=line.sdp,
            credentials=Credentials(self.name, self.password),
            contact_user=self.name,
            now=self.now(),
        )
        answer = await self._outcome(dialog)
        if not isinstance(answer, bytes):
            seen.failed += 1
            line.close()
            return
        seen.setups.append(time.monotonic() - begun)
        there = next(reversed(heard_by.lines.values()))
        await line.speak(int(answer.split(b"m=audio ")[1].split()[0]), talk)
        seen.silences.append(there.longest or talk)
        dialog.bye(now=self.now())
        self.endpoint.pump()
        line.close()

    async def close(self) -> None:
        await self.endpoint.close()
        for line in self.lines.values():
            line.close()

    async def _outcome(self, of: object) -> object:
        waiting = self._waiting[of] = asyncio.get_running_loop().create_future()
        self.endpoint.pump()
        return await waiting

    def _party(self, name: str) -> NameAddr:
        return NameAddr("", SipUri("sip", name, host="kobza"))

    def _told(self, events: list[UaEvent]) -> None:
        now = self.now()
        for event in events:
            match event:
                case InviteReceived(dialog):
                    line = self.lines[dialog] = Line()
                    dialog.provisional(180, now=now)
                    dialog.accept(line.sdp, now=now)
                case InviteAnswered(dialog, response):
                    self._waiting.pop(dialog).set_result(response.body)
                case InviteRejected(dialog, status=status):
                    self._waiting.pop(dialog).set_result(status)
                case InviteEnded(dialog) if dialog in self.lines:
                    self.lines.pop(dialog).close()
                case ResponseReceived(request, response) if request in self._waiting:
                    self._waiting.pop(request).set_result(response.status)
                case RequestFailed(request, status) if request in self._waiting:
                    self._waiting.pop(request).set_result(status)


@contextmanager
def nobody_trusted() -> Iterator[None]:
    """Have servers that are started meanwhile treat loopback as any other network."""
    before = os.environ.get("KOBZA_SIP_NEVER_BAN")
    os.environ["KOBZA_SIP_NEVER_BAN"] = NOBODY_TRUSTED
    try:
        yield
    finally:
        del os.environ["KOBZA_SIP_NEVER_BAN"]
        if before is not None:
            os.environ["KOBZA_SIP_NEVER_BAN"] = before


async def part(
    callers: Sequence[Phone], called: Sequence[Phone], newcomers: Sequence[Phone], pid: int, extent: Extent, bad: bool
) -> Seen:
    """Let phones call for a while, in peace or in a flood."""
    seen, server = Seen(), callers[0].server
    before = cpu_ms(pid)
    attack = None
    if bad:
        words = (*map(str, server), str(extent.seconds), str(extent.one), str(extent.many), extent.method)
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.flood", *words, stdout=asyncio.subprocess.PIPE
        )
        assert attack.stdout is not None
        await attack.stdout.readline()
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for newcomer in newcomers:
            group.create_task(_comes(newcomer, seen))
        for number in range(int(extent.seconds * extent.rate)):
            index = number % len(callers)
            group.create_task(callers[index].call(called[index].name, extent.talk, seen, called[index]))
            await asyncio.sleep(max(0.0, begun + (number + 1) / extent.rate - time.monotonic()))
    if attack is not None:
        sent, _ = await attack.communicate()
        seen.bad = int(sent)
    seen.cpu_ms = cpu_ms(pid) - before
    return seen


async def _comes(newcomer: Phone, seen: Seen) -> None:
    begun = time.monotonic()
    await newcomer.register()
    seen.newcomers.append(time.monotonic() - begun)


async def main(extent: Extent) -> tuple[Seen, Seen]:
    """Return what came of calls in peace and in the flood."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder)
        names = prepare(data, 2 * extent.pairs + 2 * NEWCOMERS * extent.rounds)
        at_once = int(extent.rate * (extent.talk + 8)) + extent.pairs  # a call's ports rest for 5 s
        async with AsyncExitStack() as around:
            with nobody_trusted():
                process, server = await around.enter_async_context(serving(data, 4 * at_once))
            old, new = names[: 2 * extent.pairs], names[2 * extent.pairs :]
            phones = [Phone(name, server) for name in old]
            phones += [Phone(name, server, f"127.0.3.{number}") for number, name in enumerate(new, 1)]
            for phone in phones:
                await phone.start()
                around.push_async_callback(phone.close)
            callers, called = phones[: extent.pairs], phones[extent.pairs : 2 * extent.pairs]
            for phone in (*callers, *called):
                await phone.register()
            new_phones, peace, war = iter(phones[2 * extent.pairs :]), Seen(), Seen()
            await part(callers, called, (), process.pid, extent._replace(seconds=min(3.0, extent.seconds)), False)
            for _ in range(extent.rounds):
                for seen, bad in ((peace, False), (war, True)):
                    newcomers = list(itertools.islice(new_phones, NEWCOMERS))
                    seen.add(await part(callers, called, newcomers, process.pid, extent, bad))
    return peace, war


def percentile(values: Sequence[float], part_of_all: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part_of_all * len(ordered)))] if ordered else 0.0


def rows_of(peace: Seen, war: Seen, extent: Extent) -> Sequence[Row]:
    name = f"in a flood of {extent.one:,} {extent.method}/s from one address and {extent.many} from many"
    cost = max(0.0, war.cpu_ms - peace.cpu_ms) / max(1, war.bad) * 1e3
    return [
        Row(f"calls set up {name}", len(war.setups), "calls", "in peace", len(peace.setups)),
        Row("of them failed", war.failed, "calls", "in peace", peace.failed),
        Row(
            "set up within, half of them",
            statistics.median(war.setups) * 1e3,
            "ms",
            "in peace",
            statistics.median(peace.setups) * 1e3,
        ),
        Row(
            "set up within, 99 in 100",
            percentile(war.setups, 0.99) * 1e3,
            "ms",
            "in peace",
            percentile(peace.setups, 0.99) * 1e3,
        ),
        Row(
            "longest silence that any call heard", max(war.silences) * 1e3, "ms", "in peace", max(peace.silences) * 1e3
        ),
        Row(
            "longest silence of a call, half of them",
            statistics.median(war.silences) * 1e3,
            "ms",
            "in peace",
            statistics.median(peace.silences) * 1e3,
        ),
        Row(f"calls that heard one over {GAP * 1e3:.0f} ms", war.gaps, "calls", "in peace", peace.gaps),
        Row(
            "a phone never seen before registers within",
            max(war.newcomers) * 1e3,
            "ms",
            "in peace",
            max(peace.newcomers) * 1e3,
        ),
        Row("CPU of the server a bad message", cost, "µs"),
    ]


def measure(*, quick: bool = False) -> Sequence[Row]:
    extent = Extent(seconds=1.5, pairs=3, talk=0.5, one=2000, many=200) if quick else Extent()
    return rows_of(*asyncio.run(main(extent)), extent)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=Extent().seconds, help="of each part, peace and flood")
    parser.add_argument("--one", type=int, default=Extent().one, help="bad messages a second from one address")
    parser.add_argument("--many", type=int, default=Extent().many, help="bad messages a second from many addresses")
    parser.add_argument("--method", choices=("REGISTER", "INVITE"), default=Extent().method, help="of the bad messages")
    parser.add_argument("--rounds", type=int, default=3, help="turns of peace and flood (3)")
    parser.add_argument("--rate", type=float, default=Extent().rate, help="calls a second")
    given = parser.parse_args()
    wanted = Extent(
        given.seconds, rate=given.rate, one=given.one, many=given.many, method=given.method, rounds=given.rounds
    )
    for row in rows_of(*asyncio.run(main(wanted)), wanted):
        beside = "" if row.reference is None else f"   ({row.against}: {row.reference:,.1f})"
        print(f"{row.what:75} {row.figure:10,.1f} {row.unit}{beside}")
