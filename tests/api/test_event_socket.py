"""`/v1/events` over a WebSocket, with real sockets: the same states, who is let in, and how it ends."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from kobza.api import connection
from kobza.store import tokens
from kobza.store.tokens import Scope
from tests.api.test_event_stream import Office, serving, stored
from tests.api.world import World
from tests.support.waiting import PATIENCE


def address_of(office: Office, **query: str) -> str:
    host, port = office.address
    values = urlencode({"integrator_id": office.world.own.integrator_id, **query})
    return f"ws://{host}:{port}/api/fmc/v1/events?{values}"


@asynccontextmanager
async def opened(office: Office, token: str | None = None, **options: Any) -> AsyncIterator[ClientConnection]:
    query = options.pop("query", {})
    headers = {"Authorization": f"Bearer {token or office.world.own.fmc_token}"}
    async with connect(
        address_of(office, **query), additional_headers=headers, ping_interval=None, **options
    ) as client:
        yield client


async def told(client: ClientConnection, count: int) -> list[tuple[str, bytes]]:
    """Read so many states as (cursor, document)."""
    found: list[tuple[str, bytes]] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            text = str(await client.recv())
            message = json.loads(text)
            if "event" in message:
                document = text.removeprefix(f'{{"cursor":"{message["cursor"]}","event":').removesuffix("}")
                found.append((message["cursor"], document.encode()))
    return found


async def closed(client: ClientConnection) -> tuple[int | None, str | None]:
    """Read to the end; return the code and the reason."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE):
            while True:
                await client.recv()
    return client.close_code, client.close_reason


async def test_the_states_are_those_of_the_journal_and_it_goes_on_behind_a_cursor(world: World) -> None:
    world.journal.write([stored(world, number) for number in range(1, 251)])
    async with serving(world) as office:
        async with opened(office) as client:
            assert json.loads(await client.recv()) == {"cursor": "0"}
            first = await told(client, 130)
        async with opened(office, query={"after": first[-1][0]}) as client:
            rest = await told(client, 120)
            office.happen(stored(world, 251), stored(world, -1, enterprise_id=world.other.enterprise_id))
            rest += await told(client, 1)
        assert first + rest == await office.kept()
        async with opened(office, query={"after": "now"}) as client:
            assert json.loads(await client.recv()) == {"cursor": rest[-1][0]}
            office.happen(stored(world, 252))
            assert await told(client, 1) == (await office.kept())[-1:]
        async with opened(office, query={"after": "999999"}) as client:
            assert json.loads(await client.recv()) == {"cursor": "0", "gap": {"after": "999999"}}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"additional_headers": {}}, 401, "unauthorized"),
        ({"token": "0" * 64}, 403, "forbidden"),
        ({"token": "settings"}, 403, "scope_missing"),
        ({"origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"query": {"after": "x"}}, 400, "invalid_parameter"),
        ({"query": {"integrator_id": "other"}}, 403, "forbidden"),
        ({}, 429, "too_many_streams"),
    ],
)
async def test_who_is_not_let_in_hears_why(world: World, changes: dict[str, Any], status: int, code: str) -> None:
    if changes.get("token") == "settings":
        with world.store.write() as conn:
            made = tokens.add(conn, world.own.enterprise_id, int(world.at * 1000), scopes={Scope.SETTINGS})
        changes = {"token": made.secret}
    async with serving(world, most_of_enterprise=0 if status == 429 else 5) as office:
        headers = {"Authorization": f"Bearer {changes.pop('token', world.own.fmc_token)}"}
        query = changes.pop("query", {})
        options = {"additional_headers": headers, **changes}
        with pytest.raises(InvalidStatus) as refused:
            await connect(address_of(office, **query), **options)
        answer = refused.value.response
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert json.loads(answer.body or b"")["code"] == code
        assert office.streams.count == 0


async def test_a_page_of_this_host_is_let_in(world: World) -> None:
    async with serving(world) as office:
        origin = f"http://{office.address[0]}:{office.address[1]}"
        async with opened(office, origin=origin) as client:
            assert json.loads(await client.recv()) == {"cursor": "0"}


async def test_pings_go_both_ways_and_messages_do_not(world: World) -> None:
    async with serving(world, heartbeat=0.2) as office:
        async with opened(office) as client:
            async with asyncio.timeout(PATIENCE):
                await (await client.ping())
            await asyncio.sleep(1)  # its pings are answered, so it stays
            office.happen(stored(world, 1))
            assert len(await told(client, 1)) == 1
            await client.send("hello")
            assert await closed(client) == (1003, "this stream takes no messages")
        await office.until_open(0)
        silent = Silent(office)
        async with asyncio.timeout(PATIENCE):
            frames = await silent.frames()
        assert Opcode.PING in [frame.opcode for frame in frames]
        assert frames[-1].opcode is Opcode.CLOSE
        assert b"ping timeout" in frames[-1].data
        await office.until_open(0)


async def test_a_token_that_ends_and_a_server_that_stops(world: World) -> None:
    async with serving(world, heartbeat=0.05) as office:
        async with opened(office) as client:
            await client.recv()
            with world.store.write() as conn:
                (token,) = tokens.list_for(conn, world.own.enterprise_id)
                tokens.revoke(conn, world.own.enterprise_id, token.token_id, int(world.at * 1000))
            assert await closed(client) == (1008, "the token is not valid any more")
        other = world.other
        query = {"integrator_id": other.integrator_id}
        async with opened(office, token=other.fmc_token, query=query) as client:
            await client.recv()
            office.streams.stop()
            assert await closed(client) == (1012, "the server stops")


class Silent:
    """A client that takes what it is told to take and answers nothing, pings neither."""

    def __init__(self, office: Office) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self._office = office
        self._protocol = ClientProtocol(parse_uri(address_of(office)), max_size=None)

    async def ask(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, self._office.address)
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {self._office.world.own.fmc_token}"
        self._protocol.send_request(request)
        await loop.sock_sendall(self.socket, b"".join(self._protocol.data_to_send()))

    async def frames(self) -> list[Frame]:
        """Read to the end."""
        if self.socket.getsockname()[1] == 0:
            await self.ask()
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(self.socket, 65536):
            self._protocol.receive_data(data)
        self.socket.close()
        return [event for event in self._protocol.events_received() if isinstance(event, Frame)]


async def test_who_takes_nothing_holds_a_page_and_is_closed_with_a_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "STALLED_AFTER", 0.6)
    world.journal.write([stored(world, number) for number in range(8000)])
    async with serving(world) as office:
        reading = Silent(office)
        await reading.ask()
        await office.until_open(1)
        await office.until_open(0)  # given up
        async with asyncio.timeout(PATIENCE):
            frames = await reading.frames()  # it reads on within its time, and hears why
        assert len(frames) < 4000
        assert frames[-1].opcode is Opcode.CLOSE
        assert frames[-1].data[2:] == b"nothing was taken for 0.6 s"
        monkeypatch.setattr(connection, "TOLD_WITHIN", 0.2)
        stalled = Silent(office)
        await stalled.ask()
        await office.until_open(1)
        await office.until_open(0)
        async with asyncio.timeout(PATIENCE):
            while office.server.server_state.connections:  # noqa: ASYNC110 - nothing sets an event for it
                await asyncio.sleep(0.02)
        stalled.socket.close()
