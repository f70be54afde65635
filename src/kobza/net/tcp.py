"""SIP over TCP and TLS (RFC 3261 section 18): incoming and outgoing connections, their limits and their end."""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from kobza.net.addresses import LocalHosts, family_of, is_wildcard, told_host
from kobza.net.tls import Tls, certified_names
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Address, Flow, Transport
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.stream import BrokenMessage, KeepAlive, StreamParser

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 4096
"""Connections at once, over all peers: each costs a descriptor and about 10 kB."""
MAX_CONNECTIONS_PER_HOST = 1024
"""Connections at once from one address: many phones behind one NAT are normal, one peer with all of them is not."""
IDLE_CLOSE = 4000.0
"""Seconds without a byte before a connection is closed: longer than a registration, or its phone would be lost."""
INCOMPLETE_CLOSE = 10.0
"""Seconds a message may take to arrive once its first byte is here: ends peers that send a byte now and then."""
SILENT_CLOSE = 30.0
"""Seconds a new incoming connection may wait with its first message."""
CONNECT_TIMEOUT = 5.0
"""Seconds until an outgoing connection counts as failed: well under timer B (32 s): another target has its turn."""
MAX_UNSENT = 1024 * 1024
"""Bytes queued toward a peer that does not read. At the bound the connection is closed: late messages are useless."""
MAX_NAMES = 1024
"""Flows of one connection that are told of its end by name; beyond, its requests learn it from their timers."""
MAX_EXPECTED = 4096
"""Peers of which the name in their certificate is known; at the bound the oldest is forgotten."""
SHUTDOWN_WITHIN = 2.0
"""Seconds for the end of TLS, before the connection is closed all the same."""
SWEEP_INTERVAL = 1.0
"""Seconds between two looks for connections that are overdue."""


class Connection(asyncio.Protocol):
    """One connection. `number` is its id in a Flow; `names` are other flows that were sent over it.

    Those are flows with connection 0, and those of connections that are gone, of which this one took the place.
    """

    def __init__(self, owner: "TcpTransport", number: int, remote: Address | None) -> None:
        self._owner = owner
        self.number = number
        self.remote: Address = remote or ("", 0)
        self.local: Address = ("", 0)
        self.outgoing = remote is not None
        self.names: set[Flow] = set()
        self.certified: frozenset[str] = frozenset()
        """SIP domains of the certificate that who opened it has shown; none of what we opened."""
        self._parser = StreamParser()
        self._transport: asyncio.Transport | None = None
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0
        self.connecting: asyncio.Task[None] | None = None
        self._opened_at = self._heard_at = owner.time()
        self._incomplete_since: float | None = None
        self._heard_a_message = False
        self.closed = False

    @property
    def flow(self) -> Flow:
        """What names it to the user agent."""
        return self._owner.flow_of(self)

    @property
    def was_heard(self) -> bool:
        """Whether any message came over it."""
        return self._heard_a_message

    def name(self, flow: Flow) -> None:
        """Remember a flow that this connection serves under another name, to tell of its end under that one too."""
        if len(self.names) < MAX_NAMES:
            self.names.add(flow)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio calls this once the connection stands."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")  # noqa: S101 - uvloop has its own
        self._transport = transport  # type: ignore[assignment]
        name, peer = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if name is None or peer is None or self.closed:  # gone before it began
            transport.abort()  # type: ignore[attr-defined]
            return
        self.local, self.remote = (name[0], name[1]), (peer[0], peer[1])
        if not self.outgoing:
            self.certified = certified_names(transport.get_extra_info("peercert"))
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._owner.connection_opened(self)
        while self._unsent and not self.closed:
            self._write(self._unsent.popleft())
        self._unsent_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Asyncio calls this with what arrived."""
        self._heard_at = self._owner.time()
        try:
            items = self._parser.feed(data)
        except MalformedMessage:
            items = []
        for item, raw in zip(items, self._parser.raw, strict=True):
            if isinstance(item, KeepAlive):
                if item.reply:
                    self._write(item.reply)
            else:
                self._heard_a_message = True
                self._owner.item_arrived(self, item, raw)
            if self.closed:
                return
        error = self._parser.error
        if error is not None:  # the frame is lost: nothing after it can be trusted
            log.info("%s %s:%s: %s, connection closed", self._owner.transport, *self.remote, error)
            self._owner.framing_lost(self, error, data)
            self.close()
        elif items or self._incomplete_since is None:
            self._incomplete_since = self._heard_at if self._parser.buffered else None
        self._owner.drained()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio calls this at the end, whoever closed."""
        self._transport = None
        self.fail(exc)

    def send(self, data: bytes) -> None:
        """Write now, or as soon as the connection stands. A peer that does not read loses its connection."""
        if self._transport is not None:
            self._write(data)
            return
        self._unsent_bytes += len(data)
        if self._unsent_bytes > MAX_UNSENT:
            self.fail(None)
            return
        self._unsent.append(data)

    def close(self) -> None:
        """Close after what was written has left; `connection_lost` follows."""
        if self._transport is not None:
            self._transport.close()
        else:
            self.fail(None)

    def abort(self) -> None:
        """Close at once; what was not sent is lost."""
        if self._transport is not None:
            self._transport.abort()
        self.fail(None)

    def fail(self, reason: BaseException | None) -> None:
        """End this connection once: no further message is taken, the owner forgets it and tells the user agent."""
        if self.closed:
            return
        self.closed = True
        if self.connecting is not None and not self.connecting.done():
            self.connecting.cancel()
        self._unsent.clear()
        self._owner.connection_closed(self, reason)

    def overdue(self, now: float) -> str | None:
        """Say why this connection must go now; None when it may stay."""
        if self._incomplete_since is not None and now - self._incomplete_since > INCOMPLETE_CLOSE:
            return "an incomplete message"
        if not self.outgoing and not self._heard_a_message and now - self._opened_at > SILENT_CLOSE:
            return "no message"
        if now - self._heard_at > IDLE_CLOSE:
            return "idle"
        return None

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            log.warning("%s %s:%s does not read, connection closed", self._owner.transport, *self.remote)
            self.abort()


class TcpTransport:
    """All TCP connections of one endpoint, or all of TLS: its servers, connections on demand, reuse, limits.

    Callbacks: `received(connection, message, its bytes)`, `drained()` after each batch, `lost(connection)` once for
    each connection that had stood or was asked for, `malformed(connection, error, data)` for a stream that cannot be
    framed.
    """

    def __init__(
        self,
        *,
        received: Callable[[Connection, SipRequest | SipResponse | BrokenMessage, bytes], None],
        drained: Callable[[], None],
        lost: Callable[[Connection], None],
        malformed: Callable[[Connection, MalformedMessage, bytes], None],
        welcomes: Callable[[str], bool] = lambda _host: True,
        tls: Tls | None = None,
        outside: str | None = None,
    ) -> None:
        """`tls`: every connection is one of TLS. None: none is.

        `outside` is the address by which peers on the internet reach us; None: our own.

        `welcomes` tells of an address whether a connection from there is taken.
        """
        self.transport = Transport.TCP if tls is None else Transport.TLS
        self._tls = tls
        self._outside = outside
        self._expected: dict[Address, str] = {}
        self._received = received
        self.drained = drained
        self._lost = lost
        self._malformed = malformed
        self._welcomes = welcomes
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, Connection] = {}
        self._by_remote: dict[Address, Connection] = {}
        self._per_host: dict[str, int] = {}
        self._next_number = 1
        self._sweep: asyncio.TimerHandle | None = None
        self._locals = LocalHosts()
        self._addresses: list[Address] = []
        self.refused = 0
        self._closing = False

    @property
    def connections(self) -> int:
        """Connections open or being opened now."""
        return len(self._connections)

    async def listen(self, bind: Address) -> Address:
        """Accept connections at `bind` too; returns the address with the real port.

        Raises `OSError` when it is taken, and for TLS without a certificate.
        """
        options: dict[str, Any] = {}
        if self._tls is not None:
            if self._tls.certificate is None:
                raise OSError("TLS needs a certificate")
            options = {
                "ssl": self._tls.certificate.context,
                "ssl_handshake_timeout": INCOMPLETE_CLOSE,
                "ssl_shutdown_timeout": SHUTDOWN_WITHIN,
            }
        server = await self._loop.create_server(self._accept, *bind, reuse_address=True, backlog=512, **options)
        self._servers.append(server)
        name = server.sockets[0].getsockname()
        self._addresses.append((name[0], name[1]))
        return self._addresses[-1]

    @property
    def servers(self) -> int:
        """At how many addresses connections are accepted."""
        return len(self._servers)

    def local_for(self, remote: Address) -> Address:
        """Return what belongs in Via and Contact toward `remote`: where we listen, as `remote` sees it.

        Of several addresses of its family the one that packets to it leave from, else the first.
        """
        family = family_of(remote[0])
        addresses = [address for address in self._addresses if family_of(address[0]) is family]
        if not addresses:
            return self._locals.get(remote[0]), 0
        host, port = addresses[0]
        if is_wildcard(host) or len(addresses) > 1:
            host = self._locals.get(remote[0])
            port = next((port for own, port in addresses if own == host or is_wildcard(own)), 0)
            if not port:
                host, port = addresses[0]
        return told_host(self._outside, remote[0]) or host, port

    def flow_of(self, connection: Connection) -> Flow:
        """Return the flow of a connection: of one that was accepted where it was, which its peer can reach again."""
        local = self.local_for(connection.remote) if connection.outgoing else connection.local
        if not local[1]:  # we listen nowhere: the connection itself is the only place to reach us
            local = connection.local
        elif not connection.outgoing:
            local = told_host(self._outside, connection.remote[0]) or local[0], local[1]
        return Flow(self.transport, local, connection.remote, connection.number)

    def certified_names(self, flow: Flow) -> frozenset[str]:
        """Return the SIP domains that the other end of a connection has proven to be; none once it is gone."""
        connection = self._connections.get(flow.connection)
        return frozenset() if connection is None else connection.certified

    def expect(self, remote: Address, name: str) -> None:
        """Know by which name a peer's certificate is to call it: the one it was looked up by, never its own."""
        self._expected.pop(remote, None)
        self._expected[remote] = name
        if len(self._expected) > MAX_EXPECTED:
            del self._expected[next(iter(self._expected))]

    def send(self, data: bytes, flow: Flow) -> bool:
        """Send on the flow's connection, or (0, or when that one is gone) on any to its peer, opening one when needed.

        Returns False when it cannot even be tried: the connection limit is reached.
        """
        connection = self._connections.get(flow.connection) if flow.connection else None
        if connection is None:
            if not self.reach(flow.remote, CONNECT_TIMEOUT):
                return False
            connection = self._by_remote[flow.remote]
        if connection.number != flow.connection or connection.remote != flow.remote:
            connection.name(flow)
        connection.send(data)
        return True

    def reach(self, remote: Address, within: float) -> bool:
        """Open a connection unless there is one, in so many seconds at most. False at the connection limit."""
        if remote in self._by_remote:
            return True
        if self._closing or len(self._connections) >= MAX_CONNECTIONS:
            self.refused += 1
            return False
        self._open(remote, within)
        return True

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._closing = True
        if self._sweep is not None:
            self._sweep.cancel()
        for server in self._servers:
            server.close()
        pending = [c.connecting for c in self._connections.values() if c.connecting is not None]
        for connection in list(self._connections.values()):
            connection.close()
        await asyncio.gather(*pending, return_exceptions=True)
        await asyncio.sleep(0)  # asyncio calls connection_lost in the next round

    # what a Connection reports

    def connection_opened(self, connection: Connection) -> None:
        """Take an accepted connection in, or turn it away at a limit."""
        host = connection.remote[0]
        if not connection.outgoing:
            if not self._welcomes(host):  # banned: not a line of the log for each try
                self.refused += 1
                connection.abort()
                return
            crowded = self._per_host.get(host, 0) >= MAX_CONNECTIONS_PER_HOST
            if crowded or self._closing or len(self._connections) >= MAX_CONNECTIONS:
                self.refused += 1
                log.warning("%s connection from %s:%s refused: too many", self.transport, *connection.remote)
                connection.abort()
                return
            self._add(connection)

    def item_arrived(self, connection: Connection, item: SipRequest | SipResponse | BrokenMessage, raw: bytes) -> None:
        """Pass on one message, sound or broken inside."""
        self._received(connection, item, raw)

    def framing_lost(self, connection: Connection, error: MalformedMessage, data: bytes) -> None:
        """Pass on that a stream cannot be framed any more."""
        self._malformed(connection, error, data)

    def connection_closed(self, connection: Connection, reason: BaseException | None) -> None:
        """Forget a connection and tell the owner."""
        if self._connections.pop(connection.number, None) is None:
            return
        if self._by_remote.get(connection.remote) is connection:
            del self._by_remote[connection.remote]
        host = connection.remote[0]
        left = self._per_host.get(host, 1) - 1
        if left:
            self._per_host[host] = left
        else:
            self._per_host.pop(host, None)
        if reason is not None:
            log.info("%s %s:%s: %s", self.transport, *connection.remote, reason)
        self._lost(connection)

    # inside

    def _accept(self) -> Connection:
        return Connection(self, self._new_number(), None)

    def _new_number(self) -> int:
        number = self._next_number
        self._next_number += 1
        return number

    def _add(self, connection: Connection) -> None:
        self._connections[connection.number] = connection
        self._by_remote[connection.remote] = connection
        host = connection.remote[0]
        self._per_host[host] = self._per_host.get(host, 0) + 1
        if self._sweep is None:
            self._sweep = self._loop.call_later(SWEEP_INTERVAL, self._sweep_overdue)

    def _open(self, remote: Address, within: float) -> None:
        connection = Connection(self, self._new_number(), remote)
        self._add(connection)
        connection.connecting = self._loop.create_task(
            self._connect(connection, within), name=f"sip-{self.transport.lower()}-{remote[0]}:{remote[1]}"
        )

    async def _connect(self, connection: Connection, within: float) -> None:
        """Open the connection; its failure is the connection's end, and the owner hears of that."""
        try:
            async with asyncio.timeout(within):
                await self._loop.create_connection(lambda: connection, *connection.remote, **self._verified(connection))
        except (OSError, TimeoutError) as error:
            connection.fail(error)
        except asyncio.CancelledError:
            connection.fail(None)
            raise

    def _verified(self, connection: Connection) -> dict[str, Any]:
        if self._tls is None:
            return {}
        name = self._expected.get(connection.remote, connection.remote[0])
        return {"ssl": self._tls.client, "server_hostname": name, "ssl_shutdown_timeout": SHUTDOWN_WITHIN}

    def _sweep_overdue(self) -> None:
        self._sweep = None
        now = self.time()
        for connection in list(self._connections.values()):
            why = connection.overdue(now)
            if why is not None:
                log.info("%s %s:%s closed: %s", self.transport, *connection.remote, why)
                connection.abort()
        if self._connections and not self._closing:
            self._sweep = self._loop.call_later(SWEEP_INTERVAL, self._sweep_overdue)
