"""A connection of the HTTP server: bounds what a client that does not take its answer costs."""

import asyncio
import logging
import socket
import struct
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

logger = logging.getLogger(__name__)

UNSENT: Final = 128 * 1024
"""Bytes that the kernel takes beyond what the client's window lets it send. Without a bound it is some megabytes."""
STALLED_AFTER: Final = 60.0
"""Seconds without a byte taken after which a client is given up."""
STOPPING_AFTER: Final = 2.5
"""Seconds for which a client that stalls is waited for when the server stops: less than the server waits for all."""
_LOOKS: Final = 4
"""How often it is looked at in that time."""

_RESET: Final = struct.pack("ii", 1, 0)
"""The option SO_LINGER that makes closing a reset."""


class Connection(HttpToolsProtocol):
    """uvicorn's, which waits for ever for a client that stalls, and even then when the answer was broken off.

    It is looked at while more waits to be sent than the high-water mark. A client that goes on reading, however slowly,
    is left alone; when nothing has left for STALLED_AFTER seconds, the connection is reset, and the answer is told that
    its client went away.
    """

    _look: asyncio.TimerHandle | None = None
    _last_look: asyncio.TimerHandle | None = None
    _waiting = 0
    _looks = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(transport)
        plain = transport.get_extra_info("socket")
        if plain is not None and plain.family in (socket.AF_INET, socket.AF_INET6):
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    def pause_writing(self) -> None:
        """Begin to look: more waits than the client takes."""
        super().pause_writing()
        self._looks = 0
        self._look_later()

    def resume_writing(self) -> None:
        """Look no longer."""
        super().resume_writing()
        self._look_no_more()

    def shutdown(self) -> None:
        """Let the answer under way end, but not wait for a client that takes nothing: the server stops."""
        super().shutdown()
        self._last_look = self.loop.call_later(STOPPING_AFTER, self._give_up_stalled)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no longer."""
        self._look_no_more()
        if self._last_look is not None:
            self._last_look.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._waiting = self.transport.get_write_buffer_size()
        self._look = self.loop.call_later(STALLED_AFTER / _LOOKS, self._look_now)

    def _look_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_now(self) -> None:
        taken = self.transport.get_write_buffer_size() < self._waiting
        self._looks = 0 if taken else self._looks + 1
        if self._looks < _LOOKS:
            self._look_later()
            return
        logger.info("gave up a client that took nothing for %d s", STALLED_AFTER)
        self._reset()

    def _give_up_stalled(self) -> None:
        if self.transport.get_write_buffer_size() > 0:
            self._reset()

    def _reset(self) -> None:
        self._look_no_more()
        plain = self.transport.get_extra_info("socket")
        if plain is not None:  # else the kernel would go on offering what it holds
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()
