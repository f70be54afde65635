"""One side of a call in the relay: its two ports, and what the PBX says about it carried to what they do.

There are two for each call that stands, so what most calls do not need is made when it is needed.
"""

import socket
from functools import partial
from typing import Final

from kobza.media.guard import Guard
from kobza.media.latch import Latch
from kobza.media.media_profile import MediaProfile
from kobza.media.messages import Peer, Secure, SideFlow, SideQuality, SrtpKeys
from kobza.media.outgoing import OWN_SOURCES, Outgoing
from kobza.media.overlay import Sound
from kobza.media.plane import Side
from kobza.media.port_pair import PortPair
from kobza.media.reception import Reports
from kobza.media.recorder import Tap
from kobza.media.relay_context import RelayContext
from kobza.media.rtcp_port import RtcpPort
from kobza.media.rtp_port import Ear, PortOwner, RtpPort, Send
from kobza.media.side_count import SideCount
from kobza.media.speech import hushed
from kobza.media.spool import KINDS
from kobza.media.voice_codecs import NO_CODECS
from kobza.rtp.event import DigitReader
from kobza.rtp.g711 import Law
from kobza.rtp.ice import Address

_INET: Final = int(socket.AF_INET)
UNTOLD: Final = MediaProfile()
"""That of a side before the PBX has said anything about it."""
NOTHING_CAME: Final = SideQuality()
SEAT: Final[Address] = ("", 0)
"""Stands for the address of a phone where there is none, but a seat in a mix."""


class _Nobody:
    """Owns the port of a side that is closed."""

    def believes(self, _data: bytes, _source: Address) -> bool:
        """See PortOwner."""
        return False

    def no_rtp(self, _data: bytes, _source: Address) -> None:
        """See PortOwner."""


NOBODY: Final[PortOwner] = _Nobody()


def _unheard(_data: bytes, _peer: Address) -> None:
    """Take what goes to a seat before its mix is there."""


class RelaySide:
    """One side. Nothing is relayed until it has met the other one."""

    __slots__ = (
        "_call_id",
        "_context",
        "_count",
        "_exchange",
        "_guard",
        "_keys",
        "_latch",
        "_named",
        "_named_rtcp",
        "_other",
        "_outgoing",
        "_secure",
        "_srtp",
        "_swept",
        "_swept_rtcp",
        "alive_at",
        "not_heard_at",
        "profile",
        "rtcp",
        "rtp",
        "side",
        "voice_at",
        "watched_since",
    )

    def __init__(self, context: RelayContext, call_id: str, side: Side, pair: PortPair) -> None:
        """Take over bound ports."""
        self._context = context
        self._call_id = call_id
        self.side = side
        self._other: RelaySide | None = None
        self.profile = UNTOLD
        self._named: Peer | None = None
        self._named_rtcp: Peer | None = None
        self._exchange = 0
        self._secure: Secure | None = None
        self._srtp: SrtpKeys | None = None
        self.rtp: RtpPort = context.packets.open(pair.rtp, KINDS[side], self)
        self.rtcp = RtcpPort(context, pair.rtcp, self.rtp)
        context.packets.readers.add(self.rtcp)
        self._guard: Guard | None = None
        """None: nothing was ever protected."""
        self._latch = Latch()
        self._keys: DigitReader | None = None
        """Reads the digits that are told."""
        self._outgoing: Outgoing | None = None
        self._count: SideCount | None = None
        """None: nothing has come or gone yet."""
        self._swept: bytes | None = None
        self._swept_rtcp: bytes | None = None
        self.alive_at = context.loop.time()
        """When the sweep last saw that something had come."""
        self.voice_at = self.alive_at
        """When it last saw that RTP had."""
        self.watched_since: float | None = None
        """When its phone had to send, for the last time that this began."""
        self.not_heard_at: float | None = None
        """When it was told last that it is not heard, which still holds."""

    @property
    def outgoing(self) -> Outgoing:
        """What the phone is sent beside the other one's packets as they are."""
        outgoing = self._outgoing
        if outgoing is None:
            outgoing = self._outgoing = Outgoing(self._context.loop, self.rtp, self._choose_relaying)
            outgoing.configure(self.profile)
        return outgoing

    def meet(self, other: "RelaySide") -> None:
        """Take the other side, and be taken by it: from now on packets may go from each to the other."""
        for one, another in ((self, other), (other, self)):
            one._other = another  # noqa: SLF001  the same class
            one.rtp.other, one.rtcp.other = another.rtp, another.rtcp

    def close(self) -> None:
        """Close both ports."""
        self.add_up()
        if self._guard is not None:
            self._guard.close()
        self._context.packets.close(self.rtp)
        self._context.packets.readers.close(self.rtcp)
        # Without these circles all goes at once, and not when the collector comes.
        self.rtp.owner = NOBODY
        self._other = self.rtp.other = self.rtcp.other = self.rtp.rewrite = None
        self._outgoing = self.rtp.spool = self.rtp.ear = None

    def record(self, tap: Tap | None) -> None:
        """Let what comes from the phone be recorded, or not."""
        self.rtp.spool = tap

    def overhear(self, ear: Ear | None) -> None:
        """Let a mix hear what comes from the phone and does not go to the other one as it is, or not."""
        self.rtp.ear = ear

    # configuration

    def configure(self, flow: SideFlow) -> None:
        """Take what the PBX says about this side."""
        before, profile = self.profile, flow.profile
        self.profile = profile
        if profile.watched and not before.watched:
            self.watched_since = self._context.loop.time()
        secure, srtp = flow.secure, flow.srtp
        if secure != self._secure or srtp != self._srtp:
            self._secure, self._srtp = secure, srtp
            self._protect(flow)
        named, exchange = flow.rtp, flow.exchange
        is_moved = named != self._named
        if is_moved and secure is None:
            self._name(named)
        elif exchange != self._exchange:
            self._latch.agree(self.rtp.heard)
        self._exchange = exchange
        if is_moved:
            self._named = named
        named_rtcp = flow.rtcp
        if named_rtcp != self._named_rtcp:
            self._named_rtcp = named_rtcp
            self.rtcp.name(self._address(named_rtcp))
        if self._outgoing is not None or profile.source in OWN_SOURCES or profile.renaming is not None:
            self.outgoing.configure(profile)
        self.rtp.codecs = NO_CODECS if profile.muted else profile.spoken
        self.rtcp.share(mux=profile.mux)
        if profile.taped:
            self.rtp.other = self.rtcp.other = None
        if profile.seated is not before.seated:
            self._sit_down() if profile.seated else self._stand_up()
        self._choose_relaying()
        if self._other is not None:
            self._change_for(self._other)

    def _change_for(self, other: "RelaySide") -> None:
        """Have what the phone sends changed, or not, on its way to the other one."""
        profile = self.profile
        if profile.muted:
            other.outgoing.hush(partial(hushed, profile))
        elif other._outgoing is not None:  # noqa: SLF001  the same class
            other.outgoing.hush(None)
        if profile.keys < 0:
            self._keys = None
            if other._outgoing is not None:  # noqa: SLF001
                other.outgoing.keep(None)
        elif self._keys is None:
            self._keys = DigitReader()
            other.outgoing.keep(self._is_key)

    def _is_key(self, data: bytes) -> bool:
        """Tell the digit of a packet that is one, once; return whether it is one."""
        if self._keys is None or data[1] & 0x7F != self.profile.keys:
            return False
        digit = self._keys.take(data)
        if digit is not None:
            self._context.keyed(self._call_id, self.side, digit)
        return True

    def _choose_relaying(self) -> None:
        """Let the other phone's packets pass, or not: something else may sound in their place."""
        if self._other is not None:
            self._other.rtp.relaying = self.profile.source == "relay" and not (
                self._outgoing is not None and self._outgoing.in_digit
            )

    def _name(self, peer: Peer | None) -> None:
        """The phone named another address: send there, and learn anew."""
        now = self._context.loop.time()
        address = self._address(peer)
        heard_at = self.rtp.peer if self.rtp.heard is not None else None
        self._latch.name(address, None if peer is None else peer[1], heard_at=heard_at, now=now)
        self.rtp.peer = address
        self.rtp.heard = self._swept = None
        self.alive_at = self.voice_at = now

    def _protect(self, flow: SideFlow) -> None:
        """Speak SRTP as a browser or a phone does it, or plain RTP again: another phone is in its place."""
        guard = self._guard
        if guard is None:
            browsers, loop = self._context.browsers, self._context.loop
            sockets = None if browsers is None else browsers.sockets(loop, self._call_id)
            if sockets is None:  # nothing can be protected here
                return
            guard = self._guard = Guard(self.rtp, self.rtcp, sockets)
        if guard.has_browser and flow.secure is None:
            browser = guard.leave_browser()
            self._name(None)
            self._latch.shun(browser, self._context.loop.time())  # its packets look like RTP
        if flow.srtp is None:
            guard.leave_srtp()
        if flow.secure is not None:
            is_new = not guard.has_browser
            peer = guard.meet_browser(flow)
            if peer is not None:
                self._latch.settle(peer)
                self.rtp.peer = peer
                if is_new:
                    self.rtp.heard = self._swept = None
        elif flow.srtp is not None:
            guard.meet_srtp(flow)

    # a seat in a mix

    def _sit_down(self) -> None:
        """Have no phone: what strangers send to the ports is nobody's."""
        self._context.packets.pause(self.rtp)
        self._context.packets.readers.remove(self.rtcp)
        self.rtp.peer = SEAT
        self.rtp.heard = self._swept = None
        self.rtcp.name(None)
        self.sit(_unheard)

    def _stand_up(self) -> None:
        """Have a phone again, of which nothing is known."""
        self.rtp.bare()
        self._name(None)
        self._context.packets.resume(self.rtp)
        self._context.packets.readers.add(self.rtcp)

    def sit(self, said: Send) -> None:
        """Let a mix have what would go to the phone of this side."""
        self.rtp.protect(self.rtp.receive, said)

    def hand(self, packet: bytes) -> None:
        """Take a packet of a mix as one from the phone of this side."""
        self.rtp.arrived(packet, SEAT)

    def _address(self, peer: Peer | None) -> Address | None:
        """Return an address as the socket gives it with a packet, so that the two compare equal."""
        if peer is None or self.rtp.sock.family == _INET:
            return peer
        host, port = peer
        return (host if ":" in host else f"::ffff:{host}", port, 0, 0)

    # what comes

    def believes(self, data: bytes, source: Address) -> bool:
        """Decide about a packet from elsewhere than the last ones; remember its source when it is believed."""
        has_key = self._guard is not None and self._guard.has_srtp
        now = self._context.loop.time()
        if not self._latch.believes(data, source, heard=self.rtp.heard, has_key=has_key, now=now):
            return False
        self.rtp.peer = source
        return True

    def no_rtp(self, data: bytes, source: Address) -> None:
        """Take what came to the RTP port and is none: RTCP that shares it (RFC 5761), or malformed."""
        self.rtcp.arrived(data, source)

    # sounds over what is heard

    def lay(self, sound: Sound) -> None:
        """Let the phone hear a sound over whatever else it hears, after those that sound already."""
        self.outgoing.lay(sound, self._spoken)

    def _spoken(self) -> bytes:
        """Return by payload type what the other phone speaks."""
        return NO_CODECS if self._other is None else self._other.profile.spoken

    # life

    def sweep(self, now: float) -> bool:
        """Look whether anything came since the last look; remember when. True when something ever came.

        So the way of a packet costs no look at the clock.
        """
        heard, heard_rtcp = self.rtp.heard, self.rtcp.heard
        if heard is not None and heard is not self._swept:
            self.voice_at = now
            count = self._counted()
            count.look(self.rtp, heard, self.profile, reported=heard_rtcp is not self._swept_rtcp)
            if self._other is not None and count.voice is not None:
                self._other.rtcp.clock = count.voice.clock
        if heard is not self._swept or heard_rtcp is not self._swept_rtcp:
            self._swept, self._swept_rtcp = heard, heard_rtcp
            self.alive_at = now
        self.add_up()
        return heard is not None or heard_rtcp is not None

    def add_up(self) -> None:
        """Add what was moved since the last time to the totals."""
        port = self.rtp
        if self._guard is not None:
            port.dropped += self._guard.dropped()
        if self._count is not None or port.packets or port.beyond or port.dropped:
            self._counted().add_up(port)

    def _counted(self) -> SideCount:
        count = self._count
        if count is None:
            count = self._count = SideCount(self._context.totals)
        return count

    @property
    def quality(self) -> SideQuality:
        """How the packets fared until they were last added up."""
        if self._count is None and self.rtcp.reports is None:
            return NOTHING_CAME
        return self._counted().quality(self.rtcp.reports or Reports())

    @property
    def tone_law(self) -> Law:
        """The law of a tone to this side."""
        return Law(self.profile.tone_law)
