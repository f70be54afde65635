"""The journal of call states: pages of a real Kobza API, streams, deliveries."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse

from kobza.call.states import OwnerState, StateType
from kobza.client import AnswerNotUnderstood, AsyncKobza, Event, Kobza, TransportFailed
from kobza.client.sse import MAX_EVENT, EventStream, ServerSentEvent
from kobza.store import endpoints
from kobza.store.entries import AttemptStored, StateStored
from kobza.webhooks.exchange import Exchange, encode
from kobza.webhooks.payload import body
from tests.api.world import ALICE, BORYS, World
from tests.client.conftest import QUICK, Both
from tests.client.serving import BrokenOff, Cuts, Hurried, Recorder, Scripted, WithoutStream, account_of, served

pytestmark = pytest.mark.database("sqlite")  # it sees a server from outside: the API's tests try both stores


STATES = (StateType.ALERTING, StateType.ESTABLISHED, StateType.FINISHED)


def happen(world: World, leg: str, *sequences: int, owner: str = ALICE, owed: bool = False) -> None:
    """Store states of a leg."""
    entries = []
    for sequence in sequences:
        state = OwnerState(
            event_id=f"{leg}-{sequence}",
            call_id=f"call of {leg}",
            call_control_id=leg,
            sequence=sequence,
            state_type=STATES[sequence - 1],
            enterprise_id=world.own.enterprise_id,
            state_owner=owner,
            phone_number="+380501112233",
            call_direction="incoming",
            at=world.at - 10 + sequence,
        )
        entries.append(StateStored(state, owed, body(state)))
    world.journal.write(entries)


def names(events: list[Event]) -> list[str | None]:
    return [event.state.event_id for event in events]


def test_states_are_fetched_and_gone_on_from_a_cursor(kobza: Both, world: World) -> None:
    assert kobza.events() == []
    happen(world, "a", 1, 2, 3)
    events = kobza.events()
    assert names(events) == ["a-1", "a-2", "a-3"]
    state = events[2].state
    assert (state.state_owner, state.phone_number, state.call_direction) == ("0671111111", "0501112233", "incoming")
    assert state.occurred_at is not None
    assert state.occurred_at.timestamp() == world.at - 7
    happen(world, "b", 1)
    assert names(kobza.events(after=events[2].cursor)) == ["b-1"]
    assert kobza.newest_cursor() == kobza.events()[-1].cursor
    assert kobza.events(after=kobza.newest_cursor()) == []


def test_from_now_on(kobza: Both, world: World) -> None:
    happen(world, "a", 1, 2)
    assert kobza.events(after="now") == []
    assert kobza.newest_cursor() == "2"


def test_the_newest_cursor_of_a_server_that_knows_no_now(world: World) -> None:
    happen(world, "a", 1, 2)

    async def strict(scope: Any, receive: Any, send: Any) -> None:
        if b"after=now" in scope["query_string"]:
            await JSONResponse({"detail": "after must be a number"}, 400)(scope, receive, send)
        else:
            await world.app(scope, receive, send)

    with served(strict) as url, Kobza(url, *account_of(world), retries=QUICK) as client:
        assert client.newest_cursor() == "2"


@pytest.mark.parametrize("cut", range(1, 42))
def test_an_id_counts_when_its_event_is_whole(cut: int) -> None:
    """Cut off in the middle of an event, the stream is taken up before it; an id alone counts at once."""
    text = b"retry: 5\n\nid: 7\n\nid: 8\ndata: {}\n\nid: 9\nda"
    stream = EventStream(last_id="1")
    events = stream.feed(text[:cut])
    expected = "1" if cut < 17 else "7" if cut < 33 else "8"
    assert stream.last_id == expected
    assert len(events) == (cut >= 33)


def test_live_calls_are_those_without_an_end(kobza: Both, world: World) -> None:
    happen(world, "a", 1, 2, 3)
    happen(world, "b", 1, 2)
    happen(world, "c", 1, owner=BORYS)
    assert [(leg.call_control_id, leg.state_type) for leg in kobza.live_calls()] == [
        ("b", "established"),
        ("c", "alerting"),
    ]


def follow_few(kind: str, base: str, account: tuple[str, str], count: int, during: Any, **options: Any) -> list[Event]:
    """Follow until so many events have come; `during(n)` is called after the n-th."""
    got: list[Event] = []
    if kind == "blocking":
        with Kobza(base, *account, retries=QUICK, timeout=5) as client:
            for event in client.events(follow=True, poll=0.01, **options):
                got.append(event)
                during(len(got))
                if len(got) == count:
                    return got

    async def run() -> None:
        async with (
            AsyncKobza(base, *account, retries=QUICK, timeout=5) as client,
            aclosing(client.events(follow=True, poll=0.01, **options)) as events,
        ):
            async for event in events:
                got.append(event)
                during(len(got))
                if len(got) == count:
                    return

    if len(got) < count:
        asyncio.run(run())
    return got


def test_a_server_without_a_stream_is_asked_again_and_again(kind: str, world: World) -> None:
    happen(world, "a", 1)
    recorder = Recorder(WithoutStream(world.app))

    def more(count: int) -> None:
        if count < 3:
            happen(world, "a", count + 1)

    with served(recorder) as url:
        assert names(follow_few(kind, url, account_of(world), 3, more)) == ["a-1", "a-2", "a-3"]
    assert recorder.requests[0][2]["accept"].startswith("text/event-stream")
    assert len(recorder.requests) > 2


def test_the_servers_stream_is_followed(kind: str, url: str, world: World, recorder: Recorder) -> None:
    happen(world, "a", 1)

    def more(count: int) -> None:
        if count < 3:
            happen(world, "a", count + 1)

    events = follow_few(kind, url, account_of(world), 3, more)
    assert names(events) == ["a-1", "a-2", "a-3"]
    assert len(recorder.requests) == 1
    happen(world, "b", 1, 2)
    again = follow_few(kind, url, account_of(world), 3, lambda _: None, after=events[1].cursor)
    assert names(again) == ["a-3", "b-1", "b-2"]


def test_the_servers_stream_is_gone_on_with_after_every_cut(kind: str, world: World) -> None:
    cutting = Cuts(world.app, "/api/fmc/v1/events")
    cutting.after = [100, 700, 1100, 2000, 37, 3, 1500]
    for number in range(10):
        happen(world, f"l{number}", 1, 2)
    with served(Hurried(cutting)) as url:
        events = follow_few(kind, url, account_of(world), 20, lambda _: None)
    assert names(events) == [f"l{number}-{sequence}" for number in range(10) for sequence in (1, 2)]
    assert len(cutting.requests) >= 6
    assert cutting.requests[-1]["last-event-id"] in [event.cursor for event in events]


class Streaming:
    """An event stream that is cut after every few events and goes on behind Last-Event-ID, as the contract has it."""

    def __init__(self, total: int, at_once: int, *, broken: bool = False) -> None:
        self.total, self.at_once, self.broken = total, at_once, broken
        self.asked: list[tuple[str | None, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        last = headers.get("last-event-id")
        self.asked.append((last, scope["query_string"].decode()))
        assert headers["accept"].startswith("text/event-stream")
        begin = int(last or 0)
        raw = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        text = ": welcome\nretry: 5\n\n"
        for number in range(begin + 1, min(begin + self.at_once, self.total) + 1):
            state = {
                "call_id": "c",
                "call_control_id": "leg",
                "state_type": "alerting",
                "state_owner": "067",
                "phone_number": "068",
                "call_direction": "local",
                "event_id": f"e{number}",
            }
            text += f"id: {number}\nevent: callstate\ndata: {json.dumps(state)}\n\n"
        text += 'event: ping\ndata: {"now": 1}\n\n'
        if not self.total:
            raise BrokenOff
        for start in range(0, len(text), 7):
            piece = text[start : start + 7].encode()
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if self.broken:
            raise BrokenOff
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("broken", [False, True])
def test_a_stream_goes_on_behind_the_last_state_after_every_cut(kind: str, broken: bool) -> None:
    app = Streaming(7, 3, broken=broken)
    with served(app) as base:
        events = follow_few(kind, base, ("T", "I"), 7, lambda _: None)
    assert names(events) == [f"e{number}" for number in range(1, 8)]
    assert [event.cursor for event in events] == [str(number) for number in range(1, 8)]
    assert [last for last, _ in app.asked] == [None, "3", "6"]


def test_a_stream_that_brings_nothing_but_cuts_is_given_up(kind: str) -> None:
    app = Streaming(0, 0, broken=True)
    with served(app) as base, pytest.raises(TransportFailed):
        follow_few(kind, base, ("T", "I"), 1, lambda _: None)
    assert len(app.asked) == QUICK.most + 1


def test_a_quiet_stream_is_waited_for_even_by_an_impatient_client() -> None:
    asked: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["path"])
        raw = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": b": \n\n", "more_body": True})
        await asyncio.sleep(0.6)
        state = dict.fromkeys(("call_id", "call_control_id", "state_owner", "phone_number"), "x")
        data = json.dumps({**state, "state_type": "alerting", "call_direction": "local"})
        await send({"type": "http.response.body", "body": f"id: 1\ndata: {data}\n\n".encode()})

    with served(app) as base, Kobza(base, "T", "I", retries=QUICK, timeout=0.2) as client:
        assert next(iter(client.events(follow=True))).cursor == "1"
    assert len(asked) == 1


def test_deliveries_are_listed_replayed_and_recovered(kobza: Both, world: World) -> None:
    own = world.own.enterprise_id
    with world.store.write() as connection:
        endpoints.set(connection, own, "https://crm.example.com/hooks", "remote", None)
    happen(world, "a", 1, 2, 3, owed=True)
    found = kobza.deliveries()
    assert [delivery.state.event_id for delivery in found] == ["a-3", "a-2", "a-1"]
    assert {delivery.status for delivery in found} == {"pending"}
    assert found[0].due_at is not None
    assert found[0].attempts == ()
    started = world.at - 5
    world.journal.write(
        [
            AttemptStored(
                call_id="call of a",
                call_control_id="a",
                sequence=1,
                attempt=1,
                started_at=started,
                duration_ms=41,
                outcome="failed",
                status_code=500,
                error="the receiver answered HTTP 500",
                response="oops",
                exchange=encode(Exchange([], [], "1.1", 7, 40)),
            )
        ]
    )
    (failed,) = kobza.deliveries("failed")
    (attempt,) = failed.attempts
    assert (attempt.attempt, attempt.duration_ms, attempt.status_code, attempt.response) == (1, 41, 500, "oops")
    assert attempt.started_at == datetime.fromtimestamp(started, UTC)
    assert (attempt.http_version, attempt.connect_ms, attempt.first_byte_ms) == ("1.1", 7, 40)
    assert failed.curl is not None
    assert failed.curl.startswith("curl --include --request POST https://crm.example.com/hooks/callstate ")
    again = kobza.replay(found[0].id)
    assert (again.id, again.status) == (found[0].id, "pending")
    assert world.webhooks.rechecked == [own]
    since = datetime.fromtimestamp(world.at - 3600, UTC)
    assert kobza.recover(since) == 1
    assert kobza.replay_all(since) == 3
    assert kobza.replay_all(since, since) == 0
    assert kobza.activate_webhook() is False
    with world.store.write() as connection:
        endpoints.deactivate(connection, own, "410", int(world.at * 1000))
    assert kobza.activate_webhook(recover=False) is True


def test_many_deliveries_are_paged(kobza: Both, world: World, recorder: Recorder) -> None:
    with world.store.write() as connection:
        endpoints.set(connection, world.own.enterprise_id, "https://crm.example.com/hooks", "remote", None)
    for number in range(90):
        happen(world, f"l{number:02}", 1, 2, 3, owed=True)
    found = kobza.deliveries()
    assert len({delivery.id for delivery in found}) == len(found) == 270
    assert len(recorder.requests) == 2


def test_a_page_that_is_none(kind: str) -> None:
    for text in (b'{"events":7}', b'{"events":[{"call_id":"x"}]}', b"[]", b"x"):
        with served(Scripted((200, {}, text))) as base, pytest.raises(AnswerNotUnderstood):
            Both(kind, base, "T", "I").events()


EXAMPLE = (
    "\ufeff: comment\r\n\r\nevent: add\rdata: one\rdata:two\r\rid: 7\ndata\n\nid: nul\0l\nretry: 250\nretry: x\n"
    "data: привіт\n\nunknown: x\nid\ndata: last\n\ndata: unfinished"
).encode()
EVENTS = [
    ServerSentEvent(None, "add", "one\ntwo"),
    ServerSentEvent("7", "message", ""),
    ServerSentEvent("7", "message", "привіт"),
    ServerSentEvent("", "message", "last"),
]


@given(st.lists(st.integers(1, 40), max_size=60))
def test_events_are_the_same_however_the_bytes_come(cuts: list[int]) -> None:
    stream = EventStream()
    found: list[ServerSentEvent] = []
    at = 0
    for length in [*cuts, len(EXAMPLE)]:
        found += stream.feed(EXAMPLE[at : at + length])
        at += length
    assert found == EVENTS
    assert stream.retry == 0.25


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_no_bytes_break_the_reader(pieces: list[bytes]) -> None:
    stream = EventStream()
    for piece in pieces:
        for event in stream.feed(piece):
            assert isinstance(event, ServerSentEvent)


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: x\n" * 125])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    stream = EventStream()

    def feed_all() -> None:
        for _ in range(MAX_EVENT // 500):
            stream.feed(piece)

    with pytest.raises(AnswerNotUnderstood, match="too long"):
        feed_all()
