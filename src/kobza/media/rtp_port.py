"""The RTP port of one side: the way of a packet from its phone to the other one.

All that is needed for each packet of each call is here, and nothing else: every line counts.
"""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from kobza.media.spool import MAX_PACKET
from kobza.media.voice_codecs import NO_CODEC, NO_CODECS
from kobza.rtp.ice import Address
from kobza.rtp.packet import HEADER_BYTES

if TYPE_CHECKING:
    from kobza.media.recorder import Tap

Receive = Callable[[int], tuple[bytes, Address]]
Send = Callable[[bytes, Address], object]


class Ear(Protocol):
    """Hears for a mix what a side says."""

    def withheld(self, kind: int, codec: int, data: bytes) -> None:
        """Take a packet of a side (KINDS) that does not go to the other one as it is. NO_CODEC: it is no speech."""
        ...


class PortOwner(Protocol):
    """The side of a call whose port it is."""

    def believes(self, data: bytes, source: Address) -> bool:
        """Decide about a packet from elsewhere than `peer` of the port, which may be changed."""
        ...

    def no_rtp(self, data: bytes, source: Address) -> None:
        """Take what came and is no RTP."""
        ...


class RtpPort:
    """Moves packets: reads one by `readable`, takes it by `arrived`. Each kind of port keeps this state in its way."""

    if not TYPE_CHECKING:
        __slots__ = ()  # to a type checker these would be all that may be set

    sock: socket.SocketType
    kind: int
    """Marks the side in a recording (KINDS)."""
    owner: PortOwner
    receive: Receive | None
    """In the place of the socket's `recvfrom`."""
    send: Send | None
    """In the place of the socket's `sendto`."""
    other: "RtpPort | None"
    """That of the other side, once it is open; until then nothing is relayed."""
    peer: Address | None
    """Where packets go: learnt, or named by the phone and not yet contradicted."""
    heard: bytes | None
    """The last RTP packet from the phone since its address was named, at least its header; another object for each."""
    sent: bytes | None
    """The last packet of the other side that went to the phone, at least its header."""
    relaying: bool
    """What comes from this side goes to the other one."""
    rewrite: Callable[[bytes], bytes] | None
    """Changes packets toward this side, b"" for nothing; None, the common case: they pass untouched."""
    spool: "Tap | None"
    ear: Ear | None
    """Hears, for a mix, what does not go to the other one as it is."""
    codecs: bytes
    """By payload type: the codec of what is recorded, as in `kobza.media.voice_codecs`."""
    packets: int
    """RTP packets from the phone since they were last added up."""
    bytes_received: int
    repeated: int
    """Those of them that the network has doubled, as far as they did not come by `arrived`."""
    numbers: list[bytes]
    """Number, time stamp and SSRC of those that did, since they were last added up."""
    first: bytes | None
    """The first of the others since then, at least its header."""
    beyond: int
    """How many packets went to phones beside those that came from this one: made here, less those withheld. So the
    way of a packet that comes and goes costs nothing more."""
    bytes_beyond: int
    dropped: int
    """Packets that were malformed, came from strangers, or could not be sent."""

    def bare(self) -> None:
        """Use the socket as it is: nothing is protected."""
        self.receive = self.send = None

    def protect(self, receive: Receive | None, send: Send) -> None:
        """Use what is put around the socket in its place."""
        self.receive, self.send = receive, send

    def readable(self) -> None:
        """Take one packet.

        Only one: a second look finds the socket empty nearly always and costs a quarter of all. What is left there
        makes the loop call again, after all other sockets had their turn.
        """
        receive = self.receive
        try:
            data, source = self.sock.recvfrom(MAX_PACKET) if receive is None else receive(MAX_PACKET)
        except OSError:
            # Mostly EAGAIN, a datagram with a wrong checksum. Whatever else it may be passes with the next packet.
            return
        self.arrived(data, source)

    def arrived(self, data: bytes, source: Address) -> None:
        """Take a packet."""
        if len(data) < HEADER_BYTES or data[0] & 0xC0 != 0x80 or 192 <= (kind := data[1]) <= 223:
            # No RTP. RTCP on the same port (RFC 5761), or malformed.
            self.owner.no_rtp(data, source)
            return
        if source != self.peer and not self.owner.believes(data, source):
            self.dropped += 1
            return
        self.heard = data
        self.packets += 1
        self.numbers.append(data[2:12])
        self.bytes_received += len(data)
        if not self.relaying:
            self._withhold(len(data))
            if self.ear is not None:
                self.ear.withheld(self.kind, self.codecs[kind & 0x7F], data)
            return
        if self.spool is not None and (codec := self.codecs[kind & 0x7F]) != NO_CODEC:
            self.spool.packet(self.kind, codec, data)
        to = self.other
        if to is None or to.peer is None:
            self._withhold(len(data))
            return
        if to.rewrite is not None:
            length = len(data)
            data = to.rewrite(data)
            if not data:
                self._withhold(length)
                return
        send = to.send
        try:
            if send is None:
                to.sock.sendto(data, to.peer)
            else:
                send(data, to.peer)
        except OSError:
            self.dropped += 1
            self._withhold(len(data))
        else:
            to.sent = data

    def _withhold(self, length: int) -> None:
        """Count a packet that came and does not go on."""
        self.beyond -= 1
        self.bytes_beyond -= length

    def send_own(self, packet: bytes) -> None:
        """Send the phone a packet that was made here; `peer` is known."""
        if self.peer is None:
            return
        if self.passes(packet, self.peer):
            self.beyond += 1
            self.bytes_beyond += len(packet)

    def passes(self, packet: bytes, to: Address) -> bool:
        """Send something to an address; return whether it could be sent."""
        send = self.send
        try:
            if send is None:
                self.sock.sendto(packet, to)
            else:
                send(packet, to)
        except OSError:
            self.dropped += 1
            return False
        return True


class PythonRtpPort(RtpPort):
    """A port whose state is Python's."""

    __slots__ = (
        "beyond",
        "bytes_beyond",
        "bytes_received",
        "codecs",
        "dropped",
        "ear",
        "first",
        "heard",
        "kind",
        "numbers",
        "other",
        "owner",
        "packets",
        "peer",
        "receive",
        "relaying",
        "repeated",
        "rewrite",
        "send",
        "sent",
        "sock",
        "spool",
    )

    def __init__(self, sock: socket.SocketType, kind: int, owner: PortOwner) -> None:
        self.sock = sock
        self.kind = kind
        self.owner = owner
        self.bare()
        self.other = self.peer = self.first = self.heard = self.sent = None
        self.rewrite = self.spool = self.ear = None
        self.relaying = False
        self.codecs = NO_CODECS
        self.packets = self.bytes_received = self.beyond = self.bytes_beyond = self.dropped = self.repeated = 0
        self.numbers = []
