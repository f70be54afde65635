"""What the store asks of a database: the few things that differ between one and another."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine

from kobza.store.copies import Copied, EachFile
from kobza.store.entries import Entry
from kobza.store.errors import StoreMissing
from kobza.store.journal_rows import Row
from kobza.store.place import Place, PostgresUrl
from kobza.store.sqlite import SqliteBackend

RawConnection = Any
"""A connection of the driver, in autocommit mode: a transaction is what BEGIN and COMMIT say."""


class Commits(Protocol):
    """The journal's own connection. For one thread at a time."""

    def claim(self) -> None:
        """Make sure that no other server works with the store; see `JournalWriter.claim`."""

    def commit(self, batch: Sequence[Entry], groups: dict[type, list[Any]], alive_at: float | None) -> None:
        """Write a batch (and the same by kind) in one transaction that is on the disk at the end.

        Kind after kind: what begins a thing before what ends it. The cursors of events grow in the order of commits.
        """

    def close(self) -> None:
        """Close the connection, which rolls back; the next commit makes a new one."""


class Backend(Protocol):
    """A database that can hold the store."""

    def check(self) -> None:
        """Raise a StoreError when this cannot work here: the library is too old, the file is not there."""

    def prepare(self) -> None:
        """Make the place where the tables are to go, as far as it is ours to make; keep what exists."""

    def missing(self) -> StoreMissing:
        """Return the error that says how to make a store."""

    def said_plainly(self) -> AbstractContextManager[None]:
        """Make a StoreError of one line of what the database says when it cannot be used."""

    def engine(self, *, migrating: bool = False) -> Engine:
        """Make an engine.

        A transaction of it sees one snapshot; one with the execution option `kobza_write` is the only such
        transaction of the store from its start on. A migrating engine does not let foreign keys delete.
        """

    def connect(self) -> RawConnection:
        """Make a connection of the driver."""

    def commits(self, *, patience_ms: int) -> Commits:
        """Make the journal's connection; it waits for another writer so long."""

    def add_calls(self, rows: Iterable[Row]) -> int:
        """Add calls as fast as the database can, in commits that hold others up for a moment only.

        The rows are those of `journal_rows.call_row`. Return how many were new; the others are left out.
        """

    def copy_to(self, folder: Path, each: EachFile) -> Copied:
        """Write the store as it is at one moment into files of a folder, while others read and write.

        `each` is given every recording of that moment that may have a file.

        Raises:
            BackupUnfit: the copy is damaged, because the store is.

        """

    def copy_from(self, folder: Path, copied: Copied, *, aside: Path, then: Callable[[Connection], None]) -> None:
        """Make what `copy_to` wrote the store, its tables brought up to date; all of it or, when it fails, nothing.

        `then` may change what was copied before it becomes the store. What was there is replaced; files of it are kept
        in the folder `aside`.

        Raises:
            BackupUnfit: it is not what `copied` says.

        """

    def holds_something(self) -> bool:
        """Tell whether there is anything at the place."""

    def problems(self, *, thorough: bool) -> list[str]:
        """Return what is wrong with the database itself, in words; thorough: with all that it can find."""

    def described(self) -> str:
        """Return which database it is, in which version, and how large."""

    def in_use(self) -> bool:
        """Tell whether a server works with the store, on this machine or another."""


def backend_of(place: Place) -> Backend:
    """Return the database of a place. Nothing is opened yet."""
    if isinstance(place, PostgresUrl):
        from kobza.store.postgres import PostgresBackend  # the driver is for those who need it

        return PostgresBackend(place)
    return SqliteBackend(place)
