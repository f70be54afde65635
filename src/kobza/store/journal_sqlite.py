"""The journal's commits on SQLite."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kobza.call.durations import to_ms
from kobza.store import driver
from kobza.store import journal_rows as rows
from kobza.store import journal_sql as sql
from kobza.store.entries import (
    AttemptStored,
    BindingRemoved,
    BindingStored,
    CdrClosed,
    CdrOpened,
    CdrUpdated,
    DetailStored,
    Entry,
    KeyUsed,
    LegPromised,
    RecordingStored,
    StateStored,
)


class SqliteCommits:
    """Writes batches in a connection of its own, which is made when first needed and again after a failure."""

    def __init__(self, path: Path, *, patience_ms: int) -> None:
        self._path = path
        self._patience_ms = patience_ms
        self._connection: driver.RawConnection | None = None

    def claim(self) -> None:
        """Do nothing: the file is on this machine, where a second server finds its addresses taken."""

    def commit(self, batch: Sequence[Entry], groups: dict[type, list[Any]], alive_at: float | None) -> None:
        """Write one batch in one transaction, as `JournalWriter.write` says."""
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        _write_calls(connection, groups)
        _write_states(connection, groups.get(StateStored, ()))
        _write_attempts(connection, groups.get(AttemptStored, ()))
        if recordings := groups.get(RecordingStored):
            sql.insert(connection, sql.PUT_RECORDING, [rows.recording_row(entry) for entry in recordings])
        if BindingStored in groups or BindingRemoved in groups:
            _write_bindings(connection, batch)
        if alive_at is not None:
            connection.execute(sql.HEARTBEAT, (to_ms(alive_at),))
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection, which rolls back; the next commit opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> driver.RawConnection:
        if self._connection is None:
            self._connection = driver.connect(self._path, busy_timeout_ms=self._patience_ms)
        return self._connection


def _write_calls(connection: driver.RawConnection, groups: dict[type, list[Any]]) -> None:
    if opened := groups.get(CdrOpened):
        sql.insert(connection, sql.OPEN_CALL, [rows.call_row(entry) for entry in opened])
    if promised := groups.get(LegPromised):
        sql.insert(connection, sql.PROMISE_LEG, [rows.promise_row(entry) for entry in promised])
    if used := groups.get(KeyUsed):
        sql.insert(connection, sql.USE_KEY, [rows.key_row(entry) for entry in used])
    closed = groups.get(CdrClosed, ())
    if updated := rows.updated_rows(groups.get(CdrUpdated, ()), closed):
        sql.insert(connection, sql.UPDATE_CALL, updated)
    if closed:
        sql.insert(connection, sql.CLOSE_CALL, [rows.call_row(entry) for entry in closed])
    for kind, details in rows.details(groups.get(DetailStored, ())).items():
        connection.executemany(sql.STORE_DETAIL[kind], details)


def _write_states(connection: driver.RawConnection, states: Sequence[StateStored]) -> None:
    """Write events and what is owed of them. The writer holds the write lock, so it may count the cursors itself."""
    if not states:
        return
    last = connection.execute(sql.LAST_CURSOR).fetchone()
    numbered = list(enumerate(states, 1 + (last[0] if last else 0)))
    sql.insert(connection, sql.ADD_EVENT, [rows.event_row(cursor, entry) for cursor, entry in numbered])
    owed = [rows.delivery_row(cursor, entry) for cursor, entry in numbered if entry.owed_to_endpoint]
    if owed:
        sql.insert(connection, sql.OWE_DELIVERY, owed)


def _write_attempts(connection: driver.RawConnection, attempts: Sequence[AttemptStored]) -> None:
    if not attempts:
        return
    sql.insert(connection, sql.ADD_ATTEMPT, [rows.attempt_row(entry) for entry in attempts])
    sql.insert(connection, sql.SETTLE_DELIVERY, rows.settled_rows(attempts))


def _write_bindings(connection: driver.RawConnection, batch: Sequence[Entry]) -> None:
    removed, stored = rows.last_words(batch)
    connection.executemany(sql.REMOVE_BINDING, removed)
    sql.insert(connection, sql.PUT_BINDING, stored)
