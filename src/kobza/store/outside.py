"""What numbers and enterprises may spend on calls outside, as it was said for them."""

from sqlalchemy import Connection, select

from kobza.call.outside import COUNTED, MAX_PREFIXES, MOST, OutsideLimits
from kobza.store import meta
from kobza.store.errors import NotInStore
from kobza.store.schema import enterprises, numbers, outside_limits
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
