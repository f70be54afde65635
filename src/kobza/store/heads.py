"""What may be sent next: the first pending deliveries of legs, for a dispatcher that cannot hold all that is owed."""

from typing import Final

from sqlalchemy import Connection, bindparam, exists, select

from kobza.store.deliveries import PENDING, Delivery
from kobza.store.schema import deliveries, events


def owes_more_than(conn: Connection, enterprise_id: str, count: int) -> bool:
    """Tell whether more deliveries of an enterprise are pending than that; it reads so many entries of an index."""
    one_more = (
        select(deliveries.c.cursor)
        .where(deliveries.c.enterprise_id == enterprise_id, deliveries.c.status == PENDING)
        .order_by(deliveries.c.cursor)
        .limit(1)
        .offset(count)
    )
    return conn.execute(one_more).first() is not None


def first_pending(conn: Connection, call_id: str, call_control_id: str) -> int | None:
    """Return the sequence of the first delivery of a leg that is pending; None when none is."""
    return conn.execute(_FIRST_PENDING, {"of_call": call_id, "of_leg": call_control_id}).scalar()


def due_heads(conn: Connection, enterprise_id: str, now_ms: int, *, limit: int) -> list[Delivery]:
    """Return pending deliveries of an enterprise whose time has come and before which nothing of their leg is pending.

    In the order of their events. A delivery that waits for another attempt holds back the later ones of its leg.
    """
    earlier_event, earlier = events.alias(), deliveries.alias()
    held_back = exists(
        select(earlier.c.cursor)
        .join_from(earlier_event, earlier, earlier.c.cursor == earlier_event.c.cursor)
        .where(
            earlier_event.c.call_id == events.c.call_id,
            earlier_event.c.call_control_id == events.c.call_control_id,
            earlier_event.c.sequence < events.c.sequence,
            earlier.c.status == PENDING,
        )
    )
    found = (
        select(
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
        )
        .join_from(deliveries, events, deliveries.c.cursor == events.c.cursor)
        .where(
            deliveries.c.enterprise_id == enterprise_id,
            deliveries.c.status == PENDING,
            deliveries.c.due_at <= now_ms,
            ~held_back,
        )
        .order_by(deliveries.c.cursor)
        .limit(limit)
    )
    return [Delivery(*row)._replace(payload=row.payload.encode()) for row in conn.execute(found)]


_FIRST_PENDING: Final = (
    select(events.c.sequence)
    .join_from(events, deliveries, deliveries.c.cursor == events.c.cursor)
    .where(
        events.c.call_id == bindparam("of_call"),
        events.c.call_control_id == bindparam("of_leg"),
        deliveries.c.status == PENDING,
    )
    .order_by(events.c.sequence)
    .limit(1)
)
