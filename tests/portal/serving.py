"""The portal on a port, for those who need a connection that stays open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from tests.api.world import World
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE


@asynccontextmanager
async def running(app: ASGIApp, port: int) -> AsyncIterator[None]:
    """Serve an application on a port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE):
        while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def served(world: World, port: int | None = None) -> AsyncIterator[str]:
    """Serve the portal on a port, one of its own unless it was told to others before; give its address."""
    port = port or free_port()
    async with running(world.app, port):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            world.app.state.context.event_streams.stop()
