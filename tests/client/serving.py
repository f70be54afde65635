"""Real servers for the client's tests: an ASGI application behind uvicorn, in a thread of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from tests.api.world import World


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application on a free port; gives its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="served")
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive()


class Cuts:
    """ASGI middleware that breaks answers off: each item of `after` is the bytes that one answer gets through.

    The rest is never sent and the connection is closed, as when a network fails. Only for the path given.
    """

    def __init__(self, app: Any, path: str) -> None:
        self._app = app
        self._path = path
        self.after: list[int | None] = []
        self.requests: list[dict[str, str]] = []
        """The headers of the requests for the path."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        self.requests.append({name.decode(): value.decode() for name, value in scope["headers"]})
        left = self.after.pop(0) if self.after else None
        if left is None:
            await self._app(scope, receive, send)
            return
        room = left

        async def short(message: Any) -> None:
            nonlocal room
            if message["type"] == "http.response.body":
                body = message.get("body", b"")
                await send({"type": "http.response.body", "body": body[:room], "more_body": True})
                room -= len(body)
                if room <= 0:
                    raise BrokenOff
            else:
                await send(message)

        try:
            await self._app(scope, receive, short)
        except BaseExceptionGroup as group:
            if not group.subgroup(BrokenOff):
                raise
            raise BrokenOff from None


class BrokenOff(Exception):
    """Makes uvicorn drop the connection in the middle of the answer."""


async def break_off(send: Any) -> None:
    """Begin an answer and close the connection."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise BrokenOff


class Recorder:
    """ASGI middleware that keeps every request: method, path with query, headers, body."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = scope["query_string"].decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], scope["path"] + (f"?{query}" if query else ""), headers))
        await self._app(scope, receive, send)


Prepared = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


class WithoutStream:
    """ASGI middleware that hides the wish for a stream, as a server does that has none."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(name, b"*/*" if name == b"accept" else value) for name, value in scope["headers"]]
        await self._app({**scope, "headers": headers}, receive, send)


class Hurried:
    """ASGI middleware that has clients of event streams come back at once."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def hurry(message: Any) -> None:
            if message.get("body", b"").startswith(b"retry: "):
                _, end, rest = message["body"].partition(b"\n")
                message = {**message, "body": b"retry: 5" + end + rest}
            await send(message)

        await self._app(scope, receive, hurry)


class Scripted:
    """An ASGI application that gives prepared answers in turn; the last one for ever.

    For what no healthy Kobza does: overload, proxies, servers of others.
    """

    def __init__(self, *answers: Prepared) -> None:
        self._answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"] + "?" + scope["query_string"].decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], path, headers, body))
        status, given, answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if status == 0:  # the answer is lost on its way
            await break_off(send)
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})


def account_of(world: World) -> tuple[str, str]:
    """Return token and integrator id of the world's enterprise."""
    return world.own.fmc_token, world.own.integrator_id
