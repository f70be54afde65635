"""What a page of the history costs: `python -m bench.history`.

The portal's application, with a store of 1,000,000 calls of a year in SQLite, is asked for the history in several ways.
Prints the server's time from the request to the last byte of the page, the median of twenty, beside the mark of 100 ms.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import httpx

from bench.filled import filled, visiting
from bench.rows import Row, markdown
from tests.api.world import World

MARK_MS: Final = 100.0
TIMES: Final = 20
SEARCHES: Final[Mapping[str, str]] = {
    "all": "",
    "the oldest first": "sort=oldest",
    "part of a number": "q=067+12",
    "a number that nobody has": "q=000000000",
    "a name": "q=%D0%9A%D0%BE%D0%B2%D0%B0%D0%BB%D1%8C",
    "busy": "outcome=17",
    "every filter at once": "q=067&direction=incoming&outcome=answered&talk=60&recorded=no&sort=oldest",
}


async def time_of(client: httpx.AsyncClient, query: str) -> float:
    """Return the median of the milliseconds that a page takes."""
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        page = await client.get(f"/history?{query}")
        taken.append((time.perf_counter() - began) * 1000)
        assert page.status_code == 200, page.text
    return median(taken)


async def ask(world: World, calls: int) -> Sequence[Row]:
    async with visiting(world) as client:
        await client.get("/history")  # languages and templates are loaded by the first page
        return [
            Row(f"the first page of {calls:,} calls: {what}", await time_of(client, query), "ms", "the mark", MARK_MS)
            for what, query in SEARCHES.items()
        ]


def measure(*, quick: bool = False) -> Sequence[Row]:
    """Fill a store and ask."""
    with filled(quick=quick) as (world, calls):
        return asyncio.run(ask(world, calls))


if __name__ == "__main__":
    print(markdown(measure()))
