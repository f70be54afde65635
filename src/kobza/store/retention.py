"""Deleting what is too old: of each enterprise its calls, recordings, call states and the persons in them after the
days that it keeps them (`terms`); ended tokens, idempotency keys and tombstones after theirs. What a hold keeps stays.

Many small transactions with a pause after each: the journal, which waits meanwhile, is held up for some milliseconds.
The file does not shrink, but what comes next takes the room that is free now.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Delete,
    Exists,
    Select,
    String,
    Table,
    bindparam,
    exists,
    func,
    select,
    tuple_,
)

from kobza.store import holds, payloads, recording_files, terms
from kobza.store.days import Terms
from kobza.store.deliveries import ERASED as ERASED_DELIVERY
from kobza.store.deliveries import PENDING
from kobza.store.recording_files import KEPT, EraseFile
from kobza.store.recordings import ERASED, ERASING
from kobza.store.schema import (
    attempts,
    call_details,
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

BATCH: Final = 500
"""Calls, events or promised legs looked at in one transaction: some 5 to 10 ms."""

PAUSE: Final = 0.05
"""Seconds between two transactions, in which others write: a million old calls take less than two minutes."""

DAY_MS: Final = 24 * 3_600_000

PROMISE_DAYS: Final = 7
"""Days for which the ids that click2dial handed out are kept: nobody asks for them any more."""

TOMBSTONE_DAYS: Final = 365
"""Days for which it is known of what was erased that it once was (410)."""


@dataclass(frozen=True, slots=True)
class Purged:
    """How many rows went."""

    calls: int = 0
    recordings: int = 0
    events: int = 0
    payloads: int = 0
    """Events and deliveries from which the persons went."""
    promised_legs: int = 0
    tokens: int = 0
    idempotency_keys: int = 0
    tombstones: int = 0
    kept: int = 0
    """Calls that stay until the next time, because the file of their recording could not be erased."""


def purge(store: Store, now_ms: int, settings: Terms, *, erase: EraseFile, pause: float = PAUSE) -> Purged:
    """Delete what is older than it may be; blocks, for minutes after a long time without it.

    `settings` are the terms of enterprises that have none of their own. `erase` removes the file of a recording.
    On OSError the call stays.

    An event that is still owed to an active endpoint stays, however old, and so does what an unfinished call needs to
    be closed after a crash.
    """
    totals = dict.fromkeys(("calls", "recordings", "events", "payloads", "kept"), 0)
    with store.read() as conn:
        enterprise_ids = sorted({*_all(conn, _next_of(calls)), *_all(conn, _next_of(events)), *_with_recordings(conn)})
    for enterprise_id in enterprise_ids:
        with store.read() as conn:
            kept = terms.own(conn, enterprise_id).over(settings)
        part = _Enterprise(store, enterprise_id, now_ms, erase, pause)
        part.go_on_erasing()
        found = {
            "calls": part.purge_calls(now_ms - kept.history_days * DAY_MS),
            "events": part.purge_events(now_ms - kept.event_days * DAY_MS),
            "payloads": payloads.purge(
                store, enterprise_id, now_ms - kept.payload_days * DAY_MS, needed=_needed, batch=BATCH, pause=pause
            ),
        }
        part.purge_recordings(now_ms - kept.recording_days * DAY_MS)
        found |= {"recordings": part.recordings, "kept": part.kept}
        totals = {name: totals[name] + found[name] for name in totals}
    with store.write() as conn:
        ended = purge_ended(conn, now_ms)
    return Purged(
        **totals,
        promised_legs=_purge_promised_legs(store, now_ms - PROMISE_DAYS * DAY_MS, pause),
        tokens=ended,
        idempotency_keys=_purge_idempotency_keys(store, now_ms, pause),
        tombstones=_purge_tombstones(store, now_ms - TOMBSTONE_DAYS * DAY_MS, pause),
    )


class _Enterprise:
    """The part of one enterprise."""

    def __init__(self, store: Store, enterprise_id: str, now_ms: int, erase: EraseFile, pause: float) -> None:
        self._store = store
        self._enterprise_id = enterprise_id
        self._now_ms = now_ms
        self._erase = erase
        self._pause = pause
        self.recordings = 0
        """Recordings that became tombstones."""
        self.kept = 0
        """Calls whose files could not be erased."""

    def purge_calls(self, before_ms: int) -> int:
        """Delete finished calls that began before a moment; return how many."""
        gone, after = 0, (-1, "")
        while page := self._old_calls(before_ms, after):
            after = page[-1]
            call_ids = [call_id for _, call_id in page]
            stuck = self._erase_recordings(recordings.c.call_id.in_(call_ids))
            self.kept += len(stuck)
            with self._store.write() as conn:
                these = (calls.c.call_id.in_(set(call_ids) - stuck), calls.c.enterprise_id == self._enterprise_id)
                gone += conn.execute(calls.delete().where(*these, ~holds.on_call())).rowcount
                conn.execute(call_details.delete().where(call_details.c.call_id.in_(call_ids), ~_has_record))
            time.sleep(self._pause)
        return gone

    def go_on_erasing(self) -> None:
        """Erase recordings that are marked for it already: a crash stood between, or their files could not go."""
        columns = recordings.c
        self._erase_recordings(columns.status.in_(_literal(KEPT)) & (columns.status == ERASING))

    def purge_recordings(self, before_ms: int) -> None:
        """Erase recordings that were made before a moment; their calls stay."""
        after = (-1, "")
        while page := self._old_recordings(before_ms, after):
            after = page[-1]
            self._erase_recordings(recordings.c.record_id.in_([record_id for _, record_id in page]))
            time.sleep(self._pause)

    def purge_events(self, before_ms: int) -> int:
        """Delete old events from the first on; the first batch without any old one is where the rest begins."""
        gone, after = 0, 0
        while True:
            values = {"enterprise_id": self._enterprise_id, "after": after, "before": before_ms, "batch": BATCH}
            with self._store.read() as conn:
                page = conn.execute(_next_events, values).all()
            if not any(row.old for row in page):
                return gone
            after = page[-1].cursor
            cursors = [row.cursor for row in page if row.old]
            with self._store.write() as conn:
                kept = set(conn.execute(_needed.where(events.c.cursor.in_(cursors))).scalars())
                cursors = [cursor for cursor in cursors if cursor not in kept]
                for table in (attempts, deliveries):
                    conn.execute(table.delete().where(table.c.cursor.in_(cursors)))
                gone += conn.execute(events.delete().where(events.c.cursor.in_(cursors))).rowcount
            time.sleep(self._pause)

    def _old_calls(self, before_ms: int, after: tuple[int, str]) -> list[tuple[int, str]]:
        """Return the next finished calls that began before a moment: their starts and ids, in order."""
        columns = calls.c
        found = (
            select(columns.started_at, columns.call_id)
            .where(
                columns.enterprise_id == self._enterprise_id,
                columns.started_at < before_ms,
                columns.ended_at.is_not(None),
                columns.started_at >= after[0],  # beside the exact condition, so that the database seeks in its index
                tuple_(columns.started_at, columns.call_id) > after,
                ~holds.on_call(),
            )
            .order_by(columns.started_at, columns.call_id)
            .limit(BATCH)
        )
        return self._pairs(found)

    def _old_recordings(self, before_ms: int, after: tuple[int, str]) -> list[tuple[int, str]]:
        columns = recordings.c
        found = (
            select(columns.changed_at, columns.record_id)
            .where(
                columns.enterprise_id == self._enterprise_id,
                columns.status.in_(_literal(KEPT)),
                columns.changed_at < before_ms,
                columns.changed_at >= after[0],
                tuple_(columns.changed_at, columns.record_id) > after,
                ~holds.on_part(recordings),
            )
            .order_by(columns.changed_at, columns.record_id)
            .limit(BATCH)
        )
        return self._pairs(found)

    def _pairs(self, query: Select[Any]) -> list[tuple[int, str]]:
        with self._store.read() as conn:
            return [(row[0], row[1]) for row in conn.execute(query)]

    def _erase_recordings(self, which: ColumnElement[bool]) -> set[str]:
        """Erase recordings with their files; return the calls of those whose files could not be erased."""
        with self._store.write() as conn:
            doomed = recording_files.mark(conn, self._enterprise_id, which & ~holds.on_part(recordings))
        gone, stuck = recording_files.remove_files(doomed, self._erase)
        if gone:
            with self._store.write() as conn:
                self.recordings += recording_files.bury(conn, self._enterprise_id, gone, self._now_ms)
        return {each.call_id for each in stuck}


def _all(conn: Connection, following: Select[Any]) -> Iterator[str]:
    """Give the enterprises that a table knows, removed ones too: one step in the index for each."""
    last = ""
    while (found := conn.execute(following, {"last": last}).scalar_one()) is not None:
        last = found
        yield last


def _with_recordings(conn: Connection) -> Iterator[str]:
    return _all(conn, _next_of(recordings).where(recordings.c.status.in_(_literal(KEPT))))


def _literal(words: tuple[str, ...]) -> BindParameter[str]:
    """Give texts as they stand in the condition of an index: a value that is bound would not be recognised."""
    return bindparam(None, words, String, unique=True, expanding=True, literal_execute=True)


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


def _purge_tombstones(store: Store, before_ms: int, pause: float) -> int:
    columns, owed = recordings.c, deliveries.c
    graves = select(columns.record_id, columns.enterprise_id).where(
        columns.status.in_(_literal((ERASED,))), columns.changed_at < before_ms
    )
    these = tuple_(columns.record_id, columns.enterprise_id).in_(graves.limit(BATCH))
    gone = _in_batches(store, recordings.delete().where(these), pause)
    cursors = select(owed.cursor).where(owed.status.in_(_literal((ERASED_DELIVERY,))), owed.due_at < before_ms)
    return gone + _in_batches(store, deliveries.delete().where(owed.cursor.in_(cursors.limit(BATCH))), pause)


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


def _next_of(table: Table) -> Select[Any]:
    return select(func.min(table.c.enterprise_id)).where(table.c.enterprise_id > bindparam("last"))


_has_record = exists(select(calls.c.call_id).where(calls.c.call_id == call_details.c.call_id))
_next_enterprise = _next_of(calls)

_next_events = (
    select(events.c.cursor, (events.c.occurred_at < bindparam("before")).label("old"))
    .where(events.c.enterprise_id == bindparam("enterprise_id"), events.c.cursor > bindparam("after"))
    .order_by(events.c.cursor)
    .limit(bindparam("batch"))
)

_owed = exists(
    select(deliveries.c.cursor)
    .join(endpoints, endpoints.c.enterprise_id == deliveries.c.enterprise_id)
    .where(deliveries.c.cursor == events.c.cursor, deliveries.c.status == PENDING, endpoints.c.active.is_(True))
)
_needed = select(events.c.cursor).where(
    _owed | _unfinished(events) | holds.on_part(events, (events.c.state_owner, events.c.phone_number))
)
"""Events that stay, however old: owed, of a call that is on, or held."""
