"""Legal holds: what must not be deleted, neither by age nor on request, until somebody ends the hold.

The conditions here stand in every statement that deletes, so a hold counts from the commit that places it.
"""

from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, exists, or_, select, update

from kobza.store.errors import NotInStore
from kobza.store.ids import new_token_id
from kobza.store.schema import calls, enterprises, holds

Kind = Literal["enterprise", "number", "call"]

EVERYTHING: Final = ""
"""The subject of a hold on a whole enterprise."""


class Hold(NamedTuple):
    """A hold. `subject` is a number (E.164), a call's id, or nothing for all of the enterprise; moments in ms."""

    hold_id: str
    enterprise_id: str
    kind: Kind
    subject: str
    reason: str
    placed_by: str
    placed_at: int
    ended_by: str | None
    ended_at: int | None
    end_reason: str | None


def place(
    conn: Connection, enterprise_id: str, kind: Kind, subject: str, *, reason: str, placed_by: str, now_ms: int
) -> Hold:
    """Place a hold. Raises NotInStore for an enterprise or a call that does not exist."""
    known = select(enterprises.c.enterprise_id).where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(known).one_or_none() is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    if kind == "call":
        found = select(calls.c.call_id).where(calls.c.call_id == subject, calls.c.enterprise_id == enterprise_id)
        if conn.execute(found).one_or_none() is None:
            raise NotInStore(f"the enterprise has no call {subject}")
    hold = Hold(new_token_id(), enterprise_id, kind, subject, reason, placed_by, now_ms, None, None, None)
    conn.execute(holds.insert().values(hold._asdict()))
    return hold


def end(conn: Connection, hold_id: str, *, reason: str, ended_by: str, now_ms: int) -> Hold:
    """End a hold; it stays as a record. Raises NotInStore when there is none that is in force."""
    ended = (
        update(holds)
        .where(holds.c.hold_id == hold_id, holds.c.ended_at.is_(None))
        .values(ended_at=now_ms, ended_by=ended_by, end_reason=reason)
    )
    if conn.execute(ended).rowcount == 0:
        raise NotInStore(f"there is no hold {hold_id} in force")
    return Hold._make(conn.execute(_hold.where(holds.c.hold_id == hold_id)).one())


def list_all(conn: Connection, enterprise_id: str | None = None, *, ended: bool = False) -> list[Hold]:
    """Return the holds that are in force, of one enterprise or of all, oldest first; with `ended` the others too."""
    found = _hold.order_by(holds.c.placed_at, holds.c.hold_id)
    if enterprise_id is not None:
        found = found.where(holds.c.enterprise_id == enterprise_id)
    if not ended:
        found = found.where(holds.c.ended_at.is_(None))
    return [Hold._make(row) for row in conn.execute(found)]


def on_number(conn: Connection, enterprise_id: str, number: str) -> list[Hold]:
    """Return the holds in force that keep all of a number."""
    return [
        hold
        for hold in list_all(conn, enterprise_id)
        if hold.kind == "enterprise" or (hold.kind == "number" and hold.subject == number)
    ]


def on_call(row: FromClause = calls) -> ColumnElement[bool]:
    """Tell of a row of `calls` whether a hold keeps it."""
    return _held(row, row.c.call_id, (row.c.calling_number, row.c.called_number, row.c.answered_number))


def on_part(row: FromClause, numbers: tuple[ColumnElement[Any], ...] = ()) -> ColumnElement[bool]:
    """Tell of a row that belongs to a call (a recording, an event) whether a hold keeps it; `numbers` are in it."""
    call = calls.alias()
    of_call = exists(
        select(call.c.call_id).where(
            call.c.call_id == row.c.call_id, call.c.enterprise_id == row.c.enterprise_id, on_call(call)
        )
    )
    return or_(_held(row, row.c.call_id, numbers), of_call)


def _held(row: FromClause, call_id: ColumnElement[Any], numbers: tuple[ColumnElement[Any], ...]) -> ColumnElement[bool]:
    hold = holds.alias()
    kinds = [hold.c.kind == "enterprise", and_(hold.c.kind == "call", hold.c.subject == call_id)]
    if numbers:
        kinds.append(and_(hold.c.kind == "number", or_(*(hold.c.subject == number for number in numbers))))
    return exists(
        select(hold.c.hold_id).where(
            hold.c.ended_at.is_(None), hold.c.enterprise_id == row.c.enterprise_id, or_(*kinds)
        )
    )


_hold: Select[Any] = select(*(holds.c[name] for name in Hold._fields))
