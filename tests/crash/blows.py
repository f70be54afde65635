"""What befalls a server while it goes on: parts of it are killed, its store is locked or away, its disk is full."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psycopg
from pysqlite3 import dbapi2

from kobza.store import driver
from kobza.store.place import Place, PostgresUrl
from tests.crash.plan import Blow
from tests.interop.server import Server
from tests.support.postgres import PostgresServer

UNLIMITED = resource.RLIM_INFINITY
MEDIA, EXPORTS = "kobza.media.relay", "kobza.api.exports.process"
AWAY = 0.3
"""Seconds for which a database that was killed is away."""


class Blows:
    """Deals blows to a server and to what it needs, each in a thread of its own, so that they may overlap."""

    def __init__(self, server: Server, place: Place, postgres: PostgresServer | None) -> None:
        self._server = server
        self._place = place
        self._postgres = postgres
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def begin(self, blows: Iterable[Blow]) -> None:
        """Deal blows at their moments from now on; returns at once."""
        for blow in blows:
            thread = threading.Thread(target=self._deal, args=(blow,), name=blow.kind, daemon=True)
            thread.start()
            self._threads.append(thread)

    def end(self) -> None:
        """Wait until all are over. Raises what went wrong with them."""
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _deal(self, blow: Blow) -> None:
        ways: dict[str, Callable[[float], None]] = {
            "media killed": lambda _: kill(child_of(self._server, MEDIA)),
            "exports killed": lambda _: kill(child_of(self._server, EXPORTS)),
            "store locked": self._lock,
            "disk full": self._fill,
            "database killed": lambda _: self._kill_database(),
            "database connection killed": lambda _: self._kill_connection(),
        }
        try:
            time.sleep(blow.at)
            ways[blow.kind](blow.seconds)
        except Exception as error:  # noqa: BLE001 - told by `end`
            self._errors.append(error)

    def _lock(self, seconds: float) -> None:
        """Be another writer that takes its time."""
        if isinstance(self._place, PostgresUrl):
            with suppress(psycopg.OperationalError), psycopg.connect(self._place.url) as connection:
                connection.execute("LOCK TABLE calls, events, deliveries, recordings IN ACCESS EXCLUSIVE MODE")
                time.sleep(seconds)
            return
        connection = driver.connect(self._place)
        with suppress(dbapi2.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
        connection.close()

    def _fill(self, seconds: float) -> None:
        """Let no file of the server grow: every write fails as on a disk that is full, though with another error."""
        processes = [self._server.process.pid, child_of(self._server, MEDIA)]
        limit(processes, 0)
        time.sleep(seconds)
        limit(processes, UNLIMITED)

    def _kill_database(self) -> None:
        """Let PostgreSQL end as in a power failure, and start it again."""
        if self._postgres is not None:
            self._postgres.stop("immediate")
            time.sleep(AWAY)
            self._postgres.start()

    def _kill_connection(self) -> None:
        """Kill the process that serves the journal: PostgreSQL then throws everybody out and recovers."""
        if self._postgres is None:
            return
        with suppress(psycopg.OperationalError), psycopg.connect(self._postgres.url("postgres").url) as connection:
            busy = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname LIKE 'test%' ORDER BY state_change DESC LIMIT 1"
            ).fetchone()
            if busy is not None:
                kill(busy[0])


def limit(processes: Iterable[int | None], size: int) -> None:
    """Set how large files may become that processes write."""
    for pid in processes:
        if pid is not None:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, UNLIMITED))


def child_of(server: Server, module: str) -> int | None:
    """Return the child of a server that runs a module; None when there is none at the moment."""
    for pid in server.children():
        with suppress(OSError):
            if module in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
    return None


def kill(pid: int | None) -> None:
    """Kill a process, if there is one."""
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
