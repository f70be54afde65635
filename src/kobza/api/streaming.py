"""Answers that are sent while they are made, each chunk made only when the client has taken the one before."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Chunks = AsyncGenerator[bytes, None]


class StreamedResponse(Response):
    """An answer whose chunks come from what `make` returns.

    The first chunk is awaited before the status goes out, so that an error at the beginning is still a problem of its
    own. A client that goes away closes the chunks' generator; one that takes nothing is the connection's affair (see
    `kobza.api.connection`). HEAD makes nothing. One chunk waits here, and 64 KiB in the connection.
    """

    def __init__(
        self,
        make: Callable[[], Chunks],
        *,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers({"content-type": content_type, "cache-control": "no-store", **(headers or {})})
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        leaving = asyncio.create_task(_left(receive))
        sending = asyncio.create_task(_send_all(self._make(), start, send))
        try:
            await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.wait((leaving, sending))


async def _left(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_all(chunks: Chunks, start: dict[str, object], send: Send) -> None:
    """Send every chunk."""
    async with aclosing(chunks):
        chunk = await anext(chunks, None)
        await send(start)
        while chunk is not None:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await anext(chunks, None)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
