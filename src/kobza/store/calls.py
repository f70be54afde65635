"""The history of calls: one CDR for each enterprise of a call. Many calls at once are read by `kobza.store.export`."""

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from kobza.store.schema import calls


class HistoryRow(NamedTuple):
    """A finished call as one enterprise sees it. Numbers are E.164 or short codes, moments milliseconds."""

    call_id: str
    enterprise_id: str
    calling_number: str
    called_number: str
    answered_number: str | None
    started_at: int
    ringing_at: int | None
    answered_at: int | None
    ended_at: int
    direction: str
    cause: int
    sip_status: int | None
    released_by: str
    record_id: str | None
    client_state: str | None
    convergent: bool


def latest(conn: Connection, enterprise_id: str, since_ms: int, *, limit: int) -> list[HistoryRow]:
    """Return the last finished calls of an enterprise that began at a moment or later, newest first."""
    query = _finished.where(calls.c.enterprise_id == enterprise_id, calls.c.started_at >= since_ms)
    query = query.order_by(calls.c.started_at.desc(), calls.c.call_id.desc()).limit(limit)
    return [HistoryRow._make(row) for row in conn.execute(query)]


def find(conn: Connection, enterprise_id: str, call_id: str) -> HistoryRow | None:
    """Return a call of an enterprise, or None. An unfinished one has no end and no cause yet."""
    found = select(*_columns).where(calls.c.enterprise_id == enterprise_id, calls.c.call_id == call_id)
    row = conn.execute(found).one_or_none()
    return None if row is None else HistoryRow._make(row)


def of_anybody(conn: Connection, beginning: str, *, limit: int) -> list[HistoryRow]:
    """Return the records of the calls whose id begins so, whoever has them, in the order of their ids.

    For who runs the server. Unfinished ones have no end and no cause yet.
    """
    found = select(*_columns).where(calls.c.call_id >= beginning, calls.c.call_id <= beginning + _LAST)
    found = found.order_by(calls.c.call_id, calls.c.enterprise_id).limit(limit)
    return [row for row in map(HistoryRow._make, conn.execute(found)) if row.call_id.startswith(beginning)]


def count(conn: Connection, enterprise_id: str) -> int:
    """Return how many calls of an enterprise the history has, unfinished ones included."""
    found = select(func.count()).select_from(calls).where(calls.c.enterprise_id == enterprise_id)
    return conn.execute(found).scalar_one()


_LAST = "z" * 32
"""Sorts behind whatever an id goes on with, in every collation: a range of the primary key, as LIKE need not be one."""
_columns = [calls.c[name] for name in HistoryRow._fields]
_finished = select(*_columns).where(calls.c.ended_at.is_not(None))
