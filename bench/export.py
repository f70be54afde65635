"""What an export costs at scale: `python -m bench.export`, `make bench-export`.

An enterprise with 500,000 calls in 7 days inside a store of 2,000,000, which `kobza dev fill` makes. `kobza serve`
exports those 7 days as CSV, JSON and XML, plain and with all fields, and as callhistory, to clients in processes of
their own. Prints for each

- the CPU of a row, of the server with its children, beside that of the database's own client, which exports the same
  columns as CSV in the same run;
- how much the memory of the server and its children grew above what they had before the first export;
- the time to the first byte of the body, of some requests that go away after it;

and how long the loop that carries calls was away at most while several exports ran at once, seen by a phone that asks
with OPTIONS all the time, beside the longest wait for a process that only echoes; and for how long the loop computed
without a pause, which does not depend on what else the machine does.

First with the store in SQLite, then on PostgreSQL, as far as they are installed; `--database` names one of them.
`--store DIR` keeps the filled store in SQLite for the next run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.export_loop import FILE
from bench.export_reference import DATABASES, Asked, Database
from bench.memory import HOST
from bench.rows import Row, Unavailable, cpu_seconds, memory_kib
from kobza.api.times import KYIV, wall_of
from kobza.store import enterprises
from kobza.store.fill import fill
from tests.support.ports import free_ports, free_range

DAYS = 7
TTFB_TIMES = 20
AT_ONCE = 4
"""Exports that run together while the loop is watched."""
WATCHED_EVERY = 0.02
"""Seconds between two looks at the memory."""
START_WITHIN = 60.0
KEPT = "bench.json"
"""Beside the store: what was filled."""


class Filled(NamedTuple):
    """A store that is ready: the enterprise that exports, how to ask for it, and how long filling took."""

    enterprise_id: str
    integrator_id: str
    token: str
    calls: int
    total: int
    now_ms: int
    seconds: float
    """Of adding the enterprise's calls."""


class Figures(NamedTuple):
    """What one export cost."""

    what: str
    rows: int
    cpu_us: float
    database_us: float
    """Of a database's own processes."""
    reference_us: float
    grown_mib: float
    first_ms: Sequence[float]


class Stall(NamedTuple):
    """Milliseconds that a question waited: half of them, 99.9 of 100, the longest; and the same of an echo."""

    server: tuple[float, float, float]
    echo: tuple[float, float, float]


class Result(NamedTuple):
    filled: Filled
    database: str
    figures: Sequence[Figures]
    stall: Stall
    computed: tuple[float, float]
    """Milliseconds that the loop computed without a pause: 99.9 of 100 times, and the longest."""


class Server(NamedTuple):
    """A running `kobza serve`, of which figures are taken."""

    process: asyncio.subprocess.Process
    http: int
    sip: int
    loop: Path
    """Where it writes how long its loop computed."""

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def cpu(self) -> float:
        return sum(cpu_seconds(pid) for pid in self.pids())

    def memory(self) -> int:
        """Return KiB; a process that ends meanwhile has none."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                total += memory_kib(pid)
        return total

    async def computed(self) -> tuple[float, float]:
        """Return for how long (ms) the loop computed without a pause since this was asked before: 99.9 %, longest."""
        self.loop.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        while not self.loop.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        figures = json.loads(self.loop.read_text())
        return figures["most"], figures["longest"]


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [pid, *(found for child in children for found in family(int(child)))]


def prepare(database: Database, data: Path, calls: int) -> Filled:
    """Fill a store, or take the one that is kept there: four times the calls in all, most of them in the way."""
    if (data / KEPT).exists():
        return Filled(**json.loads((data / KEPT).read_text()))
    data.mkdir(parents=True, exist_ok=True)
    store = database.create(data)
    with store.write() as conn:
        own = enterprises.add(conn, "Bench", "bench", "none", 0)
        other = enterprises.add(conn, "Other", "other", "none", 0)
    now_ms = int(time.time() * 1000)
    started = time.perf_counter()
    fill(store, own.enterprise_id, calls, DAYS, 1, now_ms=now_ms)
    seconds = time.perf_counter() - started
    fill(store, own.enterprise_id, calls, 60, 2, now_ms=now_ms - DAYS * 86_400_000)
    fill(store, other.enterprise_id, 2 * calls, 30, 3, now_ms=now_ms)
    store.close()
    filled = Filled(own.enterprise_id, own.integrator_id, own.fmc_token, calls, 4 * calls, now_ms, seconds)
    (data / KEPT).write_text(json.dumps(filled._asdict()))
    return filled


@contextlib.asynccontextmanager
async def serving(database: Database, data: Path) -> AsyncIterator[Server]:
    """Run `kobza serve` until it has nothing left to do with its start."""
    http, sip = free_ports(2)
    rtp = free_range(40)
    loop = data / "loop.json"
    command = [sys.executable, "-m", "bench.export_loop", "serve", "--data", str(data), "--http", f"{HOST}:{http}"]
    command += ["--sip", f"udp:{HOST}:{sip}", "--rtp-host", HOST, "--rtp-ports", f"{rtp.start}-{rtp.stop - 1}"]
    with (data / "serve.log").open("wb") as log:
        environment = os.environ | database.environment() | {FILE: str(loop)}
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_WITHIN
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, http)
            except OSError:
                if process.returncode is not None or time.monotonic() > deadline:
                    raise SystemExit(f"kobza serve does not: {(data / 'serve.log').read_text()}") from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        await asyncio.sleep(1.0)
        yield Server(process, http, sip, loop)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def client(what: str, port: int, asked: dict[str, object] | None = None, *words: str) -> dict[str, object]:
    """Run a client to its end."""
    process = await _start_client(what, port, *words)
    printed, _ = await process.communicate(b"" if asked is None else json.dumps(asked).encode() + b"\n")
    if process.returncode != 0:
        raise SystemExit(f"the client ended with {process.returncode}")
    answer: dict[str, object] = json.loads(printed)
    return answer


async def _start_client(what: str, port: int, *words: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "bench.export_client", what, HOST, str(port), *words)
    return await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[1]
    )


async def waited(sip: int, during: "asyncio.Future[Any]") -> Stall:
    """Return how long answers to OPTIONS, and an echo beside them, were waited for until something is done."""
    probe = await _start_client("probe", sip)
    await asyncio.wait([during])
    printed, _ = await probe.communicate(b"")  # None would leave its input open
    during.result()
    if probe.returncode != 0:
        raise SystemExit("the probe failed")
    found: dict[str, list[float]] = json.loads(printed)

    def figures(waits: list[float]) -> tuple[float, float, float]:
        ordered = sorted(wait * 1000 for wait in waits)
        return median(ordered), ordered[int(len(ordered) * 0.999)], ordered[-1]

    return Stall(figures(found["waits"]), figures(found["echoes"]))


class Watched:
    """The most memory that a server had while something ran."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.most = 0

    async def run(self) -> None:
        while True:
            self.most = max(self.most, self._server.memory())
            await asyncio.sleep(WATCHED_EVERY)


def requests(filled: Filled) -> Iterator[tuple[str, str, int, dict[str, object]]]:
    """Yield each export: its name, its kind, how many lines are no rows, what the client asks for."""
    to = filled.now_ms / 1000
    interval = f"from={wall_of(to - DAYS * 86_400).isoformat()}&to={wall_of(to).isoformat()}"
    frames = {"csv": 1, "json": 2, "xml": 3}
    for more, kind in (("", "callstat"), ("&names=on&departments=on&ownership=on&direction=on", "callstat+")):
        for extension, frame in frames.items():
            target = f"/api/cdr/v1/callstat.{extension}?token={filled.token}&{interval}{more}"
            name = f"callstat.{extension}" + (", all fields" if more else "")
            yield name, kind, frame, {"target": target, "headers": {}}
    target = f"/api/fmc/v1/callhistory?integrator_id={filled.integrator_id}&{interval}"
    yield "callhistory", "history", 2, {"target": target, "headers": {"Authorization": f"Bearer {filled.token}"}}


async def run(database: Database, data: Path, calls: int, *, quick: bool) -> Result:
    filled = prepare(database, data, calls)
    offset = int(wall_of(filled.now_ms / 1000).replace(tzinfo=KYIV).utcoffset().total_seconds())  # type: ignore[union-attr]
    figures = []
    async with serving(database, data) as server:
        before = server.memory()
        for name, kind, frame, asked in list(requests(filled))[:: 6 if quick else 1]:
            watched = Watched(server)
            watching = asyncio.create_task(watched.run())
            cpu, of_database = server.cpu(), database.cpu_seconds()
            answer = await client("read", server.http, asked)
            cpu, of_database = server.cpu() - cpu, database.cpu_seconds() - of_database
            watching.cancel()
            first = await client("first", server.http, asked, "2" if quick else str(TTFB_TIMES))
            rows = int(str(answer["lines"])) - frame
            interval = Asked(
                filled.enterprise_id,
                filled.now_ms // 1000 * 1000 - DAYS * 86_400_000,
                filled.now_ms // 1000 * 1000 + 999,
                kind,
                offset,
            )
            reference = await asyncio.to_thread(database.export, data, interval)
            waits = [float(wait) * 1000 for wait in first["first"]]  # type: ignore[attr-defined]
            grown = (watched.most - before) / 1024
            own, of_server, least = (seconds / rows * 1e6 for seconds in (cpu, of_database, reference))
            figures.append(Figures(name, rows, own, of_server, least, grown, waits))
        everything = [asked for _, _, _, asked in requests(filled)]
        loaded = asyncio.gather(*(client("read", server.http, asked) for asked in everything[-AT_ONCE:]))
        await server.computed()
        stall = await waited(server.sip, loaded)
        computed = await server.computed()
    return Result(filled, database.name, figures, stall, computed)


def rows_of(result: Result) -> list[Row]:
    """Return the figures as rows of the table that all benches share."""
    filled = result.filled
    rows = [Row(f"`kobza dev fill` of {filled.calls:,} calls", filled.seconds, "s")]
    for figure in result.figures:
        what = f"{figure.what}, {figure.rows:,} of {filled.total:,} calls"
        rows += [
            Row(f"{what}: CPU a row", figure.cpu_us + figure.database_us, "µs", result.database, figure.reference_us),
            *([Row("of that the database's own", figure.database_us, "µs")] if figure.database_us else []),
            Row("memory grew by", figure.grown_mib, "MiB"),
            Row("first byte, half of the requests", median(figure.first_ms), "ms"),
            Row("first byte, the slowest", max(figure.first_ms), "ms"),
        ]
    for which, server, echo in zip(("half of", "99.9 % of", "the longest"), *result.stall, strict=True):
        what = f"wait for a SIP OPTIONS while {AT_ONCE} exports run, {which}"
        rows.append(Row(what, server, "ms", "a process that only echoes", echo))
    for which, computed in zip(("99.9 % of the times", "the longest"), result.computed, strict=True):
        rows.append(Row(f"the loop that carries calls computes meanwhile without a pause, {which}", computed, "ms"))
    return rows


def measure(
    *, quick: bool = False, databases: Sequence[str] = tuple(DATABASES), store: Path | None = None, calls: int = 500_000
) -> Sequence[Row]:
    """Measure each database that is installed. Raises Unavailable when none of them is."""
    rows: list[Row] = []
    missing: list[str] = []
    for name in databases:
        chosen = DATABASES[name]()
        if chosen.missing is not None:
            missing.append(chosen.missing)
            continue
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # on the disk: /tmp may be none
            data = store if store is not None and name == "sqlite" else Path(directory) / "data"
            found = rows_of(asyncio.run(run(chosen, data, 2000 if quick else calls, quick=quick)))
        rows += [row._replace(what=f"{name}: {row.what}") for row in found]
    if not rows:
        raise Unavailable("; ".join(missing))
    for why in missing:
        print(f"left out: {why}", file=sys.stderr)
    return rows


def main() -> None:
    from bench.rows import markdown

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=list(DATABASES), help="only this one")
    parser.add_argument("--store", type=Path, metavar="DIR", help="keep the filled store here, or use what is here")
    parser.add_argument("--quick", action="store_true", help="few calls: only shows that it runs")
    parser.add_argument("--calls", type=int, default=500_000, metavar="N", help="calls in the 7 days")
    options = parser.parse_args()
    if options.store is not None and options.database not in {None, "sqlite"}:
        parser.error("only a store in SQLite can be kept with --store")
    databases = tuple(DATABASES) if options.database is None else (options.database,)
    print(markdown(measure(quick=options.quick, databases=databases, store=options.store, calls=options.calls)))


if __name__ == "__main__":
    main()
