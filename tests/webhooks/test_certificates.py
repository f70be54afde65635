"""Receivers whose certificates are not good, and what the administrator reads of each."""

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import uvloop

from kobza.call.directory import Endpoint
from kobza.config.settings import LOOPBACK
from kobza.webhooks.client import Client
from kobza.webhooks.outcome import Outcome
from tests.support.authority import DAY, issued, serving, stranger, trusting

HOUR = timedelta(hours=1)


def self_signed() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    root = stranger()
    with root.cert_pem.tempfile() as certificate, root.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def posted(tls: Callable[[], ssl.SSLContext], host: str, run: Any, *, http2: bool = False) -> Outcome:
    """Post to a receiver that answers 204 to whoever gets through to it."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(b"HTTP/1.1 204 No Content\r\nServer: tls\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def scenario() -> Outcome:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls())
        client = Client(allowed=LOOPBACK, now=time.time, tls=trusting, http2=http2)
        try:
            url = f"https://{host}:{server.sockets[0].getsockname()[1]}/"
            return await client.post(Endpoint("e", url, "remote-token", None), "event-1", b"{}")
        finally:
            await client.close()
            server.close()

    outcome = run(scenario())
    assert isinstance(outcome, Outcome)
    return outcome


BAD: dict[str, tuple[Callable[[], ssl.SSLContext], str]] = {
    "expired": (lambda: serving(issued("127.0.0.1", since=-2 * DAY, until=-HOUR)), "it has expired"),
    "not yet valid": (lambda: serving(issued("127.0.0.1", since=HOUR)), "it is not valid yet"),
    "another's name": (lambda: serving(issued("crm.example.com")), "certificate is not valid for '127.0.0.1'"),
    "self-signed": (self_signed, "it is self-signed"),
    "unknown authority": (lambda: serving(issued("127.0.0.1", by=stranger())), "its issuer is not known here"),
}


@pytest.mark.parametrize("http2", [False, True], ids=["1.1", "2"])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_certificate(what: str, run: Any, http2: bool) -> None:
    tls, words = BAD[what]
    outcome = posted(tls, "127.0.0.1", run, http2=http2)
    assert outcome.error is not None
    assert outcome.error.startswith("the receiver's certificate is not good: ")
    assert words in outcome.error
    assert (outcome.dead, outcome.status_code) == (True, None)
    assert outcome.exchange is not None
    assert outcome.exchange.http is None
    assert "remote-token" not in str(outcome)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_good_certificate(run: Any, host: str) -> None:
    """By address and by name; and a receiver of HTTP/1.1 alone gets it also when HTTP/2 is offered."""
    for http2 in (False, True):
        outcome = posted(serving, host, run, http2=http2)
        assert (outcome.taken, outcome.address, outcome.error) == (True, "127.0.0.1", None)
        assert outcome.exchange is not None
        assert (outcome.exchange.response_headers[0], outcome.exchange.http) == (("Server", "tls"), "1.1")
        assert outcome.exchange.connect_ms is not None
        assert outcome.exchange.first_byte_ms is not None
        assert ("Authorization", "Bearer ***") in outcome.exchange.request_headers
