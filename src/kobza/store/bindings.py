"""Contact bindings of the registrar, as the journal stored them: what a restart begins with."""

from sqlalchemy import Connection, select

from kobza.store.entries import Binding
from kobza.store.schema import bindings

__all__ = ["Binding", "load_all"]


def load_all(conn: Connection, now_ms: int = 0) -> list[Binding]:
    """Return the bindings that expire after a moment, those of one number together, the oldest first."""
    columns = bindings.c
    found = (
        select(bindings)
        .where(columns.expires_at > now_ms)
        .order_by(columns.number, columns.registered_at, columns.contact)
    )
    loaded = []
    for row in conn.execute(found).mappings():
        values = dict(row)
        values["expires_at"] /= 1000
        values["registered_at"] /= 1000
        values["path"] = tuple(values["path"].split("\n")) if values["path"] else ()
        loaded.append(Binding(**values))
    return loaded
