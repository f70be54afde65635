"""What a stored call state costs: `python -m bench.journal [--rate 5000] [--seconds 10]`.

Feeds the journal the entries of local calls (two owners; each state with its delivery, the CDR opened, updated twice
and closed) at a steady rate and prints, as a table, CPU per event and how long an entry waits until it is stored.
Beside it, in the same run: the same rows made beforehand and given to the bare driver in commits of the same size,
which is the limit; once without a pause, once at the same rate, because caches cool down between two commits.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from bench.rows import Row
from kobza.call.cdr import Cdr
from kobza.call.states import OwnerState, StateType
from kobza.pbx.journal import GROUP_WINDOW, Journal, JournalFailure
from kobza.store import Store, driver
from kobza.store import journal_rows as rows
from kobza.store import journal_sql as sql
from kobza.store.ids import new_id
from kobza.store.journal import CdrClosed, CdrOpened, CdrUpdated, Entry, StateStored
from kobza.store.place import Place
from kobza.webhooks.payload import body

EVENTS_PER_CALL = 6
TICK = 0.002


def call_steps(index: int, started_at: float, enterprise_id: str = "e" * 12) -> Iterable[list[Entry]]:
    """Make the four appends of one local call: start, ringing, answer, end."""
    call_id, legs = new_id(), (new_id(), new_id())
    a, b = f"+38067{index % 10_000_000:07d}", f"+38050{index * 7 % 10_000_000:07d}"
    cdr = Cdr(
        call_id=call_id,
        enterprise_id=enterprise_id,
        calling_number=a,
        called_number=b,
        started_at=started_at,
        direction="local",
        convergent=True,
    )

    def states(sequence: int, state_type: StateType, at: float) -> list[Entry]:
        made: list[Entry] = []
        for leg, own, other in ((legs[0], a, b), (legs[1], b, a)):
            state = OwnerState(
                event_id=new_id(),
                call_id=call_id,
                call_control_id=leg,
                sequence=sequence,
                state_type=state_type,
                enterprise_id=enterprise_id,
                state_owner=own,
                phone_number=other,
                call_direction="local",
                at=at,
            )
            made.append(StateStored(state, True, body(state)))
        return made

    yield [CdrOpened(cdr)]
    cdr = replace(cdr, ringing_at=started_at + 0.1)
    yield [CdrUpdated(cdr), *states(1, StateType.ALERTING, started_at + 0.1)]
    cdr = replace(cdr, answered_at=started_at + 5, answered_number=b)
    yield [CdrUpdated(cdr), *states(2, StateType.ESTABLISHED, started_at + 5)]
    cdr = replace(cdr, ended_at=started_at + 65, cause=16, sip_status=200, released_by="caller")
    yield [CdrClosed(cdr), *states(3, StateType.FINISHED, started_at + 65)]


def interleaved(calls: int) -> list[list[Entry]]:
    """Mix the steps of many calls as they come in life: some fifty other calls act between two steps of one."""
    mix = random.Random(1)
    started = time.time()
    running: list[list[list[Entry]]] = []
    steps: list[list[Entry]] = []
    for index in range(calls):
        running.append(list(call_steps(index, started + index / 1000)))
        while len(running) > 50:
            call = mix.randrange(len(running))
            steps.append(running[call].pop(0))
            if not running[call]:
                running.pop(call)
    for rest in running:
        steps.extend(rest)
    return steps


class NoJournal:
    """Stores nothing: what the feeding itself costs, to be taken off."""

    def append(self, _entries: Sequence[Entry], then: Callable[[], None]) -> None:
        then()

    async def stop(self) -> None:
        pass


def running_journal(path: Place) -> Journal:
    def failed(failure: JournalFailure) -> None:
        raise SystemExit(f"the journal failed: {failure}")

    journal = Journal(path, now=time.time, on_failure=failed)
    journal.start()
    return journal


async def feed(path: Place | None, steps: Sequence[list[Entry]], rate: float, busy: float) -> tuple[float, list[float]]:
    """Append at `rate` events/s while the loop is busy for a part of its time; return CPU seconds and waits."""
    waits: list[float] = []
    journal = NoJournal() if path is None else running_journal(path)
    per_tick = rate * TICK / EVENTS_PER_CALL * 4
    started = time.perf_counter()
    burnt, cpu = 0.0, time.process_time()
    position, tick = 0, 0
    while position < len(steps):
        tick += 1
        until = min(len(steps), int(tick * per_tick))
        for step in steps[position:until]:
            handed = time.perf_counter()
            journal.append(step, lambda handed=handed: waits.append(time.perf_counter() - handed))  # type: ignore[misc]
        position = until
        if busy:
            begun = time.thread_time()
            while time.thread_time() - begun < TICK * busy:
                pass
            burnt += time.thread_time() - begun
        await asyncio.sleep(max(0.0, started + tick * TICK - time.perf_counter()))
    await journal.stop()
    return time.process_time() - cpu - burnt, waits


def bare(path: Path, steps: Sequence[list[Entry]], group: int, pause: float = 0.0) -> tuple[float, list[float]]:
    """Give the driver the same rows, made beforehand, in commits of `group` steps; return CPU and commit times."""
    connection = driver.connect(path)
    batches = []
    cursor = 0
    for position in range(0, len(steps), group):
        entries = [entry for step in steps[position : position + group] for entry in step]
        states = [entry for entry in entries if isinstance(entry, StateStored)]
        numbered = list(enumerate(states, cursor + 1))
        cursor += len(states)
        batches.append(
            (
                (sql.OPEN_CALL, rows.opened_rows([entry for entry in entries if isinstance(entry, CdrOpened)])[0]),
                (sql.UPDATE_CALL, [rows.updated_row(entry) for entry in entries if isinstance(entry, CdrUpdated)]),
                (sql.CLOSE_CALL, [rows.call_row(entry) for entry in entries if isinstance(entry, CdrClosed)]),
                (sql.ADD_EVENT, [rows.event_row(entry) for entry in states]),
                (sql.OWE_DELIVERY, [rows.delivery_row(number, entry) for number, entry in numbered]),
            )
        )
    waits = []
    cpu = time.process_time()
    for batch in batches:
        begun = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for statement, made in batch:
            connection.executemany(statement, made)
        connection.execute("COMMIT")
        waits.append(time.perf_counter() - begun)
        time.sleep(pause)
    connection.close()
    return time.process_time() - cpu, waits


class Result(NamedTuple):
    """Microseconds of CPU an event, and milliseconds until it is stored."""

    cpu_us: float
    p50_ms: float
    p99_ms: float
    max_ms: float


JOURNAL, BUSY = "journal, from append to stored", "the same, loop 50 % busy"
BARE, BARE_PAUSED = "bare executemany, no pause", "bare executemany, same rate"


def main(rate: float, seconds: float) -> dict[str, Result]:
    calls = int(rate * seconds / EVENTS_PER_CALL)
    steps = interleaved(calls)
    events = calls * EVENTS_PER_CALL

    def result(cpu: float, waits: list[float]) -> Result:
        cuts = quantiles(waits, n=100)
        return Result(cpu / events * 1e6, cuts[49] * 1e3, cuts[98] * 1e3, max(waits) * 1e3)

    results = {}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # on the disk: /tmp may be none
        for name, busy in ((JOURNAL, 0.0), (BUSY, 0.5)):
            path = Path(directory) / f"journal{busy}.db"
            Store.create(path).close()
            without, _ = asyncio.run(feed(None, steps, rate, busy))
            cpu, waits = asyncio.run(feed(path, steps, rate, busy))
            results[name] = result(cpu - without, waits)
        group = max(1, round(rate / EVENTS_PER_CALL * 4 * GROUP_WINDOW))
        for name, pause in ((BARE, 0.0), (BARE_PAUSED, GROUP_WINDOW)):
            path = Path(directory) / f"bare{pause}.db"
            Store.create(path).close()
            results[name] = result(*bare(path, steps, group, pause))
    return results


def measure(*, quick: bool = False) -> Sequence[Row]:
    rate = 5000.0
    results = main(rate, 0.2 if quick else 10.0)
    stored, least = results[JOURNAL], results[BARE_PAUSED]
    what = f"storing a call state with its delivery and its share of the record, {rate:,.0f} a second"
    return [
        Row(what, stored.cpu_us, "µs of CPU", "the same rows given to the bare driver", least.cpu_us),
        Row("the same, from handing over to being on the disk, 99 of 100", stored.p99_ms, "ms"),
        Row("the same while the loop is busy half of its time", results[BUSY].p99_ms, "ms"),
    ]


def table(results: dict[str, Result], rate: float) -> Table:
    shown = Table(title=f"Journal: call states, each with a delivery and a share of a CDR, at {rate:.0f} a second")
    for heading in ("", "CPU us/event", "p50 ms", "p99 ms", "max ms"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for name, result in results.items():
        shown.add_row(name, *(f"{figure:.1f}" for figure in result))
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5000.0, help="call states a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    Console().print(table(main(arguments.rate, arguments.seconds), arguments.rate))
