"""A receiver that speaks HTTP/2 by a script: what a good server never does, and when it does what others do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from h2.settings import SettingCodes, Settings

from tests.support.authority import serving


class Script(asyncio.Protocol):
    """One connection."""

    def __init__(self, receiver: "Receiver") -> None:
        self.receiver = receiver
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.events: list[Event] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.receiver.connections.append(self)
        if not self.receiver.silent:
            self.h2.local_settings = Settings(client=False, initial_values=cast("Any", self.receiver.settings))
            self.h2.initiate_connection()
            self.flush()

    def data_received(self, data: bytes) -> None:
        if self.receiver.silent:
            return
        for event in self.h2.receive_data(data):
            self.events.append(event)
            match event:
                case DataReceived(stream_id=int(stream_id), flow_controlled_length=int(length)):
                    self.h2.acknowledge_received_data(length, stream_id)
                case StreamEnded(stream_id=int(stream_id)):
                    self.receiver.answer(self, stream_id)
                case _:
                    pass
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and self.transport is not None:
            self.transport.write(data)

    def raw(self, data: bytes) -> None:
        """Write bytes that h2 would not."""
        self.flush()
        assert self.transport is not None
        self.transport.write(data)

    def head(self, stream_id: int, status: str = "200", *more: tuple[str, str], end: bool = False) -> None:
        self.h2.send_headers(stream_id, [(":status", status), *more], end_stream=end)

    def goaway(self, last: int, code: int = 0) -> None:
        self.raw(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + last.to_bytes(4, "big") + code.to_bytes(4, "big"))

    def requests(self) -> list[int]:
        """The streams whose requests have begun, in order."""
        return [event.stream_id for event in self.events if isinstance(event, RequestReceived)]


Answer = Callable[[Script, int], None]


def good(script: Script, stream_id: int) -> None:
    script.head(stream_id, "204", end=True)


class Receiver:
    """All connections of one port."""

    def __init__(self) -> None:
        self.url = ""
        self.settings: dict[int, int] = {}
        self.silent = False
        """Whether it says nothing at all, not even its settings."""
        self.answer: Answer = good
        """Called for each request that is complete."""
        self.connections: list[Script] = []


@asynccontextmanager
async def receiver(answer: Answer = good, *, silent: bool = False, **settings: int) -> AsyncIterator[Receiver]:
    """Run a receiver with settings such as `INITIAL_WINDOW_SIZE=0`."""
    running = Receiver()
    running.answer, running.silent = answer, silent
    running.settings = {SettingCodes[name]: value for name, value in settings.items()}
    tls: ssl.SSLContext = serving()
    tls.set_alpn_protocols(["h2"])
    server = await asyncio.get_running_loop().create_server(lambda: Script(running), "127.0.0.1", 0, ssl=tls)
    running.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    try:
        yield running
    finally:
        server.close()
        for script in running.connections:
            if script.transport is not None:
                script.transport.abort()
        await asyncio.sleep(0)
