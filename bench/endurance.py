"""Whether memory comes back after many calls: `python -m bench.endurance [--calls 100000] [--rate 150]`.

sipp calls sipp through `kobza serve` as in `bench.calls`. First some calls are made for warming up, of the same rate
and length, so that what a process keeps for good is there; then all the others. Before and after, when whatever passes
has passed (transactions last 32 s, ports rest for 5), the resident memory of the server and its media process is read.
Ten more readings on the way show whether it rises or has only risen once.
"""

import argparse
import asyncio
import json
from typing import NamedTuple

from bench.rows import memory_kib
from bench.traffic import Extent, Traffic, traffic
from kobza import BUILD

CALLS, RATE, TALK_MS = 100_000, 150, 1000
PARTS = 10
SETTLE_SECONDS = 45.0
WARM_UP = 20
"""One of so many calls is made before."""


class Result(NamedTuple):
    """KiB, of the server and of its media process."""

    before: tuple[int, int]
    on_the_way: list[tuple[int, int]]
    """After each tenth of the calls, while what passes has not."""
    after: tuple[int, int]

    @property
    def kept(self) -> int:
        """What is not given back."""
        return sum(self.after) - sum(self.before)


def memory_of(calls: Traffic) -> tuple[int, int]:
    return memory_kib(calls.pid), memory_kib(calls.media)


async def main(calls: int, rate: int, settle: float, *, trunk: bool = True) -> Result:
    """Measure; raises SystemExit when a call fails."""
    part = max(1, calls // PARTS)
    extent = Extent(calls=part, rate=rate, warm_up=max(1, calls // WARM_UP), talk_ms=TALK_MS)
    async with traffic(extent, trunk=trunk) as made:
        await made.call(extent.warm_up, extent)
        await asyncio.sleep(settle)
        before, on_the_way = memory_of(made), []
        for _ in range(PARTS):
            await made.call(part, extent)
            on_the_way.append(memory_of(made))
        await asyncio.sleep(settle)
        return Result(before, on_the_way, memory_of(made))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--rate", type=int, default=RATE, help="calls a second")
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="seconds until what passes has passed")
    parser.add_argument("--phones", action="store_true", help="callers are phones with digest, not the outside line")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = asyncio.run(main(given.calls, given.rate, given.settle, trunk=not given.phones))
    if given.json:
        print(json.dumps(result._asdict()))
    else:
        print(
            f"KiB of the server and its media process, {given.calls:,} calls at {given.rate}/s, none failed ({BUILD})"
        )
        print(f"before: {result.before}; after: {result.after}; kept: {result.kept}")
        print("on the way: " + ", ".join(map(str, result.on_the_way)))
