"""Events: the call states of owners in the order in which they were stored."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from kobza.call.states import Direction, StateType
from kobza.store.schema import events


class Event(NamedTuple):
    """A stored call state. `occurred_at` is in milliseconds; `payload` is the JSON document as it is posted."""

    cursor: int
    """Grows with every event of the store; those of one enterprise have gaps."""
    event_id: str
    enterprise_id: str
    call_id: str
    call_control_id: str
    sequence: int
    state_type: str
    state_owner: str
    phone_number: str
    call_direction: str
    occurred_at: int
    client_state: str | None
    extended: bool
    payload: bytes


def after(conn: Connection, enterprise_id: str, cursor: int, limit: int, *, extended: bool = True) -> list[Event]:
    """Return the events of an enterprise that follow a cursor (0: from the first one kept), in order.

    Those that no longer say who called are left out.
    """
    found = _events.where(events.c.enterprise_id == enterprise_id, events.c.cursor > cursor, events.c.state_owner != "")
    if not extended:
        found = found.where(events.c.extended.is_(False))
    return [_event(row) for row in conn.execute(found.order_by(events.c.cursor).limit(limit))]


def of_call(conn: Connection, enterprise_id: str, call_id: str, call_control_id: str | None = None) -> list[Event]:
    """Return the events of a call of an enterprise, or of one leg of it, in order."""
    found = _events.where(events.c.call_id == call_id, events.c.enterprise_id == enterprise_id)
    if call_control_id is not None:
        found = found.where(events.c.call_control_id == call_control_id)
    return [_event(row) for row in conn.execute(found.order_by(events.c.cursor))]


class TalkedLeg(NamedTuple):
    """A leg of an owner that was told `established`, and where its states are."""

    call_control_id: str
    sequence: int
    """Of its last state."""
    state_owner: str
    phone_number: str
    call_direction: Direction
    client_state: str | None


def talked(conn: Connection, enterprise_id: str, call_id: str) -> list[TalkedLeg]:
    """Return the legs of a call whose owners, numbers of an enterprise, have talked, in order."""
    legs: dict[str, TalkedLeg] = {}
    established = set()
    for row in conn.execute(_events.where(events.c.call_id == call_id, events.c.enterprise_id == enterprise_id)):
        before = legs.get(row.call_control_id)
        if before is None or before.sequence < row.sequence:
            legs[row.call_control_id] = TalkedLeg._make(getattr(row, name) for name in TalkedLeg._fields)
        if row.state_type == StateType.ESTABLISHED:
            established.add(row.call_control_id)
    return [legs[leg] for leg in sorted(established)]


def moment_of(conn: Connection, enterprise_id: str, cursor: int) -> int | None:
    """Return when an event of an enterprise happened, in milliseconds; None when it has no such event (any more)."""
    found = select(events.c.occurred_at).where(
        events.c.cursor == cursor, events.c.enterprise_id == enterprise_id, events.c.state_owner != ""
    )
    return conn.execute(found).scalar_one_or_none()


def last_cursor(conn: Connection, enterprise_id: str) -> int:
    """Return the cursor of an enterprise's last event, 0 without any."""
    found = select(func.max(events.c.cursor)).where(events.c.enterprise_id == enterprise_id)
    return conn.execute(found).scalar_one() or 0


def _event(row: Row[Any]) -> Event:
    return Event._make(row)._replace(payload=row.payload.encode())


_events = select(*(events.c[name] for name in Event._fields))
