"""What a phone's REFER asks for."""

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipRequest
from kobza.sip.refer import ReferTo, Replaces, refer_to, sipfrag
from kobza.sip.uri import SipUri

DIALOG = Replaces("98732@sip.example", "to1", "from2")


def refer(*headers: tuple[str, str]) -> SipRequest:
    return SipRequest.create("REFER", "sip:pbx@192.0.2.1", headers)


def test_somebody_to_call() -> None:
    wanted = ReferTo.of(refer(("Refer-To", "<sip:067%3111@pbx;method=INVITE>")))
    assert wanted == ReferTo("0671" + "11", None, False)
    assert ReferTo.of(refer(("r", "sip:101@pbx"), ("Refer-Sub", "false;x=1"))) == ReferTo("101", None, True)
    assert ReferTo.of(refer(("Refer-To", "<tel:+380671111111>"), ("Refer-Sub", "true"))).dialled == "+380671111111"


def test_somebody_who_is_talked_to_already() -> None:
    text = "<sip:101@pbx?Subject=hi&Replaces=98732%40sip.example%3Bto-tag%3Dto1%3Bfrom-tag%3Dfrom2>"
    assert ReferTo.of(refer(("Refer-To", text))).replaces == DIALOG
    written = refer_to(SipUri.parse("sip:101@pbx"), DIALOG)
    assert ReferTo.of(refer(("Refer-To", written))).replaces == DIALOG
    assert refer_to(SipUri.parse("sip:101@pbx")) == "<sip:101@pbx>"


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([], "0 of them"),
        (["<sip:1@x>", "<sip:2@x>"], "2 of them"),
        (["<sip:1@x"], "Refer-To"),
        (["<mailto:a@b>"], "nothing to call"),
        (["<sip:1@x;method=SUBSCRIBE>"], "nothing to call"),
        (["<sip:1@x?Replaces=1%3Bto-tag%3D2>"], "no dialog"),
    ],
)
def test_what_cannot_be_done(values: list[str], what: str) -> None:
    with pytest.raises(MalformedMessage, match=what):
        ReferTo.of(refer(*(("Refer-To", value) for value in values)))


def test_replaces() -> None:
    early = Replaces.parse(" a@b ; to-tag=1 ;from-tag=2;early-only ")
    assert early == Replaces("a@b", "1", "2", early_only=True)
    assert str(early) == "a@b;to-tag=1;from-tag=2;early-only"
    for broken in ("", "a@b", ";to-tag=1;from-tag=2", "a@b;to-tag=1", "a@b;to-tag;from-tag=1"):
        with pytest.raises(MalformedMessage, match="no dialog"):
            Replaces.parse(broken)


def test_what_a_notify_says() -> None:
    assert sipfrag(200, "OK") == b"SIP/2.0 200 OK\r\n"
