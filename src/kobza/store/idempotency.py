"""Which call a click2dial request with an `Idempotency-Key` began; written by the journal, in one commit with the call.

There is no bound on their number but time: each belongs to a call, whose record takes more room.
"""

from typing import NamedTuple

from sqlalchemy import Connection, select

from kobza.store.schema import idempotency_keys


class UsedKey(NamedTuple):
    """A key that counts, and what it stands for."""

    fingerprint: str
    """SHA-256 of the request, in hex."""
    call_id: str
    call_control_id: str


def find(conn: Connection, enterprise_id: str, key: str, now_ms: int) -> UsedKey | None:
    """Return what an enterprise's key stands for; None for one that was not used, or too long ago."""
    columns = idempotency_keys.c
    row = conn.execute(
        select(columns.fingerprint, columns.call_id, columns.call_control_id).where(
            columns.enterprise_id == enterprise_id, columns.key == key, columns.expires_at > now_ms
        )
    ).one_or_none()
    return None if row is None else UsedKey(*row)
