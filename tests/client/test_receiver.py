"""Call states taken by real servers (wsgiref, uvicorn) from a real dispatcher of Kobza."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from types import MappingProxyType
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.validate import validator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Signer

from kobza.client import CallState
from kobza.client.inbox import SeenEvents
from kobza.client.receiver import AsgiReceiver, SignatureInvalid, StateMalformed, WsgiReceiver, parse_state, verify
from kobza.store import deliveries, endpoints, replays
from kobza.store.ids import new_id
from kobza.webhooks.dispatcher import Dispatcher
from kobza.webhooks.signing import signature_headers
from tests.client.serving import served
from tests.support.stores import empty_store
from tests.webhooks.conftest import Pbx, store, until

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
TOKEN = "remote-token"
"""As `Pbx` sets it."""
STATE = {
    "call_id": "c",
    "call_control_id": "leg",
    "state_type": "alerting",
    "state_owner": "0671234567",
    "phone_number": "0501112233",
    "call_direction": "incoming",
}


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class ThreadedServer(ThreadingMixIn, WSGIServer):
    daemon_threads = False
    block_on_close = True


@contextmanager
def wsgi_served(application: Any) -> Iterator[str]:
    """Serve a WSGI application with wsgiref, watched by its validator."""
    server = make_server("127.0.0.1", 0, validator(application), ThreadedServer, Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture(params=["wsgi", "asgi", "asgi in threads"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def receiver(kind: str, on_state: Callable[[CallState], object], **options: Any) -> Iterator[str]:
    """Serve a receiver; gives its base URL."""
    options = {"token": TOKEN, "secret": SECRET} | options
    if kind == "wsgi":
        with wsgi_served(WsgiReceiver(on_state, **options)) as base:
            yield base
        return

    async def on_state_async(state: CallState) -> None:
        on_state(state)

    with served(AsgiReceiver(on_state if "threads" in kind else on_state_async, **options)) as base:
        yield base


@pytest.fixture
async def pbx(tmp_path: Path) -> AsyncIterator[Pbx]:
    opened = empty_store(tmp_path / "kobza.db")
    yield Pbx(opened)
    opened.close()


class Sending:
    """A journal and a dispatcher as the PBX has them."""

    def __init__(self, pbx: Pbx) -> None:
        self.pbx = pbx
        self.journal = pbx.journal()

    async def __aenter__(self) -> "Sending":
        self.journal.start()
        self.dispatcher: Dispatcher = self.pbx.dispatcher(self.journal)
        await self.dispatcher.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispatcher.stop()
        await self.journal.stop()

    async def leg(self, enterprise: str, leg: str, *sequences: int) -> None:
        await store(self.journal, [self.pbx.state(enterprise, leg, each) for each in sequences], self.dispatcher)

    async def all_taken(self, count: int) -> None:
        def taken() -> bool:
            return [row[1] for row in self.pbx.rows()].count("delivered") == count

        await until(taken, f"{count} deliveries")


async def test_states_come_signed_and_in_order(kind: str, pbx: Pbx) -> None:
    got: list[CallState] = []
    with receiver(kind, got.append) as base:
        enterprise = pbx.enterprise(base + "/hooks", SECRET)
        async with Sending(pbx) as sending:
            await sending.leg(enterprise, "a", 1, 2, 3)
            await sending.all_taken(3)
    assert [(state.event_id, state.state_type) for state in got] == [
        ("a-1", "alerting"),
        ("a-2", "established"),
        ("a-3", "finished"),
    ]
    state = got[0]
    assert (state.call_id, state.call_control_id, state.sequence) == ("call of a", "a", 1)
    assert (state.state_owner, state.phone_number, state.call_direction) == ("0671234567", "0671234568", "incoming")
    assert state.occurred_at is not None
    assert abs(state.occurred_at.timestamp() - time.time()) < 60
    assert dict(state.more) == {}


async def test_what_could_not_be_dealt_with_comes_again(kind: str, pbx: Pbx, caplog: pytest.LogCaptureFixture) -> None:
    got: list[str | None] = []

    def on_state(state: CallState) -> None:
        got.append(state.event_id)
        if len(got) < 3:
            raise RuntimeError("the CRM's database is away")

    with receiver(kind, on_state) as base:
        enterprise = pbx.enterprise(base, SECRET)
        async with Sending(pbx) as sending:
            await sending.leg(enterprise, "a", 1, 2)
            await sending.all_taken(2)
    assert got == ["a-1", "a-1", "a-1", "a-2"]
    assert [attempt[1] for attempt in pbx.attempts("a-1")] == [500, 500, 204]
    assert "the CRM's database is away" in caplog.text


async def test_a_state_that_comes_twice_is_handed_on_once(kind: str, pbx: Pbx) -> None:
    got: list[str | None] = []
    with receiver(kind, lambda state: got.append(state.event_id)) as base:
        enterprise = pbx.enterprise(base, SECRET)
        async with Sending(pbx) as sending:
            await sending.leg(enterprise, "a", 1)
            await sending.all_taken(1)
            with pbx.store.write() as connection:
                (found,) = deliveries.list_for(connection, enterprise, limit=10)
                assert replays.replay(connection, enterprise, found.cursor) is not None
            sending.dispatcher.recheck(enterprise)
            await until(lambda: len(pbx.attempts("a-1")) == 2, "the replay")
    assert got == ["a-1"]
    assert [attempt[1] for attempt in pbx.attempts("a-1")] == [204, 204]


async def test_a_try_is_answered_and_not_handed_on(kind: str, pbx: Pbx) -> None:
    got: list[CallState] = []
    with receiver(kind, got.append) as base:
        enterprise = pbx.enterprise(base, SECRET)
        async with Sending(pbx) as sending:
            with pbx.store.read() as connection:
                endpoint = endpoints.get(connection, enterprise)
            assert endpoint is not None
            event_id = new_id()
            body = json.dumps(STATE | {"state_type": "test", "event_id": event_id}).encode()
            outcome = await sending.dispatcher.post(endpoint, event_id, body)
    assert (outcome.taken, outcome.status_code) == (True, 204)
    assert got == []


async def test_the_wrong_secret_is_refused(kind: str, pbx: Pbx) -> None:
    got: list[CallState] = []
    with receiver(kind, got.append) as base:
        enterprise = pbx.enterprise(base, OTHER)
        async with Sending(pbx) as sending:
            await sending.leg(enterprise, "a", 1)
            await until(lambda: len(pbx.attempts("a-1")) > 1, "attempts")
            assert {attempt[1] for attempt in pbx.attempts("a-1")} == {401}
            with pbx.store.write() as connection:  # set right, it is taken
                endpoints.set(connection, enterprise, base, TOKEN, SECRET)
            sending.dispatcher.recheck(enterprise)
            await sending.all_taken(1)
    assert [state.event_id for state in got] == ["a-1"]


async def test_a_secret_is_replaced_without_a_gap(kind: str, pbx: Pbx) -> None:
    got: list[str | None] = []
    with receiver(kind, lambda state: got.append(state.event_id), secret=[SECRET, OTHER]) as base:
        async with Sending(pbx) as sending:
            for leg, secret in (("a", SECRET), ("b", OTHER)):
                await sending.leg(pbx.enterprise(base, secret), leg, 1)
            await sending.all_taken(2)
    assert sorted(map(str, got)) == ["a-1", "b-1"]


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    headers = signature_headers(secret, "id", body, time.time() if at is None else at)
    return {"authorization": f"Bearer {TOKEN}"} | headers


BODY = json.dumps(STATE).encode()
LONG = json.dumps(STATE | {"client_state": "x" * 70_000}).encode()


class Asked(NamedTuple):
    """A request, signed when it is sent: a signature lasts five minutes, which the tests before may take."""

    body: bytes = BODY
    method: str = "POST"
    path: str = "/callstate"
    signed_body: bytes | None = None
    """What the signature is of, where that is something else."""
    signed_ago: float = 0.0
    """Seconds."""
    headers: Mapping[str, str | None] = MappingProxyType({})
    """Instead of those of the signature; None leaves one out."""

    def send(self, client: httpx.Client, base: str) -> httpx.Response:
        signed_body = self.body if self.signed_body is None else self.signed_body
        signature = signed(signed_body, at=time.time() - self.signed_ago)
        headers = {name: value for name, value in {**signature, **self.headers}.items() if value is not None}
        return client.request(self.method, base + self.path, headers=headers, content=self.body)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (Asked(), 204),
        (Asked(path="/hooks/callstate"), 204),
        (Asked(headers={"authorization": f"bearer  {TOKEN}"}), 204),
        (Asked(b"{}"), 400),
        (Asked(b"no json"), 400),
        (Asked(b""), 400),
        (Asked(b'{"call_id":[]}'), 400),
        (Asked(headers={"authorization": "Bearer other"}), 401),
        (Asked(headers={"authorization": "Basic x"}), 401),
        (Asked(headers=dict.fromkeys(("webhook-id", "webhook-timestamp", "webhook-signature"))), 401),
        (Asked(BODY + b" ", signed_body=BODY), 401),
        (Asked(signed_ago=600), 401),
        (Asked(headers={"webhook-signature": "v1,???"}), 401),
        (Asked(headers={"webhook-signature": "v1"}), 401),
        (Asked(path="/elsewhere"), 404),
        (Asked(b"", method="GET"), 405),
        (Asked(LONG), 413),
    ],
)
def test_each_answer(kind: str, asked: Asked, status: int) -> None:
    got: list[CallState] = []
    with receiver(kind, got.append) as base, httpx.Client(timeout=120) as client:
        answer = asked.send(client, base)
    assert answer.status_code == status, answer.text
    assert len(got) == (status == 204)
    assert bool(answer.text) == (status != 204)
    assert answer.headers.get("allow") == ("POST" if status == 405 else None)
    assert (status == 401 and "Bearer" in answer.text) == ("www-authenticate" in answer.headers)


def test_a_long_body_without_a_length(kind: str) -> None:
    """Only ASGI servers take such bodies; wsgiref gives an empty one."""
    got: list[CallState] = []

    def pieces() -> Iterator[bytes]:
        yield LONG[:40_000]
        yield LONG[40_000:]

    with receiver(kind, got.append) as base, httpx.Client(timeout=120) as client:
        answer = client.post(base + "/callstate", headers=signed(LONG), content=pieces())
    assert answer.status_code == (401 if kind == "wsgi" else 413)
    assert got == []


@pytest.mark.parametrize("kind", ["wsgi", "asgi in threads"])
def test_a_state_that_is_being_dealt_with_comes_later(kind: str) -> None:
    body = json.dumps(STATE | {"event_id": "e"}).encode()
    begun, go_on = threading.Event(), threading.Event()
    got: list[CallState] = []

    def on_state(state: CallState) -> None:
        begun.set()
        assert go_on.wait(10)
        got.append(state)

    with receiver(kind, on_state) as base, httpx.Client(timeout=120) as client:
        answers: list[int] = []
        first = threading.Thread(
            target=lambda: answers.append(
                client.post(base + "/callstate", headers=signed(body), content=body).status_code
            )
        )
        first.start()
        assert begun.wait(10)
        second = client.post(base + "/callstate", headers=signed(body), content=body)
        go_on.set()
        first.join(10)
        third = client.post(base + "/callstate", headers=signed(body), content=body)
    assert (second.status_code, second.headers["retry-after"]) == (503, "5")
    assert (answers, third.status_code, len(got)) == ([204], 204, 1)


def test_a_receiver_that_anybody_could_post_to_is_refused() -> None:
    for application in (WsgiReceiver, AsgiReceiver):
        with pytest.raises(ValueError, match="anybody"):
            application(print)
        with pytest.raises(ValueError, match="whsec_"):
            application(print, secret="whsec_ключ")
        shown = repr(application(print, token="T0ken", secret=SECRET))
        assert "T0ken" not in shown
        assert SECRET not in shown
    with receiver("wsgi", print, token=None, secret=None, allow_anyone=True) as base:
        assert httpx.post(base + "/callstate", content=BODY).status_code == 204


async def test_it_lives_and_dies_with_its_server() -> None:
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    application = AsgiReceiver(print, token="T")
    await application({"type": "lifespan"}, receive, send)
    await application({"type": "websocket"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete", "websocket.close"]


async def test_a_client_that_goes_away_leaves_nothing() -> None:
    got: list[CallState] = []
    application = AsgiReceiver(got.append, allow_anyone=True)
    scope = {"type": "http", "method": "POST", "path": "/callstate", "headers": []}

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await application(scope, gone, send)
    assert got == []

    async def whole() -> Any:
        return {"type": "http.request", "body": json.dumps(STATE | {"event_id": "e"}).encode()}

    async def endless(_: CallState) -> None:
        await asyncio.Event().wait()

    stuck = AsgiReceiver(endless, allow_anyone=True)
    task = asyncio.create_task(stuck(scope, whole, send))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stuck._seen.begin("e") == "new"  # it may come again


def test_the_window_of_known_events_is_bounded() -> None:
    seen = SeenEvents(3)
    for number in range(10):
        assert seen.begin(f"{number}") == "new"
        seen.end(f"{number}", dealt_with=True)
    assert len(seen._seen) == 3
    assert seen._busy == set()
    assert [seen.begin(f"{number}") for number in (7, 9, 6)] == ["seen", "seen", "new"]


def test_the_operators_states_have_no_ids() -> None:
    state = parse_state(BODY)
    assert (state.event_id, state.sequence, state.occurred_at, state.cause) == (None, None, None, None)
    assert dict(parse_state(json.dumps(STATE | {"colour": "red"}).encode()).more) == {"colour": "red"}


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(lambda x: json.dumps(x).encode()))
def test_no_body_is_taken_for_a_state(body: bytes) -> None:
    with pytest.raises(StateMalformed):
        parse_state(body)


@given(
    st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary()
)
def test_no_headers_pass_for_a_signature(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        verify(headers, body, SECRET)


def test_what_others_sign_is_verified() -> None:
    """The reference implementation on the other side."""
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    signature = Signer(SECRET).sign("msg_1", now, "тіло")
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": f"v1a,{base64.b64encode(b'x').decode()} {signature}",
    }
    verify(headers, "тіло".encode(), [OTHER, SECRET])
    with pytest.raises(ValueError, match="no secret"):
        verify(headers, b"", [])
