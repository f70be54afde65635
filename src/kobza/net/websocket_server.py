"""A server for SIP over WebSocket at a port of its own; phones prove who they are as on every other transport."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from kobza.net.tcp import INCOMPLETE_CLOSE, MAX_CONNECTIONS
from kobza.net.websocket import SUBPROTOCOL, MessageSocket
from kobza.sip.flow import Address
from kobza.sip.message import MAX_MESSAGE_BYTES

log = logging.getLogger(__name__)

PING_EVERY: Final = 15.0
"""Seconds between pings, and those that the answer may take: a browser whose network went is missed that soon."""
CLOSE_WITHIN: Final = 2.0
"""Seconds for the closing handshake."""

Carry = Callable[[MessageSocket, Address, Address], Awaitable[None]]
"""Carries the messages of a socket between two addresses (ours, the peer's) until it ends."""


class WebSocketServer:
    """Accepts at one address and hands each socket to `carry`. `ssl_context`: None for plain WebSocket."""

    def __init__(self, carry: Carry, ssl_context: ssl.SSLContext | None = None) -> None:
        self._carry = carry
        self._ssl = ssl_context
        self._server: Server | None = None
        self._open = 0

    async def listen(self, bind: Address) -> Address:
        """Accept connections; returns the address with the real port. Raises `OSError` when it is taken."""
        secure: dict[str, Any] = {} if self._ssl is None else {"ssl_handshake_timeout": INCOMPLETE_CLOSE}
        self._server = await serve(
            self._serve,
            *bind,
            ssl=self._ssl,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            process_request=self._look_at,
            create_connection=_counted_by(self),
            compression=None,  # some 300 KB for each peer, and SIP is short
            open_timeout=INCOMPLETE_CLOSE,
            ping_interval=PING_EVERY,
            ping_timeout=PING_EVERY,
            close_timeout=CLOSE_WITHIN,
            max_size=MAX_MESSAGE_BYTES,
            max_queue=16,
            server_header=None,
            backlog=512,
            **secure,
        )
        name = next(iter(self._server.sockets)).getsockname()
        return name[0], name[1]

    async def close(self) -> None:
        """Accept no more, and wait for the end of what is open."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def counted(self, change: int) -> bool:
        """Count a connection that came (1) or went (-1); tell whether there is room for it."""
        self._open += change
        return self._open <= MAX_CONNECTIONS

    def _look_at(self, connection: ServerConnection, request: Request) -> Response | None:
        """Let in who speaks SIP; a browser's page of another site may do so too, as it has to know a password."""
        asked = ",".join(request.headers.get_all("Sec-WebSocket-Protocol")).split(",")
        if SUBPROTOCOL in (name.strip() for name in asked):
            return None
        return connection.respond(HTTPStatus.BAD_REQUEST, "This is SIP over WebSocket: name the subprotocol sip.\n")

    async def _serve(self, connection: ServerConnection) -> None:
        local, remote = connection.local_address, connection.remote_address
        if local is None or remote is None:  # gone before it began
            return
        await self._carry(LibrarySocket(connection), (local[0], local[1]), (remote[0], remote[1]))


def _counted_by(server: WebSocketServer) -> type[ServerConnection]:
    """Return the class of a server's connections: they are counted from their first byte, not from their handshake."""

    class Counted(ServerConnection):
        """A connection that is turned away at once when there are too many."""

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            """Asyncio calls this once the connection stands."""
            super().connection_made(transport)
            if not server.counted(1):
                log.warning("WebSocket connection refused: too many")
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            """Asyncio calls this at the end."""
            server.counted(-1)
            super().connection_lost(exc)

    return Counted


class LibrarySocket:
    """A socket of the library, of either end, as the transport wants it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes | None:
        """Return the next message; None: there will be none."""
        try:
            return await self._connection.recv()
        except ConnectionClosed:
            return None

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises ConnectionResetError."""
        try:
            await self._connection.send(message)
        except ConnectionClosed as error:
            raise ConnectionResetError(str(error)) from error

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye, within a bound."""
        try:
            async with asyncio.timeout(2 * CLOSE_WITHIN):
                await self._connection.close(code, reason)
        except TimeoutError:  # it reads nothing, so it will not take our farewell either
            self._connection.transport.abort()
