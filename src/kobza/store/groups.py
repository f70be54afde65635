"""Ringing groups of enterprises."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from kobza.call.group import RingingGroup, Strategy
from kobza.call.numbers import national
from kobza.store import enterprises, hours, meta
from kobza.store.errors import NotInStore, NumberTaken
from kobza.store.schema import group_members, numbers, ringing_groups

_KEYS = (ringing_groups.c.enterprise_id, ringing_groups.c.number)


def put(conn: Connection, group: RingingGroup, *, now_ms: int = 0) -> None:
    """Add a group, or change what it is.

    Raises:
        NumberTaken: its number is a subscriber's, or a group's of another enterprise.
        NotInStore: there is no such enterprise, or a member is none of its numbers.

    """
    enterprise_id, number = group.enterprise_id, group.number
    if enterprises.find(conn, enterprise_id) is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    if conn.execute(select(numbers.c.number).where(numbers.c.number == number)).first() is not None:
        raise NumberTaken(f"{national(number)} is a number with phones of its own, not a group's")
    if is_taken(conn, number, besides=enterprise_id):
        raise NumberTaken(f"{national(number)} is a ringing group of somebody else")
    own = select(numbers.c.number).where(numbers.c.enterprise_id == enterprise_id, numbers.c.number.in_(group.members))
    known = set(conn.execute(own).scalars())
    missing = [member for member in group.members if member not in known]
    if missing:
        raise NotInStore(f"the enterprise has no number {missing[0]}")
    values: dict[str, Any] = {
        "name": group.name,
        "strategy": group.strategy.value,
        "seconds": group.seconds,
        "then_number": group.then,
    }
    mine = (ringing_groups.c.enterprise_id == enterprise_id) & (ringing_groups.c.number == number)
    if conn.execute(ringing_groups.update().where(mine).values(values)).rowcount == 0:
        keys = {"enterprise_id": enterprise_id, "number": number, "created_at": now_ms}
        conn.execute(ringing_groups.insert().values({**keys, **values}))
    of = group_members.c
    conn.execute(group_members.delete().where(of.enterprise_id == enterprise_id, of.group_number == number))
    rows = [
        {"enterprise_id": enterprise_id, "group_number": number, "position": position, "number": member}
        for position, member in enumerate(group.members)
    ]
    if rows:
        conn.execute(group_members.insert(), rows)
    meta.bump_directory(conn)


def remove(conn: Connection, enterprise_id: str, number: str) -> None:
    """Remove a group; its people stay.

    Raises:
        NotInStore: the enterprise has no such group.

    """
    mine = (ringing_groups.c.enterprise_id == enterprise_id) & (ringing_groups.c.number == number)
    if conn.execute(ringing_groups.delete().where(mine)).rowcount == 0:
        raise NotInStore(f"the enterprise has no group {number}")
    hours.remove(conn, enterprise_id, number)
    meta.bump_directory(conn)


def find(conn: Connection, enterprise_id: str, number: str) -> RingingGroup | None:
    """Return a group of an enterprise, or None."""
    return next((group for group in load(conn, enterprise_id) if group.number == number), None)


def load(conn: Connection, enterprise_id: str | None = None) -> Sequence[RingingGroup]:
    """Return the groups of an enterprise, or all, by number."""
    rows = select(ringing_groups).order_by(*_KEYS)
    belong = select(group_members).order_by(group_members.c.position)
    if enterprise_id is not None:
        rows = rows.where(ringing_groups.c.enterprise_id == enterprise_id)
        belong = belong.where(group_members.c.enterprise_id == enterprise_id)
    members: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in conn.execute(belong):
        members[row.enterprise_id, row.group_number].append(row.number)
    return [
        RingingGroup(
            row.number,
            row.enterprise_id,
            row.name,
            Strategy(row.strategy),
            tuple(members[row.enterprise_id, row.number]),
            row.seconds,
            row.then_number,
        )
        for row in conn.execute(rows)
    ]


def is_taken(conn: Connection, number: str, *, besides: str | None = None) -> bool:
    """Tell whether an E.164 number is a group's, of another enterprise than one."""
    if not number.startswith("+"):
        return False
    holder = conn.execute(select(ringing_groups.c.enterprise_id).where(ringing_groups.c.number == number)).scalar()
    return holder is not None and holder != besides
