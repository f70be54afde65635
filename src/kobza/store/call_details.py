"""What the store keeps of a call for its page alone."""

from sqlalchemy import Connection, select

from kobza.store.entries import DetailKind
from kobza.store.schema import call_details, calls


def find(conn: Connection, kind: DetailKind, enterprise_id: str, call_id: str) -> str | None:
    """Return the text of a detail of a call which an enterprise has a record of; None when there is none."""
    own = (calls.c.call_id == call_id) & (calls.c.enterprise_id == enterprise_id)
    kept = select(call_details.c[kind]).join(calls, calls.c.call_id == call_details.c.call_id).where(own)
    return conn.execute(kept).scalar_one_or_none()


def find_of_anybody(conn: Connection, kind: DetailKind, call_id: str) -> str | None:
    """Return the text of a detail of a call, whoever has records of it; None when there is none."""
    return conn.execute(select(call_details.c[kind]).where(call_details.c.call_id == call_id)).scalar_one_or_none()
