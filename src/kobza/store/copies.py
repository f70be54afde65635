"""Copies of a whole store, for backups: what is common to the databases, and what is set right in a restored one."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select, table, update

from kobza.store import endpoints, meta
from kobza.store.errors import BackupUnfit
from kobza.store.schema import endpoints as endpoints_table
from kobza.store.schema import metadata, recordings

EVENT_CURSOR: Final = "event_cursor"
"""The fact of the store that holds the last cursor given, on PostgreSQL; SQLite has a table of its own for it."""

CURSOR_GAP: Final = 1_000_000_000
"""By how much the cursors of events jump in a restored store. Programs may know cursors that were given after the
backup: with smaller ones again they would take new events for old ones. More events than anybody has between two
backups."""

KNOWN_FILES: Final = (
    "SELECT record_id, enterprise_id, call_id, status, path, home FROM recordings "
    "WHERE path IS NOT NULL OR status IN ('recording', 'encoding', 'failed')"
)

CALLS_ON: Final = "SELECT count(*) FROM calls WHERE ended_at IS NULL"


class FileKnown(NamedTuple):
    """A recording that a copy knows, of which there may be a file."""

    record_id: str
    enterprise_id: str
    call_id: str
    status: str
    path: str | None
    """Relative to the directory of recordings."""
    home: str | None = None
    """Where it is besides: a word of `recording_homes`."""


EachFile = Callable[[FileKnown], None]


class Copied(msgspec.Struct, frozen=True):
    """What a copy of a store is."""

    database: str
    """sqlite or postgresql."""
    version: str
    """Of the library or the server."""
    revision: str
    """Of the tables."""
    rows: dict[str, int]
    """Table -> how many."""
    calls_on: int
    """Calls that were on."""
    columns: dict[str, list[str]]
    """Table -> its columns in the order of the copy."""


class Encoded(msgspec.Struct, frozen=True):
    """A recording that was in the making when the store was copied and finished when its files were: the row to be."""

    record_id: str
    enterprise_id: str
    path: str
    duration_ms: int | None
    size: int | None
    sha256: str | None
    changed_at: int
    sealed: str | None = None


def tables_in_order() -> list[str]:
    """Return the names of the tables, those that others refer to first."""
    return [str(each.name) for each in metadata.sorted_tables]


def columns_of_tables() -> dict[str, list[str]]:
    """Return the columns of each table."""
    return {str(each.name): [str(column.name) for column in each.columns] for each in metadata.sorted_tables}


def check_rows(conn: Connection, copied: Copied) -> None:
    """Raise BackupUnfit unless the tables have the rows of the copy."""
    for name, count in copied.rows.items():
        found = conn.execute(select(func.count()).select_from(table(name))).scalar_one()
        if found != count:
            raise BackupUnfit(f"the table {name} has {found} rows, and {count} were copied")


def set_right(conn: Connection, finished: Sequence[Encoded], *, webhooks_off: str | None, now_ms: int) -> None:
    """Change in a restored store what cannot stay as it was copied; in the transaction that restores it.

    Recordings that were finished during the backup become ready; the cursors of events jump (`CURSOR_GAP`); with a
    reason in `webhooks_off` every endpoint is switched off.
    """
    columns = recordings.c
    for each in finished:
        row = msgspec.structs.asdict(each)
        key = (columns.record_id == row.pop("record_id"), columns.enterprise_id == row.pop("enterprise_id"))
        conn.execute(update(recordings).where(*key).values(status="ready", **row))
    _jump(conn)
    if webhooks_off is not None:
        for enterprise_id in conn.execute(select(endpoints_table.c.enterprise_id)).scalars().all():
            endpoints.deactivate(conn, enterprise_id, webhooks_off, now_ms)


def _jump(conn: Connection) -> None:
    """Let the next events have cursors that nobody has seen."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'events'", (CURSOR_GAP,))
    elif (last := meta.get_number(conn, EVENT_CURSOR)) is not None:
        meta.set_number(conn, EVENT_CURSOR, last + CURSOR_GAP)
