"""A connection whose client takes nothing is given up; one that is only slow is not. Over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from kobza.api import connection
from kobza.api.connection import Connection
from kobza.api.streaming import Chunks, StreamedResponse
from tests.support.waiting import PATIENCE

BLOCK = bytes(64 * 1024)


class Endless:
    """An application whose answers never end, and how many of them are under way."""

    def __init__(self) -> None:
        self.running = 0
        self.ended = asyncio.Event()
        self.made = 0

    async def chunks(self) -> Chunks:
        self.running += 1
        try:
            while True:
                self.made += 1
                yield BLOCK
                await asyncio.sleep(0)
        finally:
            self.running -= 1
            self.ended.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await StreamedResponse(self.chunks, content_type="audio/mpeg")(scope, receive, send)


@asynccontextmanager
async def served(app: Endless) -> AsyncIterator[tuple[str, int]]:
    config = uvicorn.Config(
        app, http=Connection, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn sets no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        await task


async def asked(address: tuple[str, int]) -> socket.socket:
    """Ask over a socket that takes little."""
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, address)
    await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await loop.sock_recv(client, 15)).startswith(b"HTTP/1.1 200")
    return client


async def drained(client: socket.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(client, 1 << 20):
        pass


async def test_a_client_that_takes_nothing_is_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_AFTER", 0.4)
    app = Endless()
    async with served(app) as address:
        client = await asked(address)
        async with asyncio.timeout(PATIENCE):
            await app.ended.wait()
        assert app.running == 0
        assert app.made < 200  # what the sockets of both ends hold, and no more
        with pytest.raises(ConnectionResetError):
            await drained(client)
        client.close()


async def test_a_client_that_is_slow_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_AFTER", 2.0)
    app = Endless()
    async with served(app) as address:
        client = await asked(address)
        for _ in range(40):  # twice as long, some of it each time
            await asyncio.get_running_loop().sock_recv(client, 1 << 20)
            await asyncio.sleep(0.1)
        assert app.running == 1
        client.close()
        async with asyncio.timeout(PATIENCE):
            await app.ended.wait()


async def test_a_client_that_goes_away_ends_its_answer() -> None:
    app = Endless()
    async with served(app) as address:
        clients = [await asked(address) for _ in range(20)]
        assert app.running == 20
        for client in clients:
            client.close()
        async with asyncio.timeout(PATIENCE):
            while app.running:  # noqa: ASYNC110 - one event for twenty would be set by the first
                await asyncio.sleep(0.01)
