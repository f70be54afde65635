"""How soon the live board shows a call: `python -m bench.board [--rate 20] [--numbers 500]`.

Phones call phones through one server, kept to one processor with its media process; the phones (sipp) and the board's
reader are on the others. The time of a state runs from the moment just before the phone sends the message behind it
(180 for "rings", 200 for "talks", as sipp notes it) until the line of the board that shows it is at the reader, over
the stream of events that the page has, by the same clock. What a browser then needs to put the line there is not in it.
"""

import argparse
import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import httpx
import msgspec
import uvloop

from bench.events import Latency, parse_note
from bench.memory import http_of
from bench.processors import kept_to, shared_out
from bench.rows import Row, Unavailable, cpu_ms, markdown
from bench.traffic import Extent, Traffic, traffic
from kobza.store import STORE_FILE, Store, users
from tests.api.world import PASSWORD, PASSWORD_HASH

MARK_MS: Final = 300.0
SHOWN: Final = re.compile(r'class="mark (alerting|established)"')


class Plan(NamedTuple):
    """How much is measured."""

    rate: int = 20
    """Calls a second."""
    calls: int = 400
    warm_up: int = 20
    numbers: int = 500
    """On the board: those that are called, and those that call."""
    pairs: int = 100
    """Numbers that are called."""
    talk_ms: int = 1000
    settle: float = 2.0
    """Seconds before the first call, and after the last one for the last lines."""


QUICK: Final = Plan(calls=6, warm_up=2, numbers=20, pairs=5, talk_ms=100, settle=0.5)


class Change(msgspec.Struct):
    """What the stream says of lines that have changed, each by its number."""

    lines: dict[str, str]


class Result(NamedTuple):
    """What came of it."""

    latency: Latency
    cpu_ms: float
    """CPU of the server's process a call while the board is open."""
    alone_ms: float
    """The same while it is not."""


async def main(plan: Plan) -> Result:
    server_on, others = shared_out()
    with kept_to(others):
        extent = Extent(plan.calls, plan.rate, plan.warm_up, plan.pairs, plan.talk_ms)
        async with traffic(extent, callers=plan.numbers - plan.pairs, processors=server_on) as phones:
            let_in(phones)
            await phones.call(plan.warm_up, extent)
            alone = await cost(phones, plan, extent)
            shown: dict[tuple[str, str], list[float]] = {}
            async with httpx.AsyncClient(base_url=http_of(phones.data), timeout=None) as client:
                signed_in = await client.post("/signin", data={"login": "bench", "password": PASSWORD})
                assert signed_in.status_code == 303, signed_in.text
                async with asyncio.TaskGroup() as group:
                    reading = group.create_task(read(client, shown))
                    await asyncio.sleep(plan.settle)
                    began = time.time()
                    cpu = await cost(phones, plan, extent)
                    await asyncio.sleep(plan.settle)
                    reading.cancel()
            times = [at - sent for sent, at in matched(phones, shown, began)]
    return Result(Latency.of(times), cpu, alone)


def let_in(phones: Traffic) -> None:
    """Give the administrator a password."""
    store = Store.open(phones.data / STORE_FILE)
    with store.write() as conn:
        users.set_password(conn, "bench", PASSWORD_HASH)
    store.close()


async def cost(phones: Traffic, plan: Plan, extent: Extent) -> float:
    """Let the phones call; return the milliseconds of CPU that the server took a call."""
    before = cpu_ms(phones.pid)
    await phones.call(plan.calls, extent)
    return (cpu_ms(phones.pid) - before) / plan.calls


async def read(client: httpx.AsyncClient, shown: dict[tuple[str, str], list[float]]) -> None:
    """Note when which number (its last digits) was shown in which state."""
    decode = msgspec.json.Decoder(Change).decode
    async with client.stream("GET", "/live/stream") as stream:
        async for kind, data in events(stream):
            if kind != "lines":
                continue
            at = time.time()
            for number, line in decode(data).lines.items():
                for state in SHOWN.findall(line):
                    shown.setdefault((number[-9:], state), []).append(at)


async def events(stream: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    """Go through server-sent events."""
    kind, data = "", ""
    with suppress(httpx.ReadError):
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                data += value
            elif not line and data:
                yield kind, data
                kind = data = ""


def matched(
    phones: Traffic, shown: Mapping[tuple[str, str], Sequence[float]], since: float
) -> list[tuple[float, float]]:
    """Return when each message behind a state was sent, and when the caller's line showed it: the first time after."""
    found = []
    for key, sent in map(parse_note, phones.notes()):
        if sent >= since and (at := next((at for at in shown.get(key, ()) if at >= sent), None)) is not None:
            found.append((sent, at))
    return found


def measure(*, quick: bool = False) -> Sequence[Row]:
    return rows_of(QUICK if quick else Plan())


def rows_of(plan: Plan) -> Sequence[Row]:
    """Measure, and return the table."""
    if shutil.which("sipp") is None:
        raise Unavailable("sipp is missing")
    result = uvloop.run(main(plan))
    latency = result.latency
    what = f"from a phone's message to the board of {plan.numbers} numbers, {plan.rate} calls/s"
    return [
        Row(f"{what}, the median of {latency.states:,} states", latency.p50, "ms", "the mark", MARK_MS),
        Row("the same, 99 of 100", latency.p99, "ms", "the mark", MARK_MS),
        Row("CPU of the server a call, the board open", result.cpu_ms, "ms", "nobody looks", result.alone_ms),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=Plan().rate, help="calls a second")
    parser.add_argument("--numbers", type=int, default=Plan().numbers, help="on the board, more than 100")
    parser.add_argument("--calls", type=int, default=Plan().calls)
    given = parser.parse_args()
    print(markdown(rows_of(Plan(given.rate, given.calls, numbers=given.numbers))))
