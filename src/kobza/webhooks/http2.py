"""POSTs over HTTP/2: one connection to a receiver carries as many at a time as the receiver lets it.

`kobza.webhooks.http2_connection` is one connection; here they are opened, shared and let go.
"""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from yarl import URL

from kobza.webhooks.connecting import Opener
from kobza.webhooks.http2_connection import ALPN, Http2Connection, Unprocessed
from kobza.webhooks.limits import Phase
from kobza.webhooks.progress import Failed, Progress

FORGET_SECONDS: Final = 600.0
"""How long a receiver is taken for one that speaks HTTP/1.1 only."""
KNOWN_HTTP1: Final = 10_000
"""Receivers of which that is remembered; of more, the one that was met first is asked again."""
SENDINGS: Final = 3
"""How often a request goes out in one attempt when the receiver says each time that it has not looked at it."""

Origin = tuple[str, int]


class NotSpoken(Exception):
    """The receiver speaks HTTP/1.1 only; nothing was sent to it."""


class Http2:
    """The connections to receivers that speak HTTP/2."""

    def __init__(self, opener: Opener, tls: ssl.SSLContext) -> None:
        """`tls` becomes one that offers both versions."""
        tls.set_alpn_protocols([ALPN, "http/1.1"])
        self._opener = opener
        self._tls = tls
        self._connections: dict[Origin, list[Http2Connection]] = {}
        self._openings: dict[Origin, asyncio.Future[None]] = {}
        self._http1: OrderedDict[Origin, float] = OrderedDict()
        """Until when (monotonic time) a receiver is not asked for HTTP/2."""

    async def post(self, url: URL, headers: Mapping[str, str], body: bytes, progress: Progress) -> None:
        """Send a request and note its answer; raises NotSpoken, Failed."""
        origin = (url.raw_host or "", url.port or 0)
        fields = [
            (":method", "POST"),
            (":scheme", url.scheme),
            (":authority", url.host_port_subcomponent or ""),
            (":path", url.raw_path_qs),
            *((name.lower(), value) for name, value in headers.items()),
            ("content-length", str(len(body))),
        ]
        for left in reversed(range(SENDINGS)):
            connection = await self._connection(origin, progress)
            try:
                return await connection.post(fields, body, progress)
            except Unprocessed as error:
                if not left:
                    raise Failed(str(error)) from error
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close all connections."""
        for connections in list(self._connections.values()):
            for connection in list(connections):
                connection.abort()

    async def _connection(self, origin: Origin, progress: Progress) -> Http2Connection:
        """Return a connection that takes one more request: a kept one or, opened once for all that wait, a new one."""
        while True:
            if self._http1.get(origin, 0) > time.monotonic():
                raise NotSpoken
            for connection in self._connections.get(origin, ()):
                if connection.has_room:
                    return connection
            opening = self._openings.get(origin)
            if opening is None:
                return await self._open(origin, progress)
            progress.wait_for_another()
            await asyncio.wait((opening,))
            if not opening.cancelled() and (error := opening.exception()) is not None:
                raise error

    async def _open(self, origin: Origin, progress: Progress) -> Http2Connection:
        opening = self._openings[origin] = asyncio.get_running_loop().create_future()
        try:
            connection = await self._opened(origin, progress)
        except asyncio.CancelledError:
            if progress.over:
                opening.set_exception(Failed(progress.late))
            else:
                opening.cancel()  # this attempt alone is stopped: another that waits opens
            raise
        except Exception as error:
            opening.set_exception(error)
            raise
        else:
            opening.set_result(None)
            return connection
        finally:
            del self._openings[origin]
            if not opening.cancelled():
                opening.exception()  # nobody may have waited

    async def _opened(self, origin: Origin, progress: Progress) -> Http2Connection:
        _, connection = await self._opener.open(Http2Connection, *origin, self._tls, progress)
        if not connection.spoken:
            connection.abort()
            self._http1.pop(origin, None)
            self._http1[origin] = time.monotonic() + FORGET_SECONDS
            if len(self._http1) > KNOWN_HTTP1:
                self._http1.popitem(last=False)
            raise NotSpoken
        progress.enter(Phase.SETTINGS)
        try:
            await connection.start(lambda: self._gone(origin, connection))
        except BaseException:
            connection.abort()
            raise
        progress.connected()
        self._connections.setdefault(origin, []).append(connection)
        return connection

    def _gone(self, origin: Origin, connection: Http2Connection) -> None:
        connections = self._connections.get(origin, [])
        if connection in connections:
            connections.remove(connection)
            if not connections:
                del self._connections[origin]
