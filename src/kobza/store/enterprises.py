"""Enterprises: the tenants."""

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from kobza.call.directory import Enterprise
from kobza.store import meta, tokens, users
from kobza.store.errors import NotInStore
from kobza.store.ids import new_enterprise_id, new_integrator_id
from kobza.store.schema import enterprises


class AddedEnterprise(NamedTuple):
    """What its administrator must know of a new enterprise. The token is shown this once: only its hash is stored."""

    enterprise_id: str
    fmc_token: str
    integrator_id: str


def add(
    conn: Connection, name: str, admin_login: str, password_hash: str, now_ms: int, *, must_change: bool = False
) -> AddedEnterprise:
    """Add an enterprise with its administrator and a first FMC token; `must_change`: their password is a temporary one.

    Raises:
        NameTaken: somebody else has the login.

    """
    enterprise_id, integrator_id = new_enterprise_id(), new_integrator_id()
    conn.execute(
        enterprises.insert().values(
            enterprise_id=enterprise_id, name=name, integrator_id=integrator_id, created_at=now_ms
        )
    )
    users.add(conn, admin_login, password_hash, users.Role.ADMIN, enterprise_id, now_ms, must_change=must_change)
    made = tokens.add(conn, enterprise_id, now_ms)
    meta.bump_directory(conn)
    return AddedEnterprise(enterprise_id, made.secret, integrator_id)


def find(conn: Connection, enterprise_id: str) -> Enterprise | None:
    """Return an enterprise, or None."""
    row = conn.execute(_enterprise.where(enterprises.c.enterprise_id == enterprise_id)).one_or_none()
    return None if row is None else Enterprise(*row)


def announces_supervision(conn: Connection, enterprise_id: str) -> bool:
    """Tell whether those who talk hear a tone while a supervisor hears them."""
    chosen = select(enterprises.c.supervision_announced).where(enterprises.c.enterprise_id == enterprise_id)
    return bool(conn.execute(chosen).scalar_one())


def set_supervision(conn: Connection, enterprise_id: str, *, announced: bool) -> None:
    """Choose whether those who talk hear a tone while a supervisor hears them, from the next supervision on.

    Raises NotInStore.
    """
    changed = update(enterprises).where(enterprises.c.enterprise_id == enterprise_id)
    if not conn.execute(changed.values(supervision_announced=announced)).rowcount:
        raise NotInStore(f"there is no enterprise {enterprise_id}")


def list_all(conn: Connection) -> list[Enterprise]:
    """Return the enterprises in the order in which they were added."""
    return [
        Enterprise(*row)
        for row in conn.execute(_enterprise.order_by(enterprises.c.created_at, enterprises.c.enterprise_id))
    ]


_enterprise = select(
    enterprises.c.enterprise_id, enterprises.c.name, enterprises.c.integrator_id, enterprises.c.time_zone
)
