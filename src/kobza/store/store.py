"""The store: opening and making it, and the two ways to use it, `read()` and `write()`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from kobza.store import meta
from kobza.store.backend import Backend, RawConnection, backend_of
from kobza.store.errors import StoreAway, StoreError, StoreOutdated
from kobza.store.journal import first_line, passes_by_itself
from kobza.store.migrations import HEAD, revision_of, upgrade
from kobza.store.place import STORE_FILE, Place

__all__ = ["STORE_FILE", "Store"]


class Store:
    """A store that is open. Its connections may be used by any thread, one thread at a time.

    All of this blocks: in an event loop it belongs into a thread.
    """

    def __init__(self, place: Place, backend: Backend, engine: Engine) -> None:
        self.place = place
        self.backend = backend
        self._engine = engine
        self._version_lock = threading.Lock()
        self._version_connection: RawConnection | None = None
        self.failures = 0
        """How often it did not answer since it was opened: locked for long, away, the disk full."""

    @property
    def path(self) -> Path:
        """The store's file. Only a store in SQLite has one."""
        if not isinstance(self.place, Path):
            raise TypeError(f"the store in {self.place} has no file")
        return self.place

    @classmethod
    def open(cls, place: Place) -> Self:
        """Open the store that `create` has made.

        Raises:
            StoreMissing: there is no such file, or nothing in it; no tables in the database.
            StoreError: the file cannot be opened, or is something else; the server is away, or refuses.
            StoreOutdated: its tables are of another release.
            LibraryTooOld: see `driver.check_library`.

        """
        backend = backend_of(place)
        backend.check()
        engine = backend.engine()
        try:
            with backend.said_plainly(), engine.connect() as conn:
                revision = revision_of(conn)
        except StoreError:
            engine.dispose()
            raise
        if revision != HEAD:
            engine.dispose()
            if revision is None:
                raise backend.missing()
            raise StoreOutdated(
                f"the store at {place} is of another release ({revision}, not {HEAD}): run `kobza init`"
            )
        return cls(place, backend, engine)

    @classmethod
    def create(cls, place: Place) -> Self:
        """Make a store, or bring one that exists up to date, and open it. Doing it again changes nothing.

        Raises:
            StoreOutdated: the store was made by a newer release.
            LibraryTooOld: see `driver.check_library`.

        """
        backend = backend_of(place)
        backend.prepare()
        engine = backend.engine(migrating=True)
        writing = engine.execution_options(kobza_write=True)
        try:
            with backend.said_plainly(), writing.begin() as conn:
                upgrade(conn)
                for version in (meta.DIRECTORY_VERSION, meta.TOKENS_VERSION):
                    if meta.get_number(conn, version) is None:
                        meta.set_number(conn, version, 1)
                if meta.get_text(conn, meta.SIP_REALM) is None:
                    meta.set_text(conn, meta.SIP_REALM, meta.DEFAULT_REALM)
        finally:
            engine.dispose()
        return cls.open(place)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot from its first statement on.

        A snapshot that stays open keeps the WAL from being emptied: do not wait for anybody inside. The iterators of
        `calls` give the snapshot back between their pages. Raises StoreAway when the store does not answer.
        """
        with self._away_said(), self._engine.connect() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a transaction that holds the write lock from the start, and commit it at the end.

        An exception rolls back. The calls' journal waits meanwhile: be short. Raises StoreAway when the store does not
        answer; when that happens in the commit, it may have been done all the same.
        """
        with self._away_said(), self._engine.connect().execution_options(kobza_write=True) as conn, conn.begin():
            yield conn

    def directory_version(self) -> int:
        """Return the version of the directory; cheap: some microseconds, or one question to a server.

        Raises StoreAway when the store does not answer.
        """
        with self._away_said(), self._version_lock:
            kept = self._version_connection is not None
            try:
                return self._ask_version()
            except Exception:
                if not kept:
                    raise
                return self._ask_version()  # by a new connection: the server was perhaps restarted

    def close(self) -> None:
        """Close the connections. The store must not be used afterwards."""
        with self._version_lock:
            self._forget_version_connection()
        self._engine.dispose()

    @contextmanager
    def _away_said(self) -> Iterator[None]:
        """Make a StoreAway of what the driver raises when that is the store's condition."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(error, OSError | MemoryError) or cause is None or not passes_by_itself(cause):
                raise
            self.failures += 1
            raise StoreAway(f"the store cannot be used now: {first_line(cause)}") from error

    def _ask_version(self) -> int:
        if self._version_connection is None:
            self._version_connection = self.backend.connect()
        try:
            row = self._version_connection.execute(_VERSION).fetchone()
        except BaseException:
            self._forget_version_connection()
            raise
        return int(row[0])

    def _forget_version_connection(self) -> None:
        connection, self._version_connection = self._version_connection, None
        if connection is not None:
            connection.close()


_VERSION: Final = f"SELECT number FROM meta WHERE key = '{meta.DIRECTORY_VERSION}'"  # noqa: S608 - a constant
