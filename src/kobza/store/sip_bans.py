"""Bans at the SIP door as they are stored: those of people, and those that a server made by itself."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, or_, select

from kobza.defence.bans import REMEMBERED_FOR, Ban
from kobza.store import meta
from kobza.store.schema import sip_bans
from kobza.store.upsert import upsert


def list_all(conn: Connection, now: float | None = None) -> list[Ban]:
    """Return the bans, the newest first: all that are remembered, or those in force at a moment (seconds)."""
    found = select(sip_bans).order_by(sip_bans.c.made_at.desc(), sip_bans.c.source)
    if now is not None:
        found = found.where(or_(sip_bans.c.until.is_(None), sip_bans.c.until > _ms(now)))
    return [
        Ban(
            row.source,
            row.reason,
            row.made_by,
            row.made_at / 1000,
            None if row.until is None else row.until / 1000,
            row.times,
        )
        for row in conn.execute(found)
    ]


def put(conn: Connection, bans: Iterable[Ban]) -> None:
    """Store bans in the place of those of the same sources."""
    rows = [
        {
            "source": ban.source,
            "reason": ban.reason,
            "made_by": ban.made_by,
            "made_at": _ms(ban.made_at),
            "until": None if ban.until is None else _ms(ban.until),
            "times": ban.times,
        }
        for ban in bans
    ]
    upsert(conn, sip_bans, ("source",), rows)


def lift(conn: Connection, source: str) -> bool:
    """Forget the ban of a source; return whether there was one that is remembered."""
    return conn.execute(delete(sip_bans).where(sip_bans.c.source == source)).rowcount == 1


def tell(conn: Connection) -> None:
    """Have a server that runs take over what was changed here."""
    meta.bump_directory(conn)


def forget(conn: Connection, now: float) -> None:
    """Delete bans that were over so long ago that they count no more."""
    conn.execute(delete(sip_bans).where(sip_bans.c.until <= _ms(now - REMEMBERED_FOR)))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
