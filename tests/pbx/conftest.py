"""A store and a journal, both real, for the tests of the exchange."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kobza.pbx.journal import Journal, JournalFailure
from kobza.store import Store
from tests.pbx.office import NOW
from tests.support.stores import empty_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = empty_store(tmp_path / "kobza.db")
    yield opened
    opened.close()


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    """A journal that runs, and whose every commit succeeds."""
    failures: list[JournalFailure] = []
    running = Journal(store.path, now=lambda: NOW, on_failure=failures.append)
    running.start()
    yield running
    await running.stop()
    assert failures == []
