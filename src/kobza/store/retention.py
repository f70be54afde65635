"""Deleting what is too old: calls with their recordings after the days that are kept, events, ended tokens and
idempotency keys after theirs.

Many small transactions with a pause after each: the journal, which waits meanwhile, is held up for some milliseconds.
The file does not shrink, but what comes next takes the room that is free now.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Delete, Exists, Table, bindparam, exists, func, select, tuple_

from kobza.store.deliveries import PENDING
from kobza.store.schema import (
    attempts,
    calls,
    deliveries,
    endpoints,
    events,
    idempotency_keys,
    promised_legs,
    recordings,
)
from kobza.store.store import Store
from kobza.store.tokens import purge_ended

EVENT_DAYS: Final = 7
"""Days for which events are kept (contract, section 3, `GET /v1/events`), and with them deliveries and attempts."""

BATCH: Final = 500
"""Calls, events or promised legs looked at in one transaction: some 5 to 10 ms."""

PAUSE: Final = 0.05
"""Seconds between two transactions, in which others write: a million old calls take less than two minutes."""

DAY_MS: Final = 24 * 3_600_000

Erase = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows went."""

    calls: int = 0
    recordings: int = 0
    events: int = 0
    promised_legs: int = 0
    tokens: int = 0
    idempotency_keys: int = 0
    kept: int = 0
    """Calls that stay until the next time, because the file of their recording could not be erased."""


def purge(store: Store, now_ms: int, history_days: int, *, erase: Erase, pause: float = PAUSE) -> Purged:
    """Delete what is older than it may be; blocks, for minutes after a long time without it.

    `erase` removes the file of a recording (its path as stored: relative to the directory of recordings), before the
    row goes, so that no file is ever forgotten. It must take a file that is not there; on OSError the call stays.

    An event that is still owed to an active endpoint stays, however old, and so does what an unfinished call needs to
    be closed after a crash.
    """
    before = now_ms - history_days * DAY_MS
    gone = kept = recorded = 0
    with store.read() as conn:
        enterprise_ids = list(_enterprises_with_calls(conn))
    for enterprise_id in enterprise_ids:
        after = (-1, "")
        while page := _old_calls(store, enterprise_id, before, after):
            after = page[-1]
            erased = _erase_recordings(store, enterprise_id, [call_id for _, call_id in page], erase)
            kept += len(page) - len(erased)
            with store.write() as conn:
                gone += _delete(conn, calls, enterprise_id, erased)
                recorded += _delete(conn, recordings, enterprise_id, erased)
            time.sleep(pause)
    since = now_ms - EVENT_DAYS * DAY_MS
    with store.write() as conn:
        ended = purge_ended(conn, now_ms)
    return Purged(
        calls=gone,
        recordings=recorded,
        events=_purge_events(store, since, pause),
        promised_legs=_purge_promised_legs(store, since, pause),
        tokens=ended,
        idempotency_keys=_purge_idempotency_keys(store, now_ms, pause),
        kept=kept,
    )


def _enterprises_with_calls(conn: Connection) -> Iterator[str]:
    """Give the enterprises that the history knows, removed ones too: one step in the index for each."""
    last = ""
    while (found := conn.execute(_next_enterprise, {"last": last}).scalar_one()) is not None:
        last = found
        yield last


def _old_calls(store: Store, enterprise_id: str, before_ms: int, after: tuple[int, str]) -> list[tuple[int, str]]:
    """Return the next finished calls that began before a moment: their starts and ids, in order."""
    columns = calls.c
    found = (
        select(columns.started_at, columns.call_id)
        .where(
            columns.enterprise_id == enterprise_id,
            columns.started_at < before_ms,
            columns.ended_at.is_not(None),
            columns.started_at >= after[0],  # beside the exact condition, so that the database seeks in its index
            tuple_(columns.started_at, columns.call_id) > after,
        )
        .order_by(columns.started_at, columns.call_id)
        .limit(BATCH)
    )
    with store.read() as conn:
        return [(row[0], row[1]) for row in conn.execute(found)]


def _erase_recordings(store: Store, enterprise_id: str, call_ids: list[str], erase: Erase) -> list[str]:
    """Erase the files of calls, but none that another enterprise still has; return the calls without any left."""
    other = recordings.alias()
    shared = exists(
        select(other.c.call_id).where(
            other.c.call_id == recordings.c.call_id,
            other.c.path == recordings.c.path,
            other.c.enterprise_id != enterprise_id,
        )
    )
    found = select(recordings.c.call_id, recordings.c.path).where(
        recordings.c.call_id.in_(call_ids),
        recordings.c.enterprise_id == enterprise_id,
        recordings.c.path.is_not(None),
        ~shared,
    )
    with store.read() as conn:
        files = [(row[0], row[1]) for row in conn.execute(found)]
    stuck: set[str] = set()
    for call_id, path in files:
        try:
            erase(path)
        except OSError:  # counted as kept; the disk is somebody else's to complain about
            stuck.add(call_id)
    return [call_id for call_id in call_ids if call_id not in stuck]


def _delete(conn: Connection, table: Table, enterprise_id: str, call_ids: list[str]) -> int:
    columns = table.c
    return conn.execute(
        table.delete().where(columns.call_id.in_(call_ids), columns.enterprise_id == enterprise_id)
    ).rowcount


def _purge_events(store: Store, before_ms: int, pause: float) -> int:
    """Delete old events from the first on; the first batch without any old one is where the rest begins."""
    gone, after = 0, 0
    while True:
        with store.read() as conn:
            page = conn.execute(_next_events, {"after": after, "before": before_ms, "batch": BATCH}).all()
        if not any(row.old for row in page):
            return gone
        after = page[-1].cursor
        cursors = [row.cursor for row in page if row.old]
        with store.write() as conn:
            needed = set(conn.execute(_needed.where(events.c.cursor.in_(cursors))).scalars())
            cursors = [cursor for cursor in cursors if cursor not in needed]
            for table in (attempts, deliveries):
                conn.execute(table.delete().where(table.c.cursor.in_(cursors)))
            gone += conn.execute(events.delete().where(events.c.cursor.in_(cursors))).rowcount
        time.sleep(pause)


def _purge_promised_legs(store: Store, before_ms: int, pause: float) -> int:
    old = select(promised_legs.c.call_control_id).where(
        promised_legs.c.promised_at < before_ms, ~_unfinished(promised_legs)
    )
    return _in_batches(
        store, promised_legs.delete().where(promised_legs.c.call_control_id.in_(old.limit(BATCH))), pause
    )


def _purge_idempotency_keys(store: Store, now_ms: int, pause: float) -> int:
    columns = idempotency_keys.c
    old = select(columns.enterprise_id, columns.key).where(columns.expires_at <= now_ms)
    these = tuple_(columns.enterprise_id, columns.key).in_(old.limit(BATCH))
    return _in_batches(store, idempotency_keys.delete().where(these), pause)


def _in_batches(store: Store, delete: Delete, pause: float) -> int:
    """Run a statement that deletes up to BATCH rows until there are no more."""
    gone = 0
    while True:
        with store.write() as conn:
            count = conn.execute(delete).rowcount
        gone += count
        if count < BATCH:
            return gone
        time.sleep(pause)


def _unfinished(table: Table) -> Exists:
    """Tell whether the call of a row is not finished."""
    return exists(select(calls.c.call_id).where(calls.c.call_id == table.c.call_id, calls.c.ended_at.is_(None)))


_next_enterprise = select(func.min(calls.c.enterprise_id)).where(calls.c.enterprise_id > bindparam("last"))

_next_events = (
    select(events.c.cursor, (events.c.occurred_at < bindparam("before")).label("old"))
    .where(events.c.cursor > bindparam("after"))
    .order_by(events.c.cursor)
    .limit(bindparam("batch"))
)

_owed = exists(
    select(deliveries.c.cursor)
    .join(endpoints, endpoints.c.enterprise_id == deliveries.c.enterprise_id)
    .where(deliveries.c.cursor == events.c.cursor, deliveries.c.status == PENDING, endpoints.c.active.is_(True))
)
_needed = select(events.c.cursor).where(_owed | _unfinished(events))
