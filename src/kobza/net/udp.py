"""One non-blocking UDP socket in the event loop's reader set."""

import asyncio
import errno
import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Callable

from kobza.beat import BEAT_MS, next_beat
from kobza.net.addresses import LocalHosts, family_of, is_wildcard, told_host
from kobza.sip.flow import Address

log = logging.getLogger(__name__)

DATAGRAMS_PER_WAKEUP = 64
"""Datagrams read before the loop gets its turn: about 10 ms of SIP work at most, so timers and HTTP are not starved."""
MANY = 8
"""Datagrams of one beat from which on the next look is two beats away: where so much comes, nobody waits for one."""
SEND_QUEUE = 1024
"""Datagrams that wait when the kernel's buffer is full. The oldest goes first: SIP retransmits, and new beats old."""
MAX_DATAGRAM = 65535
RECEIVE_BUFFER = 4 * 1024 * 1024
"""Bytes asked of the kernel: a burst while the loop is busy waits there instead of being lost."""
ERRORS_PER_LOOK = 64
"""ICMP errors taken from the kernel at a time; it keeps a bounded number, and the rest has its turn later."""
UNREACHABLE = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT})
"""What an ICMP error is called here: nobody at that port, host, network or protocol (RFC 3261 section 18.4)."""
RECEIVE_ERRORS = (
    {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
    if sys.platform == "linux"
    else {}
)
"""IP_RECVERR and IPV6_RECVERR, which Python 3.11 does not name: the kernel keeps ICMP errors with their address."""


class UdpSocket:
    """A bound UDP socket: `received(socket, data, remote)` for each datagram, `drained()` after each batch.

    `dropped` counts datagrams pushed out of the full send queue; `failed(socket, remote, error)` says that the kernel
    refused one.
    """

    def __init__(
        self,
        bind: Address,
        *,
        received: Callable[["UdpSocket", bytes, Address], None],
        drained: Callable[[], None],
        failed: Callable[["UdpSocket", Address, OSError], None],
        outside: str | None = None,
    ) -> None:
        """`outside` is the address by which peers on the internet reach it; None: its own."""
        self._received = received
        self._drained = drained
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[bytes, Address]] = deque()
        self.dropped = 0
        self._erred = False
        self._looking: asyncio.Handle | None = None
        """The look to come, while the loop does not watch the socket."""
        self._socket = socket.socket(family_of(bind[0]), socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if self._socket.family == socket.AF_INET6:  # as of TCP: IPv4 has a socket of its own, also at "any address"
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if self._socket.family in RECEIVE_ERRORS:
                self._socket.setsockopt(*RECEIVE_ERRORS[self._socket.family], 1)
            self._socket.bind(bind)
        except OSError:
            self._socket.close()
            raise
        name = self._socket.getsockname()
        self.address: Address = (name[0], name[1])
        self.is_wildcard = is_wildcard(self.address[0])
        self._outside = outside
        self.has_one_address = not self.is_wildcard and outside is None
        """Whether all peers see it under the address that it is bound to."""
        self._locals = LocalHosts()
        self._loop.add_reader(self._socket, self._readable)

    def local_for(self, remote: Address) -> Address:
        """Return the address `remote` sees this socket under: what belongs in Via and Contact."""
        told = told_host(self._outside, remote[0])
        if told is not None:
            return told, self.address[1]
        return (self._locals.get(remote[0]), self.address[1]) if self.is_wildcard else self.address

    def reaches(self, remote_host: str) -> bool:
        """Tell whether packets to `remote_host` would leave from the address this socket is bound to."""
        if family_of(remote_host) != self._socket.family:
            return False
        return self.is_wildcard or self._locals.get(remote_host) == self.address[0]

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram, or queue it when the kernel's buffer is full; the queue drops its oldest."""
        if self._waiting:
            self._queue(data, remote)
            return
        try:
            self._send_now(data, remote)
        except (BlockingIOError, InterruptedError):
            self._queue(data, remote)
            self._loop.add_writer(self._socket, self._writable)
        except OSError as error:
            self._failed(self, remote, error)

    def close(self) -> None:
        """Close the socket; what waits to be sent is lost."""
        if self._socket.fileno() >= 0:
            if self._looking is not None:
                self._looking.cancel()
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
        self._waiting.clear()

    def _send_now(self, data: bytes, remote: Address) -> None:
        """Send; an error that the kernel reports here may be that of an earlier datagram to somebody else."""
        try:
            self._socket.sendto(data, remote)
        except OSError as error:
            if error.errno not in UNREACHABLE or not self._take_errors():
                raise
            self._socket.sendto(data, remote)

    def _take_errors(self) -> bool:
        """Tell the owner of each ICMP error that the kernel holds; return whether there was any."""
        if self._socket.family not in RECEIVE_ERRORS:
            return False
        self._erred = True
        for taken in range(ERRORS_PER_LOOK):
            try:
                _, ancillary, _, remote = self._socket.recvmsg(1, 512, socket.MSG_ERRQUEUE)
            except OSError:
                return taken > 0
            for _, _, extended in ancillary:  # struct sock_extended_err begins with the number of the error
                number = int.from_bytes(extended[:4], sys.byteorder)
                # not from here: whoever sends is in the middle of something
                self._loop.call_soon(self._tell, remote[:2], number)
        return True

    def _tell(self, remote: Address, number: int) -> None:
        if self._socket.fileno() >= 0:
            self._failed(self, remote, OSError(number, os.strerror(number)))

    def _queue(self, data: bytes, remote: Address) -> None:
        if len(self._waiting) >= SEND_QUEUE:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append((data, remote))

    def _writable(self) -> None:
        while self._waiting:
            data, remote = self._waiting[0]
            try:
                self._send_now(data, remote)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._waiting.popleft()
                self._failed(self, remote, error)
                if self._socket.fileno() < 0:
                    return
                continue
            self._waiting.popleft()
        self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        """Take what has come; what comes soon after waits for the next beat."""
        self._loop.remove_reader(self._socket)
        self._look()

    def _look(self) -> None:
        """Take what has come, and look again on the next beat; when nothing has, wait for the next datagram."""
        self._looking = None
        taken = 0
        try:
            taken = self._take()
        finally:  # whatever the owner made of it, the socket must be heard again
            if self._socket.fileno() < 0:
                pass
            elif self._erred or not taken:
                self._watch_again()
            elif taken == DATAGRAMS_PER_WAKEUP:
                self._looking = self._loop.call_soon(self._look)
            else:
                more = BEAT_MS / 1000 if taken >= MANY else 0.0
                self._looking = self._loop.call_at(next_beat(self._loop.time() + more), self._look)

    def _take(self) -> int:
        """Read a batch; return how many datagrams it had."""
        taken = 0
        for _ in range(DATAGRAMS_PER_WAKEUP):
            try:
                data, remote = self._socket.recvfrom(MAX_DATAGRAM)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:  # of an earlier datagram: nothing is to be read, and this socket is not broken
                if not self._take_errors():
                    log.info("UDP %s:%s: %s", *self.address, error)
                continue
            taken += 1
            self._received(self, data, remote[:2])
            if self._socket.fileno() < 0:
                return taken
        if taken:
            self._drained()
        return taken

    def _watch_again(self) -> None:
        """Put the socket into the loop anew: uvloop watches no longer what the kernel once reported an error for.

        It wakes the reader a last time then, with nothing to read unless somebody sent at that moment.
        """
        self._erred = False
        self._loop.remove_writer(self._socket)
        self._loop.add_reader(self._socket, self._readable)
        if self._waiting:
            self._loop.add_writer(self._socket, self._writable)
