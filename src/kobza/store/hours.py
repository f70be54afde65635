"""Working hours of enterprises, and of numbers and ringing groups that have their own."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from kobza.call.group import group_key
from kobza.call.hours import DEFAULT_ZONE, Callers, Override, WorkingHours, effective
from kobza.call.hours_form import dates_of, dates_text, week_of, week_text
from kobza.store import enterprises, meta
from kobza.store.errors import NotInStore
from kobza.store.schema import enterprises as companies
from kobza.store.schema import numbers, ringing_groups, working_hours

COMPANY: Final = ""
"""Stands in the place of a number for the enterprise's own hours."""


def put(conn: Connection, enterprise_id: str, number: str, hours: WorkingHours) -> None:
    """Set the hours of a number or a group (E.164 or short code), or with COMPANY those of the enterprise.

    The time zone is the enterprise's: see `set_zone`.

    Raises:
        NotInStore: there is no such enterprise, or it has neither a number nor a group like that.

    """
    if enterprises.find(conn, enterprise_id) is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    if number != COMPANY and not _is_there(conn, enterprise_id, number):
        raise NotInStore(f"the enterprise has no number and no group {number}")
    override = hours.override
    values: dict[str, Any] = {
        "week": week_text(hours.week),
        "dates": dates_text(hours.dates),
        "as_company": hours.as_company,
        "company_dates": hours.company_dates,
        "callers": hours.callers.value,
        "closed_to": hours.closed_to,
        "override_open": None if override is None else override.open,
        "override_until": None if override is None else override.until,
    }
    mine = _mine(enterprise_id, number)
    if conn.execute(working_hours.update().where(*mine).values(values)).rowcount == 0:
        conn.execute(working_hours.insert().values({"enterprise_id": enterprise_id, "number": number, **values}))
    meta.bump_directory(conn)


def remove(conn: Connection, enterprise_id: str, number: str) -> bool:
    """Take the hours of a number or a group away, so that those of the enterprise count; with COMPANY the latter.

    Return whether there were any.
    """
    gone = conn.execute(working_hours.delete().where(*_mine(enterprise_id, number))).rowcount > 0
    if gone:
        meta.bump_directory(conn)
    return gone


def set_zone(conn: Connection, enterprise_id: str, zone: str) -> None:
    """Set the time zone of an enterprise's hours, by its name in the tz database.

    Raises:
        NotInStore: there is no such enterprise.

    """
    mine = companies.update().where(companies.c.enterprise_id == enterprise_id)
    if conn.execute(mine.values(time_zone=zone)).rowcount == 0:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    meta.bump_directory(conn)


def find(conn: Connection, enterprise_id: str, number: str) -> WorkingHours | None:
    """Return the hours that a number, a group or, with COMPANY, the enterprise was given, or None."""
    row = conn.execute(_hours.where(*_mine(enterprise_id, number))).one_or_none()
    return None if row is None else _made(row)


def list_for(conn: Connection, enterprise_id: str) -> dict[str, WorkingHours]:
    """Return all hours of an enterprise as they were given, by number."""
    rows = conn.execute(_hours.where(working_hours.c.enterprise_id == enterprise_id).order_by(working_hours.c.number))
    return {row.number: _made(row) for row in rows}


def load(conn: Connection) -> dict[str, WorkingHours]:
    """Return all hours as they count, by the key of the directory."""
    given = {(row.enterprise_id, row.number): _made(row) for row in conn.execute(_hours)}
    return {
        enterprise_id if number == COMPANY else group_key(number, enterprise_id): (
            hours if number == COMPANY else effective(hours, given.get((enterprise_id, COMPANY)))
        )
        for (enterprise_id, number), hours in given.items()
    }


_hours: Final = select(working_hours, companies.c.time_zone).join_from(
    working_hours, companies, working_hours.c.enterprise_id == companies.c.enterprise_id
)


def _made(row: Row[Any]) -> WorkingHours:
    override = None if row.override_until is None else Override(bool(row.override_open), row.override_until)
    return WorkingHours(
        zone_named(row.time_zone),
        week_of(row.week),
        dates_of(row.dates),
        row.company_dates,
        Callers(row.callers),
        row.closed_to,
        override,
        row.as_company,
    )


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone; the default one for a name that the tz database has no more."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return ZoneInfo(DEFAULT_ZONE)


def zone_of(conn: Connection, enterprise_id: str) -> ZoneInfo:
    """Return the time zone of an enterprise's hours."""
    company = enterprises.find(conn, enterprise_id)
    return zone_named(DEFAULT_ZONE if company is None else company.zone)


def _mine(enterprise_id: str, number: str) -> tuple[Any, Any]:
    return working_hours.c.enterprise_id == enterprise_id, working_hours.c.number == number


def _is_there(conn: Connection, enterprise_id: str, number: str) -> bool:
    return any(
        conn.execute(
            select(table.c.number).where(table.c.number == number, table.c.enterprise_id == enterprise_id)
        ).first()
        is not None
        for table in (numbers, ringing_groups)
    )
