"""Endpoints: where an enterprise wants its call states posted. One for each enterprise."""

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from kobza.call.directory import Endpoint
from kobza.store import meta
from kobza.store.schema import endpoints
from kobza.store.upsert import upsert


class EndpointStatus(NamedTuple):
    """What an administrator sees beside an endpoint's settings. Moments are milliseconds."""

    active: bool
    inactive_reason: str | None
    changed_at: int
    """Of the settings, or of switching it on or off."""
    failing_since: int | None
    """The first failure since the last attempt that was taken; None while attempts are taken."""


def set(  # noqa: A001 - read as endpoints.set
    conn: Connection,
    enterprise_id: str,
    url: str,
    token: str,
    secret: str | None = None,
    *,
    extended: bool = False,
    now_ms: int = 0,
) -> None:
    """Set the endpoint of an enterprise, replacing the one before; it is active."""
    values = {
        "enterprise_id": enterprise_id,
        "url": url,
        "token": token,
        "secret": secret,
        "extended": extended,
        "active": True,
        "inactive_reason": None,
        "changed_at": now_ms,
        "failing_since": None,
    }
    upsert(conn, endpoints, ("enterprise_id",), [values])
    meta.bump_directory(conn)


def get(conn: Connection, enterprise_id: str) -> Endpoint | None:
    """Return the endpoint of an enterprise, or None."""
    row = conn.execute(_endpoint.where(endpoints.c.enterprise_id == enterprise_id)).one_or_none()
    return None if row is None else Endpoint(*row)


def status(conn: Connection, enterprise_id: str) -> EndpointStatus | None:
    """Return whether the endpoint is active, and if not, why; None without an endpoint."""
    columns = endpoints.c
    found = select(columns.active, columns.inactive_reason, columns.changed_at, columns.failing_since)
    row = conn.execute(found.where(columns.enterprise_id == enterprise_id)).one_or_none()
    return None if row is None else EndpointStatus(*row)


def delete(conn: Connection, enterprise_id: str) -> bool:
    """Remove the endpoint of an enterprise; return whether there was one. What is owed to it stays pending."""
    if conn.execute(endpoints.delete().where(endpoints.c.enterprise_id == enterprise_id)).rowcount == 0:
        return False
    meta.bump_directory(conn)
    return True


def deactivate(conn: Connection, enterprise_id: str, reason: str, now_ms: int) -> bool:
    """Switch an endpoint off, for a reason in words; return whether it was on."""
    return _switch(conn, enterprise_id, active=False, reason=reason, now_ms=now_ms)


def activate(conn: Connection, enterprise_id: str, now_ms: int) -> bool:
    """Switch an endpoint on again; return whether it was off."""
    return _switch(conn, enterprise_id, active=True, reason=None, now_ms=now_ms)


def note_failing(conn: Connection, enterprise_id: str, since_ms: int | None) -> None:
    """Note since when an endpoint fails, None: it does not. It is no change of the directory."""
    conn.execute(update(endpoints).where(endpoints.c.enterprise_id == enterprise_id).values(failing_since=since_ms))


def load(conn: Connection) -> list[Endpoint]:
    """Return all endpoints."""
    return [Endpoint(*row) for row in conn.execute(_endpoint)]


def _switch(conn: Connection, enterprise_id: str, *, active: bool, reason: str | None, now_ms: int) -> bool:
    # Kept when it is switched off: whoever switches it on wants to know what was missed.
    failing_since = None if active else endpoints.c.failing_since
    switched = conn.execute(
        update(endpoints)
        .where(endpoints.c.enterprise_id == enterprise_id, endpoints.c.active.is_not(active))
        .values(active=active, inactive_reason=reason, changed_at=now_ms, failing_since=failing_since)
    )
    if switched.rowcount == 0:
        return False
    meta.bump_directory(conn)
    return True


_endpoint = select(
    endpoints.c.enterprise_id,
    endpoints.c.url,
    endpoints.c.token,
    endpoints.c.secret,
    endpoints.c.extended,
    endpoints.c.active,
)
