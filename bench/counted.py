"""What a bridged call takes, counted: `python -m bench.counted [--trunk] [--instructions] [--calls 200]`.

Times on a machine that others use differ by half from one minute to the next. What is counted does not: the calls of
functions in the thread that carries calls and in the media process, as Python's profiler sees them, Python's own
functions among them; or with `--instructions` what the processor was told to do in user mode, by thread, as valgrind's
callgrind counts it. The calls are those of `bench.calls`, fewer and slower: neither way of counting is quick.

It says which part of a call grew, not how long it takes: what the kernel does, and waiting for memory, counts nothing.
"""

import argparse
import asyncio
import os
import pstats
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.traffic import Extent, Traffic, traffic
from kobza import BUILD

COUNTING = Path(__file__).parent / "counting"
SETTLE_SECONDS = 2.0
IDLE_SECONDS = 10.0
"""For which a server without calls is counted as well: what it does all the time is not the calls'."""
SHOWN = 40
CALLGRIND = (
    *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--fair-sched=yes"),
    "--trace-children=yes",
)


async def functions(extent: Extent, *, trunk: bool) -> str:
    """Count function calls; return those that take the most."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        os.environ.update(PYTHONPATH=str(COUNTING), BENCH_PROFILE=f"{folder}/profile")
        async with traffic(extent, trunk=trunk) as calls:
            await calls.call(extent.warm_up, extent)
            both = (calls.pid, calls.media)
            for pid in both:
                os.kill(pid, signal.SIGUSR1)
            await calls.call(extent.calls, extent)
            await asyncio.sleep(SETTLE_SECONDS)
            for pid in both:
                os.kill(pid, signal.SIGUSR2)
            await asyncio.sleep(SETTLE_SECONDS)
        server, media = (pstats.Stats(f"{folder}/profile.{pid}") for pid in both)
    named = (("the thread that carries calls", server), ("the media process", media))
    return "\n\n".join(f"{name}: {most_of(stats, extent.calls)}" for name, stats in named)


def most_of(stats: pstats.Stats, calls: int) -> str:
    """Write how many functions a call takes, and in which modules; one of C counts where it was called from."""
    totals: dict[str, int] = {}
    found: dict[tuple[str, int, str], tuple[int, int, float, float, dict[tuple[str, int, str], tuple[int, ...]]]]
    found = stats.stats  # type: ignore[attr-defined]  # no type tells of it
    for (file, _, _), (_, count, _, _, callers) in found.items():
        of_c = file == "~"
        places = ((one[0], many[1]) for one, many in callers.items()) if of_c else ((file, count),)
        for place, many in places:
            totals[place] = totals.get(place, 0) + many
    ordered = sorted(totals.items(), key=lambda each: -each[1])
    lines = [f"{count / calls:8.1f}  {place.rpartition('/src/')[2]}" for place, count in ordered[:SHOWN]]
    return "\n".join([f"{sum(totals.values()) / calls:,.0f} function calls a call", *lines])


async def instructions(extent: Extent, *, trunk: bool) -> str:
    """Count instructions; return those of each thread, less what it does without calls."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        within = (*CALLGRIND, f"--callgrind-out-file={folder}/counted.%p", sys.executable)
        async with traffic(extent, trunk=trunk, within=within) as calls:
            await calls.call(extent.warm_up, extent)
            control(calls, "-i", "on")
            await calls.call(extent.calls, extent)
            await asyncio.sleep(SETTLE_SECONDS)
            control(calls, "-d")
            await asyncio.sleep(IDLE_SECONDS)
            control(calls, "-d")
            control(calls, "-i", "off")
        seconds = (extent.calls / extent.rate + SETTLE_SECONDS) / IDLE_SECONDS
        each: dict[str, float] = {}
        for process, pid in (("server", calls.pid), ("media process", calls.media)):
            working, idle = (by_thread(Path(folder), pid, dump) for dump in (1, 2))
            for thread, count in sorted(working.items()):
                each[f"{process}, thread {thread}"] = (count - idle.get(thread, 0) * seconds) / extent.calls
    lines = [f"{count / 1000:8,.0f} k  {what}" for what, count in each.items()]
    return "\n".join([f"{sum(each.values()) / 1000:,.0f} k instructions a call", *lines])


def control(calls: Traffic, *command: str) -> None:
    for pid in (calls.pid, calls.media):
        subprocess.run(["callgrind_control", *command, str(pid)], check=True, capture_output=True)


def by_thread(folder: Path, pid: int, dump: int) -> dict[int, int]:
    """Return the instructions of a dump of a process by the number of the thread: 1 carries calls."""
    found: dict[int, int] = {}
    for path in folder.glob(f"counted.{pid}.{dump}-*"):
        total = re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.MULTILINE)
        if total is not None:
            found[int(path.name.rpartition("-")[2])] = int(total[1])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--rate", type=int, default=10, help="calls a second")
    parser.add_argument("--trunk", action="store_true", help="callers on the outside line, not phones with digest")
    parser.add_argument("--instructions", action="store_true", help="by valgrind, some minutes")
    given = parser.parse_args(arguments)
    for tool in ("sipp", *(("valgrind",) if given.instructions else ())):
        if shutil.which(tool) is None:
            parser.error(f"{tool} is missing")
    count = instructions if given.instructions else functions
    extent = Extent(given.calls, given.rate, warm_up=40, pairs=20, talk_ms=200)
    print(BUILD, asyncio.run(count(extent, trunk=given.trunk)), sep=", ")


if __name__ == "__main__":
    main()
