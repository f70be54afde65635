"""One side of a call in the relay: its two ports, and what the PBX says about it carried to what they do."""

import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable
from functools import partial
from typing import Final

from kobza.media.browsers import SecureSockets
from kobza.media.guard import Guard
from kobza.media.latch import Latch
from kobza.media.messages import Peer, SideFlow, SideQuality
from kobza.media.outgoing import Outgoing
from kobza.media.overlay import Sound
from kobza.media.packet_loop import PacketLoop, PythonLoop
from kobza.media.plane import Side
from kobza.media.port_pair import PortPair
from kobza.media.reception import Totals
from kobza.media.recorder import Tap
from kobza.media.rtcp_port import RtcpPort
from kobza.media.rtp_port import Ear, Send
from kobza.media.side_count import SideCount
from kobza.media.speech import hushed
from kobza.media.spool import KINDS
from kobza.media.voice_codecs import NO_CODECS
from kobza.rtp.event import DigitReader
from kobza.rtp.g711 import Law
from kobza.rtp.ice import Address

UNKNOWN: Final = SideFlow()
"""That of a side before the PBX has said anything about it."""
SEAT: Final[Address] = ("", 0)
"""Stands for the address of a phone where there is none, but a seat in a mix."""


def _unwanted(_side: Side, _digit: str) -> None:
    """Take a digit that nobody asked for."""


def _unheard(_data: bytes, _peer: Address) -> None:
    """Take what goes to a seat before its mix is there."""


class RelaySide:
    """One side. Nothing is relayed until it has met the other one."""

    __slots__ = (
        "_count",
        "_guard",
        "_keyed",
        "_keys",
        "_latch",
        "_loop",
        "_other",
        "_packet_loop",
        "_swept",
        "_swept_rtcp",
        "alive_at",
        "flow",
        "outgoing",
        "rtcp",
        "rtp",
        "side",
        "voice_at",
    )

    def __init__(
        self,
        loop: AbstractEventLoop,
        side: Side,
        pair: PortPair,
        totals: Totals | None = None,
        secure_sockets: SecureSockets | None = None,
        packet_loop: PacketLoop | None = None,
        keyed: Callable[[Side, str], None] = _unwanted,
    ) -> None:
        """Take over bound ports. `totals` is where it is added up what is moved; `secure_sockets` serve browsers.

        `keyed` takes the digits that are told instead of going to the other phone.
        """
        self._loop = loop
        self._packet_loop = packet_loop or PythonLoop(loop)
        self.side = side
        totals = totals or Totals()
        self._other: RelaySide | None = None
        self.flow = UNKNOWN
        self.rtcp = RtcpPort(loop, pair.rtcp, totals)
        self.rtp = self._packet_loop.open(pair.rtp, KINDS[side], self._believe, self.rtcp.arrived)
        self.rtcp.beside(self.rtp)
        self._guard = Guard(self.rtp, self.rtcp, secure_sockets)
        self._latch = Latch()
        self._keyed = keyed
        self._keys: DigitReader | None = None
        """Reads the digits that are told."""
        self.outgoing = Outgoing(loop, self.rtp, self._choose_relaying)
        """What the phone is sent beside the other one's packets as they are."""
        self._count = SideCount(totals)
        self._swept: bytes | None = None
        self._swept_rtcp: bytes | None = None
        self.alive_at = loop.time()
        """When the sweep last saw that something had come."""
        self.voice_at = self.alive_at
        """When it last saw that RTP had."""
        loop.add_reader(self.rtcp.sock, self.rtcp.readable)

    def meet(self, other: "RelaySide") -> None:
        """Take the other side, and be taken by it: from now on packets may go from each to the other."""
        for one, another in ((self, other), (other, self)):
            one._other = another  # noqa: SLF001  the same class
            one.rtp.other, one.rtcp.other = another.rtp, another.rtcp

    def close(self) -> None:
        """Close both ports."""
        self.add_up()
        self._guard.close()
        self._packet_loop.close(self.rtp)
        self._loop.remove_reader(self.rtcp.sock)
        self.rtcp.sock.close()
        self._other = self.rtp.other = self.rtcp.other = None
        self.rtp.spool = self.rtp.ear = None

    def record(self, tap: Tap | None) -> None:
        """Let what comes from the phone be recorded, or not."""
        self.rtp.spool = tap

    def overhear(self, ear: Ear | None) -> None:
        """Let a mix hear what comes from the phone and does not go to the other one as it is, or not."""
        self.rtp.ear = ear

    # configuration

    def configure(self, flow: SideFlow) -> None:
        """Take what the PBX says about this side."""
        before = self.flow
        if flow.secure != before.secure or flow.srtp != before.srtp:
            self._protect(flow)
        if flow.rtp != before.rtp and flow.secure is None:
            self._name(flow.rtp)
        elif flow.exchange != before.exchange:
            self._latch.agree(self.rtp.heard)
        if flow.rtcp != before.rtcp:
            self.rtcp.name(self._address(flow.rtcp))
        profile = flow.profile
        self.outgoing.configure(profile)
        self.rtp.codecs = NO_CODECS if profile.muted else profile.spoken
        self.rtcp.configure(flow)
        self.flow = flow
        if profile.taped:
            self.rtp.other = self.rtcp.other = None
        if profile.seated is not before.profile.seated:
            self._sit_down() if profile.seated else self._stand_up()
        self._choose_relaying()
        if self._other is not None:
            self._other.outgoing.hush(partial(hushed, profile) if profile.muted else None)
            self._keep_keys(self._other)

    def _keep_keys(self, other: "RelaySide") -> None:
        """Have the phone's digits told instead of passed, or passed again."""
        if self.flow.profile.keys < 0:
            self._keys = None
            other.outgoing.keep(None)
        elif self._keys is None:
            self._keys = DigitReader()
            other.outgoing.keep(self._is_key)

    def _is_key(self, data: bytes) -> bool:
        """Tell the digit of a packet that is one, once; return whether it is one."""
        if self._keys is None or data[1] & 0x7F != self.flow.profile.keys:
            return False
        digit = self._keys.take(data)
        if digit is not None:
            self._keyed(self.side, digit)
        return True

    def _choose_relaying(self) -> None:
        """Let the other phone's packets pass, or not: something else may sound in their place."""
        if self._other is not None:
            self._other.rtp.relaying = self.flow.profile.source == "relay" and not self.outgoing.in_digit

    def _name(self, peer: Peer | None) -> None:
        """The phone named another address: send there, and learn anew."""
        now = self._loop.time()
        address = self._address(peer)
        heard_at = self.rtp.peer if self.rtp.heard is not None else None
        self._latch.name(address, None if peer is None else peer[1], heard_at=heard_at, now=now)
        self.rtp.peer = address
        self.rtp.heard = self._swept = None
        self.alive_at = self.voice_at = now

    def _protect(self, flow: SideFlow) -> None:
        """Speak SRTP as a browser or a phone does it, or plain RTP again: another phone is in its place."""
        if self._guard.has_browser and flow.secure is None:
            browser = self._guard.leave_browser()
            self._name(None)
            self._latch.shun(browser, self._loop.time())  # its packets look like RTP
        if flow.srtp is None:
            self._guard.leave_srtp()
        if flow.secure is not None:
            is_new = not self._guard.has_browser
            peer = self._guard.meet_browser(flow)
            if peer is not None:
                self._latch.settle(peer)
                self.rtp.peer = peer
                if is_new:
                    self.rtp.heard = self._swept = None
        elif flow.srtp is not None:
            self._guard.meet_srtp(flow)

    # a seat in a mix

    def _sit_down(self) -> None:
        """Have no phone: what strangers send to the ports is nobody's."""
        self._packet_loop.pause(self.rtp)
        self._loop.remove_reader(self.rtcp.sock)
        self.rtp.peer = SEAT
        self.rtp.heard = self._swept = None
        self.rtcp.name(None)
        self.sit(_unheard)

    def _stand_up(self) -> None:
        """Have a phone again, of which nothing is known."""
        self.rtp.bare()
        self._name(None)
        self._packet_loop.resume(self.rtp)
        self._loop.add_reader(self.rtcp.sock, self.rtcp.readable)

    def sit(self, said: Send) -> None:
        """Let a mix have what would go to the phone of this side."""
        self.rtp.protect(self.rtp.receive, said)

    def hand(self, packet: bytes) -> None:
        """Take a packet of a mix as one from the phone of this side."""
        self.rtp.hand(packet, SEAT)

    def _address(self, peer: Peer | None) -> Address | None:
        """Return an address as the socket gives it with a packet, so that the two compare equal."""
        if peer is None or self.rtp.sock.family == socket.AF_INET:
            return peer
        host, port = peer
        return (host if ":" in host else f"::ffff:{host}", port, 0, 0)

    def _believe(self, data: bytes, source: Address) -> bool:
        """Decide about a packet from elsewhere than the last ones; remember its source when it is believed."""
        now = self._loop.time()
        if not self._latch.believes(data, source, heard=self.rtp.heard, has_key=self._guard.has_srtp, now=now):
            return False
        self.rtp.peer = source
        return True

    # sounds over what is heard

    def lay(self, sound: Sound) -> None:
        """Let the phone hear a sound over whatever else it hears, after those that sound already."""
        self.outgoing.lay(sound, self._spoken)

    def _spoken(self) -> bytes:
        """Return by payload type what the other phone speaks."""
        return NO_CODECS if self._other is None else self._other.flow.profile.spoken

    # life

    def sweep(self, now: float) -> bool:
        """Look whether anything came since the last look; remember when. True when something ever came.

        So the way of a packet costs no look at the clock.
        """
        heard, heard_rtcp = self.rtp.heard, self.rtcp.heard
        if heard is not None and heard is not self._swept:
            self.voice_at = now
            self._count.look(self.rtp, heard, self.flow, reported=heard_rtcp is not self._swept_rtcp)
            if self._other is not None and self._count.voice is not None:
                self._other.rtcp.clock = self._count.voice.clock
        if heard is not self._swept or heard_rtcp is not self._swept_rtcp:
            self._swept, self._swept_rtcp = heard, heard_rtcp
            self.alive_at = now
        self.add_up()
        return heard is not None or heard_rtcp is not None

    def add_up(self) -> None:
        """Add what was moved since the last time to the totals."""
        self.rtp.dropped += self._guard.dropped()
        self._count.add_up(self.rtp)

    @property
    def quality(self) -> SideQuality:
        """How the packets fared until they were last added up."""
        return self._count.quality(self.rtcp.reports)

    @property
    def tone_law(self) -> Law:
        """The law of a tone to this side."""
        return Law(self.flow.profile.tone_law)
