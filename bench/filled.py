"""The portal's application over a long history, for the benches of its pages."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import httpx

from kobza.store.fill import fill
from tests.api.world import PASSWORD, World

CALLS: Final = 1_000_000
DAYS: Final = 365
FEW: Final = 2000
"""Calls that only show that a bench runs."""


@contextmanager
def filled(*, quick: bool) -> Iterator[tuple[World, int]]:
    """Make a store in SQLite with a year of calls; give it, and how many they are."""
    calls = FEW if quick else CALLS
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # on the disk: /tmp may be none
        world = World(Path(directory))
        try:
            fill(world.store, world.own.enterprise_id, calls, DAYS, now_ms=int(world.at * 1000))
            yield world, calls
        finally:
            world.close()


@asynccontextmanager
async def visiting(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Give the administrator of that enterprise, signed in."""
    async with world.client() as client:
        answer = await client.post("/signin", data={"login": "olena", "password": PASSWORD})
        assert answer.status_code == 303
        yield client
    await world.exports.stop()
