"""`GET /v1/events` as a live stream, over real sockets: live, cut, slow, left, stopped, revoked."""

import asyncio
import logging
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from kobza.api import connection
from kobza.api.event_streams import EventStreams
from kobza.api.fmc.event_following import PAGE
from kobza.api.fmc.event_stream import wants_stream
from kobza.call.states import OwnerState, StateType
from kobza.client.sse import EventStream, ServerSentEvent
from kobza.pbx.journal import Journal
from kobza.store import events, tokens
from kobza.store.entries import StateStored
from kobza.webhooks.payload import body
from tests.api.world import ALICE, OUTSIDE, World
from tests.support.waiting import PATIENCE

NEVER = 3600.0
RESET = struct.pack("ii", 1, 0)


def stored(world: World, number: int, **changes: Any) -> StateStored:
    values: dict[str, Any] = {
        "event_id": f"e{number}",
        "call_id": f"call{number}",
        "call_control_id": f"leg{number}",
        "sequence": 1,
        "state_type": StateType.ALERTING,
        "enterprise_id": world.own.enterprise_id,
        "state_owner": ALICE,
        "phone_number": OUTSIDE,
        "call_direction": "incoming",
        "at": world.at,
        "client_state": "замовлення\r\n7",
    }
    state = OwnerState(**{**values, **changes})
    return StateStored(state, owed_to_endpoint=False, payload=body(state))


class Office:
    """The world's application behind a real socket, with the journal that tells of commits."""

    def __init__(self, world: World, streams: EventStreams) -> None:
        self.world = world
        self.streams = streams
        self.journal = Journal(world.store.place, now=lambda: world.at, on_failure=lambda failure: None)
        self.server = uvicorn.Server(
            uvicorn.Config(
                world.build(event_streams=streams),
                host="127.0.0.1",
                port=0,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=6,
                **connection.http_options(heartbeat=streams.heartbeat),
            )
        )
        self.address = ("", 0)

    def happen(self, *states: StateStored) -> None:
        self.journal.append(states, lambda: self.streams.stored(states))

    async def flushed(self) -> None:
        done = asyncio.Event()
        self.journal.append([], done.set)
        async with asyncio.timeout(PATIENCE):
            await done.wait()

    async def kept(self) -> list[tuple[str, bytes]]:
        """Return all that is stored, as (cursor, document)."""
        await self.flushed()
        with self.world.store.read() as conn:
            found = events.after(conn, self.world.own.enterprise_id, 0, 1_000_000)
        return [(str(event.cursor), event.payload) for event in found]

    def request(self, token: str | None = None, last: str | None = None, **query: str) -> bytes:
        values = urlencode({"integrator_id": self.world.own.integrator_id, **query})
        lines = [
            f"GET /api/fmc/v1/events?{values} HTTP/1.1",
            "Host: kobza",
            f"Authorization: Bearer {token or self.world.own.fmc_token}",
            "Accept: text/event-stream",
            *([f"Last-Event-ID: {last}"] if last is not None else []),
        ]
        return "\r\n".join((*lines, "", "")).encode()

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator["Reader"]:
        reader = Reader(*await asyncio.open_connection(*self.address))
        try:
            reader.writer.write(self.request(**options))
            reader.head = await reader.until(b"\r\n\r\n")
            yield reader
        finally:
            reader.writer.close()

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.streams.count != count:  # noqa: ASYNC110 - nothing sets an event for it
                await asyncio.sleep(0.005)


class Reader:
    """The client's end of a stream: takes the chunks of HTTP apart, then the events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = b""
        self.text = b""
        self.ended = False
        self.events: list[ServerSentEvent] = []
        self._stream = EventStream()

    async def until(self, end: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(end)

    async def piece(self) -> None:
        """Read one chunk."""
        length = int(await self.until(b"\r\n"), 16)
        async with asyncio.timeout(PATIENCE):
            data = (await self.reader.readexactly(length + 2))[:-2]
        self.ended = not data
        self.text += data
        self.events += self._stream.feed(data)

    async def read(self, count: int) -> list[ServerSentEvent]:
        """Read until so many events are there."""
        while len(self.events) < count:
            assert not self.ended, self.text
            await self.piece()
        return self.events

    async def to_end(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            while not self.ended:
                await self.piece()
        return self.text


def pairs(found: list[ServerSentEvent]) -> list[tuple[str | None, bytes]]:
    return [(event.id, event.data.encode()) for event in found]


@asynccontextmanager
async def serving(world: World, **options: Any) -> AsyncIterator[Office]:
    office = Office(world, EventStreams(**{"look_every": NEVER, "heartbeat": NEVER, **options}))
    office.journal.start()
    office.server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(office.server._serve())
    while not office.server.started:
        assert not task.done()
        await asyncio.sleep(0.01)
    office.address = office.server.servers[0].sockets[0].getsockname()[:2]
    try:
        yield office
    finally:
        office.streams.stop()
        office.server.should_exit = True
        await task
        assert await office.journal.stop() == 0
        assert office.streams.count == 0


async def test_states_come_as_soon_as_they_are_stored_and_as_they_are_posted(world: World) -> None:
    async with serving(world) as office, office.opened() as reader:
        assert b" 200 " in reader.head
        assert b"content-type: text/event-stream\r\n" in reader.head
        assert b"ratelimit: " in reader.head
        await reader.piece()
        assert reader.text.startswith(b"retry: ")
        for number in range(1, 6):  # nothing but the journal's word makes the stream look
            state = stored(world, number)
            office.happen(stored(world, -number, enterprise_id=world.other.enterprise_id))
            office.happen(state)
            (*_, last) = await reader.read(number)
            assert (last.event, last.data.encode()) == ("alerting", state.payload)
        assert pairs(reader.events) == await office.kept()


async def test_from_now_on(world: World) -> None:
    world.journal.write([stored(world, number) for number in (1, 2)])
    async with serving(world) as office:
        ((_, _), (newest, _)) = await office.kept()
        async with office.opened(after="now") as reader:
            await reader.piece()
            assert reader.text.endswith(b"\n\nid: 2\n\n")  # cut off now, it comes back to here
            assert reader._stream.last_id == newest == "2"
            office.happen(stored(world, 3))
            assert pairs(await reader.read(1)) == (await office.kept())[2:]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{office.address[1]}") as client:
            query = {"integrator_id": world.own.integrator_id, "after": "now"}
            answer = await client.get("/api/fmc/v1/events", params=query, headers=world.bearer)
            assert answer.json() == {"events": [], "next_cursor": "3"}
            answer = await client.get("/api/fmc/v1/events", params={**query, "after": "later"}, headers=world.bearer)
            assert (answer.status_code, answer.json()["parameter"]) == (400, "after")


async def test_what_another_process_stores_is_found_by_looking(world: World) -> None:
    async with serving(world, look_every=0.02) as office, office.opened() as reader:
        await reader.piece()
        world.journal.write([stored(world, 1)])
        assert pairs(await reader.read(1)) == await office.kept()


async def test_without_asking_for_a_stream_the_pages_stay(world: World) -> None:
    world.journal.write([stored(world, 1)])
    async with serving(world) as office, httpx.AsyncClient(base_url=f"http://127.0.0.1:{office.address[1]}") as client:
        for accept in ("*/*", "application/json", "text/event-stream;q=0.4, application/json"):
            answer = await client.get(
                "/api/fmc/v1/events",
                params={"integrator_id": world.own.integrator_id},
                headers={**world.bearer, "accept": accept},
            )
            assert answer.headers["vary"] == "Accept"
            assert len(answer.json()["events"]) == 1


async def test_nothing_is_lost_or_doubled_however_often_the_stream_is_cut(world: World) -> None:
    chance = random.Random(17)
    total = 1500

    async def write(office: Office) -> None:
        number = 0
        while number < total:
            group = range(number, min(total, number + chance.randint(1, 40)))
            office.happen(*(stored(world, each) for each in group))
            number = group.stop
            await asyncio.sleep(chance.random() * 0.02)

    async with serving(world) as office:
        writing = asyncio.create_task(write(office))
        got: list[tuple[str | None, bytes]] = []
        cuts = 0
        while len(got) < total:
            last = got[-1][0] if got else None
            stream = EventStream(last_id=last)
            async with office.opened(last=last) as reader:
                left = chance.randint(1, 60_000)  # bytes until the cut, in the middle of an event mostly
                while left > 0 and len(got) < total:
                    size = int(await reader.until(b"\r\n"), 16)
                    part = await reader.reader.readexactly(min(size, left))
                    left -= size
                    got += [(event.id, event.data.encode()) for event in stream.feed(part)]
                    if left > 0:
                        await reader.until(b"\r\n")
                if chance.random() < 0.5:
                    plain = reader.writer.get_extra_info("socket")
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                reader.writer.transport.abort()
            cuts += 1
        await writing
        assert got == await office.kept()
        assert cuts > 10
        await office.until_open(0)


async def test_who_takes_nothing_is_read_for_no_further_and_holds_up_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = 8000  # about 4 MB
    pages = 0
    after = events.after

    def counted(*arguments: Any) -> Any:
        nonlocal pages
        pages += 1
        return after(*arguments)

    world.journal.write([stored(world, number) for number in range(total)])
    async with serving(world) as office:
        monkeypatch.setattr(events, "after", counted)
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, office.address)
        await loop.sock_sendall(slow, office.request())
        before = -1
        while before != pages:  # until no more is read for it
            before = pages
            await asyncio.sleep(0.3)
        assert 0 < pages < 30
        async with office.opened() as quick:
            assert pairs(await quick.read(total)) == await office.kept()
            office.happen(stored(world, total))
            assert len(await quick.read(total + 1)) == total + 1
        assert pages < total // PAGE + 40
        reader = Reader(*await asyncio.open_connection(sock=slow))
        await reader.until(b"\r\n\r\n")
        assert pairs(await reader.read(total + 1)) == await office.kept()
        reader.writer.close()


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
async def test_who_goes_away_frees_everything(world: World, reset: bool) -> None:
    async with serving(world) as office:
        for _ in range(30):
            async with office.opened() as reader:
                await reader.piece()
                assert office.streams.count >= 1
                if reset:
                    plain = reader.writer.get_extra_info("socket")
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await office.until_open(0)
        assert office.streams._waiting == {}
        assert office.server.server_state.tasks == set()


async def test_the_server_stops_with_streams_open(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "STOPPING_AFTER", 0.3)
    world.journal.write([stored(world, number) for number in range(8000)])
    stalled = socket.socket()
    async with serving(world) as office, office.opened(after="8000") as reader:
        await reader.piece()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stalled, office.address)
        await asyncio.get_running_loop().sock_sendall(stalled, office.request())
        await office.until_open(2)
        await asyncio.sleep(0.3)
        office.streams.stop()
        office.server.should_exit = True
        assert (await reader.to_end()).endswith(b": the server stops\n\n")
        with pytest.raises(Exception, match="stopping"), office.streams.opened("any"):
            pass
    stalled.close()
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_token_that_is_revoked_ends_its_streams(world: World) -> None:
    async with serving(world, heartbeat=0.05) as office:
        async with office.opened() as reader, office.opened() as busy:
            await reader.piece()
            await reader.piece()
            assert reader.text.endswith(b"\n\n: \n\n")
            with world.store.write() as conn:
                (token,) = tokens.list_for(conn, world.own.enterprise_id)
                tokens.revoke(conn, world.own.enterprise_id, token.token_id, int(world.at * 1000))
            assert (await reader.to_end()).endswith(b": the token is not valid any more\n\n")
            assert (await busy.to_end()).endswith(b": the token is not valid any more\n\n")
        async with office.opened() as reader:
            assert reader.head.startswith(b"HTTP/1.1 403 ")


async def test_so_many_streams_and_no_more(world: World) -> None:
    async with serving(world, most=3, most_of_enterprise=2) as office:
        async with office.opened() as first, office.opened() as second:
            await first.piece()
            await second.piece()
            async with office.opened() as third:
                assert third.head.startswith(b"HTTP/1.1 429 ")
                assert b"retry-after: 5\r\n" in third.head
                assert b'"code":"too_many_streams"' in await third.until(b"}")
            other = world.other
            there = {"token": other.fmc_token, "integrator_id": other.integrator_id}
            async with office.opened(**there) as fourth:
                await fourth.piece()
                async with office.opened(**there) as fifth:
                    assert fifth.head.startswith(b"HTTP/1.1 503 ")
                    assert b'"code":"unavailable"' in await fifth.until(b"}")
        await office.until_open(0)
        async with office.opened() as again:
            await again.piece()


async def test_a_cursor_that_is_too_old_says_so_and_goes_on_with_the_oldest(world: World) -> None:
    old = [stored(world, number, at=world.at - 8 * 86_400) for number in (1, 2)]
    world.journal.write([*old, *(stored(world, number) for number in (3, 4, 5))])
    async with serving(world) as office:
        (first, *_, fourth, _) = [cursor for cursor, _ in await office.kept()]
        async with office.opened(last=first) as reader:
            gap, third, *_ = await reader.read(4)
            assert (gap.event, gap.data, gap.id) == ("gap", f'{{"after":"{first}"}}', None)
            assert third.data.encode() == stored(world, 3).payload
        async with office.opened(after=first, last=fourth) as reader:  # the header goes before
            assert [event.data.encode() for event in await reader.read(1)] == [stored(world, 5).payload]
        async with office.opened(last="999999") as reader:  # of a store that was replaced by an older copy
            assert [event.event for event in await reader.read(4)] == ["gap", "alerting", "alerting", "alerting"]
        async with office.opened() as reader:
            assert [event.event for event in await reader.read(3)] == ["alerting"] * 3


@pytest.mark.parametrize("last", ["x", "-1", "1" * 19, "1 2", "0x10", ""])
async def test_a_cursor_that_is_none(world: World, last: str) -> None:
    async with serving(world) as office, office.opened(last=last) as reader:
        assert reader.head.startswith(b"HTTP/1.1 400 ")
        assert b'"parameter":"Last-Event-ID"' in await reader.until(b"}")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("text/event-stream", True),
        ("TEXT/Event-Stream ; q=0.1", True),
        ("text/event-stream;q=0", False),
        ("text/event-stream, application/json;q=0.5", True),
        ("application/json, text/event-stream", True),
        ("application/json;q=0.9,text/event-stream;q=0.8", False),
        ("text/event-stream;charset=utf-8;q=1.000", True),
    ],
)
def test_who_wants_a_stream(accept: str | None, wanted: bool) -> None:
    assert wants_stream(accept) is wanted


@given(st.text(alphabet="textevn-sramplicojq=01.;,*/ \t", max_size=200))
def test_no_header_breaks_the_choice(accept: str) -> None:
    assert wants_stream(accept) in (True, False)
