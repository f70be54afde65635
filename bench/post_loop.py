"""The HTTP client of the webhooks in a plain loop: `python -m bench.post_loop URL FILE`.

Posts the bodies in the file (one a line) with so many under way as the dispatcher has, and does nothing else: the limit
of what a dispatcher can do with it. Prints seconds and seconds of CPU of one post, as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop

from kobza.webhooks.dispatcher import IN_FLIGHT


async def main(url: str, bodies: list[bytes]) -> None:
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        await post_all(session, url, iter(bodies[:100]))  # connections are made, nothing is imported any more
        wall, cpu = time.perf_counter(), time.process_time()
        each = iter(bodies)
        await asyncio.gather(*(post_all(session, url, each) for _ in range(IN_FLIGHT)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"seconds": wall / len(bodies), "cpu": cpu / len(bodies)}))


async def post_all(session: aiohttp.ClientSession, url: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        async with session.post(url, data=body, headers={"Authorization": "Bearer token"}) as answer:
            await answer.read()
            answer.raise_for_status()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]).read_bytes().splitlines()))
