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
        self._cursor: Any = None
        """Runs all statements: the connection's own `execute` makes one for each."""

    def claim(self) -> None:
        """Do nothing: the file is on this machine, where a second server finds its addresses taken."""

    def commit(self, batch: Sequence[Entry], groups: dict[type, list[Any]], alive_at: float | None) -> None:
        """Write one batch in one transaction, as `JournalWriter.write` says."""
        cursor = self._connected()
        cursor.execute("BEGIN IMMEDIATE")
        _write_calls(cursor, groups)
        if states := groups.get(StateStored):
            _write_states(cursor, states)
        if attempts := groups.get(AttemptStored):
            _write_attempts(cursor, attempts)
        if recordings := groups.get(RecordingStored):
            sql.insert(cursor, sql.PUT_RECORDING, [rows.recording_row(entry) for entry in recordings])
        if BindingStored in groups or BindingRemoved in groups:
            _write_bindings(cursor, batch)
        if alive_at is not None:
            cursor.execute(sql.HEARTBEAT, (to_ms(alive_at),))
        cursor.execute("COMMIT")

    def close(self) -> None:
        """Close the connection, which rolls back; the next commit opens it again."""
        connection = self._connection
        self._connection = self._cursor = None
        if connection is not None:
            connection.close()

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = driver.connect(self._path, busy_timeout_ms=self._patience_ms)
            self._cursor = self._connection.cursor()
        return self._cursor


def _write_calls(cursor: Any, groups: dict[type, list[Any]]) -> None:
    if opened := groups.get(CdrOpened):
        new, more = rows.opened_rows(opened)
        sql.insert(cursor, sql.OPEN_CALL, new)
        sql.insert(cursor, sql.ADD_CALL, more)
    if promised := groups.get(LegPromised):
        sql.insert(cursor, sql.PROMISE_LEG, [rows.promise_row(entry) for entry in promised])
    if used := groups.get(KeyUsed):
        sql.insert(cursor, sql.USE_KEY, [rows.key_row(entry) for entry in used])
    closed = groups.get(CdrClosed, ())
    if updated := groups.get(CdrUpdated):
        last = rows.last_updates(updated, closed)
        sql.insert(cursor, sql.UPDATE_CALL, [rows.updated_row(entry) for entry in last])
    if closed:
        sql.insert(cursor, sql.CLOSE_CALL, [rows.call_row(entry) for entry in closed])
    if details := groups.get(DetailStored):
        for kind, of_kind in rows.details(details).items():
            cursor.executemany(sql.STORE_DETAIL[kind], of_kind)


def _write_states(cursor: Any, states: Sequence[StateStored]) -> None:
    """Write events and what is owed of them. The writer holds the write lock, so the events' cursors have no gaps."""
    sql.insert(cursor, sql.ADD_EVENT, [rows.event_row(entry) for entry in states])
    first = cursor.lastrowid - len(states) + 1
    owed = [rows.delivery_row(first + at, entry) for at, entry in enumerate(states) if entry.owed_to_endpoint]
    sql.insert(cursor, sql.OWE_DELIVERY, owed)


def _write_attempts(cursor: Any, attempts: Sequence[AttemptStored]) -> None:
    sql.insert(cursor, sql.ADD_ATTEMPT, [rows.attempt_row(entry) for entry in attempts])
    sql.insert(cursor, sql.SETTLE_DELIVERY, rows.settled_rows(attempts))


def _write_bindings(cursor: Any, batch: Sequence[Entry]) -> None:
    removed, stored = rows.last_words(batch)
    cursor.executemany(sql.REMOVE_BINDING, removed)
    sql.insert(cursor, sql.PUT_BINDING, stored)
