"""Taking the persons out of call states that are kept longer than what was told in them.

What stays is the bare fact: which leg of which call reached which state when, and what became of its delivery.
"""

import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, select, update

from kobza.store import meta
from kobza.store.deliveries import FAILED, PENDING
from kobza.store.schema import attempts, deliveries, events
from kobza.store.store import Store

ERASED_OWNER = ""
"""The owner of an event from which the persons are gone."""


def purge(store: Store, enterprise_id: str, before_ms: int, *, needed: Select[Any], batch: int, pause: float) -> int:
    """Take the persons out of an enterprise's events that are older than a moment, but for those that are `needed`.

    Goes on where the last time ended: behind the last event before which all are done. Return how many.
    """
    key = f"payloads:{enterprise_id}"
    with store.read() as conn:
        after = done = meta.get_number(conn, key) or 0
    gone, passed = 0, True
    while True:
        values = {"enterprise_id": enterprise_id, "after": after, "batch": batch}
        with store.read() as conn:
            page = conn.execute(_next, values).all()
        old: list[Any] = [row for row in page if row.occurred_at < before_ms]
        if not old:
            return gone
        after = page[-1].cursor
        with store.write() as conn:
            told = [row for row in old if row.state_owner != ERASED_OWNER]
            kept = set(conn.execute(needed.where(events.c.cursor.in_([row.cursor for row in told]))).scalars())
            gone += _strip(conn, [row for row in told if row.cursor not in kept])
            passed = passed and not kept and len(old) == len(page)
            if passed:
                done = after
                meta.set_number(conn, key, done)
        time.sleep(pause)


def _strip(conn: Connection, rows: list[Any]) -> int:
    if not rows:
        return 0
    cursors = [row.cursor for row in rows]
    conn.execute(
        _bare,
        [{"the_cursor": row.cursor, "bare": _skeleton(row)} for row in rows],
    )
    conn.execute(update(attempts).where(attempts.c.cursor.in_(cursors)).values(response=None, exchange=None))
    owed = update(deliveries).where(deliveries.c.cursor.in_(cursors), deliveries.c.status == PENDING)
    conn.execute(owed.values(status=FAILED))
    return len(rows)


def _skeleton(row: Row[Any]) -> str:
    """Return the document of a state without persons; it still has the form of one."""
    told = msgspec.json.decode(row.payload)
    told = told if isinstance(told, dict) else {}
    told |= {"state_owner": "", "phone_number": "", "client_state": None}
    return msgspec.json.encode(told).decode()


_next = (
    select(events.c.cursor, events.c.occurred_at, events.c.state_owner, events.c.payload)
    .where(events.c.enterprise_id == bindparam("enterprise_id"), events.c.cursor > bindparam("after"))
    .order_by(events.c.cursor)
    .limit(bindparam("batch"))
)
_bare = (
    update(events)
    .where(events.c.cursor == bindparam("the_cursor"))
    .values(state_owner=ERASED_OWNER, phone_number="", client_state=None, payload=bindparam("bare"))
)
