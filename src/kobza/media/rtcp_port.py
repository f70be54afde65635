"""The RTCP of one side: passed on as it comes, and read for what the phone says of how it hears."""

import socket

from kobza.media.reception import Reports
from kobza.media.relay_context import RelayContext
from kobza.media.rtp_port import Receive, RtpPort, Send
from kobza.media.spool import MAX_PACKET
from kobza.rtp.ice import Address
from kobza.rtp.packet import is_rtcp


class RtcpPort:
    """Takes RTCP of a phone, on its own port or on that of RTP, and sends it the other phone's."""

    __slots__ = (
        "_context",
        "_mux",
        "_named",
        "_rtp",
        "clock",
        "heard",
        "other",
        "peer",
        "receive",
        "reports",
        "send",
        "sock",
    )

    def __init__(self, context: RelayContext, sock: socket.SocketType, rtp: RtpPort) -> None:
        """`rtp` is the RTP port of the same side: for its counts, for its host, and for RTCP that shares it."""
        self._context = context
        self.sock = sock
        self._rtp = rtp
        self._mux = False
        self._named: Address | None = None
        self.receive: Receive | None = None
        self.send: Send | None = None
        """In the place of the socket's own, see RtpPort."""
        self.other: RtcpPort | None = None
        """That of the other side, once it is open."""
        self.peer: Address | None = None
        """Where it goes: learnt, or named by the phone and not yet contradicted."""
        self.heard: bytes | None = None
        """The last that came from the phone."""
        self.reports: Reports | None = None
        """What it says; None as long as no RTCP has come from either phone."""
        self.clock: int | None = None
        """That of the codec which the phone hears, in Hz; None: not known."""

    def bare(self) -> None:
        """Use the socket as it is: nothing is protected."""
        self.receive = self.send = None

    def protect(self, receive: Receive, send: Send) -> None:
        """Use what is put around the socket in its place."""
        self.receive, self.send = receive, send

    def share(self, *, mux: bool) -> None:
        """Expect RTCP on the port of RTP, or on its own."""
        self._mux = mux

    def name(self, address: Address | None) -> None:
        """The phone named another address for its RTCP."""
        self._named = self.peer = address

    def readable(self) -> None:
        """Take what arrived on the RTCP port."""
        receive = self.receive
        try:
            data, source = self.sock.recvfrom(MAX_PACKET) if receive is None else receive(MAX_PACKET)
        except OSError:
            return
        self.arrived(data, source)

    def arrived(self, data: bytes, source: Address) -> None:
        """Pass RTCP on. Its source is believed when it is the RTP's host, or nothing better is known."""
        rtp = self._rtp
        if not is_rtcp(data):
            rtp.dropped += 1
            return
        if not self._mux and source != self.peer:
            known = rtp.peer if rtp.heard is not None else None
            if known is not None and source[0] != known[0] and source != self._named:
                rtp.dropped += 1
                return
            self.peer = source
        elif self._mux and source != rtp.peer:
            rtp.dropped += 1
            return
        self.heard = data
        now = self._context.loop.time()
        self.reports = self.reports or Reports()
        packets = self.reports.take(data, self._context.totals, clock=self.clock, now=now)
        other = self.other
        if other is not None:
            other.pass_on(data)
            other.reports = other.reports or Reports()
            other.reports.passed(packets, now)

    def pass_on(self, data: bytes) -> None:
        """Send the other phone's RTCP to the phone, where it wants it."""
        if self._mux:
            if self._rtp.peer is not None:
                self._rtp.passes(data, self._rtp.peer)
            return
        send, peer = self.send, self.peer
        if peer is None:
            return
        try:
            if send is None:
                self.sock.sendto(data, peer)
            else:
                send(data, peer)
        except OSError:
            self._rtp.dropped += 1
