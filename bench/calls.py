"""What a bridged call costs: `python -m bench.calls`.

sipp calls sipp through `kobza serve` at a steady rate: INVITE, 180, 200, ACK, a second of talk without audio, BYE.
Every call is stored with its record and its call states. Prints the CPU of the server and its media process for each
call, and which thread it went to. Callers are on the outside line, without a password; or phones of the enterprise,
whose INVITE meets a digest challenge first and whose call has six states of two owners instead of three of one. Each
state may be posted to a webhook as well.

Beside it, in the same run, Asterisk 22 bridges the calls of the outside line, without a password and without storing
anything (`make bench-peers` installs it). The mark is half of what it takes: 2 ms where it takes 4.

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
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench import asterisk_peer
from bench.rows import Row, Unavailable, cpu_ms, cpu_seconds
from bench.traffic import RATE, STATES_OF_AN_OWNER, Extent, Traffic, sipp, start_sipp, traffic, write_list
from kobza import BUILD
from tests.support.ports import free_ports
from tests.support.sink import WebhookSink

MARK_MS = 2.0
SETTLE_SECONDS = 1.0
PEAK = Extent(calls=9000, rate=300, warm_up=600)
"""Calls of which none may fail on two cores."""
QUICK = Extent(calls=5, rate=20, warm_up=2, pairs=3, talk_ms=100)


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


async def main(extent: Extent, *, trunk: bool = False, posted: bool = False) -> Result:
    """Measure Kobza. `trunk`: the callers are on the outside line instead of phones of the enterprise."""
    states = STATES_OF_AN_OWNER * (1 if trunk else 2)
    async with WebhookSink() as sink, traffic(extent, trunk=trunk, webhook=sink.url if posted else None) as calls:
        await calls.call(extent.warm_up, extent)
        before = cpu_of(calls)
        await calls.call(extent.calls, extent)
        if posted:
            await sink.wait_for(states * (extent.calls + extent.warm_up), within=30.0)
        else:
            await asyncio.sleep(SETTLE_SECONDS)
        after = cpu_of(calls)
    server_ms, loop_ms, media_ms = ((late - early) / extent.calls for early, late in zip(before, after, strict=True))
    return Result(loop_ms, server_ms - loop_ms, media_ms, extent.calls, len(sink.states))


def cpu_of(calls: Traffic) -> tuple[float, float, float]:
    """Return the milliseconds of CPU of the server, of its main thread and of the media process."""
    return cpu_ms(calls.pid), cpu_ms(calls.pid, calls.pid), cpu_ms(calls.media)


async def asterisk(extent: Extent) -> float:
    """Measure Asterisk with the calls of the outside line; return its milliseconds of CPU a call."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        numbers = ((f"050{index:07d}", "", f"067{index:07d}") for index in range(extent.pairs))
        pairs = write_list(Path(folder) / "pairs.csv", numbers)
        sip_port, uas_port, uac_port = free_ports(3)
        async with asterisk_peer.asterisk(sip_port, uas_port) as (process, address):
            server = f"{address[0]}:{address[1]}"
            uas = await start_sipp("uas", server, uas_port)
            try:
                await sipp("uac_trunk", server, uac_port, pairs, *extent.talk(extent.warm_up))
                before = cpu_seconds(process.pid)
                await sipp("uac_trunk", server, uac_port, pairs, *extent.talk(extent.calls))
                await asyncio.sleep(SETTLE_SECONDS)
                return (cpu_seconds(process.pid) - before) * 1e3 / extent.calls
            finally:
                uas.terminate()
                await uas.wait()


async def all_of_them(quick: bool) -> tuple[float | None, Result, Result, Result, Result, Result]:
    """Measure Asterisk if it is there, calls from outside, between phones, posted, with the processors awake, and many.

    Quick, each way to call is gone once: two servers instead of five.
    """
    extent = QUICK if quick else Extent()
    try:
        peer = await asterisk(extent)
    except Unavailable as error:
        print(error, file=sys.stderr)
        peer = None
    outside = await main(extent, trunk=True)
    posted = await main(extent, posted=True)
    inside = posted if quick else await main(extent)
    async with processors_awake():
        awake = outside if quick else await main(extent, trunk=True)
    peak = outside if quick else await main(PEAK, trunk=True)
    return peer, outside, inside, posted, awake, peak


def measure(*, quick: bool = False) -> Sequence[Row]:
    if shutil.which("sipp") is None:
        raise Unavailable("sipp is missing")
    peer, outside, inside, posted, awake, peak = asyncio.run(all_of_them(quick))
    against, reference = ("the mark", MARK_MS) if peer is None else (asterisk_peer.version(), peer)
    return [
        Row(
            f"CPU a call from outside at {RATE} calls/s, its record and 3 states stored",
            outside.total,
            "ms",
            against,
            reference,
        ),
        Row("of that, the thread that carries calls", outside.loop, "ms"),
        Row("of that, the journal's thread", outside.writer, "ms"),
        Row("of that, the media process", outside.media, "ms"),
        Row("the same, with the processors kept awake", awake.total, "ms"),
        Row(f"CPU a call from outside at {PEAK.rate} calls/s, of which none failed", peak.total, "ms"),
        Row("CPU a call between two phones: digest, its record and 6 states stored", inside.total, "ms"),
        Row("the same, each state posted to a webhook as well", posted.total, "ms", "stored only", inside.total),
    ]


async def chosen(given: argparse.Namespace) -> str:
    extent = Extent(given.calls, given.rate, talk_ms=given.talk)
    async with AsyncExitStack() as around:
        if given.awake:
            await around.enter_async_context(processors_awake())
        if given.asterisk:
            return f"{await asterisk(extent):.2f} ms a call"
        result = await main(extent, trunk=given.trunk, posted=given.posted)
        return f"{result.total:.2f} ms a call, none failed ({BUILD}): {result}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=Extent().calls)
    parser.add_argument("--rate", type=int, default=RATE, help="calls a second")
    parser.add_argument("--talk", type=int, default=Extent().talk_ms, help="milliseconds of each call")
    parser.add_argument("--trunk", action="store_true", help="callers on the outside line, not phones with digest")
    parser.add_argument("--posted", action="store_true", help="post the states to a webhook as well")
    parser.add_argument("--awake", action="store_true", help="keep the processors awake")
    parser.add_argument("--asterisk", action="store_true", help="measure Asterisk, from `make bench-peers`")
    print(asyncio.run(chosen(parser.parse_args())))
