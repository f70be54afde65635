"""What numbers and enterprises may spend on calls outside, as it was said for them; and what they have spent today."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, or_, select

from kobza.call.outside import COUNTED, MAX_PREFIXES, MOST, OutsideLimits
from kobza.store import meta
from kobza.store.errors import NotInStore
from kobza.store.schema import calls, enterprises, numbers, outside_limits
from kobza.store.upsert import upsert


def load(conn: Connection) -> dict[tuple[str, str], OutsideLimits]:
    """Return all limits by enterprise and number; "" is the enterprise as a whole."""
    return {
        (row.enterprise_id, row.number): OutsideLimits(
            **{name: getattr(row, name) for name in COUNTED},
            denied=tuple(row.denied.split()),
            allowed=tuple(row.allowed.split()),
        )
        for row in conn.execute(select(outside_limits))
    }


def of_enterprise(conn: Connection, enterprise_id: str) -> list[str]:
    """Return the numbers of an enterprise of which something was said; "" stands for the whole."""
    asked = select(outside_limits.c.number).where(outside_limits.c.enterprise_id == enterprise_id)
    return list(conn.scalars(asked.order_by(outside_limits.c.number)))


def find(conn: Connection, enterprise_id: str, number: str = "") -> OutsideLimits:
    """Return what was said for a number, or for an enterprise as a whole. Raises NotInStore."""
    known = select(enterprises.c.enterprise_id).where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(known).one_or_none() is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    if number:
        own = select(numbers.c.number).where(numbers.c.number == number, numbers.c.enterprise_id == enterprise_id)
        if conn.execute(own).one_or_none() is None:
            raise NotInStore(f"the enterprise has no number {number}")
    return load(conn).get((enterprise_id, number), OutsideLimits())


def put(conn: Connection, enterprise_id: str, number: str, limits: OutsideLimits) -> None:
    """Set what holds for a number, or with "" for an enterprise as a whole. Raises NotInStore, ValueError."""
    find(conn, enterprise_id, number)
    counted = {name: getattr(limits, name) for name in COUNTED}
    for name, value in counted.items():
        if value is not None and not 0 <= value <= MOST:
            raise ValueError(f"{name}: expected 0 (no limit) to {MOST}")
    for name, prefixes in (("denied", limits.denied), ("allowed", limits.allowed)):
        if len(prefixes) > MAX_PREFIXES:
            raise ValueError(f"{name}: expected {MAX_PREFIXES} prefixes at most")
    key = {"enterprise_id": enterprise_id, "number": number}
    if limits.says_nothing:
        conn.execute(outside_limits.delete().filter_by(**key))
    else:
        texts = {"denied": " ".join(limits.denied), "allowed": " ".join(limits.allowed)}
        upsert(conn, outside_limits, tuple(key), [{**key, **counted, **texts}])
    meta.bump_directory(conn)


class SpentBefore(NamedTuple):
    """What the calls of a day tell that a number has spent outside."""

    enterprise_id: str
    number: str
    calls_minute: int
    calls_hour: int
    calls_day: int
    seconds_day: float
    """Of talk."""


def spent_since(conn: Connection, minute: float, hour: float, day: float) -> list[SpentBefore]:
    """Return what was spent outside since the beginnings (seconds) of a minute, an hour and a day, by who has paid.

    That is who calls, or sent a call on that was answered outside. What no record tells is left out: calls sent on that
    nobody answered, and those to the mobile phone beside a number. So are refusals (403).
    """
    ours = select(numbers.c.number)
    went_out = and_(
        calls.c.direction == "outgoing", calls.c.called_number.startswith("+"), calls.c.called_number.not_in(ours)
    )
    sent_on = and_(
        calls.c.answered_number.startswith("+"),
        calls.c.answered_number.not_in(ours),
        calls.c.answered_number != calls.c.called_number,
        calls.c.called_number.in_(ours),
    )
    payer = case((went_out, calls.c.calling_number), else_=calls.c.called_number).label("payer")

    def begun(since: float) -> ColumnElement[int]:
        return func.sum(case((calls.c.started_at >= int(since * 1000), 1), else_=0))

    talked = func.sum(func.coalesce(calls.c.ended_at - calls.c.answered_at, literal(0)))
    asked = (
        select(calls.c.enterprise_id, payer, begun(minute), begun(hour), func.count(), talked)
        .select_from(enterprises.join(calls, calls.c.enterprise_id == enterprises.c.enterprise_id))
        .where(
            calls.c.started_at >= int(day * 1000),
            or_(went_out, sent_on),
            or_(calls.c.sip_status.is_(None), calls.c.sip_status != 403),
        )
        .group_by(calls.c.enterprise_id, payer)
    )
    return [
        SpentBefore(enterprise_id, number, int(minutes), int(hours), int(days), float(ms) / 1000)
        for enterprise_id, number, minutes, hours, days, ms in conn.execute(asked)
    ]
