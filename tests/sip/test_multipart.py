"""Bodies of several parts: gateways put ISUP, locations or pictures beside the session description."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipRequest
from kobza.sip.multipart import MAX_PARTS, Unpacked, unpack
from kobza.sip.ua import InviteReceived, OfferReceived
from tests.sip.network import ANSWER, OFFER
from tests.sip.stand import CONTACT, Stand

SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
MIXED = 'multipart/mixed;boundary="unique-1"'
ISUP = "Content-Type: application/ISUP;version=itu-t92+\r\nContent-Disposition: signal;handling={}\r\n\r\n\x01\x00\x49"


def mixed(*parts: str, boundary: str = "unique-1") -> bytes:
    return ("".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n").encode("latin-1")


def sdp(head: str = "", body: str = SDP) -> str:
    return f"Content-Type: application/sdp\r\n{head}\r\n{body}"


ALTERNATIVE = "Content-Type: multipart/alternative; boundary=in\r\n\r\n"
READ = {
    "isup that may be left aside": (mixed(sdp(), ISUP.format("optional")), Unpacked(SDP.encode())),
    "isup first": (mixed(ISUP.format("optional"), sdp()), Unpacked(SDP.encode())),
    "isup that may not": (mixed(sdp(), ISUP.format("required")), Unpacked(SDP.encode(), "application/isup")),
    "nothing is said of it": (mixed(sdp(), "Content-Type: text/plain\r\n\r\nx"), Unpacked(SDP.encode(), "text/plain")),
    "text is usual": (mixed(sdp(), "\r\nx"), Unpacked(SDP.encode(), "text/plain")),
    "no session": (mixed(ISUP.format("optional")), Unpacked(b"")),
    "two sessions": (mixed(sdp(), sdp(body="v=1")), Unpacked(SDP.encode())),
    "an early one": (
        mixed(sdp("Content-Disposition: early-session;handling=optional\r\n", "v=1"), sdp()),
        Unpacked(SDP.encode()),
    ),
    "packed": (mixed(sdp("Content-Transfer-Encoding: base64\r\n", "djA9")), Unpacked(b"", "application/sdp")),
    "plain": (mixed(sdp("Content-Transfer-Encoding: Binary\r\n")), Unpacked(SDP.encode())),
    "folded": (mixed(sdp("Content-Disposition: session;\r\n handling=required\r\n")), Unpacked(SDP.encode())),
    "before and behind": (b"preamble\r\n" + mixed(sdp()) + b"--unique-1\r\nepilogue", Unpacked(SDP.encode())),
    "line feeds": (mixed(sdp(body="v=0\r\n")).replace(b"\r\n", b"\n"), Unpacked(b"v=0\n")),
    "a line that only begins so": (mixed(sdp(body="v=0\r\n--unique-1x")), Unpacked(b"v=0\r\n--unique-1x")),
    "alternatives": (
        mixed(
            ALTERNATIVE + mixed(sdp(body="v=1"), sdp(body="v=2"), "Content-Type: a/b\r\n\r\nx", boundary="in").decode()
        ),
        Unpacked(b"v=2"),
    ),
    "alternatives, none of them known": (
        mixed(ALTERNATIVE + mixed("Content-Type: a/b\r\n\r\nx", boundary="in").decode(), sdp()),
        Unpacked(SDP.encode(), "a/b"),
    ),
}
REFUSED = {
    "no boundary": ("multipart/mixed", mixed(sdp()), "not a boundary"),
    "an empty one": ('multipart/mixed;boundary=""', mixed(sdp()), "not a boundary"),
    "no part": (MIXED, b"--unique-1--", "no part"),
    "no end": (MIXED, mixed(sdp()).replace(b"--unique-1--", b""), "no end"),
    "no blank line": (MIXED, mixed("Content-Type: application/sdp"), "without a blank line"),
    "no header": (MIXED, mixed("hello\r\n\r\nx"), "not a header"),
    "no type": (MIXED, mixed("Content-Type: sdp\r\n\r\nx"), "not a media type"),
    "too many": (MIXED, mixed(*["\r\nx"] * (MAX_PARTS + 1)), "more than 16 parts"),
    "too deep": (
        'multipart/mixed;boundary="a"',
        b"".join(b"--%c\r\nContent-Type: multipart/mixed;boundary=%c\r\n\r\n" % (c, c + 1) for c in b"abcdef")
        + b"--g\r\n\r\nx"
        + b"".join(b"\r\n--%c--" % c for c in b"gfedcba"),
        "within each other",
    ),
}


@pytest.mark.parametrize("name", READ)
def test_the_session_among_parts(name: str) -> None:
    body, expected = READ[name]
    assert unpack(body, MIXED, None) == expected


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read(name: str) -> None:
    kind, body, what = REFUSED[name]
    with pytest.raises(MalformedMessage, match=what):
        unpack(body, kind, None)
    request = SipRequest.create("INVITE", "sip:x@x", [("Content-Type", kind)], body)
    assert request.session == b""


def test_a_body_that_may_be_left_aside_is_none() -> None:
    assert unpack(b"x", "text/plain", "render;handling=optional") == Unpacked(b"")
    assert unpack(b"x", "text/plain", "render") == Unpacked(b"", "text/plain")
    assert unpack(b"v=0", "Application/SDP; charset=utf-8", None) == Unpacked(b"v=0")


@given(
    st.lists(
        st.sampled_from(
            [
                "--u",
                "--u--",
                "\r\n",
                "\n",
                " ",
                "Content-Type: ",
                "multipart/mixed;boundary=u",
                "application/sdp",
                "Content-Disposition: ",
                ";handling=optional",
                "v=0",
                "é",
            ]
        ),
        max_size=30,
    ),
    st.sampled_from(["mixed", "alternative"]),
)
def test_whatever_comes(words: list[str], kind: str) -> None:
    body = "".join(words).encode()
    with suppress(MalformedMessage):
        assert unpack(body, f"multipart/{kind};boundary=u", None).session in body


def test_a_call_whose_invite_and_answer_have_parts() -> None:
    """The owner sees the session description, and digest (auth-int) the body as it came."""
    ours = Stand()
    parts = [CONTACT, ("Content-Type", MIXED)]
    body = mixed(sdp(body=OFFER.decode()), ISUP.format("optional"))
    ours.receive(ours.request("INVITE", headers=parts, body=body))
    dialog, request = ours.told(InviteReceived)[0].dialog, ours.told(InviteReceived)[0].request
    assert (request.session, request.body) == (OFFER, body)
    dialog.accept(ANSWER, now=ours.now)
    ours.receive(ours.within(dialog, "ACK", number=1))
    ours.receive(ours.within(dialog, "UPDATE", number=2, headers=parts, body=mixed(ISUP.format("optional"))))
    assert "200 UPDATE" in ours.words
    assert not ours.told(OfferReceived)  # there is no session in it
    ours.receive(ours.within(dialog, "INVITE", number=3, headers=parts, body=mixed(ISUP.format("required"), sdp())))
    assert "415 INVITE" in ours.words
    ours.receive(ours.within(dialog, "INVITE", number=4, headers=parts, body=mixed(sdp(), ISUP.format("optional"))))
    assert ours.told(OfferReceived)[0].request.session == SDP.encode()


def test_a_body_that_is_broken_gets_400() -> None:
    ours = Stand()
    ours.receive(ours.request("INVITE", headers=[CONTACT, ("Content-Type", MIXED)], body=b"--unique-1\r\n"))
    assert ours.words == ["400 INVITE"]
