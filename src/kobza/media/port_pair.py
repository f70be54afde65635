"""The two UDP sockets of a side of a call."""

import contextlib
import select
import socket
import sys
from collections.abc import Iterable
from typing import Final

TRAFFIC_CLASS: Final = 0xB8
"""Expedited Forwarding (RFC 4594, section 4.1) as the TOS byte."""

BOTH_FAMILIES: Final = "::"
"""Bound to this, a socket is of IPv4 too, whose addresses are `::ffff:192.0.2.1` to it (RFC 4291, section 2.5.5.2)."""


def open_socket(host: str, port: int) -> socket.SocketType:
    """Return a bound UDP socket; raise OSError.

    It is of the system's kind: what `socket.socket` adds to it costs a call memory and is not needed here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.SocketType(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET:
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, TRAFFIC_CLASS)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, TRAFFIC_CLASS)
            both = host == BOTH_FAMILIES
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not both)
            if both and sys.platform == "linux":  # elsewhere a socket of IPv6 has no such option
                opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, TRAFFIC_CLASS)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


class PortPair:
    """The two bound sockets of a side: RTP on an even port, RTCP on the one above."""

    __slots__ = ("port", "rtcp", "rtp")

    def __init__(self, host: str, port: int) -> None:
        """Bind both; raise OSError, with none bound."""
        self.port = port
        self.rtp = open_socket(host, port)
        try:
            self.rtcp = open_socket(host, port + 1)
        except OSError:
            self.rtp.close()
            raise

    def close(self) -> None:
        """Close both."""
        self.rtp.close()
        self.rtcp.close()


def drain(pairs: Iterable[PortPair]) -> None:
    """Throw away what came before pairs had a call: it is of nobody in it."""
    sockets = {sock.fileno(): sock for pair in pairs for sock in (pair.rtp, pair.rtcp)}
    waiting = select.poll()
    for fd in sockets:
        waiting.register(fd, select.POLLIN)
    for fd, _ in waiting.poll(0):  # mostly nothing, which is learnt of all by one question
        with contextlib.suppress(BlockingIOError):
            while True:
                sockets[fd].recv(1)
