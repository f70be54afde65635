"""SQLite as the database of the store: a file in the data directory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from kobza.store import driver, sqlite_copy
from kobza.store.copies import Copied, EachFile, check_rows
from kobza.store.errors import StoreError, StoreMissing
from kobza.store.journal_rows import Row
from kobza.store.journal_sql import ADD_CALL
from kobza.store.journal_sqlite import SqliteCommits
from kobza.store.migrations import upgrade

CONNECTIONS = 8
"""Connections kept open for readers and for writers of settings; more are made when needed, up to twice as many."""

CHUNK = 5000
"""Calls in one commit of `add_calls`: some 50 ms, so that a journal beside it goes on."""


class SqliteBackend:
    """A file. See `Backend` for what the methods promise."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raise LibraryTooOld (see `driver.check_library`) or StoreMissing."""
        driver.check_library()
        if not self.path.is_file():
            raise self.missing()

    def prepare(self) -> None:
        """Make an empty file. Raises LibraryTooOld."""
        driver.check_library()
        driver.create_file(self.path)

    def missing(self) -> StoreMissing:
        """Return the error that names the file."""
        return driver.missing(self.path)

    @contextmanager
    def said_plainly(self) -> Iterator[None]:
        """Make one line of what SQLite says about a file that it cannot use."""
        try:
            yield
        except OperationalError as error:
            raise StoreError(f"the store at {self.path} cannot be opened: {error.orig}") from error
        except DatabaseError as error:
            raise StoreError(f"{self.path} is not a store: {error.orig}") from error

    def engine(self, *, migrating: bool = False) -> Engine:
        """Make an engine whose transactions begin explicitly, those that write with the write lock.

        SQLAlchemy is handed finished connections and the driver's module, so that it never imports the standard
        `sqlite3`. Without foreign keys when migrating: a migration that rebuilds a table drops the old one, and with it
        what refers to it.
        """
        engine = create_engine(
            "sqlite://",
            hide_parameters=True,  # values in the text of an error would be secrets in the log
            module=driver.dbapi,
            creator=lambda: driver.connect(self.path, foreign_keys=not migrating),
            poolclass=QueuePool,
            pool_size=CONNECTIONS,
            max_overflow=CONNECTIONS,
            pool_use_lifo=True,  # in turn, each would fill a page cache of its own with the same pages
        )

        @event.listens_for(engine, "begin")
        def begin(conn: Connection) -> None:
            options: dict[str, Any] = dict(conn.get_execution_options())
            conn.exec_driver_sql("BEGIN IMMEDIATE" if options.get("kobza_write") else "BEGIN")

        return engine

    def connect(self) -> driver.RawConnection:
        """Make a connection of the driver."""
        return driver.connect(self.path)

    def commits(self, *, patience_ms: int) -> SqliteCommits:
        """Make the journal's connection."""
        return SqliteCommits(self.path, patience_ms=patience_ms)

    def add_calls(self, rows: Iterable[Row]) -> int:
        """Add calls, thousands in a commit."""
        connection = self.connect()
        left, added = iter(rows), 0
        try:
            while chunk := list(islice(left, CHUNK)):
                connection.execute("BEGIN IMMEDIATE")
                added += connection.executemany(ADD_CALL, chunk).rowcount
                connection.execute("COMMIT")
        finally:
            connection.close()
        return added

    def copy_to(self, folder: Path, each: EachFile) -> Copied:
        """Copy the file by SQLite's online backup."""
        return sqlite_copy.copy_to(self.path, folder, each)

    def copy_from(self, folder: Path, copied: Copied, *, aside: Path, then: Callable[[Connection], None]) -> None:
        """Work on a copy beside the place, and rename it when all is done."""
        driver.check_library()
        made = sqlite_copy.beside(self.path, folder)
        try:
            backend = SqliteBackend(made)
            engine = backend.engine(migrating=True)
            try:
                with backend.said_plainly(), engine.execution_options(kobza_write=True).begin() as conn:
                    check_rows(conn, copied)
                    upgrade(conn)
                    then(conn)
            finally:
                engine.dispose()  # the last connection writes the WAL into the file
            sqlite_copy.put(made, self.path, aside)
        finally:
            sqlite_copy.remove(made)

    def holds_something(self) -> bool:
        """Tell whether there is a file that is not empty."""
        return self.path.exists() and self.path.stat().st_size > 0

    def problems(self, *, thorough: bool) -> list[str]:
        """Let SQLite check the file, its indexes too when thorough, and what refers to what."""
        check = "PRAGMA integrity_check(5)" if thorough else "PRAGMA quick_check(5)"
        try:
            with closing(self.connect()) as connection:
                found = [row[0] for row in connection.execute(check)]
                lost = connection.execute("PRAGMA foreign_key_check").fetchall()
        except driver.dbapi.DatabaseError as error:
            return [str(error)]
        return [each for each in found if each != "ok"] + [f"a row of {row[0]} refers to nothing" for row in lost[:5]]

    def described(self) -> str:
        """Return the version of the library, and the size of the file with its WAL."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        size = self.path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
        return f"SQLite {driver.dbapi.sqlite_version}, {size / 1e6:.1f} MB at {self.path}"

    def in_use(self) -> bool:
        """Tell whether another process has the file open."""
        return sqlite_copy.in_use(self.path)
