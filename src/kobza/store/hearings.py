"""How much of a recording each hearing took: the bytes that were sent, beside the entry of the audit that says who.

The audit is written before a byte is sent and never changes; what was sent is only known afterwards, and grows as the
player asks for more.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select, update

from kobza.store import audit as audit_log
from kobza.store.audit import Entry
from kobza.store.schema import audit, hearings

ACTIONS: Final = ("recording.heard", "recording.downloaded", "recording.fetched")


class Hearing(NamedTuple):
    """Somebody got a recording. `sent` counts bytes handed to the connection, of all requests together."""

    entry: Entry
    requests: int
    """0: nothing was sent, or it was before this was counted."""
    sent: int
    size: int | None
    """Bytes of the whole recording."""
    last_at: int | None
    """When something was sent last; milliseconds."""


def begin(conn: Connection, audit_id: str, size: int, now_ms: int) -> None:
    """Begin to count, in the transaction that writes the entry of the audit. `size` is that of the whole recording."""
    conn.execute(hearings.insert().values(audit_id=audit_id, requests=0, sent=0, size=size, last_at=now_ms))


def add(conn: Connection, audit_id: str, sent: int, now_ms: int) -> None:
    """Count the bytes of an answer that was sent."""
    columns = hearings.c
    grown = {"requests": columns.requests + 1, "sent": columns.sent + sent, "last_at": now_ms}
    conn.execute(update(hearings).where(columns.audit_id == audit_id).values(grown))


def of_records(conn: Connection, enterprise_id: str, record_ids: Sequence[str], limit: int) -> list[Hearing]:
    """Return who got some recordings of an enterprise, the last first."""
    columns = hearings.c
    counted = (columns.requests, columns.sent, columns.size, columns.last_at)
    found = (
        select(*audit_log.COLUMNS, *counted)
        .outerjoin(hearings, columns.audit_id == audit.c.audit_id)
        .where(audit.c.subject.in_(record_ids), audit.c.enterprise_id == enterprise_id, audit.c.action.in_(ACTIONS))
        .order_by(audit.c.at.desc(), audit.c.audit_id.desc())
        .limit(limit)
    )
    width = len(Entry._fields)
    return [
        Hearing(audit_log.entry_of(row[:width]), row.requests or 0, row.sent or 0, row.size, row.last_at)
        for row in conn.execute(found)
    ]
