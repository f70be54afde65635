"""Enterprises (tenants) and their FMC tokens."""

from typing import NamedTuple

from sqlalchemy import Connection, or_, select

from kobza.call.directory import Enterprise
from kobza.store import meta, users
from kobza.store.errors import NotInStore
from kobza.store.ids import hash_token, new_enterprise_id, new_integrator_id, new_token
from kobza.store.schema import enterprises, tokens


class AddedEnterprise(NamedTuple):
    """What its administrator must know of a new enterprise. The token is shown this once: only its hash is stored."""

    enterprise_id: str
    fmc_token: str
    integrator_id: str


class TokenInfo(NamedTuple):
    """Whose token it is."""

    enterprise_id: str
    integrator_id: str


def add(conn: Connection, name: str, admin_login: str, password_hash: str, now_ms: int) -> AddedEnterprise:
    """Add an enterprise with its administrator and a first FMC token.

    Raises:
        NameTaken: somebody else has the login.

    """
    enterprise_id, integrator_id = new_enterprise_id(), new_integrator_id()
    conn.execute(
        enterprises.insert().values(
            enterprise_id=enterprise_id, name=name, integrator_id=integrator_id, created_at=now_ms
        )
    )
    users.add(conn, admin_login, password_hash, users.ROLE_ADMIN, enterprise_id, now_ms)
    token = add_token(conn, enterprise_id, now_ms)
    meta.bump_directory(conn)
    return AddedEnterprise(enterprise_id, token, integrator_id)


def add_token(conn: Connection, enterprise_id: str, now_ms: int, *, expires_at: int | None = None) -> str:
    """Give an enterprise one more FMC token and return it: the last time that anybody sees it.

    Raises:
        NotInStore: there is no such enterprise.

    """
    if find(conn, enterprise_id) is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    token = new_token()
    conn.execute(
        tokens.insert().values(
            token_hash=hash_token(token), enterprise_id=enterprise_id, created_at=now_ms, expires_at=expires_at
        )
    )
    return token


def expire_tokens(conn: Connection, enterprise_id: str, at_ms: int) -> int:
    """Let every token of an enterprise that has no earlier end be valid until a moment; return how many."""
    return conn.execute(
        tokens.update()
        .where(tokens.c.enterprise_id == enterprise_id)
        .where(or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > at_ms))
        .values(expires_at=at_ms)
    ).rowcount


def find_token(conn: Connection, token: str, now_ms: int | None = None) -> TokenInfo | None:
    """Return whose token it is, or None for one that is unknown or (given the moment) no longer valid.

    The search is by the hash, so its time says nothing about how much of a guess was right.
    """
    found = (
        select(enterprises.c.enterprise_id, enterprises.c.integrator_id)
        .join(tokens, tokens.c.enterprise_id == enterprises.c.enterprise_id)
        .where(tokens.c.token_hash == hash_token(token))
    )
    if now_ms is not None:
        found = found.where(or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now_ms))
    row = conn.execute(found).one_or_none()
    return None if row is None else TokenInfo(*row)


def find(conn: Connection, enterprise_id: str) -> Enterprise | None:
    """Return an enterprise, or None."""
    row = conn.execute(_enterprise.where(enterprises.c.enterprise_id == enterprise_id)).one_or_none()
    return None if row is None else Enterprise(*row)


def list_all(conn: Connection) -> list[Enterprise]:
    """Return the enterprises in the order in which they were added."""
    return [
        Enterprise(*row)
        for row in conn.execute(_enterprise.order_by(enterprises.c.created_at, enterprises.c.enterprise_id))
    ]


_enterprise = select(enterprises.c.enterprise_id, enterprises.c.name, enterprises.c.integrator_id)
