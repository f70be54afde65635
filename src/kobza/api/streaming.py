"""Answers that are made in a thread while they are sent: memory stays flat and the loop that carries calls is free."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Final

import anyio
import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)

CHUNK: Final = 64 * 1024
"""Bytes handed to the connection at a time."""
CHUNKS_AHEAD: Final = 4
"""Chunks made before the client takes them: what one slow client may cost in memory."""
STALLED_AFTER: Final = 60.0
"""Seconds after which a client that takes nothing is given up, because its read holds the write-ahead log."""
EXPORTS_AT_ONCE: Final = 16
"""Threads for such answers; more of them wait in line. Their own limit, so that short reads never wait for them."""

Produce = Callable[[], Generator[bytes, None, None]]


class ExportThreads:
    """The threads in which streamed answers are made; one for each application."""

    def __init__(self, at_once: int = EXPORTS_AT_ONCE) -> None:
        self._at_once = at_once
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def limiter(self) -> anyio.CapacityLimiter:
        """The limit, made when the first answer needs it, because it belongs to the running loop."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._at_once)
        return self._limiter


def in_chunks(pieces: Iterable[str | bytes], size: int = CHUNK) -> Iterator[bytes]:
    """Join pieces to chunks of `size` bytes or a little more; the last one is what remains."""
    parts: list[bytes] = []
    length = 0
    for piece in pieces:
        part = piece.encode() if isinstance(piece, str) else piece
        parts.append(part)
        length += len(part)
        if length >= size:
            yield b"".join(parts)
            parts.clear()
            length = 0
    if parts:
        yield b"".join(parts)


class _HandOver:
    """The bounded way of chunks from the one thread that makes them, from first to last, to the loop that sends them.

    At the bound the thread waits. `cancel` ends it at its next chunk.
    """

    def __init__(self) -> None:
        self._chunks: deque[bytes | None] = deque()
        self._room = threading.Condition()
        self._cancelled = False
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._error: BaseException | None = None

    def run(self, produce: Produce) -> None:
        """In the thread: make all chunks. Database cursors are opened, used and closed in this one thread."""
        try:
            with closing(produce()) as chunks:
                for chunk in chunks:
                    if not self._put(chunk):
                        return
        except BaseException as error:  # noqa: BLE001 - carried to the loop and raised there
            self._error = error
        self._put(None)

    def _put(self, chunk: bytes | None) -> bool:
        with self._room:
            self._room.wait_for(lambda: self._cancelled or len(self._chunks) < CHUNKS_AHEAD)
            if self._cancelled:
                return False
            self._chunks.append(chunk)
        self._loop.call_soon_threadsafe(self._news.set)
        return True

    async def take(self) -> bytes | None:
        """In the loop: return the next chunk, None at the end. Raises what the thread raised."""
        while True:
            with self._room:
                if self._chunks:
                    chunk = self._chunks.popleft()
                    self._room.notify()
                    break
                self._news.clear()
            await self._news.wait()
        if chunk is None and self._error is not None:
            raise self._error
        return chunk

    def cancel(self) -> None:
        """In the loop: let the thread end, whatever it waits for."""
        with self._room:
            self._cancelled = True
            self._chunks.clear()
            self._room.notify()


class StreamedResponse(Response):
    """An answer made by `produce` in a thread of its own and sent chunk by chunk.

    The first chunk is awaited before the status goes out, so that an error at the beginning is still a 500. A client
    that goes away, or takes nothing for STALLED_AFTER seconds, ends the thread. HEAD makes nothing.
    """

    def __init__(
        self,
        produce: Produce,
        threads: ExportThreads,
        *,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers({"content-type": content_type, "cache-control": "no-store", **(headers or {})})
        self._produce = produce
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        hand_over = _HandOver()
        making = asyncio.create_task(
            anyio.to_thread.run_sync(hand_over.run, self._produce, limiter=self._threads.limiter)
        )
        leaving = asyncio.create_task(_left(receive))
        sending = asyncio.create_task(_send_all(hand_over, start, send))
        try:
            await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except TimeoutError:
            logger.info("gave up a client that took nothing of %s for %d s", scope["path"], STALLED_AFTER)
        finally:
            leaving.cancel()
            sending.cancel()
            hand_over.cancel()
            await asyncio.wait((making, leaving, sending))


async def _left(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_all(hand_over: _HandOver, start: dict[str, object], send: Send) -> None:
    """Send every chunk. Raises TimeoutError when the client takes nothing for too long."""
    chunk = await hand_over.take()
    await send(start)
    while chunk is not None:
        async with asyncio.timeout(STALLED_AFTER):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await hand_over.take()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
