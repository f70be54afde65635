"""The portal of a real store, and a visitor with a browser."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.world import World
from tests.portal.visitor import Visitor
from tests.support.postgres import PostgresServer


@pytest.fixture
def world(tmp_path: Path, place_server: PostgresServer | None) -> Iterator[World]:
    """Return two enterprises with their numbers, and the application that serves them."""
    made = World(tmp_path, server=place_server)
    yield made
    made.close()


@pytest_asyncio.fixture
async def visitor(world: World) -> AsyncIterator[Visitor]:
    """Return somebody who is not signed in yet."""
    async with world.client() as client:
        yield Visitor(client)


@pytest_asyncio.fixture
async def olena(visitor: Visitor) -> Visitor:
    """Return the administrator of the first enterprise, signed in."""
    answer = await visitor.sign_in("olena")
    assert answer.status_code == 303, answer.text
    return visitor
