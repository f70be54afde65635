"""Receivers that stall in each phase of an attempt, and what the administrator reads. No test measures time: the phase
that stalls has a short limit, all others a long one, and the words say which has passed.
"""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from kobza.call.directory import Endpoint
from kobza.config.settings import LOOPBACK
from kobza.webhooks.client import Client
from kobza.webhooks.limits import Limits
from kobza.webhooks.outcome import Outcome
from tests.support.authority import trusting
from tests.support.waiting import PATIENCE

LONG = Limits(*(PATIENCE,) * 7)
SHORT = 0.2

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Any:
    """Both event loops: they make their own TLS and their own sockets."""
    return request.param


async def post(url: str, limits: Limits, body: bytes = b"{}") -> Outcome:
    client = Client(allowed=LOOPBACK, limits=limits, now=time.time, tls=trusting)
    try:
        return await client.post(Endpoint("e", url, "remote-token", None), "event-1", body)
    finally:
        await client.close()


@asynccontextmanager
async def receiver(talk: Talk) -> AsyncIterator[str]:
    """A receiver that does as told with each connection, then stays silent until the end."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        await over.wait()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    over.set()
    server.close()


async def nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept, and never say a word."""


def saying(text: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(text)

    return talk


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name server that does not answer."""
    over = threading.Event()

    def lookup(*_arguments: object, **_options: object) -> list[object]:
        over.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield
    over.set()


@pytest.mark.usefixtures("silent_names")
def test_the_name(run: Any) -> None:
    outcome = run(post("http://crm.example.com/", replace(LONG, lookup=SHORT)))
    assert outcome.error == f"looking up the receiver's name took longer than {SHORT} s"
    assert (outcome.dead, outcome.address) == (True, None)


def test_the_connection(run: Any) -> None:
    async def scenario() -> Outcome:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            port = full.getsockname()[1]
            waiting = [socket.socket() for _ in range(3)]  # more than the queue takes: from now on nobody gets in
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            try:
                return await post(f"http://127.0.0.1:{port}/", replace(LONG, connect=SHORT))
            finally:
                for one in waiting:
                    one.close()

    assert run(scenario()).error == f"connecting took longer than {SHORT} s"


def test_the_handshake(run: Any) -> None:
    async def scenario() -> Outcome:
        async with receiver(nothing) as address:
            return await post(f"https://{address}/", replace(LONG, tls=SHORT))

    assert run(scenario()).error == f"the TLS handshake took longer than {SHORT} s"


@pytest.mark.filterwarnings("ignore:Sending a large body")
def test_the_request(run: Any) -> None:
    async def scenario() -> Outcome:
        with socket.socket() as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            listening.bind(("127.0.0.1", 0))
            listening.listen()  # the system accepts, and nobody reads
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            return await post(url, replace(LONG, send=SHORT), b"x" * 20_000_000)

    assert run(scenario()).error == f"sending the request took longer than {SHORT} s"


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nServer: slow"], ids=["nothing", "half a head"])
def test_the_answer(run: Any, begun: bytes) -> None:
    async def scenario() -> Outcome:
        async with receiver(saying(begun)) as address:
            return await post(f"http://{address}/", replace(LONG, answer=SHORT))

    outcome = run(scenario())
    assert outcome.error == f"waiting for the answer took longer than {SHORT} s"
    assert (outcome.status_code, outcome.address) == (None, "127.0.0.1")


def test_the_body_of_a_failure(run: Any) -> None:
    async def scenario() -> Outcome:
        head = b"HTTP/1.1 500 Oh no\r\nContent-Length: 100\r\nRetry-After: 7\r\n\r\n"
        async with receiver(saying(head + b"it broke")) as address:
            return await post(f"http://{address}/", replace(LONG, body=SHORT))

    outcome = run(scenario())
    words = f"the receiver answered HTTP 500; then reading the answer's body took longer than {SHORT} s"
    assert (outcome.error, outcome.response, outcome.retry_after) == (words, "it broke", 7)


def test_the_body_of_a_success(run: Any) -> None:
    """The receiver has taken the state: how it goes on changes nothing."""

    async def scenario() -> Outcome:
        async with receiver(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthank")) as address:
            return await post(f"http://{address}/", replace(LONG, body=SHORT))

    outcome = run(scenario())
    assert (outcome.taken, outcome.status_code, outcome.response) == (True, 200, "thank")


def test_all_of_it(run: Any) -> None:
    async def scenario() -> Outcome:
        async with receiver(nothing) as address:
            return await post(f"http://{address}/", replace(LONG, total=SHORT))

    words = f"the attempt took longer than {SHORT} s; the last of it was waiting for the answer"
    assert run(scenario()).error == words


def test_a_receiver_that_ends_in_the_handshake(run: Any) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def scenario() -> Outcome:
        async with receiver(hang_up) as address:
            return await post(f"https://{address}/", LONG)

    assert run(scenario()).error == "the receiver closed the connection during the TLS handshake"


def test_a_receiver_without_tls(run: Any) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def scenario() -> Outcome:
        async with receiver(refuse) as address:
            return await post(f"https://{address}/", LONG)

    assert run(scenario()).error == "TLS failed: the receiver does not speak TLS on this port"
