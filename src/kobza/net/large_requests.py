"""Requests that are too long for a datagram: over TCP to peers that take it (RFC 3261 18.1.1)."""

import logging
from collections.abc import Callable
from typing import Final

from kobza.net.tcp import Connection, TcpTransport
from kobza.sip.flow import Address, Flow, Transport

log = logging.getLogger(__name__)

CONNECT_WITHIN: Final = 1.0
"""Seconds until the request goes by UDP after all: somebody waits for it to ring, and a firewall answers nothing."""
WITHOUT_FOR: Final = 3600.0
"""Seconds for which a peer that took no connection is asked for none. Most phones on UDP listen to nothing else."""
MAX_WITHOUT: Final = 4096
"""Peers that are known to take none; at the bound the oldest is forgotten, and asked anew."""


class LargeRequests:
    """Which peers of UDP take long requests over TCP."""

    def __init__(self, tcp: Callable[[], TcpTransport | None], now: Callable[[], float], limit: int) -> None:
        """`tcp` gives the transport that listens; None: it does not, and nothing is sent over it."""
        self._tcp = tcp
        self._now = now
        self._limit = limit
        self._asked: set[Address] = set()
        """Peers with a connection that a long request has taken; as many as connections at most."""
        self._without: dict[Address, float] = {}

    def stream_for(self, flow: Flow) -> Flow | None:
        """Return the way over TCP to the peer of a flow of UDP; None when that peer, or we, speak no TCP.

        A connection is opened when there is none, and its failure is that of the flow.
        """
        until = self._without.get(flow.remote)
        if until is not None:
            if self._now() < until:
                return None
            del self._without[flow.remote]
        tcp = self._tcp()
        local = ("", 0) if tcp is None else tcp.local_for(flow.remote)
        if tcp is None or not local[1] or not tcp.reach(flow.remote, CONNECT_WITHIN):
            return None
        self._asked.add(flow.remote)
        return Flow(Transport.TCP, local, flow.remote)

    def lost(self, connection: Connection) -> None:
        """Take that a connection has ended: a peer of UDP that we opened it to and never heard over it takes none."""
        if connection.remote not in self._asked:
            return
        self._asked.discard(connection.remote)
        if not connection.outgoing or connection.was_heard:
            return
        self._without.pop(connection.remote, None)
        self._without[connection.remote] = self._now() + WITHOUT_FOR
        if len(self._without) > MAX_WITHOUT:
            del self._without[next(iter(self._without))]
        log.info("%s:%s takes no TCP: requests of more than %d bytes go there by UDP", *connection.remote, self._limit)
