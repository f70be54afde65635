"""The receiver of call states as a WSGI and as an ASGI application."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from kobza.client.inbox import Receiver, Reply
from kobza.client.models import CallState

logger = logging.getLogger(__name__)

CHUNK: Final = 64 * 1024
DRAINED: Final = 16 * CHUNK
"""Bytes of a refused body that are read and thrown away, so that the client gets to read the refusal."""

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Message = MutableMapping[str, Any]


class WsgiReceiver(Receiver):
    """A WSGI application that hands call states to `on_state`, which may be called by several threads at once.

    Answers 204 when it returns and 500 when it raises, upon which the state comes again. Give it to any WSGI server, or
    mount it where your framework mounts such applications; the rest is `Receiver`.
    """

    def __init__(self, on_state: Callable[[CallState], object], **options: Any) -> None:
        super().__init__(**options)
        self._on_state = on_state

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        reply = self._reply(environ)
        body = _body_of(reply)
        phrase = HTTPStatus(reply.status).phrase
        start_response(f"{reply.status} {phrase}", [*reply.headers, *_headers_of(reply, body)])
        return [body]

    def _reply(self, environ: dict[str, Any]) -> Reply:
        headers = {
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        }
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        length = _length(environ.get("CONTENT_LENGTH"))
        refusal = self.refuse_early(environ["REQUEST_METHOD"], path, headers, length)
        # Without a length the input must not be read, unless the server says that it has an end.
        limit = DRAINED if length is None and environ.get("wsgi.input_terminated") else min(length or 0, DRAINED)
        if refusal is not None:
            while limit > 0 and (piece := environ["wsgi.input"].read(min(CHUNK, limit))):
                limit -= len(piece)
            return refusal
        taken = self.take(headers, environ["wsgi.input"].read(min(limit, self.max_body + 1)))
        if isinstance(taken, Reply):
            return taken
        try:
            self._on_state(taken)
        except Exception:
            logger.exception("the state %s of %s could not be dealt with", taken.state_type, taken.call_control_id)
            return self.failed(taken)
        except BaseException:
            self.failed(taken)
            raise
        return self.done(taken)


class AsgiReceiver(Receiver):
    """An ASGI application that hands call states to `on_state`: a coroutine function, or a function for a thread.

    Answers 204 when it returns and 500 when it raises, upon which the state comes again. Give it to any ASGI server, or
    mount it: `Mount("/hooks", AsgiReceiver(…))`. The rest is `Receiver`.
    """

    def __init__(
        self, on_state: Callable[[CallState], Awaitable[object]] | Callable[[CallState], object], **options: Any
    ) -> None:
        super().__init__(**options)
        self._on_state = on_state
        self._is_async = inspect.iscoroutinefunction(on_state) or inspect.iscoroutinefunction(
            getattr(on_state, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
        )

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        reply = await self._reply(scope, receive)
        if reply is None:
            return
        body = _body_of(reply)
        headers = [
            (name.lower().encode(), value.encode()) for name, value in (*reply.headers, *_headers_of(reply, body))
        ]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _reply(self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Message]]) -> Reply | None:
        """Return what to answer, None when the client went away before it had said all."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self.refuse_early(scope["method"], scope["path"], headers, _length(headers.get("content-length")))
        if refusal is not None:
            return refusal
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.max_body:
                return self.too_long()
        taken = self.take(headers, bytes(body))
        if isinstance(taken, Reply):
            return taken
        try:
            if self._is_async:
                await self._on_state(taken)  # type: ignore[misc]
            else:
                await asyncio.to_thread(self._on_state, taken)
        except Exception:
            logger.exception("the state %s of %s could not be dealt with", taken.state_type, taken.call_control_id)
            return self.failed(taken)
        except BaseException:
            self.failed(taken)
            raise
        return self.done(taken)


async def _live(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    """Agree to be started and stopped."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _length(header: str | None) -> int | None:
    return int(header[:18]) if header and header.isascii() and header.isdigit() else None


def _body_of(reply: Reply) -> bytes:
    return f"{reply.text}\n".encode() if reply.text else b""


def _headers_of(reply: Reply, body: bytes) -> list[tuple[str, str]]:
    if reply.status == HTTPStatus.NO_CONTENT:
        return []
    return [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
