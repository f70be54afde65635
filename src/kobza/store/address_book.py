"""The address book of an enterprise: the names and departments that its history shows."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, select

from kobza.store import meta
from kobza.store.schema import address_book, numbers
from kobza.store.upsert import upsert

MOST: Final = 20_000
"""Entries of one enterprise, as far as people make them: all are looked through for a name."""


class Entry(NamedTuple):
    """A number with its name and department; either may be empty."""

    number: str
    name: str
    department: str


class Change(NamedTuple):
    """What is to become of the entry of a number. `before` is what it was when that was decided; None is no entry."""

    before: Entry | None
    after: Entry | None

    @property
    def number(self) -> str:
        """Whose entry it is. A change is of one number, and not of nothing into nothing."""
        entry = self.after or self.before
        if entry is None:
            raise ValueError("a change of nothing into nothing")
        return entry.number


class BookChanged(Exception):
    """An entry is not what it was when its change was decided: nothing was changed."""


class BookFull(Exception):
    """The address book would have more than MOST entries: nothing was changed."""


def apply(conn: Connection, enterprise_id: str, changes: Sequence[Change]) -> None:
    """Make changes, each of another number. Raises BookChanged or BookFull, with nothing changed."""
    known = {entry.number: entry for entry in list_for(conn, enterprise_id)}
    if any(known.get(change.number) != change.before for change in changes):
        raise BookChanged
    grown = sum((change.after is not None) - (change.before is not None) for change in changes)
    if grown > 0 and len(known) + grown > MOST:
        raise BookFull
    put(conn, enterprise_id, [change.after for change in changes if change.after is not None])
    for change in changes:
        if change.after is None:
            remove(conn, enterprise_id, change.number)
    own = set(conn.execute(select(numbers.c.number).where(numbers.c.enterprise_id == enterprise_id)).scalars())
    if any(change.number in own for change in changes):
        meta.bump_directory(conn)  # phones show the names of colleagues


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
