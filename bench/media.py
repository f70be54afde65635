"""What a call's audio costs beside what others take for it: `python -m bench.media`, `make bench-media`.

Calls of G.711 both ways, 20, 50, 100 … at once, pass through the relay's process (moved by Python, and by the compiled
loop where `make compile` has built it), through rtpengine of Debian in userspace, and through Asterisk where `make
bench-peers` has installed it; each not recorded and recorded, all in one run and in turns. A relay has one processor,
the phones have the others. Counted is what the phones send after two seconds in which the calls begin. CPU is that of
the relay's process, the kernel's part included; the delay is what the relay adds, for half and for 99 of 100 packets,
from a phone's `send` to the kernel's time stamp at the other. Beside them a forwarder in C that looks at nothing says
what it takes to be woken for each packet. A relay that is not installed is left out, with words.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.asterisk_media import asterisk_calls
from bench.compiled import program
from bench.generator import Counts, generate
from bench.processors import kept_to, shared_out
from bench.relay import description, port_in, set_up
from bench.rows import Row, Unavailable, cpu_ms
from bench.rtpengine_peer import Control, rtpengine, sdp_in
from kobza.media.embedded import EmbeddedPlane
from kobza.media.packet_loop import PacketLoopName, is_compiled
from kobza.media.priority import PriorityName
from kobza.media.relay import allow_many_files

FIRST_PORT = 12_000
"""Of the relays. Four a call at most, so that 800 calls end below the phones."""
FIRST_PHONE = 20_000
CALLS = (20, 50, 100, 200, 400, 800)
WARM_UP = 2.0
"""Seconds in which the calls begin; not counted."""
SPARE_PAIRS = 16
"""The plane keeps some bound ahead."""

Calls = tuple[Sequence[int], list[tuple[int, int]]]
"""The processes that relay, and pairs of a phone's port and the relay's port for it."""
Relay = Callable[[int], AbstractAsyncContextManager[Calls]]
"""Sets up so many calls."""


@dataclass
class Result:
    """What one relay took for so many calls."""

    calls: int
    core_percent: float
    us_a_packet: float
    """For each that was delivered: a relay that loses packets must not look cheap."""
    lost: int
    sent: int
    delay_p50_ms: float
    delay_p99_ms: float

    @property
    def percent_a_call(self) -> float:
        return self.core_percent / self.calls

    @property
    def loss_percent(self) -> float:
        return 100 * self.lost / max(1, self.sent)


def phones(calls: int) -> list[tuple[int, int]]:
    return [(FIRST_PHONE + 2 * call, FIRST_PHONE + 2 * call + 1) for call in range(calls)]


@asynccontextmanager
async def through_kobza(
    calls: int, *, packet_loop: PacketLoopName, priority: PriorityName, recorded: bool
) -> AsyncIterator[Calls]:
    ports = range(FIRST_PORT, FIRST_PORT + 4 * calls + 2 * SPARE_PAIRS)
    plane = EmbeddedPlane(
        host="127.0.0.1", ports=ports, timeout=600.0, packet_loop=packet_loop, process_priority=priority
    )
    spools = Path(tempfile.mkdtemp(prefix="kobza-bench-"))
    await plane.start()
    try:
        pairs: list[tuple[int, int]] = []
        for call, (caller, callee) in enumerate(phones(calls)):
            name = f"call-{call}"
            answer, for_callee = await set_up(plane, name, description(caller), description(callee))
            pairs += [(caller, port_in(answer)), (callee, for_callee)]
            if recorded:
                plane.record(name, record_id=name, spool=spools / name)
        assert plane.relay_pid is not None
        yield [plane.relay_pid], pairs
    finally:
        await plane.stop()
        shutil.rmtree(spools)


@asynccontextmanager
async def through_rtpengine(calls: int, *, recorded: bool) -> AsyncIterator[Calls]:
    ports = range(FIRST_PORT, FIRST_PORT + 4 * calls + 200)
    with rtpengine(ports, recorded=recorded) as engine:
        loop = asyncio.get_running_loop()
        transport, control = await loop.create_datagram_endpoint(Control, remote_addr=engine.control)
        try:
            yield [engine.pid], [pair for two in phones(calls) for pair in await engine_call(control, two, recorded)]
        finally:
            transport.close()


@asynccontextmanager
async def through_nothing(calls: int) -> AsyncIterator[Calls]:
    made = program("bare_forwarder")
    if made is None:
        raise Unavailable("there is no C compiler")
    command = (str(made), str(calls), str(FIRST_PORT), str(FIRST_PHONE))
    forwarder = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert forwarder.stdout is not None
        if not await forwarder.stdout.readline():
            raise SystemExit("the forwarder did not start")
        yield [forwarder.pid], [(FIRST_PHONE + side, FIRST_PORT + side) for side in range(2 * calls)]
    finally:
        forwarder.kill()
        await forwarder.wait()


async def engine_call(control: Control, phones: tuple[int, int], recorded: bool) -> list[tuple[int, int]]:
    caller, callee = phones
    about: dict[str, str | list[str]] = {
        "call_id": f"call-{caller}",
        "from_tag": "caller",
        "replace": ["origin", "session-connection"],
        "ICE": "remove",
    }
    if recorded:
        about["flags"] = ["record-call"]
    offer = sdp_in(await control.command(command="offer", sdp=description(caller), **about))
    answer = sdp_in(await control.command(command="answer", sdp=description(callee), to_tag="callee", **about))
    return [(caller, port_in(answer)), (callee, port_in(offer))]


def relays(*, recorded: bool, priority: PriorityName) -> dict[str, Relay]:
    there: dict[str, Relay] = {}
    kobza = partial(through_kobza, priority=priority, recorded=recorded)
    if is_compiled():
        there["Kobza, compiled"] = partial(kobza, packet_loop="compiled")
    there["Kobza, Python"] = partial(kobza, packet_loop="python")
    there["rtpengine"] = partial(through_rtpengine, recorded=recorded)
    there["Asterisk"] = lambda calls: asterisk_calls(phones(calls), recorded=recorded)
    if not recorded:
        there["bare forwarder in C"] = through_nothing
    return there


async def measure_one(relay: Relay, calls: int, seconds: float) -> Result:
    its_own, the_others = shared_out()
    before: list[float] = []
    async with AsyncExitStack() as stack:
        with kept_to(its_own):
            pids, pairs = await stack.enter_async_context(relay(calls))
        with kept_to(the_others):
            counts: Counts = await generate(pairs, seconds, WARM_UP, lambda: before.append(sum(map(cpu_ms, pids))))
        spent = sum(map(cpu_ms, pids)) - before[0]
    return Result(
        calls=calls,
        core_percent=spent / 10 / seconds,
        us_a_packet=1000 * spent / max(1, counts.received),
        lost=counts.sent - counts.received,
        sent=counts.sent,
        delay_p50_ms=counts.delay_p50_ms,
        delay_p99_ms=counts.delay_p99_ms,
    )


def middle(results: Sequence[Result]) -> Result:
    """Return medians; losses are added up."""
    return Result(
        calls=results[0].calls,
        core_percent=statistics.median(result.core_percent for result in results),
        us_a_packet=statistics.median(result.us_a_packet for result in results),
        lost=sum(result.lost for result in results),
        sent=sum(result.sent for result in results),
        delay_p50_ms=statistics.median(result.delay_p50_ms for result in results),
        delay_p99_ms=statistics.median(result.delay_p99_ms for result in results),
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def run(
    numbers: Sequence[int],
    seconds: float,
    rounds: int,
    *,
    recorded: bool,
    names: Sequence[str] = (),
    priority: PriorityName = "normal",
) -> dict[str, list[Result]]:
    """Measure each relay with each number of calls, in turns; one that is not there is left out."""
    allow_many_files()
    there = {
        name: relay
        for name, relay in relays(recorded=recorded, priority=priority).items()
        if not names or name in names
    }
    results: dict[str, dict[int, list[Result]]] = {name: {} for name in there}
    for calls in numbers:
        for _ in range(rounds):
            for name, relay in list(there.items()):
                try:
                    result = await measure_one(relay, calls, seconds)
                except Unavailable as error:
                    say(f"{name} is left out: {error}")
                    del there[name], results[name]
                    continue
                results[name].setdefault(calls, []).append(result)
        say(f"{calls} calls{', recorded' if recorded else ''}: {rounds} rounds done")
    return {name: [middle(some) for some in by_calls.values()] for name, by_calls in results.items()}


def table(results: dict[str, list[Result]], *, recorded: bool) -> Table:
    reference = {result.calls: result for result in results.get("rtpengine", [])}
    shown = Table(title=f"G.711, 20 ms, both ways{', recorded' if recorded else ''}")
    for heading in (
        "calls",
        "relay",
        "% of a core",
        "% a call",
        "µs a packet",
        "lost %",
        "p50 ms",
        "p99 ms",
        "to rtpengine",
    ):
        shown.add_column(heading, justify="left" if heading == "relay" else "right")
    rows = [(result.calls, name, result) for name, some in results.items() for result in some]
    for calls, name, result in sorted(rows, key=lambda row: row[0]):
        beside = reference.get(calls)
        shown.add_row(
            str(calls),
            name,
            f"{result.core_percent:.1f}",
            f"{result.percent_a_call:.3f}",
            f"{result.us_a_packet:.2f}",
            f"{result.loss_percent:.3f}",
            f"{result.delay_p50_ms:.2f}",
            f"{result.delay_p99_ms:.2f}",
            "" if beside is None else f"{result.us_a_packet / beside.us_a_packet:.2f}",
        )
    return shown


def measure(*, quick: bool = False) -> Sequence[Row]:
    """Return the rows of the README: a call's share of a core, relayed and recorded, beside rtpengine."""
    calls, seconds, rounds = (4, 0.3, 1) if quick else (100, 10.0, 3)
    own = f"Kobza, {'compiled' if is_compiled() else 'Python'}"
    rows: list[Row] = []
    for recorded in (False, True):
        what = "recorded" if recorded else "relayed"
        results = asyncio.run(run([calls], seconds, rounds, recorded=recorded, names=(own, "rtpengine")))
        [result] = results[own]
        [beside] = results.get("rtpengine", [None])
        engine = "" if beside is None else f"rtpengine in userspace{', into a pcap file' if recorded else ''}"
        percent = None if beside is None else beside.percent_a_call
        rows.append(Row(f"a {what} call among {calls}", result.percent_a_call, "% of a core", engine, percent))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=CALLS, help="at once; each number is measured")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="the median of them is shown")
    parser.add_argument("--only", nargs="+", default=(), metavar="RELAY", help="measure these alone: 'Kobza, Python' …")
    parser.add_argument("--what", choices=("relayed", "recorded", "both"), default="both")
    parser.add_argument("--priority", choices=("auto", "normal"), default="normal", help="of Kobza's media process")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for recorded in (False, True):
        if options.what in ("both", "recorded" if recorded else "relayed"):
            results = asyncio.run(
                run(
                    options.calls,
                    options.seconds,
                    options.rounds,
                    recorded=recorded,
                    names=options.only,
                    priority=options.priority,
                )
            )
            if options.json:
                print(json.dumps({name: [asdict(one) for one in some] for name, some in results.items()}))
            else:
                Console(width=None if sys.stdout.isatty() else 120).print(table(results, recorded=recorded))
    say(f"load of the machine meanwhile: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")


if __name__ == "__main__":
    main()
