"""Searches of the history that people keep under names of their own."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from kobza.store.ids import new_id
from kobza.store.schema import saved_filters

MOST: Final = 20
"""Of one person: more are no help on a page."""
MAX_NAME: Final = 40


class SavedFilter(NamedTuple):
    """One search."""

    filter_id: str
    name: str
    query: str
    """The form as it stands in an address."""


class TooManyFilters(Exception):
    """The person has MOST of them."""


def save(conn: Connection, user_id: str, name: str, query: str) -> None:
    """Keep a search; one of the same name is replaced. Raises TooManyFilters."""
    own = saved_filters.c.user_id == user_id
    if conn.execute(saved_filters.update().where(own, saved_filters.c.name == name).values(query=query)).rowcount:
        return
    if conn.execute(select(func.count()).select_from(saved_filters).where(own)).scalar_one() >= MOST:
        raise TooManyFilters
    conn.execute(saved_filters.insert().values(filter_id=new_id(), user_id=user_id, name=name, query=query))


def list_for(conn: Connection, user_id: str) -> list[SavedFilter]:
    """Return a person's searches by name."""
    columns = (saved_filters.c.filter_id, saved_filters.c.name, saved_filters.c.query)
    found = conn.execute(select(*columns).where(saved_filters.c.user_id == user_id))
    return sorted((SavedFilter(*row) for row in found), key=lambda each: each.name.casefold())


def remove(conn: Connection, user_id: str, filter_id: str) -> bool:
    """Forget a search; return whether the person had it."""
    own = saved_filters.delete().where(saved_filters.c.user_id == user_id, saved_filters.c.filter_id == filter_id)
    return conn.execute(own).rowcount == 1
