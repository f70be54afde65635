"""SIP over WebSocket (RFC 7118): one message in each WebSocket message, over sockets that were opened toward us.

Who accepts the sockets is another matter: a server of its own (`kobza.net.websocket_server`), or an HTTP server that
has a path for it. Each hands over a `MessageSocket`, after its handshake, and is held until that has ended.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from kobza.net.tcp import IDLE_CLOSE, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_HOST, MAX_UNSENT, SILENT_CLOSE
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.message import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

SUBPROTOCOL: Final = "sip"
"""What both sides name in the handshake (RFC 7118 4.1)."""

GOING_AWAY: Final = 1001
"""Close codes (RFC 6455 7.4.1): the server stops, or nothing came for too long."""
POLICY_VIOLATION: Final = 1008
"""Too many messages from one peer, or a peer that is banned."""
TOO_BIG: Final = 1009
"""A message that is longer than any of SIP."""
BROKEN: Final = 1011
"""Something went wrong here."""
TRY_AGAIN_LATER: Final = 1013
"""Too many connections, or a peer that does not read."""

PING: Final = b"\r\n\r\n"
PONG: Final = b"\r\n"
"""Keep-alives of RFC 5626 4.4.1, which RFC 7118 6 allows beside the pings of WebSocket itself."""


class MessageSocket(Protocol):
    """An open WebSocket. `send` and `receive` are never called twice at a time."""

    async def receive(self) -> str | bytes | None:
        """Return the next message, None when the socket has ended."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Send a message as soon as the peer takes it. Raises ConnectionError when the socket has ended."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say why and close; nothing happens when it has ended."""
        ...


class Closing(NamedTuple):
    """How a socket is closed from here."""

    code: int
    reason: str


class WebSocketConnection:
    """One socket. `flow` names it to the user agent."""

    def __init__(self, owner: "WebSocketTransport", socket: MessageSocket, flow: Flow) -> None:
        self._owner = owner
        self._socket = socket
        self.flow = flow
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._to_send = asyncio.Event()
        self._ended: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()

    @property
    def number(self) -> int:
        """Its number among all of the transport."""
        return self.flow.connection

    @property
    def remote(self) -> Address:
        """The peer's address."""
        return self.flow.remote

    @property
    def names(self) -> frozenset[Flow]:
        """Other flows that this connection serves: none, as nothing is ever opened toward a browser."""
        return frozenset()

    def send(self, data: bytes) -> None:
        """Send behind what waits already. A peer that does not read loses its connection."""
        self._unsent_bytes += len(data)
        if self._unsent_bytes > MAX_UNSENT:
            log.warning("WebSocket %s:%s does not read, connection closed", *self.remote)
            self.end(Closing(TRY_AGAIN_LATER, "nothing is read"))
            return
        self._unsent.append(data)
        self._to_send.set()

    def end(self, closing: Closing) -> None:
        """Close soon; only the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(closing)

    async def run(self) -> Closing | None:
        """Carry messages both ways until one side ends it; return how to close, None when the peer has."""
        reading = asyncio.create_task(self._read(), name="sip-websocket-read")
        writing = asyncio.create_task(self._write(), name="sip-websocket-write")
        try:
            await asyncio.wait((reading, writing, self._ended), return_when=asyncio.FIRST_COMPLETED)
            return self._why(reading, writing)
        finally:
            reading.cancel()
            writing.cancel()
            await asyncio.wait((reading, writing))

    def _why(self, reading: "asyncio.Task[Closing | None]", writing: "asyncio.Task[None]") -> Closing | None:
        if self._ended.done():
            return self._ended.result()
        ended = reading if reading.done() else writing
        error = ended.exception()
        if error is None:
            return reading.result() if reading.done() else None
        if not isinstance(error, ConnectionError):
            log.error("WebSocket %s:%s broke", *self.remote, exc_info=error)
            return Closing(BROKEN, "something went wrong here; the log knows more")
        return None

    async def _read(self) -> Closing | None:
        wait = SILENT_CLOSE
        while True:
            try:
                async with asyncio.timeout(wait):
                    message = await self._socket.receive()
            except TimeoutError:
                log.info("WebSocket %s:%s closed: no message for %g s", *self.remote, wait)
                return Closing(GOING_AWAY, "no message came for too long")
            if message is None:
                return None
            data = message.encode() if isinstance(message, str) else message
            if len(data) > MAX_MESSAGE_BYTES:
                return Closing(TOO_BIG, f"no message of SIP is longer than {MAX_MESSAGE_BYTES} bytes")
            wait = IDLE_CLOSE
            if data.strip(b"\r\n"):
                self._owner.message_arrived(self, data)
            elif data == PING:
                self.send(PONG)

    async def _write(self) -> None:
        while True:
            await self._to_send.wait()
            while self._unsent:
                data = self._unsent.popleft()
                self._unsent_bytes -= len(data)
                await self._socket.send(_text_or_bytes(data))
            self._to_send.clear()


class WebSocketTransport:
    """All WebSockets of one endpoint, both of WS and WSS. They are only ever opened toward us.

    Callbacks: `received(connection, data)` for each message, `lost(connection)` once for each connection.
    """

    def __init__(
        self,
        *,
        received: Callable[[WebSocketConnection, bytes], None],
        lost: Callable[[WebSocketConnection], None],
    ) -> None:
        self._received = received
        self._lost = lost
        self._connections: dict[int, WebSocketConnection] = {}
        self._per_host: dict[str, int] = {}
        self._next_number = 1
        self._closing = False
        self._empty = asyncio.Event()
        self._empty.set()
        self.refused = 0

    @property
    def connections(self) -> int:
        """Sockets open now."""
        return len(self._connections)

    async def carry(
        self,
        socket: MessageSocket,
        *,
        local: Address,
        remote: Address,
        secure: bool,
        opened: Callable[[Flow], None] = lambda _flow: None,
    ) -> None:
        """Carry the messages of a socket until it ends. `secure`: it is one of TLS, here or at a proxy before us.

        `opened` hears its flow before the first message is read.
        """
        crowded = self._per_host.get(remote[0], 0) >= MAX_CONNECTIONS_PER_HOST
        if crowded or self._closing or len(self._connections) >= MAX_CONNECTIONS:
            self.refused += 1
            log.warning("WebSocket from %s:%s refused: too many", *remote)
            await socket.close(TRY_AGAIN_LATER, "too many connections")
            return
        flow = Flow(Transport.WSS if secure else Transport.WS, local, remote, self._next_number)
        self._next_number += 1
        connection = WebSocketConnection(self, socket, flow)
        self._add(connection)
        try:
            opened(flow)
            closing = await connection.run()
        finally:
            self._forget(connection)
        if closing is not None:
            await socket.close(*closing)

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send on the flow's connection. Returns False when it is gone: nothing can be opened toward a browser."""
        connection = self._connections.get(flow.connection)
        if connection is None:
            return False
        connection.send(data)
        return True

    async def close(self) -> None:
        """Close every socket, and wait until those who carry them have been told."""
        self._closing = True
        for connection in self._connections.values():
            connection.end(Closing(GOING_AWAY, "the server stops"))
        await self._empty.wait()

    def message_arrived(self, connection: WebSocketConnection, data: bytes) -> None:
        """Pass on one message: what a connection reports."""
        self._received(connection, data)

    def _add(self, connection: WebSocketConnection) -> None:
        host = connection.remote[0]
        self._connections[connection.number] = connection
        self._per_host[host] = self._per_host.get(host, 0) + 1
        self._empty.clear()

    def _forget(self, connection: WebSocketConnection) -> None:
        del self._connections[connection.number]
        host = connection.remote[0]
        left = self._per_host[host] - 1
        if left:
            self._per_host[host] = left
        else:
            del self._per_host[host]
        if not self._connections:
            self._empty.set()
        self._lost(connection)


def _text_or_bytes(data: bytes) -> str | bytes:
    """Return a message as text, which is what browsers expect; as bytes where it is none (RFC 7118 4.2)."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
