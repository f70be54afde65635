"""What may be sent next: the first pending deliveries of legs, for a dispatcher that cannot hold all that is owed."""

from sqlalchemy import Connection, exists, select

from kobza.store.deliveries import PENDING, Delivery
from kobza.store.schema import deliveries, events


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
