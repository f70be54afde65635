"""The address book of an enterprise: the names and departments that its history shows."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, select

from kobza.store.schema import address_book
from kobza.store.upsert import upsert


class Entry(NamedTuple):
    """A number with its name and department; either may be empty."""

    number: str
    name: str
    department: str


def put(conn: Connection, enterprise_id: str, entries: Iterable[Entry]) -> None:
    """Write entries, replacing those with the same number."""
    # By number: the last entry of one counts, and a statement of PostgreSQL may write a row once.
    rows = {entry.number: {"enterprise_id": enterprise_id, **entry._asdict()} for entry in entries}
    upsert(conn, address_book, ("enterprise_id", "number"), list(rows.values()))


def find(conn: Connection, enterprise_id: str, number: str) -> Entry | None:
    """Return the entry of a number, or None."""
    row = conn.execute(_entry(enterprise_id).where(address_book.c.number == number)).one_or_none()
    return None if row is None else Entry(*row)


def list_for(conn: Connection, enterprise_id: str) -> list[Entry]:
    """Return the whole book by number."""
    return [Entry(*row) for row in conn.execute(_entry(enterprise_id).order_by(address_book.c.number))]


def departments(conn: Connection, enterprise_id: str) -> list[str]:
    """Return the departments that somebody is in, in order."""
    columns = address_book.c
    named = (
        select(columns.department).distinct().where(columns.enterprise_id == enterprise_id, columns.department != "")
    )
    return sorted(conn.execute(named).scalars(), key=str.casefold)


def remove(conn: Connection, enterprise_id: str, number: str) -> bool:
    """Remove an entry; return whether it was there."""
    gone = address_book.delete().where(address_book.c.enterprise_id == enterprise_id, address_book.c.number == number)
    return conn.execute(gone).rowcount == 1


def _entry(enterprise_id: str) -> Select[Any]:
    columns = address_book.c
    return select(columns.number, columns.name, columns.department).where(columns.enterprise_id == enterprise_id)
