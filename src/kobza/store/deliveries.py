"""Deliveries: events owed to endpoints, and the attempts to bring them there.

The journal makes them (`StateStored`) and keeps their outcome (`AttemptStored`); here they are read and owed again.
"""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select

from kobza.call.durations import to_ms
from kobza.store.entries import StateStored
from kobza.store.schema import attempts, deliveries, endpoints, events

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
ERASED = "erased"
"""What is left of a delivery whose event was erased: nothing but that it was."""


class Delivery(NamedTuple):
    """An event owed to an endpoint. Moments are milliseconds."""

    cursor: int
    """The event's cursor, by which deliveries are known; 0 when it is not known yet (see `of`)."""
    event_id: str
    enterprise_id: str
    call_id: str
    call_control_id: str
    sequence: int
    occurred_at: int
    payload: bytes
    """The JSON document to post."""
    status: str
    attempts: int
    """Attempts made so far."""
    due_at: int
    """When to try, or to try again."""
    attempts_before: int = 0
    """Attempts that were made before the last replay."""

    @classmethod
    def of(cls, entry: StateStored) -> "Delivery":
        """Return the delivery that the journal makes of an entry, without asking the store for it."""
        state = entry.state
        at = to_ms(state.at)
        return cls(
            cursor=0,
            event_id=state.event_id,
            enterprise_id=state.enterprise_id,
            call_id=state.call_id,
            call_control_id=state.call_control_id,
            sequence=state.sequence,
            occurred_at=at,
            payload=entry.payload,
            status=PENDING,
            attempts=0,
            due_at=at,
        )


class Attempt(NamedTuple):
    """One POST of a delivery. `started_at` is in milliseconds."""

    attempt: int
    started_at: int
    duration_ms: int
    url: str | None
    address: str | None
    status_code: int | None
    error: str | None
    response: str | None
    exchange: str | None
    """JSON, see `kobza.webhooks.exchange.Exchange`; None of an attempt by an older release."""


def pending(conn: Connection, enterprise_id: str | None = None, *, after: int = 0, limit: int = 1000) -> list[Delivery]:
    """Return pending deliveries to active endpoints in the order of their events, so that a leg's states are in order.

    The next page is the one `after` the last one's cursor. Of one enterprise, or of all.
    """
    found = _active.where(deliveries.c.status == PENDING, deliveries.c.cursor > after)
    if enterprise_id is not None:
        found = found.where(deliveries.c.enterprise_id == enterprise_id)
    return fetch(conn, found.order_by(deliveries.c.cursor).limit(limit))


def count_pending(conn: Connection, enterprise_id: str | None = None) -> int:
    """Return how many deliveries are pending, whether or not their endpoint is active."""
    found = select(func.count()).select_from(deliveries).where(deliveries.c.status == PENDING)
    if enterprise_id is not None:
        found = found.where(deliveries.c.enterprise_id == enterprise_id)
    return conn.execute(found).scalar_one()


class Owed(NamedTuple):
    """How much is owed to endpoints of one kind: those that are switched on, or those that are not."""

    deliveries: int
    oldest_at: int | None
    """When the oldest of these states occurred, in milliseconds; None: nothing is owed."""


def owed(conn: Connection) -> tuple[Owed, Owed]:
    """Return what is owed to active endpoints, and what waits for endpoints that are switched off or removed.

    It reads the index of what is pending once, a tenth of a second for a million.
    """
    found = (
        select(endpoints.c.active, func.count(), func.min(deliveries.c.cursor))
        .select_from(deliveries.outerjoin(endpoints, endpoints.c.enterprise_id == deliveries.c.enterprise_id))
        .where(deliveries.c.status == PENDING)
        .group_by(endpoints.c.active)
    )
    kinds = {bool(active): Owed(0, None) for active in (True, False)}
    oldest: dict[bool, int] = {}
    for active, count, cursor in conn.execute(found):
        kind = bool(active)
        kinds[kind] = Owed(kinds[kind].deliveries + count, None)
        oldest[kind] = min(cursor, oldest.get(kind, cursor))
    at = dict(
        conn.execute(select(events.c.cursor, events.c.occurred_at).where(events.c.cursor.in_(oldest.values()))).all()
    )
    owed_of = {kind: Owed(one.deliveries, at.get(oldest.get(kind))) for kind, one in kinds.items()}
    return owed_of[True], owed_of[False]


def list_for(
    conn: Connection, enterprise_id: str, *, status: str | None = None, before: int | None = None, limit: int = 100
) -> list[Delivery]:
    """Return the deliveries of an enterprise, the newest first; the next page is the one `before` the last cursor."""
    found = of_enterprise(enterprise_id)
    if status is not None:
        found = found.where(deliveries.c.status == status)
    if before is not None:
        found = found.where(events.c.cursor < before)
    return fetch(conn, found.order_by(events.c.cursor.desc()).limit(limit))


def of_call(conn: Connection, enterprise_id: str, call_id: str) -> list[Delivery]:
    """Return the deliveries of a call's states to an enterprise, in order."""
    found = of_enterprise(enterprise_id).where(events.c.call_id == call_id)
    return fetch(conn, found.order_by(events.c.cursor))


def find(conn: Connection, enterprise_id: str, cursor: int) -> Delivery | None:
    """Return a delivery of an enterprise, or None."""
    found = _deliveries.where(deliveries.c.cursor == cursor, deliveries.c.enterprise_id == enterprise_id)
    return next(iter(fetch(conn, found)), None)


def was_erased(conn: Connection, enterprise_id: str, cursor: int) -> bool:
    """Tell whether an enterprise had a delivery that was erased, or whose event no longer says who called."""
    bare = select(events.c.cursor).where(events.c.cursor == cursor, events.c.state_owner == "")
    found = select(deliveries.c.cursor).where(
        deliveries.c.cursor == cursor,
        deliveries.c.enterprise_id == enterprise_id,
        (deliveries.c.status == ERASED) | deliveries.c.cursor.in_(bare),
    )
    return conn.execute(found).one_or_none() is not None


def list_attempts(conn: Connection, enterprise_id: str, cursor: int) -> list[Attempt]:
    """Return the attempts to bring a delivery of an enterprise, in order."""
    found = (
        select(*(attempts.c[name] for name in Attempt._fields))
        .join(deliveries, deliveries.c.cursor == attempts.c.cursor)
        .where(attempts.c.cursor == cursor, deliveries.c.enterprise_id == enterprise_id)
        .order_by(attempts.c.attempt)
    )
    return [Attempt(*row) for row in conn.execute(found)]


def of_enterprise(enterprise_id: str) -> Select[Any]:
    """Return the query for all deliveries of an enterprise, for `fetch`; both tables may narrow it."""
    return _deliveries.where(events.c.enterprise_id == enterprise_id)


def fetch(conn: Connection, query: Select[Any]) -> list[Delivery]:
    """Return what a query of `of_enterprise` finds."""
    return [_delivery(row) for row in conn.execute(query)]


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery._make(row)._replace(payload=row.payload.encode())


_deliveries = select(
    events.c.cursor,
    events.c.event_id,
    events.c.enterprise_id,
    events.c.call_id,
    events.c.call_control_id,
    events.c.sequence,
    events.c.occurred_at,
    events.c.payload,
    deliveries.c.status,
    deliveries.c.attempts,
    deliveries.c.due_at,
    deliveries.c.attempts_before,
).join_from(deliveries, events, deliveries.c.cursor == events.c.cursor)

_active = _deliveries.join(endpoints, endpoints.c.enterprise_id == deliveries.c.enterprise_id).where(
    endpoints.c.active.is_(True)
)
