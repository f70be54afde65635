"""How soon and at what cost call states reach a webhook: `python -m bench.events [--rate 100] [--trunk]`.

One server, kept to one processor with its media process; the phones (sipp) and the receiver are on the others. Three
parts, one after the other:

- Latency. Phones call phones at a steady rate. The time of a state runs from the moment just before the phone sends the
  message behind it (180 for `alerting`, 200 for `established`, BYE for `finished`, as sipp notes it) until all of its
  POST is at the receiver, by the same clock. So the way through both sockets, the commit, and the waits of everybody
  for a processor are in it; `occurred_at` would leave out how long the message waits for the server.
- Throughput. Many states are owed to an enterprise when its endpoint is set: they go from the store to a receiver that
  takes everything at once. Beside it, on the same processor, a plain loop of the same HTTP client that posts the same
  bodies, as many at once.
- An outage. Calls go on slowly, and the latency of their states is taken. Then a great many states that are owed may
  go, first to the endpoint of another enterprise, then to the very one that the calls' states go to. The latency of the
  calls' states meanwhile may be 50 ms more.
"""

import argparse
import asyncio
import json
import re
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from math import ceil, nan
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import uvloop

from bench.journal import EVENTS_PER_CALL, call_steps
from bench.lean_sink import Arrival, LeanSink
from bench.processors import kept_to, shared_out
from bench.rows import Row, Unavailable, cpu_ms, markdown
from bench.traffic import STATES_OF_AN_OWNER, Extent, Traffic, traffic
from kobza.store import STORE_FILE, Store, endpoints, enterprises
from kobza.store.journal import JournalWriter
from kobza.webhooks.dispatcher import TICK_SECONDS

MEDIAN_MARK_MS, P99_MARK_MS = 8.0, 25.0
DELAY_MARK_MS = 50.0
"""By how much an outage may delay the states of calls that go on."""
BATCH_CALLS = 300
NOTICE_SECONDS = 2 * TICK_SECONDS
"""In which the server has certainly seen that an endpoint was switched off."""
FIRST_OWED = 5_000_000
"""The first of the owed calls: their numbers are nobody's who calls."""
NOTE = re.compile(r"(?P<state>\w+);[^;]*\t(?P<at>[0-9.]+);.*?sip:\+?[0-9]*(?P<caller>[0-9]{9})@")
"""What a phone notes: the state that follows, the moment (day, time, seconds since the epoch), and who calls."""


class Plan(NamedTuple):
    """How much is measured."""

    rate: int = 100
    """Calls a second, for the latency."""
    calls: int = 2000
    warm_up: int = 100
    sustained: int = 30_000
    """States that are owed for the throughput."""
    live_rate: int = 20
    """Calls a second beside the outage."""
    live_calls: int = 400
    owed: int = 100_000
    """States that are owed after the outage."""
    pairs: int = 100
    talk_ms: int = 1000
    trunk: bool = False
    """Whether the callers are on the outside line: three states a call instead of six, and no digest."""

    @property
    def states(self) -> int:
        """Of one call."""
        return STATES_OF_AN_OWNER * (1 if self.trunk else 2)


QUICK = Plan(calls=10, warm_up=2, sustained=300, live_calls=6, owed=600, pairs=5, talk_ms=100)


class Latency(NamedTuple):
    """Milliseconds from the phone to the receiver."""

    p50: float
    p99: float
    most: float
    states: int

    @classmethod
    def of(cls, times: Sequence[float]) -> "Latency":
        """Return that of times in seconds."""
        if not times:
            return cls(nan, nan, nan, 0)
        ordered = sorted(times)
        return cls(median(ordered) * 1e3, ordered[ceil(len(ordered) * 0.99) - 1] * 1e3, ordered[-1] * 1e3, len(ordered))


class Throughput(NamedTuple):
    """Of many states one after the other."""

    rate: float
    """A second."""
    cpu_us: float
    """Microseconds of CPU of one."""


class Drain(NamedTuple):
    """What came of owed states, and of live ones beside them."""

    seconds: float
    """From the first to the last of those that were owed."""
    live: Latency


class Result(NamedTuple):
    """All of it."""

    latency: Latency
    sustained: Throughput
    loop: Throughput
    """The plain loop."""
    before: Latency
    """Of the calls beside the outage, before it ends."""
    other: Drain
    """The outage of another endpoint."""
    same: Drain


class State(msgspec.Struct):
    """What is looked at in a body."""

    state_type: str
    state_owner: str
    phone_number: str


async def main(plan: Plan) -> Result:
    server_on, others = shared_out()
    with kept_to(others):
        calls = plan.warm_up + plan.calls + 3 * plan.live_calls
        extent = Extent(plan.calls, plan.rate, plan.warm_up, plan.pairs, plan.talk_ms)
        async with (
            LeanSink() as sink,
            traffic(extent, trunk=plan.trunk, webhook=sink.url, callers=calls, processors=server_on) as phones,
        ):
            bench = Bench(plan, extent, sink, phones)
            await bench.call(plan.warm_up)
            latency = bench.latency(await bench.call(plan.calls))
            sustained, bodies = await bench.sustained()
            with kept_to(server_on):
                loop = await plain_loop(sink.url, phones.data / "bodies", bodies)
            live = extent._replace(rate=plan.live_rate)
            before = bench.latency(await bench.call(plan.live_calls, live))
            other = await bench.outage(live, bench.add_enterprise("Other"))
            same = await bench.outage(live, bench.enterprise_id)
    return Result(latency, sustained, loop, before, other, same)


class Bench:
    """The parts, on one running server."""

    def __init__(self, plan: Plan, extent: Extent, sink: LeanSink, phones: Traffic) -> None:
        self._plan = plan
        self._extent = extent
        self._sink = sink
        self._phones = phones
        self._store = Store.open(phones.data / STORE_FILE)
        with self._store.read() as conn:
            self.enterprise_id = enterprises.list_all(conn)[0].enterprise_id
        self._owed = FIRST_OWED

    def add_enterprise(self, name: str) -> str:
        """Add an enterprise without an endpoint; return its id."""
        with self._store.write() as conn:
            return enterprises.add(conn, name, name.lower(), "none", 0).enterprise_id

    async def call(self, calls: int, extent: Extent | None = None) -> Sequence[Arrival]:
        """Let so many call; return what came, when all states have."""
        begin = len(self._sink.arrivals)
        await self._phones.call(calls, extent or self._extent)
        await self._sink.until(begin + calls * self._plan.states)
        return self._sink.arrivals[begin:]

    def sent(self, arrivals: Iterable[Arrival]) -> list[tuple[float | None, float]]:
        """Return when the phone sent the message behind each state, and when its POST was there, both in seconds since
        the epoch. Behind a state that was owed there is None.
        """
        sent = dict(parse_note(note) for note in self._phones.notes())
        decode = msgspec.json.Decoder(State).decode
        pairs = []
        for arrival in arrivals:
            state = decode(arrival.body)
            keys = ((party[-9:], state.state_type) for party in (state.state_owner, state.phone_number))
            pairs.append((next((sent[key] for key in keys if key in sent), None), arrival.at))
        return pairs

    def latency(self, arrivals: Iterable[Arrival]) -> Latency:
        """Return the latency of the states of calls."""
        return Latency.of([at - sent for sent, at in self.sent(arrivals) if sent is not None])

    async def sustained(self) -> tuple[Throughput, Sequence[bytes]]:
        """Let states go that are owed; return how fast and at what cost they went, and their bodies."""
        enterprise_id = self.add_enterprise("Sustained")
        begin = len(self._sink.arrivals)
        end = begin + self._owe(enterprise_id, self._plan.sustained)
        self._set_endpoint(enterprise_id)
        await self._sink.until(begin + (end - begin) // 10)  # the server has looked into the store, all is warm
        first, cpu = len(self._sink.arrivals), cpu_ms(self._phones.pid)
        await self._sink.until(end)
        cpu, arrivals = cpu_ms(self._phones.pid) - cpu, self._sink.arrivals
        seconds = arrivals[-1].at - arrivals[first - 1].at
        result = Throughput((end - first) / seconds, cpu * 1e3 / (end - first))
        return result, [arrival.body for arrival in arrivals[begin:end]]

    async def outage(self, live: Extent, enterprise_id: str) -> Drain:
        """Let states go that an enterprise's endpoint missed, and call meanwhile."""
        with self._store.write() as conn:
            endpoints.deactivate(conn, enterprise_id, "an outage", 0)
        await asyncio.sleep(NOTICE_SECONDS)
        begin, owed = len(self._sink.arrivals), self._owe(enterprise_id, self._plan.owed)
        self._set_endpoint(enterprise_id)
        await self._sink.until(begin + 1)
        await self._phones.call(self._plan.live_calls, live)
        await self._sink.until(begin + owed + self._plan.live_calls * self._plan.states)
        arrivals = self._sink.arrivals[begin:]
        sent = self.sent(arrivals)
        drained = [at for message, at in sent if message is None]
        meanwhile = [at - message for message, at in sent if message is not None and message < drained[-1]]
        return Drain(drained[-1] - drained[0], Latency.of(meanwhile))

    def _owe(self, enterprise_id: str, states: int) -> int:
        """Store local calls of an hour ago with so many states at least, all of them owed; return how many."""
        calls = ceil(states / EVENTS_PER_CALL)
        writer = JournalWriter(self._store.place)
        hour_ago = time.time() - 3600
        for begin in range(0, calls, BATCH_CALLS):
            these = range(self._owed, self._owed + min(BATCH_CALLS, calls - begin))
            steps = (step for index in these for step in call_steps(index, hour_ago, enterprise_id))
            writer.write([entry for step in steps for entry in step])
            self._owed = these.stop
        writer.close()
        return calls * EVENTS_PER_CALL

    def _set_endpoint(self, enterprise_id: str) -> None:
        with self._store.write() as conn:
            endpoints.set(conn, enterprise_id, self._sink.url, "token")


def parse_note(line: str) -> tuple[tuple[str, str], float]:
    """Return what a phone noted: the last digits of who calls and which state follows, and when it sent the message."""
    noted = NOTE.match(line)
    if noted is None:
        raise SystemExit(f"sipp noted: {line}")
    return (noted["caller"], noted["state"]), float(noted["at"])


async def plain_loop(url: str, file: Path, bodies: Sequence[bytes]) -> Throughput:
    """Post the bodies in a plain loop, in a process that keeps to the processors of this thread."""
    await asyncio.to_thread(file.write_bytes, b"\n".join(bodies))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.post_loop", url, str(file)), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise SystemExit("the plain loop failed")
    each = json.loads(printed)
    return Throughput(1 / each["seconds"], each["cpu"] * 1e6)


def measure(*, quick: bool = False) -> Sequence[Row]:
    return rows_of(QUICK if quick else Plan())


def rows_of(plan: Plan) -> Sequence[Row]:
    """Measure, and return the table."""
    if shutil.which("sipp") is None:
        raise Unavailable("sipp is missing")
    result = uvloop.run(main(plan))
    who = "from outside" if plan.trunk else "between phones"
    latency, before = result.latency, result.before
    meanwhile = f"a state's way while {plan.owed:,} owed ones go to"
    return [
        Row(
            f"from a phone's message to its state's POST, {plan.rate} calls/s {who} on one core, the median",
            latency.p50,
            "ms",
            "the mark",
            MEDIAN_MARK_MS,
        ),
        Row("the same, 99 of 100", latency.p99, "ms", "the mark", P99_MARK_MS),
        Row(
            "states delivered from the store, on one core",
            result.sustained.rate,
            "a second",
            "the same client in a plain loop",
            result.loop.rate,
        ),
        Row("CPU of one", result.sustained.cpu_us, "µs", "the same client in a plain loop", result.loop.cpu_us),
        *(
            row
            for to, drain in (("another endpoint", result.other), ("the same endpoint", result.same))
            for row in (
                Row(f"{meanwhile} {to}, 99 of 100", drain.live.p99, "ms", "before", before.p99),
                Row("so it is later by", max(0.0, drain.live.p99 - before.p99), "ms", "the mark", DELAY_MARK_MS),
                Row("sent by calls while they went", float(drain.live.states), "states"),
                Row("the owed ones took", drain.seconds, "s"),
            )
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=Plan().rate, help="calls a second, for the latency")
    parser.add_argument("--calls", type=int, default=Plan().calls, help="for the latency")
    parser.add_argument("--owed", type=int, default=Plan().owed, help="states that the outage leaves")
    parser.add_argument("--trunk", action="store_true", help="callers on the outside line, not phones with digest")
    parser.add_argument("--quick", action="store_true", help="only show that it runs")
    given = parser.parse_args()
    chosen = QUICK if given.quick else Plan(given.rate, given.calls, owed=given.owed, trunk=given.trunk)
    print(markdown(rows_of(chosen)))
