"""HTTP on its address, by uvicorn."""

import asyncio
import logging
from typing import Final

import uvicorn
from fastapi import FastAPI

from kobza.api.connection import http_options
from kobza.api.event_streams import EventStreams
from kobza.app.server_error import ServerError
from kobza.config.values import ListenAddress

log = logging.getLogger(__name__)

STOP_SECONDS: Final = 3
"""How long requests under way may take when the server stops."""


KEEP_ALIVE: Final = 75
"""Seconds for which a connection stays open that nobody uses: longer than the clients keep theirs (httpx 5, aiohttp 15,
nginx 60). Who closes first must be the client: a request that it sends while we close is lost, and a POST that was lost
cannot be sent again by itself."""


class HttpServing:
    """An application on an address."""

    def __init__(self, app: FastAPI, address: ListenAddress, streams: EventStreams) -> None:
        self._address = address
        self._streams = streams
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                host=address.host,
                port=address.port,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # uvicorn would believe whoever connects from this machine
                lifespan="off",
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=STOP_SECONDS,
                **http_options(heartbeat=streams.heartbeat),
            )
        )
        self.task: asyncio.Task[None] | None = None
        """Runs as long as it is served; known after `begin`."""

    def begin(self) -> "asyncio.Task[None]":
        """Begin to serve; return the task that does."""
        self.task = asyncio.create_task(self._server.serve(), name="http")
        return self.task

    async def ready(self) -> str:
        """Wait until it answers; return its URL. Raises ServerError."""
        while not self._server.started:
            if self.task is None or self.task.done():
                raise ServerError(f"cannot listen on {self._address}: the address is taken or not this machine's")
            await asyncio.sleep(0.01)
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop serving."""
        self._streams.stop()  # they have no end of their own
        self._server.should_exit = True
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)


class _Uvicorn(uvicorn.Server):
    """uvicorn without its own signals and without its `sys.exit` for an address that is taken."""

    def install_signal_handlers(self) -> None:
        """Leave signals to who runs the server."""

    async def serve(self, sockets: "list[object] | None" = None) -> None:  # type: ignore[override]
        """Serve until told to stop."""
        try:
            await self._serve(sockets)  # type: ignore[arg-type]
        except SystemExit:
            log.error("HTTP could not be started")  # noqa: TRY400 - uvicorn has said why
