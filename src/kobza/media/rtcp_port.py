"""The RTCP of one side: passed on as it comes, and read for what the phone says of how it hears."""

import socket
from asyncio import AbstractEventLoop

from kobza.media.messages import SideFlow
from kobza.media.reception import Reports, Totals
from kobza.media.rtp_port import Receive, RtpPort, Send
from kobza.media.spool import MAX_PACKET
from kobza.rtp.ice import Address
from kobza.rtp.packet import is_rtcp


class RtcpPort:
    """Takes RTCP of a phone, on its own port or on that of RTP, and sends it the other phone's."""

    __slots__ = (
        "_loop",
        "_mux",
        "_named",
        "_rtp",
        "_totals",
        "clock",
        "heard",
        "other",
        "peer",
        "receive",
        "reports",
        "send",
        "sock",
    )

    def __init__(self, loop: AbstractEventLoop, sock: socket.socket, totals: Totals) -> None:
        self._loop = loop
        self._totals = totals
        self.sock = sock
        self._rtp: RtpPort
        self._mux = False
        self._named: Address | None = None
        self.receive: Receive = sock.recvfrom
        self.send: Send = sock.sendto
        self.other: RtcpPort | None = None
        """That of the other side, once it is open."""
        self.peer: Address | None = None
        """Where it goes: learnt, or named by the phone and not yet contradicted."""
        self.heard: bytes | None = None
        """The last that came from the phone."""
        self.reports = Reports()
        self.clock: int | None = None
        """That of the codec which the phone hears, in Hz; None: not known."""

    def beside(self, rtp: RtpPort) -> None:
        """Take the RTP port of the same side: for its counts, for its host, and for RTCP that shares it."""
        self._rtp = rtp

    def bare(self) -> None:
        """Use the socket as it is: nothing is protected."""
        self.receive, self.send = self.sock.recvfrom, self.sock.sendto

    def protect(self, receive: Receive, send: Send) -> None:
        """Use what is put around the socket in its place."""
        self.receive, self.send = receive, send

    def configure(self, flow: SideFlow) -> None:
        """Take what the PBX says about this side, but for the address."""
        self._mux = flow.profile.mux

    def name(self, address: Address | None) -> None:
        """The phone named another address for its RTCP."""
        self._named = self.peer = address

    def readable(self) -> None:
        """Take what arrived on the RTCP port."""
        try:
            data, source = self.receive(MAX_PACKET)
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
        now = self._loop.time()
        packets = self.reports.take(data, self._totals, clock=self.clock, now=now)
        if self.other is not None:
            self.other.pass_on(data)
            self.other.reports.passed(packets, now)

    def pass_on(self, data: bytes) -> None:
        """Send the other phone's RTCP to the phone, where it wants it."""
        send, peer = (self._rtp.send, self._rtp.peer) if self._mux else (self.send, self.peer)
        if peer is None:
            return
        try:
            send(data, peer)
        except OSError:
            self._rtp.dropped += 1
