"""What phones cost that only register: `python -m bench.registrations [--devices 10000] [--seconds 30] [--awake]`.

Each of many devices registers anew once a minute, with digest: two requests and two answers, as for a phone that keeps
no nonce. All are registered first; what is measured is the server's CPU, its writing to the disk included, in a while
of that minute.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

from bench.calls import processors_awake
from bench.memory import Phones, prepare, serving, steadily
from bench.rows import Row, cpu_ms
from kobza import BUILD

DEVICES = 10_000
INTERVAL = 60.0
"""Seconds between two registrations of one device."""
FIRST_RATE = 300
"""Devices a second that register for the first time."""
MARK_PERCENT = 30.0


async def main(devices: int, seconds: float) -> float:
    """Return the percentage of a core that it takes."""
    rate = devices / INTERVAL
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        data = Path(folder)
        names = [(name,) for name in prepare(data, devices)]
        async with serving(data, 8) as (process, address):
            phones = Phones(address)
            await phones.start()
            await steadily(iter(names), FIRST_RATE, devices, phones.register)
            await phones.until_registered(devices)
            again = int(rate * seconds)
            before, began = cpu_ms(process.pid), time.monotonic()
            await steadily(cycle(names), rate, again, phones.register)
            await phones.until_registered(devices + again)
            spent, took = cpu_ms(process.pid) - before, time.monotonic() - began
            await phones.endpoint.close()
    return spent / took / 10


def measure(*, quick: bool = False) -> Sequence[Row]:
    percent = asyncio.run(main(600, 1.0) if quick else main(DEVICES, 30.0))
    what = f"CPU of {DEVICES:,} devices that register anew every {INTERVAL:g} s"
    return [Row(what, percent, "% of a core", "the mark", MARK_PERCENT)]


async def chosen(given: argparse.Namespace) -> str:
    async with AsyncExitStack() as around:
        if given.awake:
            await around.enter_async_context(processors_awake())
        return f"{await main(given.devices, given.seconds):.1f} % of a core ({BUILD})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=DEVICES)
    parser.add_argument("--seconds", type=float, default=30.0, help="for which it is measured")
    parser.add_argument("--awake", action="store_true", help="keep the processors awake")
    print(asyncio.run(chosen(parser.parse_args())))
