"""PostgreSQL as the database of the store."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from kobza.store import journal_postgres, postgres_copy, postgres_driver
from kobza.store.copies import Copied, EachFile, check_rows
from kobza.store.errors import StoreError, StoreMissing
from kobza.store.journal_postgres import LOCK, PostgresCommits
from kobza.store.journal_rows import Row
from kobza.store.migrations import downgrade, revision_of, upgrade
from kobza.store.place import PostgresUrl

CONNECTIONS = 8
"""Connections kept open for readers and for writers of settings; more are made when needed, up to twice as many."""

CHUNK = 5000
"""Calls in one commit of `add_calls`: some 100 ms, so that a journal beside it goes on."""


class PostgresBackend:
    """A database of a server. See `Backend` for what the methods promise."""

    def __init__(self, url: PostgresUrl) -> None:
        self.url = url

    def check(self) -> None:
        """Raise a StoreError when the server is away, refuses, or cannot hold a store."""
        postgres_driver.check(self.url)

    def prepare(self) -> None:
        """Check: the database itself is for its operator to make."""
        postgres_driver.check(self.url)

    def missing(self) -> StoreMissing:
        """Return the error that names the database."""
        return postgres_driver.missing(self.url)

    @contextmanager
    def said_plainly(self) -> Iterator[None]:
        """Make one line of what PostgreSQL says."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(postgres_driver.cannot_open(self.url, error.orig or error)) from error

    def engine(self, *, migrating: bool = False) -> Engine:  # noqa: ARG002 - a migration here keeps what refers to a table
        """Make an engine whose transactions begin explicitly: readers with one snapshot, writers with the store's lock.

        Connections are looked at before they are used: those from before a restart of the server are made anew.
        """
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: postgres_driver.connect(self.url),
            pool_size=CONNECTIONS,
            max_overflow=CONNECTIONS,
            pool_pre_ping=True,
            use_native_hstore=False,
            hide_parameters=True,  # values in the text of an error would be secrets in the log
        )

        @event.listens_for(engine, "begin")
        def begin(conn: Connection) -> None:
            options: dict[str, Any] = dict(conn.get_execution_options())
            if options.get("kobza_write"):
                conn.exec_driver_sql("BEGIN")
                conn.exec_driver_sql(LOCK)
            else:
                conn.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

        return engine

    def connect(self) -> postgres_driver.Connection:
        """Make a connection of the driver."""
        return postgres_driver.connect(self.url)

    def commits(self, *, patience_ms: int) -> PostgresCommits:
        """Make the journal's connection."""
        return PostgresCommits(self.url, patience_ms=patience_ms)

    def add_calls(self, rows: Iterable[Row]) -> int:
        """Add calls by COPY, thousands in a commit; then have them counted (see `postgres_copy.fill`)."""
        left, added = iter(rows), 0
        with self.connect() as connection:
            connection.execute(journal_postgres.MAKE_NEW_CALLS)
            while chunk := list(islice(left, CHUNK)):
                connection.execute("BEGIN")
                connection.execute(LOCK)
                with connection.cursor().copy(journal_postgres.COPY_NEW_CALLS) as copy:
                    copy.set_types(journal_postgres.CALL_TYPES)
                    for row in chunk:
                        copy.write_row(row)
                added += connection.execute(journal_postgres.ADD_NEW_CALLS).rowcount
                connection.execute("COMMIT")
            connection.execute("ANALYZE calls")
        return added

    def copy_to(self, folder: Path, each: EachFile) -> Copied:
        """Copy the tables in one snapshot."""
        return postgres_copy.copy_to(self.url, folder, each)

    def copy_from(self, folder: Path, copied: Copied, *, aside: Path, then: Callable[[Connection], None]) -> None:  # noqa: ARG002 - no files here
        """Replace the tables, in one transaction."""
        engine = self.engine(migrating=True)
        try:
            with self.said_plainly(), engine.execution_options(kobza_write=True).begin() as conn:
                if revision_of(conn) is not None:
                    upgrade(conn)  # refuses a store of a newer release, which cannot be taken down here
                    downgrade(conn, "base")
                upgrade(conn, copied.revision)
                postgres_copy.fill(conn, folder, copied)
                check_rows(conn, copied)
                upgrade(conn)
                then(conn)
        finally:
            engine.dispose()

    def holds_something(self) -> bool:
        """Tell whether the database has tables of a store."""
        engine = self.engine()
        try:
            with self.said_plainly(), engine.connect() as conn:
                return revision_of(conn) is not None
        finally:
            engine.dispose()

    def problems(self, *, thorough: bool) -> list[str]:  # noqa: ARG002 - the server's own tools check its files
        """Ask the server for settings with which stored is not stored."""
        with self.connect() as connection:
            off = [
                name
                for name in ("fsync", "full_page_writes")
                if (row := connection.execute("SELECT current_setting(%s)", (name,)).fetchone()) and row[0] == "off"
            ]
        return [f"{name} is off: when the power fails the database may be lost" for name in off]

    def described(self) -> str:
        """Return the version of the server, and the size of the database."""
        with self.connect() as connection:
            size = connection.execute("SELECT pg_database_size(current_database()) / 1e6").fetchone()
            version = connection.info.server_version
        megabytes = 0.0 if size is None else float(size[0])
        return f"PostgreSQL {version // 10_000}.{version % 10_000}, {megabytes:.1f} MB in {self.url}"

    def in_use(self) -> bool:
        """Tell whether the lock of a server is taken."""
        with self.connect() as connection:
            row = connection.execute(journal_postgres.TRY_CLAIM).fetchone()
            return row is None or not row[0]
