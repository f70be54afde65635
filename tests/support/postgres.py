"""A real PostgreSQL server for tests, from Debian's package, in a folder of its own.

It is started once for each process of the test run, listens on a socket in its folder and on a free port of the
loopback address, and does not wait for the disk. A test gets a database of its own in it, with the tables made.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from kobza.store import Store
from kobza.store.place import Place, PostgresUrl
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE

USER = "kobza"
PASSWORD = "за секретом"  # with a space and Cyrillic: both have to survive a URL
ACCOUNT = "postgres"
"""Who runs the server when the tests run as root, as which it refuses to run; Debian's package makes the account."""

_CHOICES = {"both": ("sqlite", "postgresql"), "sqlite": ("sqlite",), "postgresql": ("postgresql",)}
_chosen = os.environ.get("TEST_DATABASE") or "both"
if _chosen not in _CHOICES:
    raise ValueError(f"TEST_DATABASE is {_chosen!r}; expected one of {', '.join(_CHOICES)}")
DATABASES = _CHOICES[_chosen]
"""On which the tests run that have a store."""

TEMPLATE = "empty_store"
_numbers = count(1)


def programs() -> Path | None:
    """Return the folder of the newest server's programs, or None when none is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return None if initdb is None else Path(initdb).parent


def name_of(url: PostgresUrl) -> str:
    """Return the name of the database."""
    return str(psycopg.conninfo.conninfo_to_dict(url.url)["dbname"])


def text_of(place: Place) -> str:
    """Return a place as an argument for another process, the password in clear."""
    return place.url if isinstance(place, PostgresUrl) else str(place)


def place_of(text: str) -> Place:
    """Return the place that `text_of` wrote."""
    return PostgresUrl.parse(text) if "://" in text else Path(text)


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    return [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


class _Lent:
    """A copy of a database, and what makes it like new."""

    def __init__(self, url: PostgresUrl, of: str, connection: psycopg.Connection[Any]) -> None:
        self.url = url
        self.of = of
        self.connection = connection
        steps = ["BEGIN", "SET LOCAL session_replication_role = replica"]  # without triggers and references
        for table in _tables(connection):
            steps.append(f"DELETE FROM public.{table}")
            (filled,) = connection.execute(f"SELECT EXISTS (SELECT FROM kept.{table})").fetchone() or (False,)
            if filled:
                steps.append(f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE SELECT * FROM kept.{table}")
        sequences = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'").fetchall()
        for (name,) in sequences:
            last, called = connection.execute(
                sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
            ).fetchone() or (1, False)
            steps.append(f"SELECT setval('public.{name}', {last}, {called})")
        self.again = sql.SQL("; ".join([*steps, "COMMIT"]))


class PostgresServer:
    """A server that runs until `stop`."""

    def __init__(self, folder: Path, bin_folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self._settings = () if durable else ("-c", "fsync=off", "-c", "full_page_writes=off")
        self._bin = bin_folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            self._account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(folder, account.pw_uid, account.pw_gid)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._lent: dict[str, _Lent] = {}
        """By URL."""
        self._spare: dict[str, list[_Lent]] = {}
        """By the URL of what they are copies of."""
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            "initdb",
            *("--username", USER, "--pwfile", str(secret)),
            *("--auth-local", "trust", "--auth-host", "scram-sha-256"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
            *("--pgdata", str(self._data)),
        )

    def start(self) -> None:
        """Start it; returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._bin / "postgres"),
                    *("-D", str(self._data), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"),
                    *self._settings,
                    *(
                        "-c",
                        "shared_buffers=32MB",
                        "-c",
                        "max_connections=60",
                        "-c",
                        "lc_messages=C",
                        "-c",
                        "autovacuum_naptime=1h",
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._account,
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(self.url("postgres").url).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not start:\n{self._log.read_text()}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast` ends connections, `immediate` is as if the power failed."""
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        for lent in (*self._lent.values(), *(one for spare in self._spare.values() for one in spare)):
            lent.connection.close()
        self._spare.clear()
        if process is not None:
            self._run("pg_ctl", "stop", "--pgdata", str(self._data), "--mode", mode)
            process.wait(PATIENCE)

    def restart(self, mode: str = "immediate") -> None:
        """Stop it and start it again at the same addresses."""
        self.stop(mode)
        self.start()

    @property
    def wal(self) -> Path:
        """The folder to which commits are written."""
        return self._data / "pg_wal"

    def cpu_seconds(self) -> float:
        """Return the CPU time of all processes of the server, those that have ended included."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        first = self._process.pid
        ticks = 0
        # The first process comes last: it has the time of those that end meanwhile.
        for pid in (*map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split()), first):
            # user, system, and the same of children that ended
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def url(self, database: str, **options: str) -> PostgresUrl:
        """Return the URL of a database over the socket, where the server trusts everybody."""
        more = "".join(f"&{name}={value}" for name, value in options.items())
        return PostgresUrl.parse(f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}{more}")

    def execute(self, statement: str, *names: str) -> None:
        """Run a statement in no particular database, over a connection that is kept: one costs as much as a test."""
        if self._connection is None:
            self._connection = psycopg.connect(self.url("postgres").url, autocommit=True)
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def execute_in(self, url: PostgresUrl, statement: str, *names: str) -> None:
        """Run a statement in a database."""
        with psycopg.connect(url.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def make_database(self, options: str = "") -> PostgresUrl:
        """Make an empty database."""
        name = f"test_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {{}} TEMPLATE template0 ENCODING 'UTF8' {options}", name)
        return self.url(name)

    def make_store(self) -> PostgresUrl:
        """Make a database with the tables of an empty store."""
        return self.copy(self.url(TEMPLATE))

    def copy(self, url: PostgresUrl) -> PostgresUrl:
        """Copy a database to which nobody is connected."""
        name = f"test_{next(_numbers)}"
        # By its files: half the CPU of the default, which is kinder to the disk; PostgreSQL 14 knows no other way.
        by_files = "" if self._bin.parent.name == "14" else " STRATEGY FILE_COPY"
        self.execute(f"CREATE DATABASE {{}} TEMPLATE {{}}{by_files}", name, name_of(url))
        return self.url(name)

    def keep(self, url: PostgresUrl) -> None:
        """Have a database remember what is in it, so that copies of it can be lent."""
        with psycopg.connect(self.url(name_of(url)).url) as connection:
            connection.execute("CREATE SCHEMA kept")
            for table in _tables(connection):
                connection.execute(sql.SQL("CREATE TABLE kept.{0} AS TABLE public.{0}").format(sql.Identifier(table)))

    def lend(self, url: PostgresUrl) -> PostgresUrl:
        """Return a copy of a database that was kept, made anew or like new again; it is to be given back."""
        spare = self._spare.setdefault(url.url, [])
        if spare:
            lent = spare.pop()
        else:
            made = self.copy(url)
            lent = _Lent(made, url.url, psycopg.connect(made.url, autocommit=True, options="-c lock_timeout=5s"))
        self._lent[lent.url.url] = lent
        return lent.url

    def give_back(self, url: PostgresUrl) -> None:
        """Take back what was lent: emptied and filled again, which costs a third of another copy."""
        lent = self._lent.pop(url.url)
        try:
            lent.connection.execute(lent.again)
        except psycopg.Error:  # somebody works with it still, or the server was stopped meanwhile
            lent.connection.close()
            self.drop(url)
        else:
            self._spare[lent.of].append(lent)

    def drop(self, url: PostgresUrl) -> None:
        """Remove a database, even when somebody is connected to it."""
        self.execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name_of(url))

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **self._account,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def postgres_server(parent: Path | None = None, *, durable: bool = False) -> Iterator[PostgresServer | None]:
    """Run a server in a folder of its own, within a parent; None where PostgreSQL is not installed.

    A durable one waits for the disk, as others do: for measuring. Its parent should be on one, and everybody able to
    enter it.
    """
    found = programs()
    if found is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="kobza-pg-", dir=parent))  # short: a socket's path has at most 107 bytes
    server: PostgresServer | None = None
    try:
        server = PostgresServer(folder, found, durable=durable)
        server.start()
        server.execute("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'", TEMPLATE)
        Store.create(server.url(TEMPLATE)).close()
        yield server
    finally:
        if server is not None:
            with suppress(RuntimeError):  # a test may have stopped it
                server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)
