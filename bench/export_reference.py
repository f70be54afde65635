"""What `bench.export` compares with: the database's own client exporting the same calls, columns and times as CSV."""

import atexit
import contextlib
import resource
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.rows import Unavailable
from kobza.store import STORE_FILE, Store
from kobza.store.place import PostgresUrl
from tests.support.postgres import PostgresServer, postgres_server, programs


class Asked(NamedTuple):
    """Which calls, and which of their fields."""

    enterprise_id: str
    from_ms: int
    to_ms: int
    kind: str
    """`callstat` has five fields, `callstat+` all twelve, `history` those of callhistory."""
    offset: int
    """Seconds from UTC to wall time. One for all: the interval must lie between two changes of the clock."""


class Database(Protocol):
    """A database that can hold the store. Another one takes its place beside Sqlite below."""

    name: str
    """How its client is called in the table."""
    missing: str | None
    """What is not installed, in one line; None when all is there."""

    def create(self, data: Path) -> Store:
        """Make a store and open it. `data` is the server's directory."""

    def environment(self) -> dict[str, str]:
        """Return the variables that tell `kobza serve` where the store is."""

    def cpu_seconds(self) -> float:
        """Return the CPU time of the database's own processes, which an export uses besides that of Kobza."""

    def export(self, data: Path, asked: Asked) -> float:
        """Let its own client export the calls to nowhere; return the CPU seconds of all that took part."""


class Sqlite:
    """The file in the data directory, and the `sqlite3` shell."""

    name = "sqlite3 -csv"

    def __init__(self) -> None:
        self.missing = None if shutil.which("sqlite3") else "sqlite3 is not installed"

    def create(self, data: Path) -> Store:
        return Store.create(data / STORE_FILE)

    def environment(self) -> dict[str, str]:
        return {}

    def cpu_seconds(self) -> float:
        return 0.0

    def export(self, data: Path, asked: Asked) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            ["sqlite3", "-readonly", "-csv", "-header", str(data / STORE_FILE), sqlite_query(asked)],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def sqlite_query(asked: Asked) -> str:
    """Return the fastest query found that says the same: `datetime` is twice as fast with an offset as with a zone."""

    def wall(column: str) -> str:
        return f"datetime({column} / 1000 + {asked.offset}, 'unixepoch')"

    def utc(column: str) -> str:
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000.0, 'unixepoch')"

    def number(column: str) -> str:
        return f"CASE substr({column}, 1, 4) WHEN '+380' THEN '0' || substr({column}, 5) ELSE {column} END"

    def seconds(start: str, end: str) -> str:
        return f"({end} - {start} + 999) / 1000"

    talk = f"CASE WHEN answered_at IS NULL THEN 0 ELSE {seconds('answered_at', 'ended_at')} END"
    joins = ""
    if asked.kind == "history":
        ringing = seconds("ringing_at", "coalesce(answered_at, ended_at)")
        columns = [
            *("call_id", number("calling_number"), number("called_number"), wall("started_at"), wall("ended_at")),
            *(talk, f"CASE WHEN ringing_at IS NULL THEN 0 ELSE {ringing} END", "direction", "cause", "record_id"),
            *("sip_status", "released_by", number("answered_number")),
            *(utc("started_at"), utc("answered_at"), utc("ended_at"), "client_state"),
        ]
        return (
            f"SELECT {', '.join(columns)} FROM calls WHERE enterprise_id = '{asked.enterprise_id}' "
            f"AND started_at BETWEEN {asked.from_ms} AND {asked.to_ms} AND ended_at IS NOT NULL "
            "ORDER BY started_at, call_id;"
        )
    columns = [wall("ended_at"), wall("start_at"), number("calling_number"), talk, number("called_number")]
    if asked.kind == "callstat+":
        columns += [f"coalesce({side}.{what}, '')" for what in ("name", "department") for side in ("a", "b")]
        columns += [f"CASE direction WHEN '{other}' THEN 'false' ELSE 'true' END" for other in ("incoming", "outgoing")]
        columns += ["CASE direction WHEN 'incoming' THEN direction ELSE 'outgoing' END"]
        joins = "".join(
            f" LEFT JOIN address_book {name} ON {name}.enterprise_id = c.enterprise_id AND {name}.number = {side}"
            for name, side in (("a", "calling_number"), ("b", "called_number"))
        )
    return (
        f"SELECT {', '.join(columns)} FROM calls c{joins} WHERE c.enterprise_id = '{asked.enterprise_id}' "
        f"AND start_at BETWEEN {asked.from_ms} AND {asked.to_ms} AND convergent AND ended_at IS NOT NULL "
        "ORDER BY start_at;"
    )


class Postgres:
    """A server of the bench's own, as durable as it comes, with a disk under it; and `psql` with COPY."""

    name = "psql, COPY … TO STDOUT"

    def __init__(self) -> None:
        self.missing = None if programs() and shutil.which("psql") else "PostgreSQL is not installed"
        self._resources = contextlib.ExitStack()
        atexit.register(self._resources.close)
        self._server: PostgresServer | None = None
        self._url: PostgresUrl | None = None

    def create(self, data: Path) -> Store:  # noqa: ARG002 - for files
        server = self._resources.enter_context(postgres_server(Path("/var/tmp"), durable=True))
        if server is None:
            raise Unavailable("PostgreSQL is not installed")
        self._server, self._url = server, server.make_store()
        return Store.open(self._url)

    def environment(self) -> dict[str, str]:
        server, url = self._opened()
        # What the server does by itself some minutes after so many rows were written.
        server.execute_in(url, "VACUUM ANALYZE")
        return {"KOBZA_STORE": url.url}

    def cpu_seconds(self) -> float:
        return self._opened()[0].cpu_seconds()

    def export(self, data: Path, asked: Asked) -> float:  # noqa: ARG002 - for files
        server, url = self._opened()
        of_server, before = server.cpu_seconds(), resource.getrusage(resource.RUSAGE_CHILDREN)
        copy = f"COPY ({postgres_query(asked)}) TO STDOUT (FORMAT CSV, HEADER)"
        subprocess.run(["psql", "-X", "-q", "-d", url.url, "-c", copy], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return own + server.cpu_seconds() - of_server

    def _opened(self) -> tuple[PostgresServer, PostgresUrl]:
        if self._server is None or self._url is None:
            raise RuntimeError("the store was not made yet")
        return self._server, self._url


def postgres_query(asked: Asked) -> str:
    """Return the fastest query found that says the same: times as their type writes them, without `to_char`."""

    def wall(column: str) -> str:
        return f"timestamp 'epoch' + ({column} / 1000 + {asked.offset}) * interval '1 second'"

    def utc(column: str) -> str:
        return f"timestamp 'epoch' + {column} * interval '1 millisecond'"

    def number(column: str) -> str:
        return f"CASE WHEN {column} LIKE '+380%' THEN '0' || substr({column}, 5) ELSE {column} END"

    def seconds(start: str, end: str) -> str:
        return f"({end} - {start} + 999) / 1000"

    talk = f"CASE WHEN answered_at IS NULL THEN 0 ELSE {seconds('answered_at', 'ended_at')} END"
    if asked.kind == "history":
        ringing = seconds("ringing_at", "coalesce(answered_at, ended_at)")
        columns = [
            *("call_id", number("calling_number"), number("called_number"), wall("started_at"), wall("ended_at")),
            *(talk, f"CASE WHEN ringing_at IS NULL THEN 0 ELSE {ringing} END", "direction", "cause", "record_id"),
            *("sip_status", "released_by", number("answered_number")),
            *(utc("started_at"), utc("answered_at"), utc("ended_at"), "client_state"),
        ]
        return (
            f"SELECT {', '.join(columns)} FROM calls WHERE enterprise_id = '{asked.enterprise_id}' "
            f"AND started_at BETWEEN {asked.from_ms} AND {asked.to_ms} AND ended_at IS NOT NULL "
            "ORDER BY started_at, call_id"
        )
    columns = [wall("ended_at"), wall("start_at"), number("calling_number"), talk, number("called_number")]
    joins = ""
    if asked.kind == "callstat+":
        columns += [f"coalesce({side}.{what}, '')" for what in ("name", "department") for side in ("a", "b")]
        columns += [f"direction <> '{other}'" for other in ("incoming", "outgoing")]
        columns += ["CASE direction WHEN 'incoming' THEN direction ELSE 'outgoing' END"]
        joins = "".join(
            f" LEFT JOIN address_book {name} ON {name}.enterprise_id = c.enterprise_id AND {name}.number = {side}"
            for name, side in (("a", "calling_number"), ("b", "called_number"))
        )
    return (
        f"SELECT {', '.join(columns)} FROM calls c{joins} WHERE c.enterprise_id = '{asked.enterprise_id}' "
        f"AND start_at BETWEEN {asked.from_ms} AND {asked.to_ms} AND convergent AND ended_at IS NOT NULL "
        "ORDER BY start_at"
    )


DATABASES: dict[str, type[Database]] = {"sqlite": Sqlite, "postgresql": Postgres}
"""By the name that `python -m bench.export --database` takes."""
