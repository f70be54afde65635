"""Drives one user agent over sockets: what arrives goes in, what it wants sent goes out, its timers are kept."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from kobza.defence.door import Door
from kobza.net.addresses import family_of
from kobza.net.agent import Agent
from kobza.net.large_requests import LargeRequests
from kobza.net.tcp import Connection, TcpTransport
from kobza.net.tls import Tls
from kobza.net.udp import UdpSocket
from kobza.net.websocket import POLICY_VIOLATION, Closing, MessageSocket, WebSocketConnection, WebSocketTransport
from kobza.net.websocket_server import WebSocketServer
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import UDP, Address, Flow, Transmit, Transport
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.stream import BrokenMessage
from kobza.sip.ua_events import MalformedReceived, UaEvent

log = logging.getLogger(__name__)

KEEP_ALIVES = frozenset({b"\r\n\r\n", b"\r\n", b"\0", b"\0\0\0\0", b""})
"""Datagrams that only keep a NAT open (RFC 5626 section 4.4 and what phones send in its place)."""
RESPONSE = b"SIP/2.0 "
"""How every response begins, and no request."""
TOO_MUCH = Closing(POLICY_VIOLATION, "too many messages, or banned")
MAX_ROUNDS = 100
"""Rounds of events and sending in one `pump`; more means that events breed events for ever, and the loop must go on."""
LEAST_DELAY = 0.001
"""Seconds; a timer that is due at once still lets the sockets have their turn first."""
DELAY_AFTER_FAULT = 1.0
"""Seconds until timers are tried again after an exception in them: a fault of ours must not eat the processor."""


Watch = Callable[[bytes, Flow, bool, float], None]


@dataclass(slots=True)
class EndpointCounters:
    """What an operator wants to know of the sockets; all only grow."""

    received: int = 0
    sent: int = 0
    send_failures: int = 0
    exceptions: int = 0


class SipEndpoint:
    """Sockets, connections and the timer of one user agent. All calls belong into the loop's thread.

    `on_events` gets the events of the user agent in batches, and may act on the user agent: what it causes is sent
    before control returns. Whoever acts on the user agent from elsewhere calls `pump` afterwards.
    """

    def __init__(
        self,
        ua: Agent,
        *,
        now: Callable[[], float],
        on_events: Callable[[list[UaEvent]], None],
        on_lost: Callable[[Flow], None] = lambda _flow: None,
        tls: Tls | None = None,
        speed: float = 1.0,
        door: Door | None = None,
        datagram_limit: int = 0,
        outside: str | None = None,
    ) -> None:
        """`datagram_limit`: requests of more bytes go over TCP to peers of UDP that take it; 0: none does.

        `outside` is the address by which peers on the internet reach us, in Via and Contact; None: our own.

        `speed` is how many seconds of `now` pass in one of the wall (see `kobza.net.clock`).

        `door` decides what is read and who is answered; None: all.

        `on_lost` hears the flow of each WebSocket that has ended: nobody can open it again from here. `tls` is what TLS
        and WSS need; made when it is first wanted, without a certificate of our own.
        """
        self._ua = ua
        self._now = now
        self._speed = speed
        self._door = door
        self._on_events = on_events
        self._on_lost = on_lost
        self._udp: list[UdpSocket] = []
        self._udp_by_local: dict[Address, UdpSocket] = {}
        self._tls = tls
        self._streams: dict[Transport, TcpTransport] = {}
        self._web = WebSocketTransport(received=self._web_message, lost=self._web_lost)
        self._web_servers: list[WebSocketServer] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._least_delay = LEAST_DELAY
        self._pumping = False
        self._closed = False
        self.counters = EndpointCounters()
        self._outside = outside
        self._large = LargeRequests(self._listening_tcp, now, datagram_limit)
        if datagram_limit:
            ua.send_large_by(self._large.stream_for, datagram_limit)
        self.watch: Watch = _nobody_watches
        """Sees each message with its flow, whether it goes (True) or came, and the moment. It must not raise."""

    async def listen(self, transport: Transport, host: str, port: int) -> Address:
        """Bind; returns the address with the real port. `port` 0 takes a free one. Raises `OSError` when it is taken.

        Any number of each transport may be bound.
        """
        if transport is Transport.UDP:
            sock = UdpSocket(
                (host, port), received=self._datagram, drained=self.pump, failed=self._udp_failed, outside=self._outside
            )
            self._udp.append(sock)
            self._udp_by_local[sock.address] = sock
            return sock.address
        if not transport.is_web:
            return await self._stream_transport(transport).listen((host, port))
        certificate = self._tls.certificate if transport is Transport.WSS and self._tls is not None else None
        if transport is Transport.WSS and certificate is None:
            raise OSError("TLS needs a certificate")
        carry = partial(self._carry_accepted, secure=transport is Transport.WSS)
        server = WebSocketServer(carry, None if certificate is None else certificate.web)
        address = await server.listen((host, port))
        self._web_servers.append(server)
        return address

    def flow_to(self, remote: Address, transport: Transport, name: str = "") -> Flow:
        """Return the flow a first request to `remote` (an IP address and port) takes; a connection is opened when used.

        `name` is what the certificate at the other end has to be for; "": its address. Raises `ValueError` when nothing
        listens on that transport (UDP), and for WebSocket, which is only opened toward us.
        """
        if transport is Transport.UDP:
            sock = self._socket_toward(remote)
            return _udp_flow(self._remember(sock, remote), remote)
        if not transport.is_web:
            stream = self._stream_transport(transport)
            if name:
                stream.expect(remote, name)
            return Flow(transport, stream.local_for(remote), remote)
        raise ValueError(f"no {transport.value} transport")

    def certified_names(self, flow: Flow) -> frozenset[str]:
        """Return the SIP domains that who connected to us over TLS has proven to be by a certificate."""
        if flow.transport is not Transport.TLS or Transport.TLS not in self._streams:
            return frozenset()
        return self._streams[Transport.TLS].certified_names(flow)

    async def carry(
        self,
        socket: MessageSocket,
        *,
        local: Address,
        remote: Address,
        secure: bool,
        opened: Callable[[Flow], None] = lambda _flow: None,
    ) -> None:
        """Speak SIP over a WebSocket that somebody else accepted, until it ends (see `WebSocketTransport.carry`).

        Who accepted it knows who is at its other end.
        """
        if self._door is not None:
            self._door.proved(remote, self._now())
        await self._web.carry(socket, local=local, remote=remote, secure=secure, opened=opened)

    def pump(self) -> None:
        """Send what the user agent wants sent, deliver its events, set the timer. Safe to call from `on_events`."""
        if self._pumping or self._closed:
            return
        self._pumping = True
        try:
            for _ in range(MAX_ROUNDS):
                transmits = self._ua.take_transmits()
                if transmits:
                    self._send_all(transmits)
                events = self._ua.take_events()
                if not events:
                    break
                try:
                    self._on_events(events)
                except Exception:
                    self.counters.exceptions += 1
                    log.exception("SIP events were not handled: %s", ", ".join(type(e).__name__ for e in events))
            else:
                log.error("SIP events breed events without end; the rest waits for the next wake-up")
                asyncio.get_running_loop().call_soon(self.pump)
        finally:
            self._pumping = False
        self._arm()

    async def close(self) -> None:
        """Send what is waiting, close every socket and connection, stop the timer."""
        self._send_all(self._ua.take_transmits())
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for sock in self._udp:
            sock.close()
        await self._web.close()
        for server in self._web_servers:
            await server.close()
        for stream in self._streams.values():
            await stream.close()

    @property
    def sockets(self) -> int:
        """Sockets that listen, of all transports."""
        listen = sum(stream.servers for stream in self._streams.values())
        return 0 if self._closed else len(self._udp) + len(self._web_servers) + listen

    @property
    def dropped(self) -> int:
        """Datagrams that were pushed out of a full send queue, over all sockets."""
        return sum(sock.dropped for sock in self._udp)

    @property
    def connections(self) -> int:
        """Connections of TCP and TLS open now."""
        return sum(stream.connections for stream in self._streams.values())

    @property
    def web_sockets(self) -> int:
        """WebSockets open now, those that the HTTP server accepted included."""
        return self._web.connections

    # in

    def _datagram(self, sock: UdpSocket, data: bytes, remote: Address) -> None:
        if len(data) <= 4 and data in KEEP_ALIVES:
            return
        now = self._now()
        if self._door is not None and not self._door.admits(data, remote, now):
            return
        self.counters.received += 1
        try:
            local = self._remember(sock, remote) if not sock.has_one_address else sock.address
            flow = _udp_flow(local, remote)
            self._show(data, flow, False, now)
            self._ua.receive(data, flow, now)
        except Exception:
            self.counters.exceptions += 1
            log.exception("datagram from %s:%s was not handled", *remote)

    def _message(self, connection: Connection, item: SipRequest | SipResponse | BrokenMessage, data: bytes) -> None:
        now = self._now()
        if self._door is not None and not connection.outgoing and not self._door.admits(data, connection.remote, now):
            connection.abort()  # what is dropped here comes no second time, so the peer is to learn that it is lost
            return
        self.counters.received += 1
        flow = connection.flow
        self._show(data, flow, False, now)
        try:
            if isinstance(item, BrokenMessage):  # the user agent knows what a broken request is answered
                self._ua.receive(data, flow, now)
            else:
                self._ua.receive_message(item, flow, now)
        except Exception:
            self.counters.exceptions += 1
            log.exception("message from %s:%s was not handled", *connection.remote)

    def _web_message(self, connection: WebSocketConnection, data: bytes) -> None:
        now = self._now()
        if self._door is not None and not self._door.admits(data, connection.remote, now):
            connection.end(TOO_MUCH)
            return
        self.counters.received += 1
        self._show(data, connection.flow, False, now)
        try:
            self._ua.receive(data, connection.flow, now)
        except Exception:
            self.counters.exceptions += 1
            log.exception("message from %s:%s was not handled", *connection.remote)
        self.pump()

    def _show(self, data: bytes, flow: Flow, sent: bool, at: float) -> None:
        """Let who watches see a message. A fault there is none of the message's, which goes its way."""
        try:
            self.watch(data, flow, sent, at)
        except Exception:
            self.counters.exceptions += 1
            log.exception("a message that passed %s:%s could not be looked at", *flow.remote)

    def _malformed(self, connection: Connection, error: MalformedMessage, data: bytes) -> None:
        try:
            self._on_events([MalformedReceived(connection.flow, error, data)])
        except Exception:
            self.counters.exceptions += 1
            log.exception("malformed stream from %s:%s was not handled", *connection.remote)

    def _lost(self, connection: Connection) -> None:
        """Tell the user agent under every name its flows have for this connection."""
        if self._closed:
            return
        if connection.flow.transport is Transport.TCP:
            self._large.lost(connection)
        for flow in (connection.flow, *connection.names):
            self._fail(flow)
        self.pump()

    def _web_lost(self, connection: WebSocketConnection) -> None:
        if self._closed:
            return
        self._fail(connection.flow)
        try:
            self._on_lost(connection.flow)
        except Exception:
            self.counters.exceptions += 1
            log.exception("the end of the flow to %s:%s was not handled", *connection.remote)
        self.pump()

    async def _carry_accepted(self, socket: MessageSocket, local: Address, remote: Address, *, secure: bool) -> None:
        if not self._welcomes(remote[0]):
            await socket.close(*TOO_MUCH)
            return
        await self._web.carry(socket, local=local, remote=remote, secure=secure)

    def _udp_failed(self, sock: UdpSocket, remote: Address, error: OSError) -> None:
        log.info("UDP to %s:%s: %s", *remote, error)
        self.counters.send_failures += 1
        self._fail(Flow(Transport.UDP, sock.local_for(remote), remote))
        self.pump()

    def _fail(self, flow: Flow) -> None:
        try:
            self._ua.transport_failed(flow, self._now())
        except Exception:
            self.counters.exceptions += 1
            log.exception("broken flow to %s:%s was not handled", *flow.remote)

    # out

    def _send_all(self, transmits: list[Transmit]) -> None:
        now = self._now()
        for transmit in transmits:
            self._send(transmit, now)

    def _send(self, transmit: Transmit, now: float) -> None:
        flow, door = transmit.flow, self._door
        if (
            door is not None
            and flow.transport is UDP
            and transmit.data.startswith(RESPONSE)
            and not door.may_answer(transmit.data, flow.remote)
        ):
            return
        self.counters.sent += 1
        self._show(transmit.data, flow, True, now)
        try:
            if flow.transport is UDP:
                self._socket_at(flow.local).send(transmit.data, flow.remote)
            elif not self._carrier_of(flow.transport).send(transmit.data, flow):
                self.counters.send_failures += 1
                self._fail(flow)
        except Exception:
            self.counters.exceptions += 1
            log.exception("message to %s:%s was not handled", *flow.remote)

    # timer

    def _arm(self) -> None:
        """Have one timer at or before the next deadline; an earlier one that is set already just looks again."""
        deadline = self._ua.next_deadline()
        if deadline is None or self._closed:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        delay = max((deadline - self._now()) / self._speed, self._least_delay)
        self._timer = asyncio.get_running_loop().call_later(delay, self._timer_due)

    def _timer_due(self) -> None:
        self._timer = None
        now = self._now()
        deadline = self._ua.next_deadline()
        if deadline is not None and deadline <= now:
            self._least_delay = LEAST_DELAY
            try:
                self._ua.handle_timers(now)
            except Exception:
                self._least_delay = DELAY_AFTER_FAULT
                self.counters.exceptions += 1
                log.exception("SIP timers were not handled")
            self.pump()
        else:
            self._arm()

    # inside

    def _welcomes(self, host: str) -> bool:
        return self._door is None or not self._door.shuts_out(host, self._now())

    def _carrier_of(self, transport: Transport) -> TcpTransport | WebSocketTransport:
        return self._web if transport.is_web else self._stream_transport(transport)

    def _stream_transport(self, transport: Transport) -> TcpTransport:
        stream = self._streams.get(transport)
        if stream is None:
            if transport is Transport.TLS and self._tls is None:
                self._tls = Tls()
            stream = self._streams[transport] = TcpTransport(
                received=self._message,
                drained=self.pump,
                lost=self._lost,
                malformed=self._malformed,
                welcomes=self._welcomes,
                tls=self._tls if transport is Transport.TLS else None,
                outside=self._outside,
            )
        return stream

    def _listening_tcp(self) -> TcpTransport | None:
        """Return the transport of TCP where peers can come back to us over it."""
        stream = self._streams.get(Transport.TCP)
        return stream if stream is not None and stream.servers else None

    def _socket_toward(self, remote: Address) -> UdpSocket:
        """Choose the socket for a first request: the one bound to the address the route leaves from, else the first."""
        if not self._udp:
            raise ValueError("no UDP socket")
        if len(self._udp) > 1:
            for sock in self._udp:
                if sock.reaches(remote[0]):
                    return sock
        return self._udp[0]

    def _remember(self, sock: UdpSocket, remote: Address) -> Address:
        local = sock.local_for(remote)
        self._udp_by_local[local] = sock
        return local

    def _socket_at(self, local: Address) -> UdpSocket:
        sock = self._udp_by_local.get(local)
        if sock is not None:
            return sock
        for candidate in self._udp:
            same_family = family_of(candidate.address[0]) == family_of(local[0])
            if candidate.is_wildcard and candidate.address[1] == local[1] and same_family:
                return candidate
        raise ValueError(f"no UDP socket at {local[0]}:{local[1]}")


@lru_cache(4096)
def _udp_flow(local: Address, remote: Address) -> Flow:
    """Return the flow of a datagram: that of the one before it, as a rule, and then it is found without being made."""
    return Flow(UDP, local, remote)


def _nobody_watches(_data: bytes, _flow: Flow, _sent: bool, _at: float) -> None:
    """Let messages pass unseen."""
