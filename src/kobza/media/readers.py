"""Waits for many sockets at once: one that the event loop waits for by itself costs objects and calls of its own."""

import select
import socket
import time
from asyncio import AbstractEventLoop
from typing import Final, Protocol

AT_ONCE: Final = 64
"""Sockets that are read in one turn of the loop, a millisecond of Python at most; the next turn goes on behind them."""
COMPANY: Final = 3
"""Sockets that had something at once: with that many in a moment it pays to wait for one, as being woken costs more
than a packet (docs/adr/0051-cost-of-media.md)."""
MOMENT: Final = 0.0005
"""Seconds of it."""


class Readable(Protocol):
    """Takes one packet of its socket at a time."""

    @property
    def sock(self) -> socket.SocketType:
        """A bound socket that never blocks."""
        ...

    def readable(self) -> None:
        """Take one packet, if there is one."""
        ...


class Readers:
    """Calls `readable` of what is added as long as its socket has something. To the event loop all are one."""

    def __init__(self, loop: AbstractEventLoop, *, let_gather: bool = False) -> None:
        """`let_gather`: wait a moment for more, in which nothing else is done, when packets come close together."""
        self._loop = loop
        self._readers: list[Readable | None] = []
        """By file descriptor: these are small numbers, of which the process has few others."""
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        """None where there is none, outside Linux: there the event loop waits for each."""
        self._let_gather = let_gather
        self.gathers = False
        """The next turn waits for more."""
        if self._epoll is not None:
            loop.add_reader(self._epoll.fileno(), self._run)

    def add(self, reader: Readable) -> None:
        """Wait for a socket."""
        fd = reader.sock.fileno()
        if self._epoll is None:
            self._loop.add_reader(fd, reader.readable)
        else:
            self._epoll.register(fd, select.EPOLLIN)
        if fd >= len(self._readers):
            self._readers.extend([None] * (fd + 1 - len(self._readers)))
        self._readers[fd] = reader

    def remove(self, reader: Readable) -> None:
        """Wait for it no more, if it is waited for; before the socket is closed."""
        fd = reader.sock.fileno()
        if not self._forget(fd):
            return
        if self._epoll is None:
            self._loop.remove_reader(fd)
        else:
            self._epoll.unregister(fd)

    def close(self, reader: Readable) -> None:
        """Wait for it no more, and close the socket. The kernel takes a closed one out of the set by itself."""
        fd = reader.sock.fileno()
        if self._forget(fd) and self._epoll is None:
            self._loop.remove_reader(fd)
        reader.sock.close()

    def _forget(self, fd: int) -> bool:
        """Return whether it was waited for."""
        if not 0 <= fd < len(self._readers) or self._readers[fd] is None:
            return False
        self._readers[fd] = None
        return True

    def _run(self) -> None:
        """Let each socket that has something be read once; one may be closed by what came to another before it.

        The kernel puts those that still have something behind the others.
        """
        if self._epoll is None:
            return
        if self.gathers:
            time.sleep(MOMENT)
        ready = self._epoll.poll(0, AT_ONCE)
        self.gathers = self._let_gather and COMPANY <= len(ready) < AT_ONCE  # else there are more already
        for fd, _ in ready:
            reader = self._readers[fd]
            if reader is None:
                continue
            try:
                reader.readable()
            except Exception as error:  # noqa: BLE001  as the event loop does it: the others go on
                self._loop.call_exception_handler({"message": "a packet could not be taken", "exception": error})
