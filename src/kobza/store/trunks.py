"""Trunks: the lines to the outside, and how they do."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, or_, select, update

from kobza.call.trunk import CallerIn, Inbound, NumberFormat, Trunk
from kobza.store import meta
from kobza.store.errors import NameTaken, NotInStore
from kobza.store.ids import new_id
from kobza.store.schema import trunk_states, trunks
from kobza.store.upsert import upsert

SETTINGS: Final = tuple(column.name for column in trunks.columns if column.name not in ("enterprise_id", "created_at"))
"""The columns that are fields of a `Trunk`."""


RESTING: Final = "resting"
"""How a trunk does each of whose servers has said by 503 that it wants no calls for a while."""


class TrunkState(NamedTuple):
    """How a trunk does, as the server found when it last changed."""

    trunk_id: str
    state: str
    """`up`, `down`, `unknown`, or RESTING."""
    registration: str | None
    """None: it does not register."""
    detail: str
    """What went wrong, in words; "" when nothing did."""
    changed_at: int
    """Milliseconds."""


def add(
    conn: Connection,
    name: str,
    host: str,
    port: int | None,
    *,
    enterprise_id: str | None = None,
    now_ms: int = 0,
    **settings: Any,
) -> str:
    """Add a trunk, of one enterprise or of all, and return its id. `settings` are fields of `Trunk`.

    Raises:
        NameTaken: there is a trunk with this name, or with this incoming user name.

    """
    if conn.execute(select(trunks.c.trunk_id).where(trunks.c.name == name)).first() is not None:
        raise NameTaken(f"there is a trunk {name} already")
    _check_username(conn, None, settings.get("incoming_username"))
    trunk_id = new_id()
    usual = {"transport": "UDP", "trusted": True}
    values = {"trunk_id": trunk_id, "name": name, "host": host, **usual, **_columns({"port": port, **settings})}
    conn.execute(trunks.insert().values(**values, enterprise_id=enterprise_id, created_at=now_ms))
    meta.bump_directory(conn)
    return trunk_id


def change(conn: Connection, name: str, settings: Mapping[str, Any]) -> Trunk:
    """Change fields of a trunk, and return it as it is then.

    Raises:
        NotInStore: there is no trunk with this name.
        NameTaken: another one has this incoming user name.

    """
    trunk = get(conn, name)
    _check_username(conn, trunk.trunk_id, settings.get("incoming_username"))
    conn.execute(update(trunks).where(trunks.c.trunk_id == trunk.trunk_id).values(**_columns(settings)))
    meta.bump_directory(conn)
    return get(conn, name)


def remove(conn: Connection, name: str) -> bool:
    """Remove a trunk by its name; return whether there was one."""
    if conn.execute(trunks.delete().where(trunks.c.name == name)).rowcount == 0:
        return False
    meta.bump_directory(conn)
    return True


def get(conn: Connection, name: str) -> Trunk:
    """Return a trunk by its name; raises NotInStore."""
    row = conn.execute(select(*_fields).where(trunks.c.name == name)).one_or_none()
    if row is None:
        raise NotInStore(f"there is no trunk {name}: see kobza trunk list")
    return _trunk(row)


def list_all(conn: Connection, enterprise_id: str | None = None) -> list[Trunk]:
    """Return the trunks in the order in which they were added; for an enterprise, its own and everybody's."""
    columns = trunks.c
    found = select(*_fields).order_by(columns.created_at, columns.trunk_id)
    if enterprise_id is not None:
        found = found.where(or_(columns.enterprise_id.is_(None), columns.enterprise_id == enterprise_id))
    return [_trunk(row) for row in conn.execute(found)]


def states(conn: Connection) -> dict[str, TrunkState]:
    """Return how the trunks did when that last changed, by id; a trunk that no server has looked at has none."""
    columns = trunk_states.c
    found = select(columns.trunk_id, columns.state, columns.registration, columns.detail, columns.changed_at)
    return {row[0]: TrunkState(*row) for row in conn.execute(found)}


def set_states(conn: Connection, found: Sequence[TrunkState]) -> None:
    """Write down how trunks do; a trunk that was removed meanwhile is passed over."""
    ids = [state.trunk_id for state in found]
    known = set(conn.execute(select(trunks.c.trunk_id).where(trunks.c.trunk_id.in_(ids))).scalars())
    upsert(conn, trunk_states, ("trunk_id",), [state._asdict() for state in found if state.trunk_id in known])


_fields = tuple(trunks.c[name] for name in SETTINGS)


def _trunk(row: Row[Any]) -> Trunk:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Trunk(
        **values
        | {
            "number_format": NumberFormat(values["number_format"]),
            "inbound": Inbound(values["inbound"]),
            "port": values["port"] or None,
            "transport": values["transport"] or None,
            "networks": tuple(ip_network(word) for word in values["networks"].split()),
            "caller_in": CallerIn(values["caller_in"]),
        }
    )


def _columns(settings: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(settings)
    if "networks" in values:
        values["networks"] = " ".join(str(network) for network in values["networks"])
    if "prefix" in values:
        values["prefix"] = values["prefix"] or None
    if "port" in values:
        values["port"] = values["port"] or 0
    if "transport" in values:
        values["transport"] = values["transport"] or ""
    return values


def _check_username(conn: Connection, trunk_id: str | None, username: str | None) -> None:
    if username is None:
        return
    found = select(trunks.c.name).where(trunks.c.incoming_username == username)
    if trunk_id is not None:
        found = found.where(trunks.c.trunk_id != trunk_id)
    if (other := conn.execute(found).scalar()) is not None:
        raise NameTaken(f"the incoming user name {username} is that of trunk {other} already")
