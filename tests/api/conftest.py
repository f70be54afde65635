"""A real store in a temporary file, a clock that the test sets, and the application in between."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.api.world import World
from tests.support.postgres import PostgresServer


@pytest.fixture
def world(tmp_path: Path, place_server: PostgresServer | None) -> Iterator[World]:
    """Return two enterprises with their numbers, and the application that serves them."""
    made = World(tmp_path, server=place_server)
    yield made
    made.close()


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application, without any network in between."""
    async with world.client() as opened:
        yield opened
