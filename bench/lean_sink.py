"""A webhook receiver that notes when each request was there and does no more: it must not be what limits a bench.

async with LeanSink() as sink:
    …set the webhook's URL to `sink.url`…
    await sink.until(2000)
    sink.arrivals[0].at
"""

import asyncio
import time
from types import TracebackType
from typing import NamedTuple, Self, cast

from httptools import HttpRequestParser

HOST = "127.0.0.1"
TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Arrival(NamedTuple):
    """One request as it came."""

    at: float
    """`time.time()` when all of it was there."""
    body: bytes


class LeanSink:
    """The receiver: it takes everything."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def until(self, count: int, *, silence: float = 30.0) -> None:
        """Wait until so many requests have come; raises SystemExit when none comes for `silence` seconds."""
        seen, since = len(self.arrivals), time.monotonic()
        while len(self.arrivals) < count:
            await asyncio.sleep(0.01)
            if len(self.arrivals) > seen:
                seen, since = len(self.arrivals), time.monotonic()
            elif time.monotonic() > since + silence:
                raise SystemExit(f"{seen} call states came, then none for {silence:g} s; {count} were expected")

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self.arrivals), HOST, 0)
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}/hooks"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()


class _Connection(asyncio.Protocol):
    """One connection; a client that sends the next request before the answer is answered all the same, in order."""

    def __init__(self, arrivals: list[Arrival]) -> None:
        self._arrivals = arrivals
        self._parser = HttpRequestParser(self)
        self._body = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    # What the parser calls

    def on_body(self, part: bytes) -> None:
        self._body += part

    def on_message_complete(self) -> None:
        self._arrivals.append(Arrival(time.time(), self._body))
        self._body = b""
        if self._transport is not None:
            self._transport.write(TAKEN)
