"""What the audit shows of each kind of thing: its settings as a flat document, secrets masked."""

from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, select

from kobza.call.forwarding import FIELDS
from kobza.store import schema
from kobza.store.place import MASK

Kind = Literal[
    "enterprise",
    "person",
    "token",
    "number",
    "group",
    "hours",
    "sound",
    "presentation",
    "trunk",
    "webhook",
    "retention",
    "hold",
    "ban",
    "limits",
]
SECRET: Final = frozenset(
    {
        *("password_hash", "totp_secret", "totp_sealed", "ha1_md5", "ha1_sha256", "token", "secret"),
        *("password", "incoming_ha1_md5", "incoming_ha1_sha256"),
    }
)
"""Columns whose values are never written into the audit. That one has changed is."""


class Thing(NamedTuple):
    """One thing as it is: what people call it, and its settings (raw: with secrets)."""

    label: str
    settings: dict[str, Any]


def find(conn: Connection, kind: Kind, enterprise_id: str | None, key: str) -> Thing | None:
    """Return a thing by its key (a login, a number, the name of a trunk, an id), None when it is not there."""
    return _READERS[kind](conn, enterprise_id, key)


def changes(before: Thing | None, after: Thing | None) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return what differs, before and after, secrets masked; None for a thing that was not there, or is no more."""
    if before is None or after is None:
        return _masked(before), _masked(after)
    names = [name for name, value in after.settings.items() if before.settings.get(name) != value]
    was, now = ({name: _shown(name, thing.settings[name]) for name in names} for thing in (before, after))
    return was, now


def _masked(thing: Thing | None) -> dict[str, Any] | None:
    if thing is None:
        return None
    return {name: _shown(name, value) for name, value in thing.settings.items() if value not in (None, "", [])}


def _shown(name: str, value: Any) -> Any:
    return MASK if name in SECRET and value else value


def _row(
    conn: Connection, table: Table, columns: tuple[str, ...], label: str, *conditions: ColumnElement[bool]
) -> Thing | None:
    row = conn.execute(select(*(table.c[name] for name in columns)).where(*conditions)).one_or_none()
    if row is None:
        return None
    values = dict(zip(columns, row, strict=True))
    return Thing(str(values[label] or ""), values)


def _enterprise(conn: Connection, _enterprise_id: str | None, key: str) -> Thing | None:
    table = schema.enterprises
    return _row(conn, table, ("name", "integrator_id", "supervision_announced"), "name", table.c.enterprise_id == key)


def _person(conn: Connection, _enterprise_id: str | None, key: str) -> Thing | None:
    columns = ("login", "name", "role", "number", "must_change", "password_hash", "totp_sealed", "openid_account")
    return _row(conn, schema.users, columns, "name", schema.users.c.login == key)


def _token(conn: Connection, _enterprise_id: str | None, key: str) -> Thing | None:
    columns = ("name", "scopes", "networks", "expires_at", "revoked_at", "replaced_by")
    return _row(conn, schema.tokens, columns, "name", schema.tokens.c.token_id == key)


def _number(conn: Connection, enterprise_id: str | None, key: str) -> Thing | None:
    table, book, packages = schema.numbers, schema.address_book, schema.number_packages
    columns = (
        *("username", "dnd", "dnd_until", "presentation_number", "clip_restricted", "clip_until"),
        *(f"forward_{field}" for field in FIELDS),
        *("mobile", "call_waiting", "max_calls"),
        *("ha1_md5", "ha1_sha256"),
    )
    found = _row(conn, table, columns, "username", table.c.number == key, table.c.enterprise_id == enterprise_id)
    if found is None:
        return None
    owned = conn.execute(select(packages.c.package).where(packages.c.number == key).order_by(packages.c.package))
    named = select(book.c.name, book.c.department).where(book.c.enterprise_id == enterprise_id, book.c.number == key)
    name, department = conn.execute(named).one_or_none() or ("", "")
    settings = {**found.settings, "packages": list(owned.scalars()), "name": name, "department": department}
    return Thing(name, settings)


def _group(conn: Connection, enterprise_id: str | None, key: str) -> Thing | None:
    table, members = schema.ringing_groups.c, schema.group_members.c
    mine = (table.number == key, table.enterprise_id == enterprise_id)
    found = _row(conn, schema.ringing_groups, ("name", "strategy", "seconds", "then_number"), "name", *mine)
    if found is None:
        return None
    belong = select(members.number).where(members.group_number == key, members.enterprise_id == enterprise_id)
    listed = list(conn.execute(belong.order_by(members.position)).scalars())
    return Thing(found.label, {**found.settings, "members": listed})


def _hours(conn: Connection, enterprise_id: str | None, key: str) -> Thing | None:
    """Return the hours of a number or a group; with the enterprise's id as the key, its own and their time zone."""
    table, company = schema.working_hours, schema.enterprises
    columns = ("week", "dates", "callers", "closed_to", "override_open", "override_until")
    whole = key == enterprise_id
    mine = (table.c.number == ("" if whole else key), table.c.enterprise_id == enterprise_id)
    found = _row(conn, table, columns if whole else (*columns, "company_dates", "as_company"), "week", *mine)
    zone = conn.execute(select(company.c.name, company.c.time_zone).where(company.c.enterprise_id == enterprise_id))
    if whole and (named := zone.one_or_none()) is not None:
        settings = dict.fromkeys(columns) if found is None else found.settings
        return Thing(named[0], {**settings, "time_zone": named[1]})
    of = _number(conn, enterprise_id, key) or _group(conn, enterprise_id, key)
    return None if found is None else Thing("" if of is None else of.label, found.settings)


def _sound(conn: Connection, enterprise_id: str | None, key: str) -> Thing | None:
    """Return a sound by its role; with the key "ringback" the country, with "notices" what is told of recordings."""
    table, company = schema.sounds, schema.enterprises
    if key == "ringback":
        return _row(conn, company, ("name", "ringback"), "name", company.c.enterprise_id == enterprise_id)
    if key == "notices":
        told = ("name", "recording_announced", "recording_voice", "recording_beep")
        return _row(conn, company, told, "name", company.c.enterprise_id == enterprise_id)
    columns = ("name", "duration_ms", "sha256")
    return _row(conn, table, columns, "name", table.c.enterprise_id == enterprise_id, table.c.role == key)


def _presentation(conn: Connection, enterprise_id: str | None, key: str) -> Thing | None:
    table = schema.presentation_numbers
    return _row(conn, table, ("number",), "number", table.c.number == key, table.c.enterprise_id == enterprise_id)


def _trunk(conn: Connection, _enterprise_id: str | None, key: str) -> Thing | None:
    columns = tuple(column.name for column in schema.trunks.columns if column.name not in ("trunk_id", "created_at"))
    return _row(conn, schema.trunks, columns, "name", schema.trunks.c.name == key)


def _webhook(conn: Connection, enterprise_id: str | None, _key: str) -> Thing | None:
    columns = ("url", "token", "secret", "extended", "active", "inactive_reason")
    return _row(conn, schema.endpoints, columns, "url", schema.endpoints.c.enterprise_id == enterprise_id)


def _retention(conn: Connection, enterprise_id: str | None, _key: str) -> Thing | None:
    columns = ("history_days", "recording_days", "event_days", "payload_days")
    table = schema.retention
    return _row(conn, table, columns, "history_days", table.c.enterprise_id == enterprise_id)


def _hold(conn: Connection, _enterprise_id: str | None, key: str) -> Thing | None:
    columns = ("kind", "reason", "placed_by", "ended_by", "end_reason")  # whose it is may be erased when it has ended
    return _row(conn, schema.holds, columns, "kind", schema.holds.c.hold_id == key)


def _ban(conn: Connection, _enterprise_id: str | None, key: str) -> Thing | None:
    return _row(conn, schema.sip_bans, ("source", "reason", "until"), "source", schema.sip_bans.c.source == key)


def _limits(conn: Connection, enterprise_id: str | None, key: str) -> Thing | None:
    table = schema.outside_limits
    columns = tuple(column.name for column in table.columns if column.name != "enterprise_id")
    number = "" if key == enterprise_id else key  # without a number they are those of the enterprise as a whole
    return _row(conn, table, columns, "number", table.c.enterprise_id == enterprise_id, table.c.number == number)


_READERS: Final[dict[Kind, Callable[[Connection, str | None, str], Thing | None]]] = {
    "enterprise": _enterprise,
    "person": _person,
    "token": _token,
    "number": _number,
    "group": _group,
    "hours": _hours,
    "sound": _sound,
    "presentation": _presentation,
    "trunk": _trunk,
    "webhook": _webhook,
    "retention": _retention,
    "hold": _hold,
    "ban": _ban,
    "limits": _limits,
}
