"""The store: opening and making it, and the two ways to use it, `read()` and `write()`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from kobza.store import driver, meta
from kobza.store.errors import StoreError, StoreOutdated
from kobza.store.migrations import HEAD, revision_of, upgrade

STORE_FILE = "kobza.db"
"""The name of the store's file in the data directory."""

CONNECTIONS = 8
"""Connections kept open for readers and for writers of settings; more are made when needed, up to twice as many."""


class Store:
    """A store that is open. Its connections may be used by any thread, one thread at a time.

    All of this blocks: in an event loop it belongs into a thread.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine
        self._version_lock = threading.Lock()
        self._version_connection: driver.RawConnection | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store in a file that `create` has made.

        Raises:
            StoreMissing: there is no such file, or nothing in it.
            StoreError: the file cannot be opened, or is something else.
            StoreOutdated: its tables are of another release.
            LibraryTooOld: see `driver.check_library`.

        """
        driver.check_library()
        if not path.is_file():
            raise driver.missing(path)
        engine = _engine(path)
        try:
            with _said_plainly(path), engine.connect() as conn:
                revision = revision_of(conn)
        except StoreError:
            engine.dispose()
            raise
        if revision != HEAD:
            engine.dispose()
            if revision is None:
                raise driver.missing(path)
            raise StoreOutdated(f"the store at {path} is of another release ({revision}, not {HEAD}): run `kobza init`")
        return cls(path, engine)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a store, or bring one that exists up to date, and open it. Doing it again changes nothing.

        Raises:
            StoreOutdated: the store was made by a newer release.
            LibraryTooOld: see `driver.check_library`.

        """
        driver.check_library()
        driver.create_file(path)
        # Without foreign keys: a migration that rebuilds a table drops the old one, and with it what refers to it.
        engine = _engine(path, foreign_keys=False)
        try:
            with _said_plainly(path), engine.connect().execution_options(kobza_write=True) as conn, conn.begin():
                upgrade(conn)
                if meta.get_number(conn, meta.DIRECTORY_VERSION) is None:
                    meta.set_number(conn, meta.DIRECTORY_VERSION, 1)
                if meta.get_text(conn, meta.SIP_REALM) is None:
                    meta.set_text(conn, meta.SIP_REALM, meta.DEFAULT_REALM)
        finally:
            engine.dispose()
        return cls.open(path)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot from its first statement on.

        A snapshot that stays open keeps the WAL from being emptied: do not wait for anybody inside. The iterators of
        `calls` give the snapshot back between their pages.
        """
        with self._engine.connect() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction that holds the write lock from the start, and commit it at the end.

        An exception rolls back. The calls' journal waits meanwhile: be short.
        """
        with self._engine.connect().execution_options(kobza_write=True) as conn, conn.begin():
            yield conn

    def directory_version(self) -> int:
        """Return the version of the directory; cheap (some microseconds): ask before each use of a snapshot."""
        with self._version_lock:
            if self._version_connection is None:
                self._version_connection = driver.connect(self.path)
            row = self._version_connection.execute(
                "SELECT number FROM meta WHERE key = ?", (meta.DIRECTORY_VERSION,)
            ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the connections. The store must not be used afterwards."""
        with self._version_lock:
            if self._version_connection is not None:
                self._version_connection.close()
                self._version_connection = None
        self._engine.dispose()


@contextmanager
def _said_plainly(path: Path) -> Iterator[None]:
    """Make one line of what SQLite says about a file that it cannot use."""
    try:
        yield
    except OperationalError as error:
        raise StoreError(f"the store at {path} cannot be opened: {error.orig}") from error
    except DatabaseError as error:
        raise StoreError(f"{path} is not a store: {error.orig}") from error


def _engine(path: Path, *, foreign_keys: bool = True) -> Engine:
    """Make an engine whose transactions begin explicitly, those of `write()` with the write lock.

    SQLAlchemy is handed finished connections and the driver's module, so that it never imports the standard `sqlite3`.
    """
    engine = create_engine(
        "sqlite://",
        module=driver.dbapi,
        creator=lambda: driver.connect(path, foreign_keys=foreign_keys),
        poolclass=QueuePool,
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS,
    )

    @event.listens_for(engine, "begin")
    def begin(conn: Connection) -> None:
        options: dict[str, Any] = dict(conn.get_execution_options())
        conn.exec_driver_sql("BEGIN IMMEDIATE" if options.get("kobza_write") else "BEGIN")

    return engine
