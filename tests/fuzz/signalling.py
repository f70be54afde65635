"""Targets of SIP: what is read of messages, who acts on them, and what is written about them."""

import random
from contextlib import suppress
from itertools import count
from typing import Final
from xml.etree import ElementTree

from kobza.capture.drawing import Peer, drawn
from kobza.capture.hep import HepEncoder
from kobza.capture.ladder_text import lines
from kobza.capture.masking import masked
from kobza.capture.message import Seen
from kobza.capture.pcapng import PcapngWriter
from kobza.capture.reading import call_id_in, said_in
from kobza.defence.glance import is_scanner, nonce_in
from kobza.sip.dialog_info import DialogInfo, WatchedDialog
from kobza.sip.digest import DigestOutcome, DigestVerifier, authorize, ha1
from kobza.sip.diversion import diversions, diversions_in, history
from kobza.sip.errors import MalformedMessage
from kobza.sip.event_header import EventHeader
from kobza.sip.flow import Flow, Transport
from kobza.sip.message import SipMessage, SipRequest, parse_message
from kobza.sip.pidf import pidf
from kobza.sip.refer import ReferTo, Replaces
from kobza.sip.reliable import RAck
from kobza.sip.session_expires import knows_timers, min_se_of, session_expires_of
from kobza.sip.stream import BrokenMessage, StreamItem, StreamParser
from kobza.sip.ua import (
    InviteReceived,
    OfferReceived,
    RequestReceived,
    SessionPolicy,
    SubscribeReceived,
    UserAgent,
)
from kobza.store import messages
from tests.fuzz.mutation import PIECES
from tests.fuzz.target import Take, Target
from tests.sip.examples import ALL, CAPTURED, WRITTEN, crlf, faults

US, PEER = ("192.0.2.2", 5060), ("192.0.2.1", 5060)
FLOW: Final = Flow(Transport.UDP, US, PEER)
STREAM: Final = Flow(Transport.TCP, US, PEER, 1)
START: Final = 1_790_000_000.0
USER, PASSWORD, REALM = "0671234567", "a good password", "kobza.example"

EXTENSIONS: Final = crlf(
    """\
REFER sip:0671234567@pbx.example.net SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKnashds8;rport
Max-Forwards: 70
From: <sip:0671234567@pbx.example.net>;tag=1
To: <sip:0501112233@pbx.example.net>;tag=2
Call-ID: 1@192.0.2.1
CSeq: 7 REFER
Contact: <sip:0671234567@192.0.2.1:5060;transport=udp>
Refer-To: <sip:0501112233@pbx.example.net?Replaces=425928%40bobster.example%3Bto-tag%3D7743%3Bfrom-tag%3D6472>
Replaces: 98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only
Event: dialog;id=5
Session-Expires: 1800;refresher=uac
Min-SE: 90
RAck: 776656 1 INVITE
RSeq: 988789
Require: timer
Supported: 100rel, timer
Diversion: "Олена" <sip:+380671234567@example.net>;reason=user-busy;counter=2, <sip:1@a>;reason=unconditional
History-Info: <sip:+380671234567@a>;index=1,<sip:+380501112233@a;cause=302>;index=1.1;mp=1
P-Asserted-Identity: "A" <sip:+380671234567@a>, <tel:+380671234567>
Privacy: id;critical
Service-Route: <sip:edge.example;lr>, <sip:core.example;lr>
Reason: Q.850;cause=16;text="Normal, clearing", SIP ;cause=200
Content-Length: 0

"""
)
MESSAGES: Final = [*(data for name, data in ALL.items() if name != "longreq"), EXTENSIONS]

HEADERS: Final = (
    *(lambda message: ReferTo.of(message), lambda message: EventHeader.of(message)),
    *(lambda message: diversions(message), lambda message: history(message)),
    *(lambda message: session_expires_of(message), lambda message: min_se_of(message)),
    *(lambda message: knows_timers(message), lambda message: message.unpacked),
    *(lambda message: message.uri.dialled, lambda message: diversions_in(history(message))),
    lambda message: message.service_routes,
)
"""What else is read of requests."""


def _messages() -> list[bytes]:
    return MESSAGES


def _sip() -> Take:
    """Every message is read to the last header; what is read is written, and read again as the same."""

    def take(data: bytes) -> bool:
        try:
            message = parse_message(data)
        except MalformedMessage:
            return False
        faults(message)
        if isinstance(message, SipRequest):
            for read in HEADERS:
                with suppress(MalformedMessage):
                    read(message)
            _texts(message)
        written = message.to_bytes()
        if parse_message(written).to_bytes() != written:
            raise AssertionError("what was written is read as something else")
        return True

    return take


def _texts(message: SipMessage) -> None:
    for name, parse in (("rack", RAck.parse), ("replaces", Replaces.parse)):
        for text in message.get_all(name):
            with suppress(MalformedMessage):
                parse(text)


def _stream() -> Take:
    """Messages over TCP in pieces of any length; a stream that cannot be followed begins anew."""
    parser = StreamParser()
    chance = random.Random(3261)

    def take(data: bytes) -> bool:
        nonlocal parser
        items: list[StreamItem] = []
        at = 0
        try:
            while at < len(data):
                length = chance.choice((1, 7, 100, 1500, 65_536))
                items += parser.feed(data[at : at + length])
                at += length
        except MalformedMessage:
            parser = StreamParser()
        return any(not isinstance(item, BrokenMessage) for item in items)

    return take


def _agent() -> Take:
    """A user agent in calls and subscriptions, whose owner says yes to everything, or hangs up."""
    tokens, moment, chance = count(1), count(1), random.Random(3262)
    agent = UserAgent(
        new_token=lambda: f"{next(tokens):08x}",
        methods=("REGISTER", "SUBSCRIBE", "REFER", "NOTIFY"),
        session=SessionPolicy(),
        reliable=True,
    )

    def take(data: bytes) -> bool:
        now = START + next(moment) / 50
        flow = STREAM if data.startswith(b"I") and len(data) % 2 else FLOW
        agent.receive(data, flow, now)
        events = agent.take_events()
        for event in events:
            match event:
                case InviteReceived(dialog=dialog):
                    dialog.provisional(180, body=chance.choice((b"", b"v=0\r\n")), now=now)
                    if chance.random() < 0.5:
                        dialog.accept(b"v=0\r\n", now=now)
                    else:
                        dialog.reject(486, now=now)
                case OfferReceived(dialog=dialog):
                    dialog.answer_offer(b"v=0\r\n", now=now)
                case RequestReceived(incoming=incoming):
                    agent.respond(incoming, 200, now=now)
                case SubscribeReceived(incoming=incoming):
                    agent.respond(incoming, 489, now=now)
                case _:
                    pass
        sent = agent.take_transmits()
        agent.handle_timers(now)
        return bool(events or sent)

    return take


def _digest() -> Take:
    """Credentials for us, and challenges to us."""
    verifier = DigestVerifier(REALM, b"s" * 32)

    def ha1_for(username: str, algorithm: str) -> str | None:
        return ha1(username, REALM, PASSWORD, "MD5" if algorithm == "MD5" else "SHA-256") if username == USER else None

    def take(data: bytes) -> bool:
        text = data.decode("utf-8", "surrogateescape")
        verdict = verifier.verify(text, "REGISTER", b"", ha1_for, START)
        with suppress(MalformedMessage):
            authorize([text], method="INVITE", uri="sip:a", username=USER, password=PASSWORD, cnonce="c")
        return verdict.outcome in (DigestOutcome.OK, DigestOutcome.WRONG)

    return take


def _credentials() -> list[bytes]:
    verifier = DigestVerifier(REALM, b"s" * 32)
    challenges = verifier.challenges(START, user_agent=None)
    answers = [
        authorize([challenge], method="REGISTER", uri="sip:a", username=USER, password=PASSWORD, cnonce="c")
        for challenge in challenges
    ]
    return [text.encode() for text in (*challenges, *answers)]


def _capture() -> Take:
    """What is shown of messages, also of such that cannot be read: without secrets, in files and ladders."""
    encoder, writer, moment = HepEncoder(7, "key"), PcapngWriter("fuzz"), count(1)

    def take(data: bytes) -> bool:
        seen = Seen(START + next(moment), next(moment) % 2 == 0, FLOW if data[:1] < b"M" else STREAM, data)
        hidden = masked(data)
        if len(hidden) != len(data):
            raise AssertionError("masking changed the length")
        found = call_id_in(seen.text)
        encoder.packet(seen, hidden, "" if found is None else found.encode("latin-1").decode("utf-8", "replace"))
        writer.message(seen)
        made = messages.ladder([("caller", [said_in(seen)]), ("trunk x", [said_in(seen)])])
        if made is None or not lines(drawn(made, _named), 80):
            raise AssertionError("no ladder")
        is_scanner(data)
        nonce_in(data)
        return found is not None

    return take


def _named(peer: Peer) -> str:
    return peer.trunk or "phone"


def _documents() -> Take:
    """What watchers are told of names and ids that strangers choose: XML that can be read."""
    document = DialogInfo("0671234567", "pbx.example.net")

    def take(data: bytes) -> bool:
        words = (data.decode("utf-8", "surrogateescape") + "\n" * 6).split("\n")
        dialog = WatchedDialog(
            "d1", "confirmed", False, words[0][:80], words[1][:200], call_id=words[2], local_tag=words[3],
            remote_tag=words[4],
        )  # fmt: skip
        for made in (
            document.write([dialog], full=True, most=None),
            document.write([dialog], full=True, most=1200),
            pidf(words[0], words[1], reachable=True, on_the_phone=True),
        ):
            if made is not None:
                ElementTree.fromstring(made)
        return True

    return take


def _names() -> list[bytes]:
    texts = ['0671234567\nОлена <Шевченко> & "син"\n1@192.0.2.1\nabc\ndef\n', "a'b\n]]>\n<!--\n&#0;\n%00\n"]
    return [text.encode() for text in texts]


TARGETS: Final = (
    Target("sip", _messages, _sip, 30),
    Target("stream", lambda: [*CAPTURED.values(), *WRITTEN.values(), b"\r\n\r\n"], _stream, 8),
    Target("agent", _messages, _agent, 10),
    Target("digest", _credentials, _digest, 8, pieces=[*PIECES, b'qop="auth-int"', b"algorithm=SHA-256", b"nc="]),
    Target("capture", _messages, _capture, 5),
    Target("documents", _names, _documents, 3, pieces=[*PIECES, b"&", b"]]>", b"\x0b", b"\xef\xbf\xbf", b"'"]),
)
