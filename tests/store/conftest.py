from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kobza.store import STORE_FILE, Store, endpoints, enterprises
from kobza.store.entries import Entry
from kobza.store.journal import JournalWriter
from kobza.store.place import Place
from tests.store.builders import NOW, stored
from tests.support.postgres import PostgresServer
from tests.support.stores import empty_store

Write = Callable[..., None]
Rows = Callable[[str], list[tuple[Any, ...]]]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what is about the file of a store."""
    if "path" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.database("sqlite"))


@pytest.fixture
def empty_place(place_server: PostgresServer | None, tmp_path: Path) -> Iterator[Place]:
    """Where nothing is yet: a file that does not exist, or a database without tables."""
    if place_server is None:
        yield tmp_path / "data" / STORE_FILE
        return
    url = place_server.make_database()
    yield url
    place_server.drop(url)


@pytest.fixture
def path(place: Place) -> Path:
    """The file of a store in SQLite."""
    assert isinstance(place, Path)
    return place


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = empty_store(place)
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store) -> Iterator[Write]:
    """Write entries in one commit."""
    writer = JournalWriter(store.place)

    def write_entries(*entries: Entry, alive_at: float | None = None) -> None:
        batch: Sequence[Entry] = entries
        writer.write(batch, alive_at=alive_at)

    yield write_entries
    writer.close()


@pytest.fixture
def rows(store: Store) -> Rows:
    """Read rows with plain SQL."""

    def read(query: str) -> list[tuple[Any, ...]]:
        with store.read() as conn:
            return [tuple(row) for row in conn.exec_driver_sql(query)]

    return read


@pytest.fixture
def enterprise_id(store: Store) -> str:
    with store.write() as conn:
        return enterprises.add(conn, "Ромашка", "admin", "hash", int(NOW * 1000)).enterprise_id


@pytest.fixture
def ids(store: Store) -> tuple[str, str]:
    """Two enterprises, each with an endpoint."""
    with store.write() as conn:
        first = enterprises.add(conn, "A", "a", "hash", 1).enterprise_id
        second = enterprises.add(conn, "B", "b", "hash", 2).enterprise_id
        for enterprise_id in (first, second):
            endpoints.set(conn, enterprise_id, f"https://{enterprise_id}.example", "t")
    return first, second


@pytest.fixture
def owed(write: Write, ids: tuple[str, str]) -> tuple[str, str]:
    """Cursors 1 to 5: of the first enterprise leg-1 (1, 2, 5) and leg-2 (3); of the second leg-3 (4)."""
    first, second = ids
    write(stored(1, enterprise_id=first), stored(2, enterprise_id=first))
    write(stored(1, enterprise_id=first, call_control_id="leg-2"))
    write(stored(1, enterprise_id=second, call_control_id="leg-3"), stored(3, enterprise_id=first))
    return ids
