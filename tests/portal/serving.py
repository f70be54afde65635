"""The portal on a port, for those who need a connection that stays open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from tests.api.world import World
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """Serve the portal on a port of its own; give its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(world.app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        world.app.state.context.event_streams.stop()
        server.should_exit = True
        await serving
