"""Writing what calls produce: many entries, one commit, on the driver itself (decision 4 of the architecture)."""

import sys
from collections.abc import Sequence

from kobza.store import driver
from kobza.store.backend import backend_of
from kobza.store.entries import (
    RESPONSE_LIMIT,
    AttemptStored,
    Binding,
    BindingRemoved,
    BindingStored,
    CdrClosed,
    CdrOpened,
    CdrUpdated,
    DeliveryOutcome,
    DetailStored,
    Entry,
    LegPromised,
    RecordingStatus,
    RecordingStored,
    StateStored,
)
from kobza.store.errors import StoreError
from kobza.store.journal_rows import by_kind
from kobza.store.place import Place

__all__ = [
    "RESPONSE_LIMIT",
    "AttemptStored",
    "Binding",
    "BindingRemoved",
    "BindingStored",
    "CdrClosed",
    "CdrOpened",
    "CdrUpdated",
    "DeliveryOutcome",
    "DetailStored",
    "Entry",
    "JournalWriter",
    "LegPromised",
    "RecordingStatus",
    "RecordingStored",
    "StateStored",
    "passes_by_itself",
]

BUSY_TIMEOUT_MS = 1000
"""How long a commit waits for another writer before it counts as failed (and is tried again, visibly)."""


class JournalWriter:
    """Writes batches of entries, each in one commit, on the disk when `write` returns. For one thread at a time."""

    def __init__(self, place: Place, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self._commits = backend_of(place).commits(patience_ms=busy_timeout_ms)

    def claim(self) -> None:
        """Make sure that no other server works with the store, now and for as long as this one writes.

        On return nothing that a server before it had begun to write is still under way.

        Raises:
            StoreError: there is another one.

        """
        self._commits.claim()

    def write(self, batch: Sequence[Entry], *, alive_at: float | None = None) -> None:
        """Write all entries of a batch in one commit, or none; store `alive_at` (seconds), if given, as a sign of life.

        Entries of one kind are written in their order; of the kinds, what begins a thing before what ends it.

        Raises:
            Exception: what the driver raised; `passes_by_itself` tells whether the same batch may succeed later. The
                next `write` makes a new connection.

        """
        groups = by_kind(batch)
        try:
            self._commits.commit(batch, groups, alive_at)
        except BaseException:
            self.close()  # rolls back
            raise

    def close(self) -> None:
        """Close the connection; the next `write` opens it again."""
        self._commits.close()


def passes_by_itself(error: BaseException) -> bool:
    """Tell whether an error of `write` is of the store's condition (locked, full, I/O, away) and not of an entry.

    An entry that the database refuses (a constraint, a type, a text that is no UTF-8) will never be written: waiting
    for it would stop all calls.
    """
    if (driver_of_postgres := sys.modules.get("psycopg")) and isinstance(error, driver_of_postgres.Error):
        from kobza.store import postgres_driver

        return postgres_driver.passes_by_itself(error)
    return isinstance(error, driver.dbapi.OperationalError | OSError | MemoryError | StoreError) or (
        type(error) is driver.dbapi.DatabaseError
    )


def first_line(error: BaseException) -> str:
    """Return what a driver says, in one line."""
    if (driver_of_postgres := sys.modules.get("psycopg")) and isinstance(error, driver_of_postgres.Error):
        from kobza.store import postgres_driver

        return postgres_driver.first_words(error)
    return (str(error).splitlines() or [type(error).__name__])[0]
