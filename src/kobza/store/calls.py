"""The history of calls: one CDR for each enterprise of a call."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, func, or_, select, tuple_

from kobza.store.export import export
from kobza.store.schema import calls

__all__ = ["HistoryRow", "count", "export", "find", "history", "latest"]

PAGE = 2000
"""Rows read at once: some 2 MB, and a read transaction of some 10 ms."""


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

    @property
    def cursor(self) -> str:
        """Where the history goes on after this call."""
        return f"{self.started_at}-{self.call_id}"


def history(
    conn: Connection,
    enterprise_id: str,
    from_ms: int,
    to_ms: int,
    number: str | None = None,
    direction: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Iterator[HistoryRow]:
    """Return the finished calls of an enterprise that began in [from_ms, to_ms], oldest first.

    `number` (E.164) is the calling, called or answered one; `cursor` is that of the last call of the page before.
    Memory does not grow with the answer, and between its pages the iterator gives the connection's snapshot back (it
    ends the connection's transaction), so that a slow reader holds nothing.

    Raises:
        ValueError: the cursor is not one of ours. At the call, not at the first row.

    """
    query = _history.where(calls.c.enterprise_id == enterprise_id, calls.c.started_at <= to_ms)
    if number is not None:
        query = query.where(
            or_(calls.c.calling_number == number, calls.c.called_number == number, calls.c.answered_number == number)
        )
    if direction is not None:
        query = query.where(calls.c.direction == direction)
    after = None if cursor is None else _parse_cursor(cursor)
    return _pages(conn, query, from_ms, after, limit)


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


def count(conn: Connection, enterprise_id: str) -> int:
    """Return how many calls of an enterprise the history has, unfinished ones included."""
    found = select(func.count()).select_from(calls).where(calls.c.enterprise_id == enterprise_id)
    return conn.execute(found).scalar_one()


def _parse_cursor(cursor: str) -> tuple[int, str]:
    started_at, mark, call_id = cursor.partition("-")
    if not (mark and call_id and started_at.isascii() and started_at.isdigit() and len(started_at) <= 15):
        raise ValueError(f"not a cursor: {cursor!r}")
    return int(started_at), call_id


def _pages(
    conn: Connection, query: Select[Any], from_ms: int, after: tuple[int, str] | None, limit: int | None
) -> Iterator[HistoryRow]:
    wanted = limit
    while wanted is None or wanted > 0:
        size = PAGE if wanted is None else min(PAGE, wanted)
        # Also beside the exact condition, so that the database seeks in its index.
        page = query.where(calls.c.started_at >= (from_ms if after is None else max(from_ms, after[0])))
        if after is not None:
            page = page.where(tuple_(calls.c.started_at, calls.c.call_id) > after)
        rows = [HistoryRow._make(row) for row in conn.execute(page.limit(size))]
        conn.rollback()
        yield from rows
        if len(rows) < size:
            return
        after = (rows[-1].started_at, rows[-1].call_id)
        wanted = None if wanted is None else wanted - size


_columns = [calls.c[name] for name in HistoryRow._fields]
_finished = select(*_columns).where(calls.c.ended_at.is_not(None))
_history = _finished.order_by(calls.c.started_at, calls.c.call_id)
