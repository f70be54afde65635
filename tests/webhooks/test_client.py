import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator

import pytest
from standardwebhooks import Webhook

from kobza.call.directory import Endpoint
from kobza.config.settings import LOOPBACK
from kobza.webhooks.client import Client
from kobza.webhooks.limits import Limits
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.progress import KEPT_RESPONSE
from tests.soak.uncollected import nothing_collected
from tests.support.sink import Hang, Reset, Slow, Status, WebhookSink, gone, redirect, retry_after

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"call_id":"c1"}'


@pytest.fixture
async def sink() -> AsyncIterator[WebhookSink]:
    async with WebhookSink() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    running = Client(allowed=LOOPBACK, limits=Limits(total=0.5), now=time.time)
    yield running
    await running.close()


def endpoint(url: str, secret: str | None = None) -> Endpoint:
    return Endpoint("e", url, "remote-token", secret)


async def test_a_state_as_the_contract_wants_it(client: Client, sink: WebhookSink) -> None:
    sink.answer(Status(202, body=b"thank you"))
    outcome = await client.post(endpoint(sink.url), "event-1", BODY)
    assert (outcome.taken, outcome.status_code, outcome.error, outcome.response) == (True, 202, None, "thank you")
    assert outcome.url == sink.url + "/callstate"
    [request] = sink.requests
    assert (request.path, request.body) == ("/hooks/callstate", BODY)
    assert request.headers["authorization"] == "Bearer remote-token"
    assert request.headers["content-type"] == "application/json"
    assert not [name for name in request.headers if name.startswith("webhook-")]


async def test_a_secret_signs_the_state(client: Client, sink: WebhookSink) -> None:
    await client.post(endpoint(sink.url, SECRET), "event-1", BODY)
    [request] = sink.requests
    assert Webhook(SECRET).verify(request.body, dict(request.headers)) == {"call_id": "c1"}
    assert request.headers["webhook-id"] == "event-1"


async def test_another_may_stand_in_the_receivers_place(sink: WebhookSink) -> None:
    """A sandbox's clock runs ahead: the signature names the receiver's time all the same."""
    client = Client(allowed=LOOPBACK, limits=Limits(total=5), now=lambda: 4e9, via=sink.url, signed_at=time.time)
    try:
        outcome = await client.post(endpoint("https://crm.example.com/x", SECRET), "event-1", BODY)
    finally:
        await client.close()
    [request] = sink.requests
    assert outcome.taken
    assert (outcome.url, outcome.started_at) == ("https://crm.example.com/x/callstate", 4e9)
    assert (request.path, request.headers["x-kobza-target"]) == ("/hooks", "https://crm.example.com/x/callstate")
    assert Webhook(SECRET).verify(request.body, dict(request.headers)) == {"call_id": "c1"}


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (Status(500), 500, "HTTP 500"),
        (Status(404), 404, "HTTP 404"),
        (redirect("/elsewhere"), 307, "redirects"),
        (Status(304), 304, "redirects"),
        (gone(), 410, "no more"),
        (Reset(), None, "closed the connection"),
        (Hang(), None, "waiting for the answer"),
        (Slow(3), None, "waiting for the answer"),
    ],
    ids=str,
)
async def test_failures_in_words(
    client: Client, sink: WebhookSink, answer: Status | Reset | Hang | Slow, status: int | None, words: str
) -> None:
    sink.answer(answer)
    outcome = await client.post(endpoint(sink.url), "event-1", BODY)
    assert not outcome.taken
    assert outcome.status_code == status
    assert words in (outcome.error or "")
    assert outcome.gone == (status == 410)
    assert len(sink.requests) == 1  # a redirect is not followed, a reset not repeated


async def test_a_receiver_may_ask_for_a_wait(client: Client, sink: WebhookSink) -> None:
    sink.answer(retry_after("120"))
    assert (await client.post(endpoint(sink.url), "event-1", BODY)).retry_after == 120


async def test_the_beginning_of_a_long_answer_is_kept(client: Client, sink: WebhookSink) -> None:
    sink.answer(Status(500, body=b"\xff" + b"a" * 100_000 + b"\0"))
    outcome = await client.post(endpoint(sink.url), "event-1", BODY)
    assert outcome.response == "\ufffd" + "a" * (KEPT_RESPONSE - 1)
    assert (await client.post(endpoint(sink.url), "event-1", BODY)).taken


async def test_connections_are_used_again(client: Client, sink: WebhookSink) -> None:
    sink.choose = lambda _request: Status(200, body=b"ok")
    for _ in range(5):
        await client.post(endpoint(sink.url), "event-1", BODY)
    assert len(sink.requests) == 5
    assert sink.connections == 1


async def test_an_attempt_leaves_nothing_for_the_collector(client: Client, sink: WebhookSink) -> None:
    with nothing_collected(("kobza.webhooks.", "asyncio.timeouts.")) as circles:
        for _ in range(3):
            await asyncio.create_task(client.post(endpoint(sink.url), "event-1", BODY))
    assert not circles
    assert len(sink.requests) == 3


async def test_private_addresses_are_refused_without_an_allow_list(sink: WebhookSink) -> None:
    careful = Client(allowed=(), limits=Limits(total=2), now=time.time)
    try:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            outcome = await careful.post(endpoint(f"http://{host}:{sink.port}/hooks"), "event-1", BODY)
            assert "loopback address" in (outcome.error or ""), host
        assert sink.requests == []
    finally:
        await careful.close()


async def test_a_name_that_changes_its_address_is_refused(sink: WebhookSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first lookup is public, the one of the connection is not."""
    answers = iter(["8.8.8.8", "127.0.0.1"])

    def lookup(*_arguments: object, **_options: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), sink.port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert socket.getaddrinfo("crm.example.com", 80)[0][4][0] == "8.8.8.8"
    careful = Client(allowed=(), limits=Limits(total=2), now=time.time)
    try:
        outcome = await careful.post(endpoint(f"http://crm.example.com:{sink.port}"), "event-1", BODY)
        assert "127.0.0.1 is a loopback address" in (outcome.error or "")
    finally:
        await careful.close()


async def test_nobody_listens(client: Client) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        outcome = await client.post(endpoint(f"http://127.0.0.1:{reserved.getsockname()[1]}"), "event-1", BODY)
    assert "no connection" in (outcome.error or "")


async def test_a_name_without_an_address(client: Client) -> None:
    outcome = await client.post(endpoint("http://no-such-host.invalid/"), "event-1", BODY)
    assert not outcome.taken
    assert outcome.error


async def test_an_answer_that_is_not_http(client: Client) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await client.post(endpoint(f"http://127.0.0.1:{port}"), "event-1", BODY)
    assert not outcome.taken
    assert outcome.status_code is None


async def test_a_secret_that_cannot_sign_is_a_failure_like_another(client: Client, sink: WebhookSink) -> None:
    outcome: Outcome = await client.post(endpoint(sink.url, "whsec_"), "event-1", BODY)
    assert not outcome.taken
    assert sink.requests == []
