"""Looking through what was sent to an enterprise's endpoint: the delivery log of the portal."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, or_, select

from kobza.store.deliveries import Delivery, fetch, of_enterprise
from kobza.store.schema import deliveries, events

LOOKED_AT: Final = 20_000
"""Deliveries that one look goes through, however rare what is sought: some tenths of a second."""


class DeliverySearch(NamedTuple):
    """What is sought; None: anything."""

    status: str | None = None
    state_type: str | None = None
    number: str | None = None
    """E.164, of either side."""
    from_ms: int | None = None
    to_ms: int | None = None
    """Both included."""


class Looked(NamedTuple):
    """What one look found, the newest first."""

    deliveries: list[Delivery]
    before: int | None
    """The cursor before which the next look goes on; None: there is no more."""
    looked_to: int | None
    """The moment (ms) to which it looked without finding as much as was asked for."""


def look(conn: Connection, enterprise_id: str, search: DeliverySearch, *, before: int | None, limit: int) -> Looked:
    """Find deliveries of an enterprise from a cursor on, at most `limit`, among the next LOOKED_AT."""
    own = events.c.enterprise_id == enterprise_id
    older = [own] if before is None else [own, events.c.cursor < before]
    way = select(events.c.cursor, events.c.occurred_at).where(*older).order_by(events.c.cursor.desc())
    last = conn.execute(way.offset(LOOKED_AT - 1).limit(1)).one_or_none()
    found = of_enterprise(enterprise_id).where(*older).order_by(events.c.cursor.desc()).limit(limit + 1)
    if last is not None:
        found = found.where(events.c.cursor >= last.cursor)
    if search.status is not None:
        found = found.where(deliveries.c.status == search.status)
    if search.state_type is not None:
        found = found.where(events.c.state_type == search.state_type)
    if search.number is not None:
        found = found.where(or_(events.c.state_owner == search.number, events.c.phone_number == search.number))
    if search.from_ms is not None:
        found = found.where(events.c.occurred_at >= search.from_ms)
    if search.to_ms is not None:
        found = found.where(events.c.occurred_at <= search.to_ms)
    rows = fetch(conn, found)
    if len(rows) > limit:
        return Looked(rows[:limit], rows[limit - 1].cursor, None)
    if last is None:
        return Looked(rows, None, None)
    return Looked(rows, last.cursor, last.occurred_at)
