"""The export of the basic call information (contract, section 2): a hot path, on the driver itself.

SQLAlchemy would cost two to eight times as much for a row (decision 6 of the architecture).
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

FIRST_PAGE, PAGE = 500, 4000
"""Rows read at once: few at first, so that the first byte leaves early; then 1 to 2 MB, read in 10 to 20 ms."""

ExportRow = tuple[Any, ...]

_DURATION = (
    "CASE WHEN answered_at IS NULL THEN 0 WHEN ended_at <= answered_at THEN 1 "
    "ELSE (ended_at - answered_at + 999) / 1000 END"
)
"""Seconds rounded up; an answered call lasts one or more (`kobza.call.durations.talk_seconds`)."""


def export(
    conn: Connection,
    enterprise_id: str,
    from_ms: int,
    to_ms: int,
    *,
    names: bool = False,
    departments: bool = False,
    ownership: bool = False,
    direction: bool = False,
) -> Iterator[ExportRow]:
    """Return the finished calls of "Convergent" numbers with their start in [from_ms, to_ms], oldest first.

    The start of an answered call is the answer, of another the attempt. Each row is a tuple in the contract's order:
    end and start (milliseconds), calling number, duration (seconds), called number (E.164); then, as asked, calling and
    called name; both departments; both ownerships (1 or 0); direction (`incoming`, `outgoing`).

    Memory does not grow with the answer. The connection's transaction is ended first, and each page is read in one of
    its own: a slow reader holds no snapshot.
    """
    for page in export_pages(
        conn,
        enterprise_id,
        from_ms,
        to_ms,
        names=names,
        departments=departments,
        ownership=ownership,
        direction=direction,
    ):
        yield from page


def export_pages(
    conn: Connection,
    enterprise_id: str,
    from_ms: int,
    to_ms: int,
    *,
    names: bool = False,
    departments: bool = False,
    ownership: bool = False,
    direction: bool = False,
) -> Iterator[list[ExportRow]]:
    """Return the same as `export`, in lists of rows: for a writer that formats many at once."""
    query = _query(names=names, departments=departments, ownership=ownership, direction=direction)
    if conn.dialect.paramstyle != "qmark":
        query = query.replace("?", "%s")
    conn.rollback()
    raw = conn.connection.cursor()
    try:
        start, size = from_ms, FIRST_PAGE
        while True:
            rows = raw.execute(query, (enterprise_id, start, to_ms, size)).fetchall()
            if len(rows) < size:
                if rows:
                    yield rows
                return
            # The next page begins with the last start, because more calls may have it: those are left for then.
            last = rows[-1][1]
            while rows and rows[-1][1] == last:
                rows.pop()
            if rows:
                yield rows
                start, size = last, PAGE
            else:
                size *= 2  # a whole page of one millisecond
    finally:
        raw.close()


def _query(*, names: bool, departments: bool, ownership: bool, direction: bool) -> str:
    columns = ["ended_at", "start_at", "calling_number", _DURATION, "called_number"]
    if names:
        columns += ["coalesce(calling.name, '')", "coalesce(called.name, '')"]
    if departments:
        columns += ["coalesce(calling.department, '')", "coalesce(called.department, '')"]
    if ownership:  # as it was at the time of the call, which is what its direction says
        columns += [f"CASE direction WHEN '{other}' THEN 0 ELSE 1 END" for other in ("incoming", "outgoing")]
    if direction:
        columns.append("CASE direction WHEN 'incoming' THEN direction ELSE 'outgoing' END")
    joins = "".join(
        f" LEFT JOIN address_book {side} ON {side}.enterprise_id = c.enterprise_id AND {side}.number = {side}_number"
        for side in (("calling", "called") if names or departments else ())
    )
    return (
        f"SELECT {', '.join(columns)} FROM calls c{joins} "  # noqa: S608 - made of the constants above
        "WHERE c.enterprise_id = ? AND start_at >= ? AND start_at <= ? AND convergent AND ended_at IS NOT NULL "
        "ORDER BY start_at LIMIT ?"
    )
