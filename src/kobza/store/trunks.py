"""Trunks: the lines to the outside."""

from sqlalchemy import Connection, or_, select

from kobza.call.directory import Trunk
from kobza.store import meta
from kobza.store.errors import NameTaken
from kobza.store.ids import new_id
from kobza.store.schema import trunks


def add(
    conn: Connection,
    name: str,
    host: str,
    port: int,
    *,
    prefix: str | None = None,
    transport: str = "UDP",
    trusted: bool = True,
    enterprise_id: str | None = None,
    now_ms: int = 0,
) -> str:
    """Add a trunk, of one enterprise or of all, and return its id. `trusted`: see `Trunk.trusted`.

    Raises:
        NameTaken: there is a trunk with this name.

    """
    if conn.execute(select(trunks.c.trunk_id).where(trunks.c.name == name)).first() is not None:
        raise NameTaken(f"there is a trunk {name} already")
    trunk_id = new_id()
    conn.execute(
        trunks.insert().values(
            trunk_id=trunk_id,
            name=name,
            host=host,
            port=port,
            prefix=prefix or None,
            transport=transport,
            trusted=trusted,
            enterprise_id=enterprise_id,
            created_at=now_ms,
        )
    )
    meta.bump_directory(conn)
    return trunk_id


def remove(conn: Connection, name: str) -> bool:
    """Remove a trunk by its name; return whether there was one."""
    if conn.execute(trunks.delete().where(trunks.c.name == name)).rowcount == 0:
        return False
    meta.bump_directory(conn)
    return True


def list_all(conn: Connection, enterprise_id: str | None = None) -> list[Trunk]:
    """Return the trunks in the order in which they were added; for an enterprise, its own and everybody's."""
    columns = trunks.c
    found = select(
        columns.trunk_id, columns.name, columns.host, columns.port, columns.prefix, columns.transport, columns.trusted
    ).order_by(columns.created_at, columns.trunk_id)
    if enterprise_id is not None:
        found = found.where(or_(columns.enterprise_id.is_(None), columns.enterprise_id == enterprise_id))
    return [Trunk(*row) for row in conn.execute(found)]
