"""Erasing all that an enterprise has of one telephone number, in small transactions, with a record of what went.

The calls stay as facts without the person: `anonymous` stands in the number's place, as with a hidden caller. Their
recordings, call states, deliveries, attempts and what else names the number go. What a hold keeps stays, and so does
what is not over: a call that is on, a recording that is being made.

It may be interrupted at any moment: asked again, the same erasure goes on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Table, and_, exists, or_, select, tuple_, update

from kobza.call.numbers import national
from kobza.call.routing import ANONYMOUS
from kobza.store import address_book, audit, deliveries, diversions, erasures, holds, meta, recording_files
from kobza.store.erasures import Erasure, Kept
from kobza.store.errors import ErasureHeld
from kobza.store.recording_files import Doomed, EraseFile
from kobza.store.schema import address_book as book
from kobza.store.schema import attempts, calls, events, idempotency_keys, promised_legs, recordings
from kobza.store.schema import call_details as details
from kobza.store.schema import deliveries as owed
from kobza.store.store import Store

BATCH: Final = 50
"""Calls erased in one transaction, with all their call states: 14 ms of CPU, 47 at the 99th percentile (SQLite)."""
SCANNED: Final = 5000
"""Rows looked through in one read: no index knows the numbers."""
PAUSE: Final = 0.05
"""Seconds between two transactions, in which others write."""


@dataclass(frozen=True, slots=True)
class Request:
    """Whose number is erased, at whose wish. `number` is E.164 or a short code."""

    enterprise_id: str
    number: str
    erased_by: str
    reference: str = ""
    with_address_book: bool = False


def erase(
    store: Store, request: Request, now_ms: Callable[[], int], *, erase_file: EraseFile, pause: float = PAUSE
) -> Erasure:
    """Erase a number and return the finished erasure; blocks, for some seconds for ten thousand calls.

    Raises:
        NotInStore: there is no such enterprise.
        ErasureHeld: a hold keeps the number or the whole enterprise.

    """
    with store.write() as conn:
        if held := holds.on_number(conn, request.enterprise_id, request.number):
            raise ErasureHeld(
                f"nothing of {national(request.number)} may be erased: "
                + "; ".join(f"hold {each.hold_id} by {each.placed_by}: {each.reason}" for each in held)
            )
        erasure_id = erasures.begin(
            conn, request.enterprise_id, request.number, request.erased_by, request.reference, now_ms()
        )
        by = audit.By("cli", request.erased_by)
        audit.note(conn, by, "number.erased", request.enterprise_id, erasure_id, now_ms(), label=request.reference)
    work = _Work(store, request, erasure_id, now_ms, erase_file, pause)
    work.erase_calls()
    work.erase_other_events()
    work.erase_other_legs()
    work.erase_diversions()
    with store.read() as conn:
        kept = work.still_there(conn)
    with store.write() as conn:
        if request.with_address_book:
            work.erase_from_book(conn)
        meta.bump_erasures(conn)
        return erasures.finish(conn, erasure_id, kept, now_ms())


class _Work:
    def __init__(
        self,
        store: Store,
        request: Request,
        erasure_id: str,
        now_ms: Callable[[], int],
        erase_file: EraseFile,
        pause: float,
    ) -> None:
        self._store = store
        self._enterprise_id = request.enterprise_id
        self._number = request.number
        self._erasure_id = erasure_id
        self._now_ms = now_ms
        self._erase_file = erase_file
        self._pause = pause
        self._stuck: set[str] = set()
        """Calls whose recordings could not be removed from the disk."""

    def erase_calls(self) -> None:
        """Erase the calls in which the number took part, the oldest first."""
        columns = calls.c
        at = (-1, "")
        while True:
            scan = (
                select(columns.started_at, columns.call_id, _took_part(self._number).label("found"))
                .where(
                    columns.enterprise_id == self._enterprise_id,
                    columns.started_at >= at[0],
                    tuple_(columns.started_at, columns.call_id) > at,
                )
                .order_by(columns.started_at, columns.call_id)
                .limit(SCANNED)
            )
            with self._store.read() as conn:
                page = conn.execute(scan).all()
            if not page:
                return
            at = (page[-1].started_at, page[-1].call_id)
            found = [row.call_id for row in page if row.found]
            for first in range(0, len(found), BATCH):
                self._erase_batch(found[first : first + BATCH])
                time.sleep(self._pause)

    def erase_other_events(self) -> None:
        """Erase call states that name the number though their calls do not: of a phone that only rang."""
        after = 0
        while True:
            scan = (
                select(events.c.cursor, events.c.call_id, _names(events, self._number).label("found"))
                .where(events.c.enterprise_id == self._enterprise_id, events.c.cursor > after)
                .order_by(events.c.cursor)
                .limit(SCANNED)
            )
            with self._store.read() as conn:
                page = conn.execute(scan).all()
            if not page:
                return
            after = page[-1].cursor
            found = [row.cursor for row in page if row.found]
            for first in range(0, len(found), BATCH):
                with self._store.write() as conn:
                    self._erase_events(conn, events.c.cursor.in_(found[first : first + BATCH]))
                time.sleep(self._pause)

    def erase_other_legs(self) -> None:
        """Erase legs that click2dial promised and that name the number though their calls do not."""
        legs = promised_legs.c
        scan = select(legs.call_control_id).where(
            legs.enterprise_id == self._enterprise_id, _names(promised_legs, self._number)
        )
        with self._store.read() as conn:
            found = list(conn.execute(scan).scalars())
        for first in range(0, len(found), BATCH):
            with self._store.write() as conn:
                self._erase_legs(conn, legs.call_control_id.in_(found[first : first + BATCH]))
            time.sleep(self._pause)

    def erase_diversions(self) -> None:
        """Take the number out of what is known of who sent calls on, of those that no hold keeps."""
        with self._store.read() as conn:
            found = diversions.naming(conn, self._enterprise_id, self._number, held=False)
        for first in range(0, len(found), BATCH):
            batch = found[first : first + BATCH]
            with self._store.write() as conn:
                rows = conn.execute(select(details).where(details.c.call_id.in_(batch)).order_by(details.c.call_id))
                erasures.note(conn, self._erasure_id, "diversions", rows.all())
                diversions.erase(conn, batch, self._number)
            time.sleep(self._pause)

    def erase_from_book(self, conn: Connection) -> None:
        """Erase the entry of the address book."""
        condition = and_(book.c.enterprise_id == self._enterprise_id, book.c.number == self._number)
        erasures.note(conn, self._erasure_id, "address_book", conn.execute(select(book).where(condition)).all())
        address_book.remove(conn, self._enterprise_id, self._number)

    def still_there(self, conn: Connection) -> list[Kept]:
        """Return what of the number was not erased, and why."""
        held, on, stuck = [], 0, 0
        found = select(calls.c.call_id, calls.c.ended_at, holds.on_call().label("held")).where(
            calls.c.enterprise_id == self._enterprise_id, _took_part(self._number)
        )
        for row in conn.execute(found):
            if row.held:
                held.append(row.call_id)
            elif row.call_id in self._stuck:
                stuck += 1
            else:
                on += 1
        sent_on = diversions.naming(conn, self._enterprise_id, self._number, held=True)
        held += [call_id for call_id in sent_on if call_id not in held]
        kept = [("hold", len(held)), ("not over", on), ("file", stuck)]
        return [Kept(reason, count) for reason, count in kept if count]

    def _erase_batch(self, call_ids: Sequence[str]) -> None:
        """Erase some calls: mark the recordings, remove the files, then all the rest in one commit."""
        with self._store.write() as conn:
            free = list(conn.execute(self._free(call_ids)).scalars())
            doomed = recording_files.mark(conn, self._enterprise_id, recordings.c.call_id.in_(free))
        gone, stuck = recording_files.remove_files(doomed, self._erase_file)
        self._stuck |= {each.call_id for each in stuck}
        with self._store.write() as conn:
            free = [call_id for call_id in conn.execute(self._free(free)).scalars() if call_id not in self._stuck]
            self._bury(conn, gone)
            self._erase_events(conn, events.c.call_id.in_(free))
            self._erase_legs(conn, promised_legs.c.call_id.in_(free))
            keys = idempotency_keys.c
            condition = and_(keys.enterprise_id == self._enterprise_id, keys.call_id.in_(free))
            self._delete(conn, "idempotency_keys", idempotency_keys, condition, keys.key)
            self._make_anonymous(conn, free)

    def _free(self, call_ids: Sequence[str]) -> Select[Any]:
        """Give those of some calls that are over, recordings included, and that no hold keeps."""
        making = exists(
            select(recordings.c.record_id).where(
                recordings.c.call_id == calls.c.call_id,
                recordings.c.enterprise_id == calls.c.enterprise_id,
                recordings.c.status.in_(recording_files.IN_THE_MAKING),
            )
        )
        return select(calls.c.call_id).where(
            calls.c.enterprise_id == self._enterprise_id,
            calls.c.call_id.in_(call_ids),
            calls.c.ended_at.is_not(None),
            ~making,
            ~holds.on_call(),
        )

    def _bury(self, conn: Connection, gone: Sequence[Doomed]) -> None:
        recording_files.bury(conn, self._enterprise_id, gone, self._now_ms())
        erasures.note_files(conn, self._erasure_id, gone)

    def _make_anonymous(self, conn: Connection, call_ids: Sequence[str]) -> None:
        columns = calls.c
        these = and_(columns.enterprise_id == self._enterprise_id, columns.call_id.in_(call_ids))
        before = conn.execute(select(calls).where(these).order_by(columns.call_id)).all()
        erasures.note(conn, self._erasure_id, "calls", before)
        for column in (columns.calling_number, columns.called_number, columns.answered_number):
            conn.execute(update(calls).where(these, column == self._number).values({column: ANONYMOUS}))
        conn.execute(update(calls).where(these).values(client_state=None))

    def _erase_events(self, conn: Connection, which: Any) -> None:
        """Erase call states; of what was owed of them a tombstone stays."""
        columns = events.c
        unfinished = exists(
            select(calls.c.call_id).where(calls.c.call_id == columns.call_id, calls.c.ended_at.is_(None))
        )
        condition = and_(
            columns.enterprise_id == self._enterprise_id,
            which,
            ~unfinished,
            ~holds.on_part(events, (columns.state_owner, columns.phone_number)),
        )
        rows = conn.execute(select(events).where(condition).order_by(columns.cursor)).all()
        cursors = [row.cursor for row in rows]
        erasures.note(conn, self._erasure_id, "events", rows)
        self._delete(conn, "attempts", attempts, attempts.c.cursor.in_(cursors), attempts.c.cursor, attempts.c.attempt)
        of_owed = owed.c.cursor.in_(cursors)
        erasures.note(
            conn,
            self._erasure_id,
            "deliveries",
            conn.execute(select(owed).where(of_owed).order_by(owed.c.cursor)).all(),
        )
        conn.execute(update(owed).where(of_owed).values(status=deliveries.ERASED, due_at=self._now_ms()))
        conn.execute(events.delete().where(columns.cursor.in_(cursors)))

    def _erase_legs(self, conn: Connection, which: Any) -> None:
        """Erase legs of calls that are over."""
        legs = promised_legs.c
        over = ~exists(select(calls.c.call_id).where(calls.c.call_id == legs.call_id, calls.c.ended_at.is_(None)))
        condition = and_(legs.enterprise_id == self._enterprise_id, which, over, ~holds.on_part(promised_legs))
        self._delete(conn, "promised_legs", promised_legs, condition, legs.call_control_id)

    def _delete(self, conn: Connection, kind: str, table: Table, condition: Any, *order: Any) -> None:
        rows: Sequence[Row[Any]] = conn.execute(select(table).where(condition).order_by(*order)).all()
        if rows:
            erasures.note(conn, self._erasure_id, kind, rows)
            conn.execute(table.delete().where(condition))


def _took_part(number: str) -> Any:
    """Tell of a call whether a number took part."""
    columns = calls.c
    return or_(columns.calling_number == number, columns.called_number == number, columns.answered_number == number)


def _names(table: Table, number: str) -> Any:
    """Tell of a row with an owner and another side whether a number is one of them."""
    return or_(table.c.state_owner == number, table.c.phone_number == number)
