"""The two UDP sockets of a side of a call."""

import contextlib
import socket
import sys
from collections.abc import Iterable
from select import POLLIN, poll
from typing import Final

TRAFFIC_CLASS: Final = 0xB8
"""Expedited Forwarding (RFC 4594, section 4.1) as the TOS byte."""

BOTH_FAMILIES: Final = "::"
"""Bound to this, a socket is of IPv4 too, whose addresses are `::ffff:192.0.2.1` to it (RFC 4291, section 2.5.5.2)."""

_INET: Final = int(socket.AF_INET)
"""These are numbers here, not members of enumerations: a call asks for each four times."""
_INET6: Final = int(socket.AF_INET6)
_KIND: Final = int(socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
_IP: Final = int(socket.IPPROTO_IP)
_IPV6: Final = int(socket.IPPROTO_IPV6)
_TOS: Final = int(socket.IP_TOS)
_TCLASS: Final = int(socket.IPV6_TCLASS)
_V6ONLY: Final = int(socket.IPV6_V6ONLY)
_ON_LINUX: Final = sys.platform == "linux"
_Socket: Final = socket.SocketType


def open_socket(host: str, port: int) -> socket.SocketType:
    """Return a bound UDP socket; raise OSError.

    It is of the system's kind: what `socket.socket` adds to it costs a call memory and is not needed here.
    """
    is_ipv6 = ":" in host
    opened = _Socket(_INET6 if is_ipv6 else _INET, _KIND)
    try:
        if not is_ipv6:
            opened.setsockopt(_IP, _TOS, TRAFFIC_CLASS)
        else:
            opened.setsockopt(_IPV6, _TCLASS, TRAFFIC_CLASS)
            both = host == BOTH_FAMILIES
            opened.setsockopt(_IPV6, _V6ONLY, not both)
            if both and _ON_LINUX:  # elsewhere a socket of IPv6 has no such option
                opened.setsockopt(_IP, _TOS, TRAFFIC_CLASS)
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
    waiting = poll()
    for fd in sockets:
        waiting.register(fd, POLLIN)
    for fd, _ in waiting.poll(0):  # mostly nothing, which is learnt of all by one question
        with contextlib.suppress(BlockingIOError):
            while True:
                sockets[fd].recv(1)
