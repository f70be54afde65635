"""A webhook receiver for tests: a real HTTP server that keeps what it was sent and answers as it is told.

    async with WebhookSink() as sink:
        sink.answer(Status(500), Slow(0.2), Reset())     # the next three requests; then 200 again
        sink.otherwise = Status(503)                     # …or something else from then on
        …
        requests = await sink.wait_for(4)

For a program in another process the same works: set the webhook's URL to `sink.url`.
"""

import asyncio
import json
import ssl
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.support.waiting import PATIENCE


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    at: float
    """`time.time()` when all of it was there."""
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    json: Any = None
    """The decoded body; None when it is no JSON."""


@dataclass(frozen=True)
class Status:
    """Answers with a status."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Slow:
    """Answers 200 (or what is given) after so many seconds."""

    seconds: float
    then: Status = Status()


@dataclass(frozen=True)
class Reset:
    """Drops the connection without an answer."""


@dataclass(frozen=True)
class Hang:
    """Never answers; the connection stays open until the sink stops."""


@dataclass(frozen=True)
class Until:
    """Answers 200 once something has happened."""

    happened: asyncio.Event


Answer = Status | Slow | Reset | Hang | Until


def redirect(to: str) -> Status:
    """Return the answer that sends the client elsewhere."""
    return Status(307, {"Location": to})


def gone() -> Status:
    """Return the answer that switches an endpoint off."""
    return Status(410)


def retry_after(value: str, status: int = 503) -> Status:
    """Return a failure that asks for a wait."""
    return Status(status, {"Retry-After": value})


class WebhookSink:
    """The receiver. Use it as an asynchronous context manager."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.otherwise: Answer = Status()
        self.choose: Callable[[Received], Answer | None] | None = None
        """Asked for each request before anything else; None leaves it to the others."""
        self.in_flight = 0
        self.most_in_flight = 0
        self._peers: set[object] = set()
        self._answers: deque[Answer] = deque()
        self._arrived = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._host, self._port, self._tls = host, port, tls
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What to set as the webhook's URL; states come to `/hooks/callstate`."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}/hooks"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def connections(self) -> int:
        """How many connections requests have come over."""
        return len(self._peers)

    @property
    def states(self) -> list[dict[str, Any]]:
        """The bodies of all call states so far, in the order of their arrival, failed attempts included."""
        return [request.json for request in self.requests if request.path.endswith("/callstate")]

    def answer(self, *answers: Answer) -> None:
        """Answer the next requests like this, one each."""
        self._answers.extend(answers)

    async def wait_for(self, count: int, within: float = PATIENCE) -> list[Received]:
        """Wait until so many requests have come; fails with what came instead."""
        return await self.wait_until(lambda requests: len(requests) >= count, within, f"{count} requests")

    async def wait_until(
        self, condition: Callable[[list[Received]], bool], within: float = PATIENCE, what: str = "what was expected"
    ) -> list[Received]:
        """Wait until the requests so far fulfil a condition; fails with what came instead."""
        try:
            async with asyncio.timeout(within), self._arrived:
                await self._arrived.wait_for(lambda: condition(self.requests))
        except TimeoutError:
            seen = [request.json or request.path for request in self.requests]
            raise AssertionError(f"the sink waited {within} s for {what} and has {len(seen)}: {seen}") from None
        return list(self.requests)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername"))
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items()}
            received = Received(time.time(), request.path, headers, body, _decoded(body))
            answer = self._next_answer(received)
            self.requests.append(received)
            async with self._arrived:
                self._arrived.notify_all()
            return await self._carry_out(answer, request)
        finally:
            self.in_flight -= 1

    def _next_answer(self, received: Received) -> Answer:
        chosen = self.choose(received) if self.choose is not None else None
        if chosen is not None:
            return chosen
        return self._answers.popleft() if self._answers else self.otherwise

    async def _carry_out(self, answer: Answer, request: web.Request) -> web.StreamResponse:
        match answer:
            case Slow(seconds, then):
                await asyncio.sleep(seconds)
                return web.Response(status=then.status, headers=then.headers, body=then.body)
            case Reset():
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)
            case Until(happened):
                await happened.wait()
                return web.Response()
            case Hang():
                await self._stopping.wait()
                return web.Response(status=500)
            case Status(status, given, body):
                return web.Response(status=status, headers=given, body=body)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
