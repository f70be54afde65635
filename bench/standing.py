"""What a call costs while many are on: `python -m bench.standing [--at-once 10 500 2000] [--rate 50] [--awake]`.

sipp calls sipp through `kobza serve` as in `bench.calls`, always at the same rate; how long each talks decides how many
are on at once (talk = calls at once / rate). What is measured is a while in which as many begin as end: the CPU of the
server and its media process, by the calls that began in it. What rises with the calls at once is what looks after those
that stand. No audio: `bench.media` has that.
"""

import argparse
import asyncio
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from bench.calls import cpu_of, processors_awake
from bench.rows import Row, Unavailable
from bench.traffic import RATE, Extent, traffic
from kobza import BUILD

AT_ONCE = (10, 500, 2000)
SECONDS = 30.0
FILLING = 3.0
"""Seconds beyond the talk until as many calls end as begin: the first ones ring a while."""


class Result(NamedTuple):
    """Milliseconds of CPU for each call that began."""

    at_once: int
    loop: float
    """In the thread that carries calls."""
    writer: float
    """In the server's other threads."""
    media: float

    @property
    def total(self) -> float:
        return self.loop + self.writer + self.media


async def main(at_once: int, rate: int, seconds: float, *, trunk: bool = True) -> Result:
    """Measure with so many calls at once; raises SystemExit when one fails."""
    talk = at_once / rate
    calls = int(rate * (talk + FILLING + seconds + 1.0))
    extent = Extent(calls=calls, rate=rate, warm_up=min(100, calls), talk_ms=round(talk * 1000))
    async with traffic(extent, trunk=trunk) as made:
        await made.call(extent.warm_up, extent._replace(talk_ms=100))
        under_way = asyncio.create_task(made.call(extent.calls, extent))
        try:
            await asyncio.sleep(talk + FILLING)
            before = cpu_of(made)
            await asyncio.sleep(seconds)
            after = cpu_of(made)
            await under_way
        finally:
            under_way.cancel()
    server, loop, media = ((late - early) / (rate * seconds) for early, late in zip(before, after, strict=True))
    return Result(at_once, loop, server - loop, media)


def measure(*, quick: bool = False) -> Sequence[Row]:
    if shutil.which("sipp") is None:
        raise Unavailable("sipp is missing")
    few, *more = (asyncio.run(main(each, RATE, 1.0 if quick else SECONDS)) for each in ((5, 50) if quick else AT_ONCE))
    return [
        Row(f"CPU a call from outside with {few.at_once} calls at once", few.total, "ms"),
        *(Row(f"the same, with {each.at_once:,}", each.total, "ms", f"with {few.at_once}", few.total) for each in more),
    ]


async def chosen(given: argparse.Namespace) -> None:
    async with AsyncExitStack() as around:
        if given.awake:
            await around.enter_async_context(processors_awake())
        for at_once in given.at_once:
            result = await main(at_once, given.rate, given.seconds, trunk=not given.phones)
            print(f"{at_once:,} at once: {result.total:.2f} ms a call, none failed ({BUILD}): {result}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, nargs="+", default=AT_ONCE, metavar="N")
    parser.add_argument("--rate", type=int, default=RATE, help="calls a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for which each is measured")
    parser.add_argument("--phones", action="store_true", help="callers are phones with digest, not the outside line")
    parser.add_argument("--awake", action="store_true", help="keep the processors awake")
    asyncio.run(chosen(parser.parse_args()))
