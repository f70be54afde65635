"""A store and a journal, both real, for the tests of the exchange."""

from collections.abc import AsyncIterator, Iterator

import pytest

from kobza.pbx.journal import Journal, JournalFailure
from kobza.store import Store
from kobza.store.journal import passes_by_itself
from kobza.store.place import Place
from tests.pbx.office import NOW
from tests.support.name_server import NameServer
from tests.support.stores import empty_store


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = empty_store(place)
    yield opened
    opened.close()


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    """A journal that runs, and whose every commit succeeds, if need be when it is tried again on a busy machine."""
    failures: list[JournalFailure] = []
    running = Journal(store.place, now=lambda: NOW, on_failure=failures.append)
    running.start()
    yield running
    await running.stop()
    assert [failure for failure in failures if not passes_by_itself(failure.error)] == []


@pytest.fixture
def names() -> Iterator[NameServer]:
    """A name server of the test's own."""
    with NameServer() as server:
        yield server
