"""Calls through `kobza serve`, for the benches that measure what they take: sipp calls sipp at a steady rate.

INVITE, 180, 200, ACK, a while of talk without audio, BYE. Callers are on the outside line, without a password; or
phones of the enterprise, whose INVITE meets a digest challenge first and whose call has six states of two owners
instead of three of one.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence, Set
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench.memory import HOST, PASSWORD, child_of, prepare, serving
from kobza.store import STORE_FILE, Store, endpoints, enterprises, trunks
from tests.support.ports import free_ports

SCENARIOS = Path(__file__).parent / "sipp"
RATE = 50
STATES_OF_AN_OWNER = 3
SPARE_CALLS = 100
"""For which there are ports as well: the media process binds some ahead, and on a busy machine calls take longer."""

ERRORS_SHOWN = 1000
"""Characters of what sipp says of calls that failed: of the first."""
LOG_SHOWN = 2000
"""Characters of the server's log that are shown when a call fails: its end."""


class Extent(NamedTuple):
    """How much is measured."""

    calls: int = 1500
    rate: int = RATE
    """Calls a second."""
    warm_up: int = 100
    """Calls before the measured ones: caches fill, nothing is imported any more."""
    pairs: int = 100
    talk_ms: int = 1000

    def talk(self, calls: int) -> Sequence[str]:
        """Say to sipp: so many calls at this rate and length."""
        return ("-m", str(calls), "-r", str(self.rate), "-d", str(self.talk_ms))


class Traffic:
    """A running server, the phones that are called, and callers whenever they are wanted."""

    def __init__(
        self, data: Path, pid: int, server: str, scenario: str, port: int, pairs: Iterator[Sequence[str]]
    ) -> None:
        """Callers are at a port; `pairs` are lines for sipp: who calls, what to say to a challenge, who is called."""
        self.data = data
        self.pid = pid
        self.media = child_of(pid)
        self._server = server
        self._scenario = scenario
        self._port = port
        self._pairs = pairs
        self._runs = 0

    async def call(self, calls: int, extent: Extent) -> None:
        """Let the next callers call, and wait until the last has hung up."""
        self._runs += 1
        listed = write_list(self.data / f"callers{self._runs}.csv", itertools.islice(self._pairs, calls))
        notes = noted_in(self.data / f"callers{self._runs}.notes")
        await sipp(self._scenario, self._server, self._port, listed, *extent.talk(calls), *notes)

    def notes(self) -> Iterator[str]:
        """Go through the lines that the phones noted, see `log` in `sipp/*.xml`."""
        for path in self.data.glob("*.notes"):
            yield from path.read_text().splitlines()


@asynccontextmanager
async def traffic(
    extent: Extent,
    *,
    trunk: bool = False,
    webhook: str | None = None,
    callers: int | None = None,
    processors: Set[int] | None = None,
    within: Sequence[str] = (),
) -> AsyncIterator[Traffic]:
    """Run a server with phones that answer.

    `trunk`: the callers are on the outside line instead of phones of the enterprise, whose states go to `webhook`. So
    many `callers` call in turn, `extent.pairs` are called. The server keeps to `processors`, and runs `within` another
    command.
    """
    callers = extent.pairs if callers is None else callers
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder) / "data"
        names = prepare(data, extent.pairs + (0 if trunk else callers))
        called, calling = names[: extent.pairs], names[extent.pairs :]
        uas_port, uac_port, reg_port = free_ports(3)
        if trunk:
            calling = [f"050{index:07d}" for index in range(callers)]
            add_trunk(data, uac_port)
        if webhook is not None:
            set_webhook(data, webhook)
        phones = write_list(data / "phones.csv", ((name, auth(name)) for name in called))
        each = zip(itertools.cycle(calling), itertools.cycle(called), strict=True)
        pairs = ((one, auth(one), other) for one, other in each)
        # Four ports for a call; a call's ports rest for 5 s after its talk.
        at_once = min(extent.rate * (7 + extent.talk_ms // 1000), extent.warm_up + extent.calls)
        ports = 4 * (at_once + SPARE_CALLS)
        async with serving(data, ports, processors, within) as (process, address):
            server = f"{address[0]}:{address[1]}"
            contact = ("-key", "cport", str(uas_port))
            await sipp("register", server, reg_port, phones, *contact, "-m", str(extent.pairs), "-r", "50")
            uas = await start_sipp("uas", server, uas_port, None, *noted_in(data / "called.notes"))
            try:
                scenario = "uac_trunk" if trunk else "uac"
                yield Traffic(data, process.pid, server, scenario, uac_port, pairs)
            except SystemExit:
                print((data / "serve.log").read_text()[-LOG_SHOWN:], file=sys.stderr)
                raise
            finally:
                uas.terminate()
                await uas.wait()


def auth(name: str) -> str:
    return f"[authentication username={name} password={PASSWORD}]"


def write_list(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    path.write_text("SEQUENTIAL\n" + "".join(";".join(row) + ";\n" for row in rows))
    return path


def add_trunk(data: Path, port: int) -> None:
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        trunks.add(conn, "outside", HOST, port, options_every=0)  # sipp answers none: a message that it did not expect
    store.close()


def set_webhook(data: Path, url: str) -> None:
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        endpoints.set(conn, enterprises.list_all(conn)[0].enterprise_id, url, "token")
    store.close()


def noted_in(path: Path) -> Sequence[str]:
    """Say to sipp where to write the lines that its scenario tells it to."""
    return ("-trace_logs", "-log_file", str(path))


async def start_sipp(
    scenario: str, server: str, port: int, listed: Path | None = None, *options: str
) -> asyncio.subprocess.Process:
    command = ["sipp", server, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", HOST, "-p", str(port), "-nostdin"]
    command += ["-nd"] if scenario == "uas" else []
    command += ["-inf", str(listed)] if listed is not None else []
    return await asyncio.create_subprocess_exec(
        *command, *options, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )


async def sipp(scenario: str, server: str, port: int, listed: Path, *options: str) -> None:
    """Run a scenario to its end; raises SystemExit when a call of it failed."""
    process = await start_sipp(scenario, server, port, listed, *options)
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"sipp {scenario} ended with {process.returncode}: {errors.decode()[:ERRORS_SHOWN]}")
