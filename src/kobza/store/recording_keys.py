"""The data keys of encrypted recordings, each `KEY_ID.…`: by which keys they are encrypted, and changing that."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select, update

from kobza.store.schema import recordings


class Sealed(NamedTuple):
    """The data key of a recording; enterprises that share one share it."""

    record_id: str
    sealed: str


def counts(conn: Connection, key_ids: Sequence[str]) -> dict[str, int]:
    """Return how many rows need each of some keys; under "" those that need another one."""
    columns = recordings.c
    total = select(func.count()).where(columns.sealed.is_not(None))
    found = {key_id: _count(conn, key_id) for key_id in key_ids}
    return {**found, "": conn.execute(total).scalar_one() - sum(found.values())}


def page(conn: Connection, other_than: str, after: str, limit: int) -> list[Sealed]:
    """Return data keys that another key than this one encrypts, behind a record id, in order."""
    columns = recordings.c
    found = (
        select(columns.record_id, columns.sealed)
        .where(
            columns.sealed.is_not(None),
            ~columns.sealed.startswith(f"{other_than}.", autoescape=True),
            columns.record_id > after,
        )
        .distinct()
        .order_by(columns.record_id)
        .limit(limit)
    )
    return [Sealed(*row) for row in conn.execute(found)]


def replace(conn: Connection, before: Sealed, sealed: str) -> bool:
    """Store a data key anew; False when the recording was erased meanwhile."""
    columns = recordings.c
    these = (columns.record_id == before.record_id, columns.sealed == before.sealed)
    return conn.execute(update(recordings).where(*these).values(sealed=sealed)).rowcount > 0


def _count(conn: Connection, key_id: str) -> int:
    of_key = recordings.c.sealed.startswith(f"{key_id}.", autoescape=True)
    return int(conn.execute(select(func.count()).where(of_key)).scalar_one())
