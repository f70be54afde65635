"""What a page of statistics costs: `python -m bench.statistics`.

The portal's application, with a store of 1,000,000 calls of a year in SQLite, is asked for the statistics of all of
them. Prints how long the page takes, the CPU of the export process that counts, and for how long the loop that carries
calls computed meanwhile without a pause, beside what it does for a page that counts nothing.
"""

import asyncio
import time
from collections.abc import Sequence

from bench.filled import DAYS, filled, visiting
from bench.rows import Row, cpu_seconds, markdown
from tests.api.world import World

EVERY = 0.002
"""Seconds between two looks at the loop."""


class Watch:
    """Notes how much CPU the loop's thread uses between two turns of a timer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._last = time.thread_time()
        self._timer = self._loop.call_later(EVERY, self._tick)
        self.longest = 0.0

    def _tick(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._timer = self._loop.call_later(EVERY, self._tick)

    def stop(self) -> float:
        """Return the longest in milliseconds."""
        self._timer.cancel()
        return self.longest * 1000


async def ask(world: World, calls: int) -> Sequence[Row]:
    day = 86_400_000
    last = f"{time.strftime('%Y-%m-%d', time.gmtime(world.at))}"
    first = f"{time.strftime('%Y-%m-%d', time.gmtime(world.at - DAYS * day / 1000))}"
    async with visiting(world) as client:
        await client.get(f"/statistics?from={last}&to={last}")  # languages and templates are loaded by the first page
        watch = Watch()
        await client.get("/statistics?from=2020-01-01&to=2020-01-03")
        empty = watch.stop()
        pid = world.exports.pid
        assert pid is not None
        cpu, began, watch = cpu_seconds(pid), time.perf_counter(), Watch()
        page = await client.get(f"/statistics?from={first}&to={last}")
        took, longest, cpu = time.perf_counter() - began, watch.stop(), cpu_seconds(pid) - cpu
        assert page.status_code == 200, page.text
        began = time.perf_counter()
        await client.get(f"/statistics/people.csv?from={first}&to={last}")
        again = time.perf_counter() - began
    return [
        Row(f"statistics of {calls:,} calls: the page", took, "s"),
        Row("CPU of the export process a call", cpu / calls * 1e6, "µs"),
        Row("a file or picture of the same numbers", again * 1000, "ms"),
        Row("the loop computes meanwhile without a pause, the longest", longest, "ms", "days without calls", empty),
    ]


def measure(*, quick: bool = False) -> Sequence[Row]:
    """Fill a store and ask."""
    with filled(quick=quick) as (world, calls):
        return asyncio.run(ask(world, calls))


if __name__ == "__main__":
    print(markdown(measure()))
