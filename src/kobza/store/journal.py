"""Writing what calls produce: many entries, one commit, on the driver itself (decision 4 of the architecture)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from kobza.call.durations import to_ms
from kobza.store import driver
from kobza.store import journal_sql as sql
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
    Entry,
    LegPromised,
    RecordingStatus,
    RecordingStored,
    StateStored,
)
from kobza.store.errors import StoreError

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

    def __init__(self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._connection: driver.RawConnection | None = None

    def write(self, batch: Sequence[Entry], *, alive_at: float | None = None) -> None:
        """Write all entries of a batch in one commit, or none; store `alive_at` (seconds), if given, as a sign of life.

        Entries of one kind are written in their order; of the kinds, what begins a thing before what ends it.

        Raises:
            Exception: what the driver raised; `passes_by_itself` tells whether the same batch may succeed later. The
                next `write` makes a new connection.

        """
        groups = _by_kind(batch)
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            _write_calls(connection, groups)
            _write_states(connection, groups.get(StateStored, ()))
            _write_attempts(connection, groups.get(AttemptStored, ()))
            if recordings := groups.get(RecordingStored):
                sql.insert(connection, sql.PUT_RECORDING, [sql.recording_row(entry) for entry in recordings])
            if BindingStored in groups or BindingRemoved in groups:
                _write_bindings(connection, batch)
            if alive_at is not None:
                connection.execute(sql.HEARTBEAT, (to_ms(alive_at),))
            connection.execute("COMMIT")
        except BaseException:
            self.close()  # rolls back
            raise

    def close(self) -> None:
        """Close the connection; the next `write` opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> driver.RawConnection:
        if self._connection is None:
            self._connection = driver.connect(self._path, busy_timeout_ms=self._busy_timeout_ms)
        return self._connection


def passes_by_itself(error: BaseException) -> bool:
    """Tell whether an error of `write` is of the store's condition (locked, full, I/O, away) and not of an entry.

    An entry that the database refuses (a constraint, a type, a text that is no UTF-8) will never be written: waiting
    for it would stop all calls.
    """
    return isinstance(error, driver.dbapi.OperationalError | OSError | MemoryError | StoreError) or (
        type(error) is driver.dbapi.DatabaseError
    )


_KINDS: frozenset[type] = frozenset(get_args(Entry))


def _by_kind(batch: Sequence[Entry]) -> dict[type, list[Any]]:
    groups: dict[type, list[Any]] = {}
    for entry in batch:
        kind = type(entry)
        if kind in groups:
            groups[kind].append(entry)
        elif kind in _KINDS:
            groups[kind] = [entry]
        else:
            raise TypeError(f"not a journal entry: {entry!r}")
    return groups


def _write_calls(connection: driver.RawConnection, groups: dict[type, list[Any]]) -> None:
    if opened := groups.get(CdrOpened):
        sql.insert(connection, sql.OPEN_CALL, [sql.call_row(entry) for entry in opened])
    if promised := groups.get(LegPromised):
        sql.insert(connection, sql.PROMISE_LEG, [sql.promise_row(entry) for entry in promised])
    if updated := groups.get(CdrUpdated):
        sql.insert(connection, sql.UPDATE_CALL, [sql.call_row(entry) for entry in updated])
    if closed := groups.get(CdrClosed):
        sql.insert(connection, sql.CLOSE_CALL, [sql.call_row(entry) for entry in closed])


def _write_states(connection: driver.RawConnection, states: Sequence[StateStored]) -> None:
    """Write events and what is owed of them. The writer holds the write lock, so it may count the cursors itself."""
    if not states:
        return
    last = connection.execute(sql.LAST_CURSOR).fetchone()
    numbered = list(enumerate(states, 1 + (last[0] if last else 0)))
    sql.insert(connection, sql.ADD_EVENT, [sql.event_row(cursor, entry) for cursor, entry in numbered])
    owed = [sql.delivery_row(cursor, entry) for cursor, entry in numbered if entry.owed_to_endpoint]
    if owed:
        sql.insert(connection, sql.OWE_DELIVERY, owed)


def _write_attempts(connection: driver.RawConnection, attempts: Sequence[AttemptStored]) -> None:
    if not attempts:
        return
    connection.executemany(sql.ADD_ATTEMPT, [sql.attempt_row(entry) for entry in attempts])
    retries = [sql.retry_row(entry) for entry in attempts if entry.outcome == "retry"]
    if retries:
        connection.executemany(sql.DELIVERY_RETRY, retries)
    done = [sql.done_row(entry) for entry in attempts if entry.outcome != "retry"]
    if done:
        connection.executemany(sql.DELIVERY_DONE, done)


def _write_bindings(connection: driver.RawConnection, batch: Sequence[Entry]) -> None:
    """Write the last word on each binding; one that was removed and came back is a new one."""
    removed: dict[tuple[str, str], sql.Row] = {}
    stored: dict[tuple[str, str], sql.Row] = {}
    for entry in batch:
        if isinstance(entry, BindingRemoved):
            key = (entry.number, entry.contact)
            removed[key] = sql.removal_row(entry)
            stored.pop(key, None)
        elif isinstance(entry, BindingStored):
            stored[entry.binding.number, entry.binding.contact] = sql.binding_row(entry)
    connection.executemany(sql.REMOVE_BINDING, list(removed.values()))
    sql.insert(connection, sql.PUT_BINDING, list(stored.values()))
