"""One side of a call in the relay: its two sockets, what is learnt about its phone, and the way of a packet.

Symmetric RTP: packets go where the phone's packets come from, which is not always where its description says. The
source is learnt from the first packet after an address was named. Afterwards another source is believed only when it is
the named one, shows the SSRC of the stream so far, or the known one has been silent for a while; else a stranger who
guesses the port could take a call over.
"""

import random
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from kobza.media.browsers import SecureSockets
from kobza.media.digits import STEP_SAMPLES, steps
from kobza.media.messages import Peer, SideFlow, SideQuality, SourceName
from kobza.media.plane import Side
from kobza.media.port_pair import PortPair
from kobza.media.reception import Losses, Reports, Totals
from kobza.media.recorder import NO_LAW, Spool, Spools
from kobza.media.spool import KINDS, MAX_PACKET
from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.g711 import SILENCE, Law
from kobza.rtp.ice import Address
from kobza.rtp.packet import HEADER_BYTES, RtpPacket, is_rtcp

if TYPE_CHECKING:
    from kobza.media.secure_socket import SecureSocket
    from kobza.media.srtp_line import SrtpLine

RELEARN_AFTER: Final = 3.0
"""Seconds of silence after which packets from a new source are believed."""
SHUN_FOR: Final = 2.0
"""Seconds in which packets from the address before do not count as the answer from a newly named one: another branch of
a fork may still send."""


class RelaySide:
    """One side. `other` is set once both sides are open; until then nothing is relayed."""

    __slots__ = (
        "_beyond",
        "_bytes_beyond",
        "_digits",
        "_first_of_tone",
        "_in_digit",
        "_kind",
        "_loop",
        "_losses",
        "_lost",
        "_named",
        "_receive",
        "_receive_rtcp",
        "_received",
        "_renamed",
        "_reports",
        "_rtcp",
        "_rtcp_named",
        "_rtp",
        "_secure",
        "_secure_sockets",
        "_send",
        "_send_rtcp",
        "_shunned",
        "_shunned_until",
        "_speech",
        "_srtp",
        "_stream",
        "_swept",
        "_swept_rtcp",
        "_totals",
        "alive_at",
        "bytes_received",
        "dropped",
        "flow",
        "heard",
        "heard_rtcp",
        "laws",
        "other",
        "packets",
        "port",
        "relaying",
        "rewrite",
        "rtcp_peer",
        "rtp_peer",
        "sent",
        "side",
        "spool",
        "tone_position",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        side: Side,
        pair: PortPair,
        totals: Totals | None = None,
        secure_sockets: SecureSockets | None = None,
    ) -> None:
        """Take over bound ports. `totals` is where it is added up what is moved; `secure_sockets` serve browsers."""
        self._loop = loop
        self._secure_sockets = secure_sockets
        self._secure: SecureSocket | None = None
        """In the place of the socket while the phone is a browser."""
        self._srtp: SrtpLine | None = None
        """Around both sockets while the phone speaks SRTP."""
        self._totals = totals or Totals()
        self.side = side
        self._kind = KINDS[side]
        self.port = pair.port
        self._rtp, self._rtcp = pair.rtp, pair.rtcp
        self._receive: Callable[[int], tuple[bytes, Address]] = self._rtp.recvfrom
        self._send: Callable[[bytes, Address], object] = self._rtp.sendto
        self._receive_rtcp: Callable[[int], tuple[bytes, Address]] = self._rtcp.recvfrom
        self._send_rtcp: Callable[[bytes, Address], object] = self._rtcp.sendto
        self.other: RelaySide | None = None
        self.flow = SideFlow()
        self.rtp_peer: Address | None = None
        """Where packets go: learnt, or named by the phone and not yet contradicted."""
        self.rtcp_peer: Address | None = None
        self._named: Address | None = None
        self._rtcp_named: Address | None = None
        self._shunned: Address | None = None
        self._shunned_until = 0.0
        self.heard: bytes | None = None
        """The last RTP packet from the phone since its address was named."""
        self.heard_rtcp: bytes | None = None
        self._swept: bytes | None = None
        self._swept_rtcp: bytes | None = None
        self.alive_at = loop.time()
        """When the sweep last saw that something had come."""
        self.sent: bytes | None = None
        """The last packet of the other side that went to the phone untouched."""
        self.relaying = False
        """What comes from this side goes to the other one."""
        self.rewrite: Callable[[bytes], bytes] | None = None
        """Changes packets toward this side; None, the common case: they pass untouched."""
        self._stream: OutgoingStream | None = None
        self._renamed: bytes | None = None
        self.tone_position = 0
        self._first_of_tone = True
        self._digits: list[tuple[int, int, Iterator[TelephoneEvent | None]]] = []
        """DTMF on its way to the phone: request, payload type, and the steps that are left of it."""
        self._in_digit = False
        self.spool: Spool | Spools | None = None
        self._speech = _NO_LAWS
        self.laws = _NO_LAWS
        """By payload type: the law of what is recorded."""
        self.packets = 0
        """RTP packets from the phone since they were last added up."""
        self.bytes_received = 0
        self._beyond = 0
        """How many packets went to phones beside those that came from this one: made here, less those withheld. So the
        way of a packet that comes and goes costs nothing more."""
        self._bytes_beyond = 0
        self._losses = Losses()
        self._reports = Reports()
        self._received = self._lost = 0
        """RTP packets from the phone, and those that did not come, until they were last added up."""
        self.dropped = 0
        """Packets that were malformed, came from strangers, or could not be sent."""
        loop.add_reader(self._rtp, self._readable)
        loop.add_reader(self._rtcp, self._rtcp_readable)

    def close(self) -> None:
        """Close both ports."""
        self.add_up()
        if self._secure is not None:
            self._secure.close()
        for opened in (self._rtp, self._rtcp):
            self._loop.remove_reader(opened)
            opened.close()
        self.other = None
        self.spool = None

    # configuration

    def configure(self, flow: SideFlow) -> None:
        """Take what the PBX says about this side."""
        if flow.secure != self.flow.secure or flow.srtp != self.flow.srtp:
            self._protect(flow)
        if flow.rtp != self.flow.rtp and flow.secure is None:
            self._name(flow.rtp)
        if flow.rtcp != self.flow.rtcp:
            self._rtcp_named = self.rtcp_peer = self._address(flow.rtcp)
        if flow.source != self.flow.source:
            self._switch(flow.source)
        if flow.laws != self.flow.laws or flow.muted is not self.flow.muted:
            self._speech = bytes(flow.laws.get(payload_type, NO_LAW) for payload_type in range(128))
            self.laws = _NO_LAWS if flow.muted else self._speech
        if flow.renamed != self.flow.renamed:
            self._renamed = _renaming(flow.renamed)
            self._choose_rewriting()
        self.flow = flow
        self._choose_relaying()
        if self.other is not None:
            self.other._choose_rewriting()  # noqa: SLF001  the same class

    def _choose_relaying(self) -> None:
        if self.other is not None:
            self.other.relaying = self.flow.source == "relay" and not self._in_digit

    def _name(self, peer: Peer | None) -> None:
        """The phone named another address: send there, and learn anew.

        What was heard before any address was named is no other branch: packets are often faster than the answer, above
        all over TCP. Nor is what comes from the port that is named: a phone may call its host by a name of its own.
        """
        now = self._loop.time()
        if self.heard is not None and self._named is not None:
            self._shunned, self._shunned_until = self.rtp_peer, now + SHUN_FOR
        if peer is not None and self._shunned is not None and peer[1] == self._shunned[1]:
            self._shunned = None
        self._named = self.rtp_peer = self._address(peer)
        self.heard = self._swept = None
        self.alive_at = now

    def _protect(self, flow: SideFlow) -> None:
        """Speak SRTP as a browser or a phone does it, or plain RTP again: another phone is in its place."""
        sockets = self._secure_sockets
        if self._secure is not None and flow.secure is None:
            browser = self._secure.selected
            self._secure.close()
            self._secure = None
            self._bare()
            self._name(None)
            self._shunned, self._shunned_until = browser, self._loop.time() + SHUN_FOR  # its packets look like RTP
        if self._srtp is not None and flow.srtp is None:
            self._srtp = None
            self._bare()
        if sockets is None:
            return
        if flow.secure is not None:
            if self._secure is None:
                self._secure = sockets.for_browser(self._rtp)
                self._receive, self._send = self._secure.recvfrom, self._secure.sendto
                self.heard = self._swept = None
            self._secure.configure(flow.secure)
            self._named = self.rtp_peer = self._secure.peer
        elif flow.srtp is not None:
            if self._srtp is None:
                line = self._srtp = sockets.for_phone()
                self._receive, self._send = line.receiving(self._rtp), line.sending(self._rtp)
                self._receive_rtcp, self._send_rtcp = line.receiving(self._rtcp), line.sending(self._rtcp)
            self._srtp.configure(flow.srtp)

    def _bare(self) -> None:
        """Use the sockets as they are."""
        self._receive, self._send = self._rtp.recvfrom, self._rtp.sendto
        self._receive_rtcp, self._send_rtcp = self._rtcp.recvfrom, self._rtcp.sendto

    def _address(self, peer: Peer | None) -> Address | None:
        """Return an address as the socket gives it with a packet, so that the two compare equal."""
        if peer is None or self._rtp.family == socket.AF_INET:
            return peer
        host, port = peer
        return (host if ":" in host else f"::ffff:{host}", port, 0, 0)

    def _switch(self, source: SourceName) -> None:
        """What the phone hears comes from elsewhere: from now on its stream is numbered here, so that it goes on."""
        self.tone_position = 0
        self._first_of_tone = True
        if source in ("ringback", "music"):
            self._own_stream()

    def _own_stream(self) -> OutgoingStream:
        """Return the stream that is numbered here, from now on at the latest."""
        stream = self._stream
        if stream is None:
            now = self._loop.time()
            if self.sent is not None:
                stream = OutgoingStream.after(self.sent, now)
            else:
                bits = random.SystemRandom().getrandbits
                stream = OutgoingStream(ssrc=bits(32), sequence=bits(15), timestamp=bits(32), now=now)
            self._stream = stream
            self._choose_rewriting()
        return stream

    def _choose_rewriting(self) -> None:
        muted = self.other is not None and self.other.flow.muted
        self.rewrite = self._rewritten if muted or self._stream is not None or self._renamed is not None else None

    def _rewritten(self, data: bytes) -> bytes:
        """Return what a packet of the other side becomes on its way to this one; b"" for nothing."""
        if self.other is not None and self.other.flow.muted:
            data = self.other._hushed(data)  # noqa: SLF001  the same class
            if not data:
                return data
        if self._renamed is not None:
            data = data[:1] + data[1:2].translate(self._renamed) + data[2:]
        return data if self._stream is None else self._stream.relayed(data, self._loop.time())

    def _hushed(self, data: bytes) -> bytes:
        """Return a packet from this side with silence for its speech, b"" when its codec has none here.

        A stream that stops could end the call: some phones and many carriers hang up on a silent line.
        """
        kind = data[1] & 0x7F
        law = self._speech[kind]
        if law == NO_LAW:
            return data if kind == self.flow.events else b""
        if data[0] == 0x80:
            return data[:HEADER_BYTES] + bytes([SILENCE[Law(law)]]) * (len(data) - HEADER_BYTES)
        try:
            packet = RtpPacket.parse(data)
        except MalformedRtp:
            return b""
        return b"\x80" + data[1:HEADER_BYTES] + bytes([SILENCE[Law(law)]]) * len(packet.payload)

    # the way of a packet

    def _readable(self) -> None:
        """Take one packet from the RTP port. Called for each packet of each call: every line here counts.

        Only one: a second look finds the socket empty nearly always and costs a quarter of all. What is left there
        makes the loop call again, after all other sockets had their turn.
        """
        try:
            data, source = self._receive(MAX_PACKET)
        except OSError:
            # Mostly EAGAIN, a datagram with a wrong checksum. Whatever else it may be passes with the next packet.
            return
        if len(data) < HEADER_BYTES or data[0] & 0xC0 != 0x80 or 192 <= (kind := data[1]) <= 223:
            # No RTP. RTCP on the same port (RFC 5761), or malformed.
            self._rtcp_arrived(data, source)
            return
        if source != self.rtp_peer and not self._believe(data, source):
            self.dropped += 1
            return
        self.heard = data
        self.packets += 1
        self.bytes_received += len(data)
        if not self.relaying:
            self._withhold(len(data))
            return
        if self.spool is not None and (law := self.laws[kind & 0x7F]) != NO_LAW:
            self.spool.packet(self._kind, law, data)
        to = self.other
        if to is None or to.rtp_peer is None:
            self._withhold(len(data))
            return
        if to.rewrite is not None:
            length = len(data)
            data = to.rewrite(data)
            if not data:
                self._withhold(length)
                return
        try:
            to._send(data, to.rtp_peer)  # noqa: SLF001  the same class
        except OSError:
            self.dropped += 1
            self._withhold(len(data))
        else:
            to.sent = data

    def _believe(self, data: bytes, source: Address) -> bool:
        """Decide about a packet from elsewhere than the last ones; remember its source when it is believed."""
        now = self._loop.time()
        if self.heard is None:
            if source == self._shunned and now < self._shunned_until:
                return False
        elif source != self._named and data[8:12] != self.heard[8:12] and now - self.alive_at < RELEARN_AFTER:
            return False
        self.rtp_peer = source
        return True

    def _rtcp_readable(self) -> None:
        """Take what arrived on the RTCP port."""
        try:
            data, source = self._receive_rtcp(MAX_PACKET)
        except OSError:
            return
        self._rtcp_arrived(data, source)

    def _rtcp_arrived(self, data: bytes, source: Address) -> None:
        """Pass RTCP on. Its source is believed when it is the RTP's host, or nothing better is known."""
        if not is_rtcp(data):
            self.dropped += 1
            return
        if not self.flow.mux and source != self.rtcp_peer:
            known = self.rtp_peer if self.heard is not None else None
            if known is not None and source[0] != known[0] and source != self._rtcp_named:
                self.dropped += 1
                return
            self.rtcp_peer = source
        elif self.flow.mux and source != self.rtp_peer:
            self.dropped += 1
            return
        self.heard_rtcp = data
        now = self._loop.time()
        packets = self._reports.take(data, self._totals, clock_known=bool(self.flow.laws), now=now)
        if self.other is not None:
            self.other.send_rtcp(data)
            self.other._reports.passed(packets, now)  # noqa: SLF001  the same class

    def send_rtcp(self, data: bytes) -> None:
        """Send RTCP to the phone, where it wants it."""
        send, peer = (self._send, self.rtp_peer) if self.flow.mux else (self._send_rtcp, self.rtcp_peer)
        if peer is None:
            return
        try:
            send(data, peer)
        except OSError:
            self.dropped += 1

    def send_tone(self, payloads: tuple[bytes, ...]) -> None:
        """Send the next packet of a tone."""
        if self.rtp_peer is None or self._stream is None or self._in_digit:
            return
        payload = payloads[self.tone_position % len(payloads)]
        self.tone_position += 1
        packet = self._stream.generated(
            self.flow.tone_type, payload, samples=len(payload), first=self._first_of_tone, now=self._loop.time()
        )
        self._first_of_tone = False
        try:
            self._send(packet, self.rtp_peer)
        except OSError:
            self.dropped += 1
        else:
            self._made(len(packet))

    # digits

    @property
    def is_dialling(self) -> bool:
        """Digits are on their way to the phone."""
        return bool(self._digits)

    def dial(self, request: int, payload_type: int, digits: str) -> None:
        """Send digits, after those that are on their way; `send_digit` does it, step by step."""
        self._digits.append((request, payload_type, steps(digits)))

    def send_digit(self) -> list[tuple[int, bool]]:
        """Do the next step of what is dialled; return the requests that are done, and whether all of each went out."""
        if self.rtp_peer is None or self.flow.source == "none":
            done = [(request, False) for request, _, _ in self._digits]
            self._digits.clear()
            self._between_digits()
            return done
        request, payload_type, left = self._digits[0]
        try:
            event = next(left)
        except StopIteration:
            del self._digits[0]
            return [(request, True)]
        if event is None:
            self._between_digits()
            return []
        first = not event.end and event.duration == STEP_SAMPLES
        if first:
            self._in_digit = True
            self._choose_relaying()
        now = self._loop.time()
        packet = self._own_stream().event(payload_type, event.to_bytes(), first=first, now=now)
        try:
            self._send(packet, self.rtp_peer)
        except OSError:
            self.dropped += 1
        else:
            self._made(len(packet))
        return []

    def _between_digits(self) -> None:
        """Let the phone hear again what it hears else."""
        if self._in_digit:
            self._in_digit = False
            self._first_of_tone = True
            self._choose_relaying()

    def sweep(self, now: float) -> bool:
        """Look whether anything came since the last look; remember when. True when something ever came.

        So the way of a packet costs no look at the clock.
        """
        if self.heard is not self._swept or self.heard_rtcp is not self._swept_rtcp:
            self._swept, self._swept_rtcp = self.heard, self.heard_rtcp
            self.alive_at = now
        self.add_up()
        return self.heard is not None or self.heard_rtcp is not None

    def add_up(self) -> None:
        """Add what was moved since the last time to the totals, so that the way of a packet costs little for it."""
        traffic, packets = self._totals.traffic, self.packets
        if self._secure is not None:
            self.dropped += self._secure.dropped()
        if self._srtp is not None:
            self.dropped += self._srtp.dropped()
        lost = self._losses.look(self.heard, packets)
        traffic.lost += lost
        self._lost += lost
        self._received += packets
        traffic.received += packets
        traffic.received_bytes += self.bytes_received
        traffic.sent += packets + self._beyond
        traffic.sent_bytes += self.bytes_received + self._bytes_beyond
        traffic.dropped += self.dropped
        self.packets = self.bytes_received = self.dropped = self._beyond = self._bytes_beyond = 0

    @property
    def quality(self) -> SideQuality:
        """How the packets fared until they were last added up."""
        reports = self._reports
        return SideQuality(
            received=self._received,
            lost=self._lost,
            reports=reports.count,
            lost_beyond=reports.lost_beyond,
            jitter=reports.jitter,
            round_trip=reports.round_trip,
        )

    def _withhold(self, length: int) -> None:
        """Count a packet that came and does not go on."""
        self._beyond -= 1
        self._bytes_beyond -= length

    def _made(self, length: int) -> None:
        """Count a packet that was made here and sent."""
        self._beyond += 1
        self._bytes_beyond += length

    @property
    def tone_law(self) -> Law:
        """The law of a tone to this side."""
        return Law(self.flow.tone_law)


_NO_LAWS: Final = bytes([NO_LAW]) * 128


def _renaming(renamed: dict[int, int]) -> bytes | None:
    """Return the table for the second byte of packets: the payload type changes, the marker stays."""
    if not renamed:
        return None
    table = bytearray(range(256))
    for sent, wanted in renamed.items():
        table[sent], table[sent | 0x80] = wanted, wanted | 0x80
    return bytes(table)
