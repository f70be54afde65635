"""The extended services of many numbers at a time: what they are, and changing them in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam

from kobza.call.directory import Package
from kobza.call.forwarding import NO_FORWARDING, Forwarding
from kobza.call.hours import ALWAYS, WorkingHours
from kobza.call.hours_form import week_of, week_text
from kobza.store import address_book, hours, meta, numbers
from kobza.store.schema import number_packages
from kobza.store.schema import numbers as table


class Services(NamedTuple):
    """What a number is called, and what it has. `dnd` and `hidden` (from those it calls) are as at one moment."""

    number: str
    name: str
    department: str
    packages: frozenset[Package]
    dnd: bool
    hidden: bool
    forwarding: Forwarding = NO_FORWARDING
    call_waiting: bool = True
    max_calls: int | None = None
    week: str = ""
    """Of working hours of its own, as `kobza.call.hours_form` writes it; empty: those of the enterprise count."""
    closed_to: str | None = None
    """Where calls go outside them."""


class ServicesChange(NamedTuple):
    """What is to become of a number. `before` is what it had when that was decided."""

    before: Services
    after: Services


class ServicesChanged(Exception):
    """A number has not what it had when its change was decided: nothing was changed."""


def list_for(conn: Connection, enterprise_id: str, now: float) -> list[Services]:
    """Return the services of all numbers of an enterprise at a moment (s), by number."""
    given = {number: own for number, own in hours.list_for(conn, enterprise_id).items() if not own.as_company}
    return [
        Services(
            *(one.number, one.name, one.department, one.packages),
            dnd=one.dnd_at(now),
            hidden=one.restricted_at(now),
            forwarding=one.forwarding,
            call_waiting=one.call_waiting,
            max_calls=one.max_calls,
            week=week_text(own.week) if (own := given.get(one.number)) is not None else "",
            closed_to=None if own is None else own.closed_to,
        )
        for one in numbers.list_for(conn, enterprise_id)
    ]


def apply(conn: Connection, enterprise_id: str, changes: Sequence[ServicesChange], now: float) -> None:
    """Make changes, each of another number. What is switched here stays so until it is switched again.

    Raises ServicesChanged, with nothing changed, also when a number is not the enterprise's any more.
    """
    if not changes:
        return
    known = {one.number: one for one in list_for(conn, enterprise_id, now)}
    if any(known.get(before.number) != before or after.number != before.number for before, after in changes):
        raise ServicesChanged
    named = [after for before, after in changes if before[1:3] != after[1:3]]
    address_book.put(conn, enterprise_id, [address_book.Entry(*after[:3]) for after in named])
    _switch(
        conn, "dnd", "dnd_until", [(after.number, after.dnd) for before, after in changes if before.dnd != after.dnd]
    )
    hidden = [(after.number, after.hidden) for before, after in changes if before.hidden != after.hidden]
    _switch(conn, "clip_restricted", "clip_until", hidden)
    served = [(after.number, after.packages) for before, after in changes if before.packages != after.packages]
    if served:
        gone = number_packages.delete().where(number_packages.c.number == bindparam("whose"))
        conn.execute(gone, [{"whose": number} for number, _ in served])
        rows = [{"number": number, "package": package.value} for number, owned in served for package in owned]
        if rows:
            conn.execute(number_packages.insert(), rows)
    for before, after in changes:
        if before.forwarding != after.forwarding:
            numbers.set_forwarding(conn, enterprise_id, after.number, after.forwarding)
        if (before.call_waiting, before.max_calls) != (after.call_waiting, after.max_calls):
            numbers.set_calls(
                conn, enterprise_id, after.number, call_waiting=after.call_waiting, max_calls=after.max_calls
            )
        if (before.week, before.closed_to) != (after.week, after.closed_to):
            _set_hours(conn, enterprise_id, after)
    meta.bump_directory(conn)


def _set_hours(conn: Connection, enterprise_id: str, after: Services) -> None:
    """Set the week of a number, with its dates, its override and all else as they were."""
    own = hours.find(conn, enterprise_id, after.number)
    blank = WorkingHours(hours.zone_of(conn, enterprise_id), ALWAYS)
    if after.week:
        made = replace(own or blank, week=week_of(after.week), closed_to=after.closed_to, as_company=False)
        hours.put(conn, enterprise_id, after.number, made)
    elif own is not None and own.override is not None:
        hours.put(conn, enterprise_id, after.number, replace(blank, as_company=True, override=own.override))
    else:
        hours.remove(conn, enterprise_id, after.number)


def _switch(conn: Connection, column: str, until: str, switched: Sequence[tuple[str, bool]]) -> None:
    if switched:
        change = table.update().where(table.c.number == bindparam("whose"))
        values: dict[str, Any] = {column: bindparam("on"), until: None}
        conn.execute(change.values(values), [{"whose": number, "on": on} for number, on in switched])
