"""What a registration and a call keep in memory: `python -m bench.memory [--seconds 40] [--json]`.

Starts `kobza serve` and lets one process be thousands of phones. Registrations come at a steady rate; when the tables
of transactions are as full as they get at that rate (they last 32 s), memory is read, and again after as many seconds
more: the difference is what the registrations of that time keep. Calls the same way, all of which stay. So neither the
memory that a process kept free from its start nor what passes counts. Resident memory of the server and its media
process, whose calls have ports but no packets here (`bench.relay` has those).

The last messages of calls are kept whole for `kobza trace` in a budget of their own, `sip_kept_mb`. It is set to its
least here, so that it is full before calls are counted; as it is shipped (16) a call takes some 7 KiB of it until then.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.processors import kept_to
from bench.rows import Row, memory_kib
from kobza.call.directory import Package
from kobza.net.clock import SteadyClock
from kobza.net.endpoint import SipEndpoint
from kobza.sip.digest import ha1
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
from kobza.store import STORE_FILE, Store, enterprises, meta, numbers
from tests.support.ports import free_ports, free_range

HOST = "127.0.0.1"
REGISTRATIONS_PER_SECOND, CALLS_PER_SECOND = 60, 15
REGISTRATION_MARK, CALL_MARK = 2.0, 20.0
"""KiB that a registration and a call may keep."""
LEAST_KEPT = {"KOBZA_SIP_KEPT_MB": "1"}
PASSWORD = "bench"
SDP = b"".join(
    line + b"\r\n"
    for line in (
        *(b"v=0", b"o=- 1 1 IN IP4 127.0.0.1", b"s=-", b"c=IN IP4 127.0.0.1", b"t=0 0"),
        *(b"m=audio 40000 RTP/AVP 8 101", b"a=rtpmap:101 telephone-event/8000"),
    )
)


class Result(NamedTuple):
    """KiB."""

    idle: float
    """Of the server and its media process, right after the start."""
    registration: float
    call: float
    """In the server."""
    call_media: float
    """In the media process."""


def prepare(data: Path, phones: int) -> list[str]:
    """Make a store with so many numbers; return them as people dial them."""
    data.mkdir(exist_ok=True)
    store = Store.create(data / STORE_FILE)
    made = []
    with store.write() as conn:
        realm = meta.sip_realm(conn)
        enterprise = enterprises.add(conn, "Bench", "bench", "none", 0)
        for index in range(phones):
            name = f"067{index:07d}"
            numbers.add(
                conn,
                f"+38{name}",
                enterprise.enterprise_id,
                f"Phone {index}",
                packages=(Package.CONVERGENT, Package.API_FMC),
                username=name,
                ha1_md5=ha1(name, realm, PASSWORD, "MD5"),
                ha1_sha256=ha1(name, realm, PASSWORD, "SHA-256"),
            )
            made.append(name)
    store.close()
    return made


class Phones:
    """All the phones, at one address: they register, take every call at once, and call."""

    def __init__(self, server: Address) -> None:
        self.now = SteadyClock().now
        self.server = server
        self.ua = UserAgent(new_token=lambda: secrets.token_hex(8), methods=())
        self.endpoint = SipEndpoint(self.ua, now=self.now, on_events=self._told)
        self.local: Address = (HOST, 0)
        self.registered = 0
        self.answered: list[InviteDialog] = []
        self.failures: list[str] = []

    async def start(self) -> None:
        self.local = await self.endpoint.listen(Transport.UDP, HOST, 0)

    def register(self, name: str) -> None:
        aor = self._party(name)
        contact = f"<sip:{name}@{self.local[0]}:{self.local[1]}>"
        self.ua.request(
            "REGISTER",
            f"sip:{self.server[0]}:{self.server[1]}",
            from_=aor,
            to=aor,
            flow=self.endpoint.flow_to(self.server, Transport.UDP),
            headers=[("Contact", contact), ("Expires", "3600")],
            credentials=Credentials(name, PASSWORD),
            now=self.now(),
        )
        self.endpoint.pump()

    def call(self, name: str, other: str) -> None:
        self.ua.invite(
            f"sip:{other}@{self.server[0]}:{self.server[1]}",
            from_=self._party(name),
            to=self._party(other),
            flow=self.endpoint.flow_to(self.server, Transport.UDP),
            body=SDP,
            credentials=Credentials(name, PASSWORD),
            contact_user=name,
            now=self.now(),
        )
        self.endpoint.pump()

    async def until_registered(self, wanted: int) -> None:
        await self._until(lambda: self.registered == wanted)

    async def until_answered(self, wanted: int) -> None:
        await self._until(lambda: len(self.answered) == wanted)

    async def _until(self, done: Callable[[], bool]) -> None:
        """Wait for something; stop at the first failure."""
        async with asyncio.timeout(60):
            while not done():
                if self.failures:
                    raise SystemExit(f"{len(self.failures)} failures; the first: {self.failures[0]}")
                await asyncio.sleep(0.05)

    def _party(self, name: str) -> NameAddr:
        return NameAddr("", SipUri("sip", name, host=self.server[0]))

    def _told(self, events: list[UaEvent]) -> None:
        now = self.now()
        for event in events:
            match event:
                case InviteReceived(dialog):
                    dialog.provisional(180, now=now)
                    dialog.accept(SDP, now=now)
                case InviteAnswered(dialog):
                    self.answered.append(dialog)
                case InviteRejected(status=status):
                    self.failures.append(f"a call failed: {status}")
                case InviteEnded(reason=reason):
                    self.failures.append(f"a call ended: {reason}")
                case ResponseReceived(response=response) if response.status == 200:
                    self.registered += 1
                case ResponseReceived(response=response):
                    self.failures.append(f"a registration failed: {response.status}")
                case RequestFailed(status=status):
                    self.failures.append(f"a request failed: {status}")


@asynccontextmanager
async def serving(
    data: Path,
    rtp_ports: int,
    processors: Set[int] | None = None,
    within: Sequence[str] = (),
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Address]]:
    """Run `kobza serve`, kept to some processors or not; give its process and where it speaks SIP.

    `within`: the command that runs it in its turn, with a process of the same number. `settings` are variables for it.
    """
    http, sip = free_ports(2)
    rtp = free_range(rtp_ports)
    command = (
        *within,
        str(Path(sys.executable).with_name("kobza")),
        "serve",
        "--data",
        str(data),
        "--http",
        f"{HOST}:{http}",
    )
    options = ("--sip", f"udp:{HOST}:{sip}", "--rtp-host", HOST, "--rtp-ports", f"{rtp.start}-{rtp.stop - 1}")
    with (data / "serve.log").open("wb") as log, kept_to(processors):
        process = await asyncio.create_subprocess_exec(
            *command, *options, stdout=log, stderr=log, env={**os.environ, **settings}
        )
    try:
        for _ in range(600):
            try:
                _, writer = await asyncio.open_connection(HOST, http)
            except OSError:
                if process.returncode is not None:
                    break
                await asyncio.sleep(0.1)
            else:
                writer.close()
                await asyncio.sleep(1.0)
                break
        if process.returncode is not None:
            raise SystemExit(f"kobza serve ended: {(data / 'serve.log').read_text()}")
        yield process, (HOST, sip)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def http_of(data: Path) -> str:
    """Return where the server of a folder speaks HTTP, as its log says."""
    ready = re.search(r"http://[0-9.:]+", (data / "serve.log").read_text())
    if ready is None:
        raise SystemExit("kobza serve does not say where it is")
    return ready[0]


def child_of(pid: int, module: str = "kobza.media.relay") -> int:
    """Return the process id of the server's child that runs a module: its media process."""
    children = [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]
    (child,) = [one for one in children if module.encode() in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")]
    return child


async def steadily(things: Iterator[Sequence[str]], rate: float, how_many: int, act: Callable[..., None]) -> None:
    """Do something `rate` times a second."""
    begun = time.monotonic()
    for number in range(how_many):
        act(*next(things))
        await asyncio.sleep(max(0.0, begun + (number + 1) / rate - time.monotonic()))


async def main(seconds: float) -> Result:
    registrations, calls = int(seconds * REGISTRATIONS_PER_SECOND), int(seconds * CALLS_PER_SECOND)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder)
        names = prepare(data, 2 * max(registrations, 2 * calls))
        async with serving(data, 4 * 2 * calls, settings=LEAST_KEPT) as (process, address):
            media = child_of(process.pid)
            idle = memory_kib(process.pid) + memory_kib(media)
            phones = Phones(address)
            await phones.start()
            each = ((name,) for name in names)
            memory = []
            for round_ in (1, 2):
                await steadily(each, REGISTRATIONS_PER_SECOND, registrations, phones.register)
                await phones.until_registered(round_ * registrations)
                memory.append(memory_kib(process.pid))
            registration = (memory[1] - memory[0]) / registrations
            pairs = zip(names[0::2], names[1::2], strict=True)
            standing = []
            for round_ in (1, 2):
                await steadily(pairs, CALLS_PER_SECOND, calls, phones.call)
                await phones.until_answered(round_ * calls)
                standing.append((memory_kib(process.pid), memory_kib(media)))
            call, call_media = ((after - before) / calls for before, after in zip(*standing, strict=True))
            for dialog in phones.answered:
                dialog.bye(now=phones.now())
                phones.endpoint.pump()
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.5)
            await phones.endpoint.close()
    return Result(idle, registration, call, call_media)


def measure(*, quick: bool = False) -> Sequence[Row]:
    result = asyncio.run(main(0.5 if quick else 40.0))
    return [
        Row("memory of the server and its media process, idle", result.idle / 1024, "MiB"),
        Row("memory a registration", result.registration, "KiB", "the mark", REGISTRATION_MARK),
        Row("memory a standing call, silent", result.call + result.call_media, "KiB", "the mark", CALL_MARK),
        Row("of that, the media process", result.call_media, "KiB"),
    ]


def table(result: Result) -> Table:
    shown = Table(title="Memory, KiB")
    for heading in result._fields:
        shown.add_column(heading, justify="right")
    shown.add_row(*(f"{figure:,.1f}" for figure in result))
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each of the four parts; 35 or more to be right")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    measured = asyncio.run(main(arguments.seconds))
    if arguments.json:
        print(json.dumps(measured._asdict()))
    else:
        Console().print(table(measured))
