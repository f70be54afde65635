"""Targets of media: descriptions, and what comes to the ports of the relay."""

import asyncio
import io
import itertools
import socket
import struct
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session

from kobza.media.browser_end import BrowserAccess
from kobza.media.browsers import Browsers
from kobza.media.dtls import Certificate, Handshake
from kobza.media.frames import MalformedStream, encode
from kobza.media.messages import Secure, SideFlow, SrtpKeys, decode_command, decode_report
from kobza.media.negotiation import CallMedia
from kobza.media.packet_loop import PythonLoop
from kobza.media.plane import MediaError, Side
from kobza.media.port_pair import PortPair
from kobza.media.reception import Reports, Totals
from kobza.media.recorder import SpoolWriter
from kobza.media.relay_call import RelayCall
from kobza.media.relay_context import RelayContext
from kobza.media.spool import END, PAUSED, RECORD, MalformedSpool, SpoolHeader, mark_record, read_header, read_records
from kobza.phone.agreement import Agreement
from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.errors import MalformedRtp, MalformedStun
from kobza.rtp.event import DigitReader, TelephoneEvent
from kobza.rtp.ice import Address, IceLite
from kobza.rtp.packet import RtpPacket, is_rtp
from kobza.rtp.rtcp import parse_compound, report_blocks
from kobza.rtp.stun import REQUEST, StunAttribute, StunMessage, write
from kobza.sdp.audio import audio_of
from kobza.sdp.description import SessionDescription
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from kobza.sdp.summary import words_of
from tests.fuzz.mutation import PIECES
from tests.fuzz.target import Take, Target
from tests.media.flows import flow_with
from tests.media.test_messages import COMMANDS, REPORTS
from tests.media.test_negotiation import sdp
from tests.sdp.test_description import PHONE
from tests.sdp.test_sdes import KEY_28, KEY_30
from tests.sdp.test_webrtc import browser

HERE: Final = ("192.0.2.1", 4000)
PASSWORD: Final = "a password that is long enough"
CALLER, CALLEE = Side.CALLER, Side.CALLEE

LINES: Final = (
    *(b"m=audio 0 RTP/AVP 8\r\n", b"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", b"a=inactive\r\n", b"a=sendonly\r\n"),
    *(
        b"c=IN IP6 ::1\r\n",
        b"c=IN IP4 0.0.0.0\r\n",
        b"a=rtpmap:8 PCMU/8000\r\n",
        b"a=rtcp-mux\r\n",
        b"a=setup:active\r\n",
    ),
    f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}\r\n".encode(),
)


def _descriptions() -> list[bytes]:
    secured = sdp().replace(b"RTP/AVP", b"RTP/SAVP")
    keys = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}\r\na=crypto:2 AEAD_AES_128_GCM inline:{KEY_28}|2^20\r\n"
    return [PHONE, sdp(), sdp("0 101", "sendonly"), sdp("9 18 8"), browser().to_bytes(), secured + keys.encode()]


def _call() -> CallMedia:
    access = BrowserAccess(("203.0.113.9",), "sha-256 01:02", lambda: ("name", PASSWORD), lambda suite: KEY_30)
    media = CallMedia("198.51.100.1", 77, access, "2001:db8::1")
    media.caller.port, media.callee.port = 20000, 20002
    return media


def _sdp() -> Take:
    """A description as an offer, an answer, a later offer and its answer, from a phone and to one."""
    good = sdp()

    def take(data: bytes) -> bool:
        words_of(data.decode("latin-1"), address=False)
        with suppress(MalformedSdp, NotAcceptable):
            description = SessionDescription.parse(data)
            if SessionDescription.parse(description.to_bytes()).media != description.media:
                raise AssertionError("what was written is read as something else")
            audio_of(description)
        with suppress(MalformedSdp, NotAcceptable):
            Agreement(1, "192.0.2.9", 4000).answer(data)
        media, read = _call(), False
        with suppress(MediaError):
            media.check_offer(CALLER, data)
            media.offer(CALLER, CALLEE, data)
            media.answer(CALLEE, good)
            read = True
        if not read:
            media = _call()
            media.check_offer(CALLER, good)
            media.offer(CALLER, CALLEE, good)
            with suppress(MediaError):
                media.answer(CALLEE, data)
        for side in Side:
            with suppress(MediaError):
                media.reoffer(side, data)
            with suppress(MediaError):
                media.reoffer(side, b"")
                media.reanswer(side, data)
            media.flow(side)
        return read

    return take


def _rtp_packets() -> list[bytes]:
    plain = RtpPacket(8, 100, 5000, 7, bytes(160), marker=True).to_bytes()
    event = RtpPacket(101, 101, 5160, 7, TelephoneEvent(5, end=True, volume=10, duration=800).to_bytes()).to_bytes()
    extended = b"\x90" + plain[1:12] + struct.pack("!HHI", 0xBEDE, 1, 7) + plain[12:]
    listed = b"\x83" + plain[1:12] + bytes(12) + plain[12:]
    padded = b"\xa0" + plain[1:] + b"\0\0\0\4"
    return [plain, event, extended, listed, padded]


def _rtcp_packets() -> list[bytes]:
    block = struct.pack("!6I", 7, 0x01000002, 100, 30, 0x12345678, 6553)
    sender = struct.pack("!BBHI", 0x81, 200, 12, 9) + struct.pack("!5I", 1, 2, 3, 4, 5) + block
    receiver = struct.pack("!BBHI", 0x81, 201, 7, 9) + block
    described = struct.pack("!BBHI", 0x81, 202, 2, 9) + b"\x01\x02ab"
    goodbye = struct.pack("!BBHI", 0x81, 203, 1, 9)
    return [sender + described, receiver, receiver + described + goodbye, b"\x80\xc9\x00\x01\x00\x00\x00\x07"]


def _rtp() -> Take:
    """A packet, a digit in it, and what it becomes in a stream that is numbered anew."""
    stream = OutgoingStream(ssrc=1, sequence=1, timestamp=1, now=0.0)
    moments = itertools.count()
    reader = DigitReader()

    def take(data: bytes) -> bool:
        read = False
        with suppress(MalformedRtp):
            packet = RtpPacket.parse(data)
            read = True
            if RtpPacket.parse(packet.to_bytes()) != packet:
                raise AssertionError("what was written is read as something else")
            TelephoneEvent.parse(packet.payload)
            reader.take(data)
        if is_rtp(data):
            stream.relayed(data, next(moments) / 50)
        return read

    return take


def _rtcp() -> Take:
    """A compound, and what is learnt of it."""
    reports, totals, moments = Reports(), Totals(), itertools.count()

    def take(data: bytes) -> bool:
        now = next(moments) / 5
        reports.passed(reports.take(data, totals, clock=8000, now=now), now)
        read = False
        with suppress(MalformedRtp):
            read = bool([report_blocks(packet) for packet in parse_compound(data)])
        return read

    return take


def _checks() -> list[bytes]:
    attributes = [
        (StunAttribute.USERNAME, b"ours:theirs"),
        (StunAttribute.PRIORITY, bytes(4)),
        (StunAttribute.ICE_CONTROLLING, bytes(8)),
        (StunAttribute.USE_CANDIDATE, b""),
        (0x0026, b"unknown"),
    ]
    signed = [write(REQUEST, bytes(range(12)), attributes[:length], PASSWORD) for length in (4, 5)]
    return [*signed, write(REQUEST, bytes(12), attributes[:1])]


def _stun() -> Take:
    """A check of ICE, with a fingerprint that is right whatever was spoilt."""
    ice = IceLite()
    ice.configure("ours", PASSWORD, "theirs")

    def take(data: bytes) -> bool:
        read = ice.receive(data, HERE) is not None
        with suppress(MalformedStun):
            message = StunMessage.parse(data)
            again = write(message.kind, message.transaction, message.attributes, PASSWORD)
            read = ice.receive(again, HERE) is not None or read
        return read

    return take


@cache
def _certificate() -> Certificate:
    return Certificate()


@cache
def _flights() -> list[bytes]:
    """Return what a phone sends in a handshake with us."""
    ours, theirs = _certificate(), Certificate()
    phone = Handshake(theirs, (ours.fingerprint,), client=True)
    relay = Handshake(ours, (theirs.fingerprint,), client=False)
    sent, said = [], phone.receive(b"")
    while said:
        sent += said
        said = [answer for datagram in said for back in relay.receive(datagram) for answer in phone.receive(back)]
    return sent


class Wire(socket.socket):
    """A socket to which a datagram comes when it is told so; what is sent goes nowhere."""

    coming: tuple[bytes, Address] = b"", HERE

    def recvfrom(self, *_: Any) -> tuple[bytes, Any]:
        """Return the datagram."""
        return self.coming

    def sendto(self, data: Any, *_: Any) -> int:
        """Send nothing."""
        return len(data)


class Wires(PortPair):
    """A side's two ports, with nothing bound."""

    def __init__(self) -> None:
        self.port = 20000
        self.rtp, self.rtcp = (Wire(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))


class Relayed:
    """A call in the relay, between a phone of some kind and a plain one."""

    def __init__(self, flow: SideFlow) -> None:
        loop = _loop()
        context = RelayContext(loop, _packets(), SpoolWriter(loop, lambda _: None), browsers=_browsers())
        self.call = RelayCall(context, "call")
        self.wires = {side: Wires() for side in Side}
        for side, wires in self.wires.items():
            self.call.open(side, wires)
        self.call.configure(flow, flow_with(rtp=HERE, source="relay", laws={8: 8}, watched=True))
        self.moments = itertools.count()

    def take(self, data: bytes) -> bool:
        """Let a datagram come to both ports of the caller."""
        side, wires = self.call.sides[CALLER], self.wires[CALLER]
        for wire, read in ((wires.rtp, side.rtp.readable), (wires.rtcp, side.rtcp.readable)):
            assert isinstance(wire, Wire)
            wire.coming = data, HERE
            read()
        taken = side.rtp.packets > 0
        self.call.sweep(next(self.moments), 1e9)
        return taken

    def close(self) -> None:
        """Free what it has."""
        self.call.release()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _packets() -> PythonLoop:
    return PythonLoop(_loop())


@cache
def _browsers() -> Browsers:
    return Browsers()


_relayed: list[Relayed] = []


def _relay_with(**fields: Any) -> Take:
    while _relayed:
        _relayed.pop().close()
    made = Relayed(flow_with(rtp=HERE, rtcp=(HERE[0], 4001), source="relay", laws={8: 8}, **fields))
    _relayed.append(made)
    return made.take


def _relay() -> Take:
    """Whatever comes to the ports of a call: sound, reports, checks, or none of them."""
    return _relay_with(events=101, renamed={8: 0})


def _secured() -> Take:
    """The same for a phone with SRTP by keys: as it comes, and what a phone has protected that is not in its mind."""
    take = _relay_with(srtp=SrtpKeys("AES_CM_128_HMAC_SHA1_80", KEY_30, KEY_30))
    phone = Session(Policy(b64decode(KEY_30), Policy.SSRC_ANY_OUTBOUND))

    def both(data: bytes) -> bool:
        take(data)
        with suppress(SrtpError):
            data = phone.protect(data) if is_rtp(data) else phone.protect_rtcp(data)
        return take(data)

    return both


def _browsing() -> Take:
    """The same for a browser: a check of ICE that is right lets a handshake begin; one that failed begins anew."""
    fingerprint = ("sha-256 " + ":".join(["00"] * 32),)
    wanted = Secure("ours", PASSWORD, "theirs", fingerprint, client=False)
    take = _relay_with(secure=wanted)
    check, side = _checks()[0], _relayed[-1].call.sides[CALLER]

    def checked(data: bytes) -> bool:
        secure = None if side._guard is None else side._guard._browser
        assert secure is not None
        if secure._failed:
            secure._begin()
            secure.configure(wanted)
        take(check)
        take(data)
        return secure._handshake is not None

    return checked


def _spool() -> Take:
    """A spool that a crash or a disk has spoilt."""

    def take(data: bytes) -> bool:
        file = io.BytesIO(data)
        try:
            read_header(file)
        except MalformedSpool:
            return False
        return bool(list(read_records(file)))

    return take


def _spools() -> list[bytes]:
    packet = _rtp_packets()[0]
    records = b"".join(RECORD.pack(kind, 8, len(packet), 200 * kind) + packet for kind in (0, 1))
    return [
        SpoolHeader("record", "call", 1_790_000_000_000, owner="e").to_bytes()
        + records
        + mark_record(PAUSED, 3000)
        + mark_record(END, 4000)
    ]


def _link() -> Take:
    """What the two processes say to each other."""

    def take(data: bytes) -> bool:
        read = 0
        for decode in (decode_command, decode_report):
            with suppress(MalformedStream):
                decode(data)
                read += 1
        return read > 0

    return take


def _said() -> Sequence[bytes]:
    return [encode(each)[4:] for each in (*COMMANDS, *REPORTS)]


def _at_the_ports() -> list[bytes]:
    return [*_rtp_packets(), *_rtcp_packets(), *_checks()]


BITS: Final = (b"\x80", b"\x81", b"\xc8", b"\xc9", b"\0\0", b"\xff\xff", b"\0\x01", b"\x21\x12\xa4\x42", bytes(12))
TARGETS: Final = (
    Target("sdp", _descriptions, _sdp, 12, pieces=[*PIECES, *LINES]),
    Target("rtp", _rtp_packets, _rtp, 6, pieces=BITS, swells=False),
    Target("rtcp", _rtcp_packets, _rtcp, 6, pieces=BITS, swells=False),
    Target("stun", _checks, _stun, 5, pieces=BITS, swells=False),
    Target("relay", _at_the_ports, _relay, 6, pieces=BITS, swells=False),
    Target("srtp", _at_the_ports, _secured, 4, pieces=BITS, swells=False),
    Target("dtls", _flights, _browsing, 2, pieces=[*BITS, b"\x16\xfe\xfd", b"\x14\xfe\xfd"], swells=False),
    Target("spool", _spools, _spool, 2, pieces=BITS),
    Target("link", _said, _link, 3, pieces=BITS, swells=False),
)
