"""Call states over HTTP/2: to a server that others use (hypercorn), and to one that misbehaves as it is told."""

import asyncio
import base64
import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from kobza.call.directory import Endpoint
from kobza.config.settings import LOOPBACK
from kobza.pbx.journal import Journal
from kobza.webhooks.address import Network
from kobza.webhooks.client import Client
from kobza.webhooks.http2_connection import Http2Connection
from kobza.webhooks.limits import Limits
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.progress import KEPT_RESPONSE
from tests.support.authority import authority_file, files, trusting
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until
from tests.webhooks.conftest import Pbx, store
from tests.webhooks.h2_receiver import Script, receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
LONG = Limits(*(PATIENCE,) * 7)
SHORT = 0.2


def client_with(limits: Limits = LONG, allowed: Sequence[Network] = LOOPBACK) -> Client:
    return Client(allowed=allowed, now=time.time, tls=trusting, http2=True, limits=limits)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    running = client_with()
    yield running
    await running.close()


async def post(client: Client, url: str, body: bytes = b"{}", secret: str | None = None) -> Outcome:
    return await client.post(Endpoint("e", url, "remote-token", secret), "event-1", body)


class Application:
    """What hypercorn serves: keeps the requests, answers by their paths."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, Any], bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        self.requests.append((scope, body))
        status, answer = {"/large/callstate": (500, b"a" * 300_000), "/away/callstate": (307, b"")}.get(
            scope["path"], (200, b"thank you")
        )
        headers = [(b"retry-after", b"7"), (b"location", b"https://127.0.0.1/elsewhere")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[Application, str]]:
    certificate, key = files(tmp_path)
    config = hypercorn.config.Config()
    port = free_port()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile, config.keyfile = str(certificate), str(key)
    config.accesslog = config.errorlog = None
    over = asyncio.Event()
    application = Application()
    serving = asyncio.create_task(hypercorn.asyncio.serve(application, config, shutdown_trigger=over.wait))
    await until(lambda: listens(port), "hypercorn")
    yield application, f"https://127.0.0.1:{port}"
    over.set()
    await serving


async def test_states_to_a_server_of_others(client: Client, served: tuple[Application, str]) -> None:
    application, url = served
    outcome = await post(client, url + "/hooks?x=1", b'{"call_id":"c1"}', SECRET)
    assert (outcome.taken, outcome.status_code, outcome.response) == (True, 200, "thank you")
    assert (outcome.address, outcome.url) == ("127.0.0.1", url + "/hooks/callstate?x=1")
    assert outcome.exchange is not None
    assert outcome.exchange.http == "2"
    assert ("retry-after", "7") in outcome.exchange.response_headers
    assert None not in (outcome.exchange.connect_ms, outcome.exchange.first_byte_ms)
    [(scope, body)] = application.requests
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    assert (scope["http_version"], scope["method"], scope["query_string"]) == ("2", "POST", b"x=1")
    assert (headers["authorization"], headers["content-type"]) == ("Bearer remote-token", "application/json")
    assert Webhook(SECRET).verify(body, headers) == {"call_id": "c1"}

    outcomes = await asyncio.gather(*(post(client, url) for _ in range(50)))
    assert all(outcome.taken for outcome in outcomes)
    assert len({scope["client"] for scope, _ in application.requests}) == 1, "one connection carries all"

    away = await post(client, url + "/away")
    assert (away.status_code, "redirects" in str(away.error), len(application.requests)) == (307, True, 52)
    for _ in range(8):  # more than the window of the connection, if what is not read were not given back
        large = await post(client, url + "/large")
        assert (large.error, large.response) == ("the receiver answered HTTP 500", "a" * KEPT_RESPONSE)
        assert large.retry_after == 7
    assert len({scope["client"] for scope, _ in application.requests}) == 1


async def test_the_dispatcher_delivers_and_tries_again(
    pbx: Pbx, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost stream, a lost connection and an error are failures like others: the leg's order stays."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file(tmp_path)))
    tries: list[int] = []
    taken: list[int] = []

    def stumble(script: Script, stream_id: int) -> None:
        tries.append(stream_id)
        match len(tries):
            case 1:
                script.h2.reset_stream(stream_id, 2)
            case 2:
                assert script.transport is not None
                script.transport.abort()
            case 3:
                script.head(stream_id, "500", end=True)
            case _:
                taken.append(stream_id)
                script.head(stream_id, "200", end=True)

    async with receiver(stumble) as one:
        enterprise = pbx.enterprise(one.url)
        dispatcher = pbx.dispatcher(journal, http2=True)
        await dispatcher.start()
        await store(journal, [pbx.state(enterprise, "leg", sequence) for sequence in (1, 2, 3)], dispatcher)
        await until(lambda: {row[1] for row in pbx.rows()} == {"delivered"}, "the results in the store")
        assert [row[:2] for row in pbx.attempts("leg-1")] == [(1, None), (2, None), (3, 500), (4, 200)]
        assert len(taken) == 3
        await dispatcher.stop()


async def test_receivers_are_checked_as_over_http1() -> None:
    async with receiver() as one:
        careful = client_with(allowed=())
        outcome = await post(careful, one.url)
        await careful.close()
    assert outcome.error == "127.0.0.1 is a loopback address, which webhook_allow does not list"
    assert one.connections == []


async def test_many_at_once_open_one_connection(client: Client) -> None:
    async with receiver() as one:
        outcomes = await asyncio.gather(*(post(client, one.url) for _ in range(100)))
        assert all(outcome.taken for outcome in outcomes)
        assert len(one.connections) == 1


async def test_no_more_at_a_time_than_the_receiver_takes(client: Client) -> None:
    held: list[tuple[Script, int]] = []

    def answer_when_all_are_there(script: Script, stream_id: int) -> None:
        held.append((script, stream_id))
        if len(held) == 6:
            for one, each in held:
                one.head(each, "200", end=True)
                one.flush()

    async with receiver(answer_when_all_are_there, MAX_CONCURRENT_STREAMS=2) as one:
        outcomes = await asyncio.gather(*(post(client, one.url) for _ in range(6)))
        assert all(outcome.taken for outcome in outcomes)
        assert [len(script.requests()) for script in one.connections] == [2, 2, 2]


async def test_one_that_refuses_is_refused_for_all_that_wait(client: Client) -> None:
    async with receiver() as one:
        port = one.url.rpartition(":")[2].partition("/")[0]
        outcomes = await asyncio.gather(*(post(client, f"https://127.0.0.2:{port}/") for _ in range(5)))
    assert {outcome.error for outcome in outcomes} == {f"no connection: {os.strerror(errno.ECONNREFUSED)}"}


async def test_an_attempt_that_is_stopped_leaves_the_opening_to_another(client: Client) -> None:
    async with receiver(silent=True) as one:
        first = asyncio.create_task(post(client, one.url))
        await until(lambda: one.connections)
        second = asyncio.create_task(post(client, one.url))
        await asyncio.sleep(0)
        one.silent = False
        first.cancel()
        assert (await second).taken
        assert len(one.connections) == 2
        with pytest.raises(asyncio.CancelledError):
            await first


# Stalls


async def test_settings_that_do_not_come() -> None:
    async with receiver(silent=True) as one:
        client = client_with(replace(LONG, tls=SHORT))
        outcomes = await asyncio.gather(post(client, one.url), post(client, one.url))
        await client.close()
    words = f"waiting for the settings of HTTP/2 took longer than {SHORT} s"
    assert [outcome.error for outcome in outcomes] == [words, words]
    assert len(one.connections) == 1


async def test_no_room_for_the_request() -> None:
    async with receiver(INITIAL_WINDOW_SIZE=0) as one:
        client = client_with(replace(LONG, send=SHORT))
        outcome = await post(client, one.url)
        await client.close()
    assert outcome.error == f"sending the request took longer than {SHORT} s"


async def test_room_for_the_request_that_comes_later(client: Client) -> None:
    def widen(script: Script, _stream_id: int) -> None:
        script.head(1, "200", end=True)

    async with receiver(widen, INITIAL_WINDOW_SIZE=10) as one:
        sending = asyncio.create_task(post(client, one.url, b"x" * 200_000))
        await until(lambda: one.connections and one.connections[0].requests())
        one.connections[0].h2.update_settings({4: 65_000})  # then as the receiver reads
        one.connections[0].flush()
        assert (await sending).taken


async def test_an_answer_that_does_not_come_spares_the_others() -> None:
    answers: list[int] = []

    def first_only_hangs(script: Script, stream_id: int) -> None:
        if script is not one.connections[0]:
            script.head(stream_id, "200", end=True)
            return
        answers.append(stream_id)

    async with receiver(first_only_hangs) as one:
        client = client_with(replace(LONG, answer=SHORT))
        late = await post(client, one.url)
        assert late.error == f"waiting for the answer took longer than {SHORT} s"
        assert late.address == "127.0.0.1"
        assert (await post(client, one.url)).taken, "another connection: the first may be dead"
        await until(lambda: one.connections[0].transport is None, "the end of the first")
        await client.close()


@pytest.mark.parametrize("status", ["200", "503"])
async def test_a_body_that_does_not_end(status: str) -> None:
    def begin(script: Script, stream_id: int) -> None:
        script.head(stream_id, status)
        script.h2.send_data(stream_id, b"thank")

    async with receiver(begin) as one:
        client = client_with(replace(LONG, body=SHORT))
        outcome = await post(client, one.url)
        await client.close()
    late = f"the receiver answered HTTP 503; then reading the answer's body took longer than {SHORT} s"
    assert (outcome.response, outcome.error) == ("thank", None if status == "200" else late)


# Ends


async def test_a_stream_that_is_reset(client: Client) -> None:
    async with receiver(lambda script, stream_id: script.h2.reset_stream(stream_id, 2)) as one:
        outcome = await post(client, one.url)
        assert outcome.error == "the receiver broke the request off (INTERNAL_ERROR)"
        assert outcome.dead
        one.answer = lambda script, stream_id: script.head(stream_id, "200", end=True)
        assert (await post(client, one.url)).taken
        assert len(one.connections) == 1


async def test_a_stream_that_was_not_looked_at_is_sent_again(client: Client) -> None:
    def refuse_the_first(script: Script, stream_id: int) -> None:
        if stream_id == 1:
            script.h2.reset_stream(stream_id, 7)
        else:
            script.head(stream_id, "200", end=True)

    async with receiver(refuse_the_first) as one:
        assert (await post(client, one.url)).taken
        one.answer = lambda script, stream_id: script.h2.reset_stream(stream_id, 7)
        outcome = await post(client, one.url)
        assert outcome.error == "the receiver takes no request now (REFUSED_STREAM)"


async def test_a_receiver_that_goes_away(client: Client) -> None:
    """What it has begun is answered on the old connection, what it has not is sent again on a new one."""

    def go_after_two(script: Script, stream_id: int) -> None:
        if script is not one.connections[0]:
            script.head(stream_id, "201", end=True)
        elif len(script.requests()) == 3:
            script.goaway(last=3)
            for begun in (1, 3):
                script.head(begun, "200", end=True)

    async with receiver(go_after_two) as one:
        outcomes = await asyncio.gather(*(post(client, one.url) for _ in range(3)))
        assert [outcome.status_code for outcome in outcomes] == [200, 200, 201]
        await until(lambda: one.connections[0].transport is None, "the end of the first connection")


async def test_a_receiver_that_goes_away_with_an_error(client: Client) -> None:
    async with receiver(lambda script, _stream_id: script.goaway(last=0, code=11)) as one:
        outcome = await post(client, one.url)
        assert outcome.error == "the receiver closed the connection (ENHANCE_YOUR_CALM)"
        assert len(one.connections) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", "the receiver's answer is not HTTP/2"),
        (b"\x00\x00\x04\x01\x04\x00\x00\x00\x01\xff\xff\xff\xff", "the receiver's answer is not HTTP/2"),
        (b"\x00\x00\x01\x07\x00\x00\x00\x00\x00\x00", "the receiver's answer is not HTTP/2"),
    ],
    ids=["a frame too long", "headers of nonsense", "half a GOAWAY"],
)
async def test_a_receiver_that_talks_nonsense(client: Client, data: bytes, words: str) -> None:
    async with receiver(lambda script, _stream_id: script.raw(data)) as one:
        outcome = await post(client, one.url)
        assert outcome.error == words
        one.answer = lambda script, stream_id: script.head(stream_id, "200", end=True)
        assert (await post(client, one.url)).taken


async def test_a_connection_that_is_lost(client: Client) -> None:
    def drop(script: Script, _stream_id: int) -> None:
        assert script.transport is not None
        script.transport.abort()

    async with receiver(drop) as one:
        outcome = await post(client, one.url)
        assert outcome.error == "the receiver closed the connection without an answer"
        assert len(one.connections) == 1


async def test_an_unused_connection_is_closed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.webhooks.http2_connection.IDLE_SECONDS", 0.01)
    async with receiver() as one:
        assert (await post(client, one.url)).taken
        await until(lambda: one.connections[0].transport is None, "the end of the connection")
        assert (await post(client, one.url)).taken
        assert len(one.connections) == 2


class _Wire(asyncio.Transport):
    """A transport that leads nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self if name == "ssl_object" else None

    def selected_alpn_protocol(self) -> str:
        return "h2"

    def write(self, data: Any) -> None: ...

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed


frames = st.builds(
    lambda kind, flags, stream, payload: (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    ),
    st.integers(0, 12),
    st.sampled_from([0, 1, 4, 5, 255]),
    st.sampled_from([0, 1, 2, 3]),
    st.binary(max_size=40),
)


@given(st.lists(st.one_of(st.binary(max_size=60), frames), max_size=8))
def test_no_bytes_break_it(data: list[bytes]) -> None:
    async def scenario() -> None:
        connection = Http2Connection()
        connection.connection_made(_Wire())
        for part in data:
            connection.data_received(part)
        connection.connection_lost(None)

    asyncio.run(scenario())
