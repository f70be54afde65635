"""What a stored call state costs on PostgreSQL: `python -m bench.journal_postgres [--rate 5000] [--seconds 10]`.

The entries, the rate and the figures are those of `bench.journal`. The server is one of the bench's own, as durable as
it comes, with a disk under it. Its CPU is counted apart, that of all its processes. Beside it, in the same run: the
same rows, made beforehand, given to the bare driver by COPY in commits of the same size, into the same tables.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench.journal import EVENTS_PER_CALL, feed, interleaved
from bench.rows import Row, Unavailable
from kobza.pbx.journal import GROUP_WINDOW
from kobza.store import journal_postgres as sql
from kobza.store import journal_rows, postgres_driver, schema
from kobza.store.journal import CdrClosed, Entry, StateStored
from kobza.store.place import PostgresUrl
from tests.support.postgres import PostgresServer, postgres_server


class Result(NamedTuple):
    """Microseconds of CPU an event, ours and the server's, and milliseconds until it is stored."""

    cpu_us: float
    server_us: float
    p50_ms: float
    p99_ms: float
    max_ms: float


JOURNAL, BUSY, BARE = "journal, from append to stored", "the same, loop 50 % busy", "bare COPY, same rate"


def bare(url: PostgresUrl, steps: Sequence[list[Entry]], group: int, pause: float) -> list[float]:
    """Give the driver the rows of finished calls, of events and of deliveries, in commits of `group` steps."""
    batches: list[list[tuple[str, list[str], list[journal_rows.Row]]]] = []
    cursor = 0
    calls = "COPY calls FROM STDIN (FORMAT BINARY)"
    events = f"COPY events (cursor, {', '.join(sql._EVENT)}) FROM STDIN (FORMAT BINARY)"  # noqa: SLF001
    deliveries = "COPY deliveries (cursor, enterprise_id, status, attempts, due_at) FROM STDIN (FORMAT BINARY)"
    event_types = ["bigint", *(sql._type(schema.events, name) for name in sql._EVENT)]  # noqa: SLF001
    for position in range(0, len(steps), group):
        entries = [entry for step in steps[position : position + group] for entry in step]
        numbered = list(enumerate((entry for entry in entries if isinstance(entry, StateStored)), cursor + 1))
        cursor += len(numbered)
        closed = [journal_rows.call_row(entry) for entry in entries if isinstance(entry, CdrClosed)]
        owed = [journal_rows.delivery_row(number, entry) for number, entry in numbered]
        batches.append(
            [
                (calls, sql.CALL_TYPES, closed),
                (events, event_types, [(number, *journal_rows.event_row(entry)) for number, entry in numbered]),
                (
                    deliveries,
                    ["bigint", "text", "text", "integer", "bigint"],
                    [(number, enterprise_id, "pending", 0, due_at) for number, enterprise_id, due_at in owed],
                ),
            ]
        )
    waits = []
    with postgres_driver.connect(url) as connection:
        for batch in batches:
            begun = time.perf_counter()
            connection.execute("BEGIN")
            for statement, types, rows in batch:
                if rows:
                    with connection.cursor().copy(statement) as copy:
                        copy.set_types(types)
                        for row in rows:
                            copy.write_row(row)
            connection.execute("COMMIT")
            waits.append(time.perf_counter() - begun)
            time.sleep(pause)
    return waits


def main(rate: float, seconds: float) -> dict[str, Result]:
    calls = int(rate * seconds / EVENTS_PER_CALL)
    steps = interleaved(calls)
    events = calls * EVENTS_PER_CALL
    group = max(1, round(rate / EVENTS_PER_CALL * 4 * GROUP_WINDOW))

    def measured(server: PostgresServer, run: Callable[[], tuple[float | None, list[float]]]) -> Result:
        of_server, own = server.cpu_seconds(), time.process_time()
        cpu, waits = run()
        cpu = time.process_time() - own if cpu is None else cpu
        of_server = server.cpu_seconds() - of_server
        cuts = quantiles(waits, n=100)
        return Result(cpu / events * 1e6, of_server / events * 1e6, cuts[49] * 1e3, cuts[98] * 1e3, max(waits) * 1e3)

    def fed(url: PostgresUrl, busy: float) -> tuple[float | None, list[float]]:
        without, _ = asyncio.run(feed(None, steps, rate, busy))
        cpu, waits = asyncio.run(feed(url, steps, rate, busy))
        return cpu - without, waits

    runs: dict[str, Callable[[PostgresUrl], tuple[Any, list[float]]]] = {
        JOURNAL: lambda url: fed(url, 0.0),
        BUSY: lambda url: fed(url, 0.5),
        BARE: lambda url: (None, bare(url, steps, group, GROUP_WINDOW)),
    }
    with postgres_server(Path("/var/tmp"), durable=True) as server:
        if server is None:
            raise Unavailable("PostgreSQL is not installed")
        return {name: measured(server, lambda run=run: run(server.make_store())) for name, run in runs.items()}  # type: ignore[misc]


def measure(*, quick: bool = False) -> Sequence[Row]:
    rate = 5000.0
    results = main(rate, 0.2 if quick else 10.0)
    stored, least = results[JOURNAL], results[BARE]
    what = f"storing a call state with its delivery and its share of the record on PostgreSQL, {rate:,.0f} a second"
    against = "finished calls, states and deliveries given to the bare driver by COPY"
    return [
        Row(what, stored.cpu_us, "µs of CPU", against, least.cpu_us),
        Row("the same, what it costs the server", stored.server_us, "µs of CPU", against, least.server_us),
        Row("the same, from handing over to being on the server's disk, 99 of 100", stored.p99_ms, "ms"),
        Row("the same while the loop is busy half of its time", results[BUSY].p99_ms, "ms"),
    ]


def table(results: dict[str, Result], rate: float) -> Table:
    shown = Table(title=f"Journal on PostgreSQL: call states, each with its delivery and share of a CDR, {rate:.0f}/s")
    for heading in ("", "CPU us/event", "server's", "p50 ms", "p99 ms", "max ms"):
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
