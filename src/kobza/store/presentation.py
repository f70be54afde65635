"""Presentation numbers: what an enterprise may show to those it calls beside its own numbers (contract, `clip`).

A number's settings never name one that may not be presented: whoever takes the right away ends the settings with it.
"""

from sqlalchemy import Connection, exists, or_, select

from kobza.store import enterprises, meta
from kobza.store.errors import NotInStore, NumberTaken
from kobza.store.schema import numbers, presentation_numbers


def add(conn: Connection, enterprise_id: str, number: str, *, now_ms: int = 0) -> None:
    """Let an enterprise present a number (E.164 or a short code) that is none of its own.

    Raises:
        NumberTaken: it is a subscriber's on this server, or registered already.
        NotInStore: there is no such enterprise.

    """
    if enterprises.find(conn, enterprise_id) is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    holder = conn.execute(select(numbers.c.enterprise_id).where(numbers.c.number == number)).scalar_one_or_none()
    if holder is not None:
        own = holder == enterprise_id
        raise NumberTaken(f"{number} is a number of {'this enterprise, which may be presented' if own else 'another'}")
    if may_present(conn, enterprise_id, number):
        raise NumberTaken(f"{number} is registered already")
    conn.execute(presentation_numbers.insert().values(enterprise_id=enterprise_id, number=number, created_at=now_ms))


def remove(conn: Connection, enterprise_id: str, number: str) -> None:
    """Take the right away; who presented the number presents its own one again.

    Raises:
        NotInStore: the enterprise has no such presentation number.

    """
    columns = presentation_numbers.c
    gone = presentation_numbers.delete().where(columns.enterprise_id == enterprise_id, columns.number == number)
    if conn.execute(gone).rowcount == 0:
        raise NotInStore(f"the enterprise has no presentation number {number}")
    end_settings(conn, number, enterprise_id)
    meta.bump_directory(conn)


def list_for(conn: Connection, enterprise_id: str) -> list[str]:
    """Return the presentation numbers of an enterprise, in order; its own numbers are not among them."""
    columns = presentation_numbers.c
    found = select(columns.number).where(columns.enterprise_id == enterprise_id).order_by(columns.number)
    return list(conn.execute(found).scalars())


def may_present(conn: Connection, enterprise_id: str, number: str) -> bool:
    """Tell whether an enterprise may show a number to those it calls: one of its own, or a registered one."""
    own = exists(select(numbers.c.number).where(numbers.c.enterprise_id == enterprise_id, numbers.c.number == number))
    columns = presentation_numbers.c
    registered = exists(select(columns.number).where(columns.enterprise_id == enterprise_id, columns.number == number))
    return bool(conn.execute(select(or_(own, registered))).scalar_one())


def taken_over(conn: Connection, number: str, enterprise_id: str) -> None:
    """Note that a number became a subscriber's: nobody else may present it any longer, and who owns it needs no row."""
    conn.execute(presentation_numbers.delete().where(presentation_numbers.c.number == number))
    end_settings(conn, number, besides=enterprise_id)


def end_settings(
    conn: Connection, number: str, enterprise_id: str | None = None, *, besides: str | None = None
) -> None:
    """End the settings that present a number: an enterprise's, or everybody's but one enterprise's."""
    columns = numbers.c
    presenting = numbers.update().where(columns.presentation_number == number)
    if enterprise_id is not None:
        presenting = presenting.where(columns.enterprise_id == enterprise_id)
    if besides is not None:
        presenting = presenting.where(columns.enterprise_id != besides)
    conn.execute(presenting.values(presentation_number=None))
