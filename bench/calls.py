"""What a bridged call costs: `python -m bench.calls`.

sipp calls sipp through `kobza serve` at a steady rate: INVITE with digest, 180, 200, ACK, a second of talk without
audio, BYE. Every call is stored with its record and its six call states; in a second run each state is also posted to a
webhook sink. Prints the CPU of the server and its media process for each call, and which thread it went to. The mark
beside it is 2 ms, set for a first release; Asterisk 22 spends 3.5 to 4.2 ms on the same call without storing anything.

At 50 calls/s the machine is mostly idle, and on a virtual one waking an idle processor is costly and counted to whoever
wakes it. So one run is with loops of the idle class on every processor: they take nothing from anybody, and what is
left is what the code itself takes.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench.memory import HOST, PASSWORD, child_of, prepare, serving
from bench.rows import Row, Unavailable
from kobza.store import STORE_FILE, Store, endpoints, enterprises
from tests.support.ports import free_ports
from tests.support.sink import WebhookSink

SCENARIOS = Path(__file__).parent / "sipp"
RATE = 50
PAIRS = 100
MARK_MS = 2.0
WARM_UP = 100
"""Calls before the measured ones: caches fill, nothing is imported any more."""
SETTLE_SECONDS = 1.0
STATES_OF_A_CALL = 6
"""Three for each of the two owners."""


class Result(NamedTuple):
    """Milliseconds of CPU a call."""

    loop: float
    """In the thread that carries calls."""
    writer: float
    """In the server's other threads, of which the journal's is the one that works."""
    media: float
    """In the media process."""
    calls: int
    states: int
    """Call states that the sink got."""

    @property
    def total(self) -> float:
        return self.loop + self.writer + self.media


@asynccontextmanager
async def processors_awake() -> AsyncIterator[None]:
    """Keep every processor busy with a loop that runs only where nobody else wants to."""
    spin = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    processors = len(os.sched_getaffinity(0))
    loops = [await asyncio.create_subprocess_exec(sys.executable, "-c", spin) for _ in range(processors)]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            await one.wait()


async def main(calls: int, *, posted: bool = False, rate: int = RATE, awake: bool = False) -> Result:
    if awake:
        async with processors_awake():
            return await main(calls, posted=posted, rate=rate)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder) / "data"
        names = prepare(data, 2 * PAIRS)
        callers, called = names[0::2], names[1::2]
        phones = write_list(data / "phones.csv", ((name, auth(name)) for name in called))
        pairs = write_list(
            data / "pairs.csv", ((one, auth(one), other) for one, other in zip(callers, called, strict=True))
        )
        async with WebhookSink() as sink:
            if posted:
                set_webhook(data, sink.url)
            # Four ports for a call; a call's ports rest for 5 s after its second of talk.
            async with serving(data, 4 * rate * 8) as (process, address):
                server = f"{address[0]}:{address[1]}"
                uas_port, uac_port, reg_port = free_ports(3)
                contact = ("-key", "cport", str(uas_port))
                await sipp("register", server, reg_port, phones, *contact, "-m", str(PAIRS), "-r", "50")
                uas = await start_sipp("uas", server, uas_port)
                media = child_of(process.pid)

                async def calling(count: int) -> None:
                    talk = ("-m", str(count), "-r", str(rate), "-d", "1000")
                    await sipp("uac", server, uac_port, pairs, *talk)

                try:
                    await calling(WARM_UP)
                    before = cpu_ms(process.pid), cpu_ms(process.pid, process.pid), cpu_ms(media)
                    await calling(calls)
                    if posted:
                        await sink.wait_for(STATES_OF_A_CALL * (calls + WARM_UP), within=30.0)
                    else:
                        await asyncio.sleep(SETTLE_SECONDS)
                    after = cpu_ms(process.pid), cpu_ms(process.pid, process.pid), cpu_ms(media)
                finally:
                    uas.terminate()
                    await uas.wait()
                states = len(sink.states)
    server_ms, loop_ms, media_ms = ((late - early) / calls for early, late in zip(before, after, strict=True))
    return Result(loop_ms, server_ms - loop_ms, media_ms, calls, states)


def cpu_ms(pid: int, thread: int | None = None) -> float:
    """Return the CPU of a process or of one of its threads since its start, as the scheduler counts it: exactly."""
    threads = Path(f"/proc/{pid}/task").iterdir() if thread is None else [Path(f"/proc/{pid}/task/{thread}")]
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e6


def auth(name: str) -> str:
    return f"[authentication username={name} password={PASSWORD}]"


def write_list(path: Path, rows: Iterable[Sequence[str]]) -> Path:
    path.write_text("SEQUENTIAL\n" + "".join(";".join(row) + ";\n" for row in rows))
    return path


def set_webhook(data: Path, url: str) -> None:
    store = Store.open(data / STORE_FILE)
    with store.write() as conn:
        endpoints.set(conn, enterprises.list_all(conn)[0].enterprise_id, url, "token")
    store.close()


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
        raise SystemExit(f"sipp {scenario} ended with {process.returncode}: {errors.decode()[-500:]}")


def measure(*, quick: bool = False) -> Sequence[Row]:
    if shutil.which("sipp") is None:
        raise Unavailable("sipp is missing")
    calls = 50 if quick else 1500
    stored = asyncio.run(main(calls))
    awake = asyncio.run(main(calls, awake=True))
    posted = asyncio.run(main(calls, posted=True))
    what = f"CPU a bridged call at {RATE} calls/s, its record and {STATES_OF_A_CALL} states stored"
    return [
        Row(what, stored.total, "ms", "the mark", MARK_MS),
        Row("of that, the thread that carries calls", stored.loop, "ms"),
        Row("of that, the journal's thread", stored.writer, "ms"),
        Row("of that, the media process", stored.media, "ms"),
        Row("the same, with the processors kept awake", awake.total, "ms", "the mark", MARK_MS),
        Row("the same, each state posted to a webhook as well", posted.total, "ms", "stored only", stored.total),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1500)
    parser.add_argument("--rate", type=int, default=RATE, help="calls a second")
    parser.add_argument("--posted", action="store_true", help="post the states to a webhook as well")
    parser.add_argument("--awake", action="store_true", help="keep the processors awake")
    given = parser.parse_args()
    measured = asyncio.run(main(given.calls, posted=given.posted, rate=given.rate, awake=given.awake))
    print(f"{measured.total:.2f} ms a call: {measured}")
