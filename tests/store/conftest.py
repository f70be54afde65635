from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kobza.store import Store
from kobza.store.entries import Entry
from kobza.store.journal import JournalWriter
from tests.store.builders import NOW

Write = Callable[..., None]
Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "kobza.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store.create(path)
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store) -> Iterator[Write]:
    """Write entries in one commit."""
    writer = JournalWriter(store.path)

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
    from kobza.store import enterprises

    with store.write() as conn:
        return enterprises.add(conn, "Ромашка", "admin", "hash", int(NOW * 1000)).enterprise_id
