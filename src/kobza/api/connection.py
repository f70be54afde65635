"""A connection of the HTTP server: bounds what a client that does not take its answer costs."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

logger = logging.getLogger(__name__)

UNSENT: Final = 128 * 1024
"""Bytes that the kernel takes beyond what the client's window lets it send. Without a bound it is some megabytes."""
STALLED_AFTER: Final = 60.0
"""Seconds without a byte taken after which a client is given up."""
STOPPING_AFTER: Final = 2.5
"""Seconds for which a client that stalls is waited for when the server stops: less than the server waits for all."""
TOLD_WITHIN: Final = 5.0
"""Seconds in which a WebSocket's client that stalled may still read why it is given up."""
MAX_MESSAGE: Final = 65_535
"""Bytes of a message of a WebSocket's client: those of phones in browsers are SIP. No other says anything we need."""
TRY_AGAIN_LATER: Final = 1013
"""The close code (IANA's registry) for who did not keep up."""
_LOOKS: Final = 4
"""How often it is looked at in that time."""

_RESET: Final = struct.pack("ii", 1, 0)
"""The option SO_LINGER that makes closing a reset."""


class StallWatch:
    """Looks at a transport while more waits to be sent than the high-water mark.

    A client that goes on reading, however slowly, is left alone; `give_up` is called when nothing has left for
    STALLED_AFTER seconds.
    """

    def __init__(self, transport: asyncio.Transport, give_up: Callable[[], None]) -> None:
        self._transport = transport
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None
        self._last_look: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._looks = 0
        plain = transport.get_extra_info("socket")
        if plain is not None and plain.family in (socket.AF_INET, socket.AF_INET6):
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    def begin(self) -> None:
        """Look from now on: more waits than the client takes."""
        self._looks = 0
        self._look_later()

    def end(self) -> None:
        """Look no longer."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def reset_after(self, seconds: float) -> None:
        """Break the connection off after so many seconds if something waits to be sent even then."""
        self._last_look = self._loop.call_later(seconds, self._reset_stalled)

    def close(self) -> None:
        """Look no longer, also not at last: the connection is gone."""
        self.end()
        if self._last_look is not None:
            self._last_look.cancel()

    def reset(self) -> None:
        """Break the connection off."""
        self.end()
        plain = self._transport.get_extra_info("socket")
        if plain is not None:  # else the kernel would go on offering what it holds
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def _look_later(self) -> None:
        self._waiting = self._transport.get_write_buffer_size()
        self._look = self._loop.call_later(STALLED_AFTER / _LOOKS, self._look_now)

    def _look_now(self) -> None:
        taken = self._transport.get_write_buffer_size() < self._waiting
        self._looks = 0 if taken else self._looks + 1
        if self._looks < _LOOKS:
            self._look_later()
            return
        logger.info("gave up a client that took nothing for %d s", STALLED_AFTER)
        self.end()
        self._give_up()

    def _reset_stalled(self) -> None:
        if self._transport.get_write_buffer_size() > 0:
            self.reset()


class _Watched(asyncio.Protocol):
    """What both kinds of connection have in common: their client is watched while more waits than it takes."""

    _watch: StallWatch

    def pause_writing(self) -> None:
        """Begin to look: more waits than the client takes."""
        super().pause_writing()
        self._watch.begin()

    def resume_writing(self) -> None:
        """Look no longer."""
        super().resume_writing()
        self._watch.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no longer."""
        self._watch.close()
        super().connection_lost(exc)


class Connection(_Watched, HttpToolsProtocol):
    """uvicorn's, which waits for ever for a client that stalls, and even then when the answer was broken off.

    When it is given up the connection is reset, and the answer is told that its client went away.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        self._watch = StallWatch(transport, self._give_up)

    def shutdown(self) -> None:
        """Let the answer under way end, but not wait for a client that takes nothing: the server stops."""
        super().shutdown()
        self._watch.reset_after(STOPPING_AFTER)

    def _give_up(self) -> None:
        self._watch.reset()


class WebSocketConnection(_Watched, WebSocketsSansIOProtocol):
    """uvicorn's, which waits for ever for a client that stalls and answers no ping.

    One that is given up is told why behind all that waits; when it has not read on then, the connection is reset.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection whose client asked for a WebSocket."""
        super().connection_made(transport)
        self._watch = StallWatch(self.transport, self._give_up)

    def keepalive_timeout(self) -> None:
        """Close as uvicorn does, which alone would wait for ever until all is taken."""
        super().keepalive_timeout()
        self._watch.reset_after(TOLD_WITHIN)

    def shutdown(self) -> None:
        """Close, but do not wait for a client that takes nothing: the server stops."""
        super().shutdown()
        self._watch.reset_after(STOPPING_AFTER)

    def _give_up(self) -> None:
        reason = f"nothing was taken for {STALLED_AFTER:g} s"
        if self.handshake_complete and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": TRY_AGAIN_LATER, "reason": reason})
            self.conn.send_close(TRY_AGAIN_LATER, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.transport.close()
        self._watch.reset_after(TOLD_WITHIN)


def http_options(*, heartbeat: float) -> dict[str, Any]:
    """Return what uvicorn's configuration needs for our connections. `heartbeat`: seconds between pings."""
    return {
        "http": Connection,
        "ws": WebSocketConnection,
        "ws_max_size": MAX_MESSAGE,
        "ws_ping_interval": heartbeat,
        "ws_ping_timeout": heartbeat,
        "ws_per_message_deflate": False,  # some 300 KB for each client
    }
