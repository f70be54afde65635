"""Typed header values: reading, writing, refusing."""

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import CSeq, NameAddr, Reason, Via, parse_name_addr_list
from kobza.sip.uri import SipUri

BOB = SipUri("sip", "bob", host="h")

NAME_ADDRS = {
    "<sip:bob@h>": NameAddr("", BOB),
    "sip:bob@h": NameAddr("", BOB),
    "sip:bob@h;tag=1": NameAddr("", BOB, (("tag", "1"),)),
    "<sip:bob@h;lr>;tag=1": NameAddr("", SipUri("sip", "bob", host="h", params=(("lr", None),)), (("tag", "1"),)),
    "Bob<sip:bob@h>": NameAddr("Bob", BOB),
    "Bob  van B. <sip:bob@h> ; tag = 1": NameAddr("Bob  van B.", BOB, (("tag", "1"),)),
    '"Bob \\"B\\", x" \t<sip:bob@h>': NameAddr('Bob "B", x', BOB),
    '""<sip:bob@h>': NameAddr("", BOB),
    "Оксана <sip:bob@h>": NameAddr("Оксана", BOB),
    '"\udcff\x00" <sip:bob@h>': NameAddr("\ufffd\ufffd", BOB),
    '"a" < sip:bob@h >': NameAddr("a", BOB),
    " <sip:bob@h>;;": NameAddr("", BOB),
    '<sip:bob@h>;+sip.instance="<urn:uuid:1>"': NameAddr("", BOB, (("+sip.instance", '"<urn:uuid:1>"'),)),
    "<sip:bob@h?Route=%3Csip:x%3E>": NameAddr("", SipUri("sip", "bob", host="h", headers="Route=%3Csip:x%3E")),
    "<tel:+1;phone-context=x>": NameAddr("", SipUri("tel", "+1", params=(("phone-context", "x"),))),
    "tel:+1;tag=2": NameAddr("", SipUri("tel", "+1"), (("tag", "2"),)),
    "<http://h>;x": NameAddr("", SipUri("http", "//h"), (("x", None),)),
}

NO_NAME_ADDRS = {
    "": "no URI scheme",
    "Bob": "no URI scheme",
    "<>": "no URI scheme",
    "*": "no URI scheme",
    '"Bob <sip:bob@h>': "unbalanced quote",
    '"Bob" sip:bob@h': "unbalanced quote",
    "Bell, A <sip:bob@h>": "name needs quotes",
    "a;b <sip:bob@h>": "name needs quotes",
    "<sip:bob@h": "no > follows",
    "<<sip:bob@h>>": "no > follows",
    "sip:bob@h?a=b": "needs angle brackets",
    "sip:bob@h,sip:a@h": "needs angle brackets",
    "<sip:bob@h> x": "bad parameter",
    "<sip:bob@h>,<sip:a@h>": "bad parameter",
    "sip:bob@h;a b": "bad parameter",
    "<sip:bob@h\x00>": "unprintable character",
}

VIAS = {
    "SIP/2.0/UDP h": Via("UDP", "h"),
    "sip / 2.0 / udp  h : 5070 ;branch=z9hG4bK1 ; rport": Via(
        "UDP", "h", 5070, (("branch", "z9hG4bK1"), ("rport", None))
    ),
    "SIP/2.0/TCP [2001:db8::1]:5060;received=[::1]": Via("TCP", "2001:db8::1", 5060, (("received", "[::1]"),)),
    "SIP/2.0/X-new 192.0.2.1;;ttl=1;": Via("X-NEW", "192.0.2.1", None, (("ttl", "1"),)),
    "SIP/2.0/WSS df7jal23ls0d.invalid": Via("WSS", "df7jal23ls0d.invalid"),
}

NO_VIAS = {
    "": "not a Via",
    "SIP/2.0/UDP": "not a Via",
    "SIP/3.0/UDP h": "not a Via",
    "HTTP/2.0/UDP h": "not a Via",
    "SIP/2.0 h": "not a Via",
    "SIP/2.0/UDP h x": "not a Via",
    "SIP/2.0/UDP h:": "not a Via",
    "SIP/2.0/UDP h, SIP/2.0/UDP i": "not a Via",
    "SIP/2.0/UDP h:65536": "number above 65535",
    "SIP/2.0/UDP [::z]": "not a Via",
    "SIP/2.0/UDP [1:]": "not an IPv6 address",
    "SIP/2.0/UDP h;a b": "bad parameter",
}

REASONS = {
    'Q.850;cause=16;text="Normal call clearing"': [Reason("Q.850", 16, "Normal call clearing")],
    'SIP ;cause=200 ;text="a, \\"b\\"", Q.850;cause=26': [Reason("SIP", 200, 'a, "b"'), Reason("Q.850", 26)],
    "preemption": [Reason("preemption", 0)],
    "Q.850;text=x;cause=": [Reason("Q.850", 0, "x")],
}


@pytest.mark.parametrize(("text", "value"), NAME_ADDRS.items())
def test_name_addrs(text: str, value: NameAddr) -> None:
    assert NameAddr.parse(text) == value
    assert NameAddr.parse(str(value)) == value


@pytest.mark.parametrize(("text", "what"), NO_NAME_ADDRS.items())
def test_what_is_no_name_addr(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage, match=what) as raised:
        NameAddr.parse(text, "To header")
    assert raised.value.where == "To header"


def test_name_addr_params() -> None:
    value = NameAddr.parse('"B" <sip:bob@h>;TAG=1;expires="60";ob')
    assert (value.tag, value.param("expires"), value.param("ob"), value.param("x")) == ("1", "60", "", None)
    assert NameAddr.parse("<sip:bob@h>;tag=").tag is None
    assert NameAddr.parse("<sip:bob@h>").tag is None
    assert str(value.with_param("tag", "2").with_param("x", None)) == '"B" <sip:bob@h>;tag=2;expires="60";ob;x'
    assert value.tag == "1"


def test_name_addr_lists() -> None:
    texts = ["<sip:bob@h>", '"a, b" <sip:bob@h,x>;q=0.1', "sip:bob@h"]
    assert [value.display_name for value in parse_name_addr_list(", ".join(texts[::2]))] == ["", ""]
    with pytest.raises(MalformedMessage, match="not a sip URI"):
        parse_name_addr_list(", ".join(texts), "Contact header")
    with pytest.raises(MalformedMessage, match="empty list element"):
        parse_name_addr_list("<sip:bob@h>,")
    assert parse_name_addr_list('"a, b" <sip:bob@h>') == [NameAddr("a, b", BOB)]


@pytest.mark.parametrize(("text", "value"), VIAS.items())
def test_vias(text: str, value: Via) -> None:
    assert Via.parse(text) == value
    assert Via.parse(str(value)) == value


@pytest.mark.parametrize(("text", "what"), NO_VIAS.items())
def test_what_is_no_via(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage, match=what) as raised:
        Via.parse(text)
    assert raised.value.where == "Via header"


def test_via_params() -> None:
    via = Via.parse("SIP/2.0/UDP h;branch=z9hG4bK1;received=[2001:db8::1];rport=5062")
    assert (via.branch, via.received, via.rport, via.wants_rport) == ("z9hG4bK1", "2001:db8::1", 5062, True)
    bare = Via.parse("SIP/2.0/UDP h;branch=;received=;rport")
    assert (bare.branch, bare.received, bare.rport, bare.wants_rport) == (None, None, None, True)
    none = Via.parse("SIP/2.0/UDP h")
    assert (none.branch, none.received, none.rport, none.wants_rport) == (None, None, None, False)
    for text in ("x", "65536", "-1"):
        assert Via.parse(f"SIP/2.0/UDP h;rport={text}").rport is None
    assert bare.param("rport") == ""
    assert str(bare.with_param("rport", "5").with_param("received", "::1")) == (
        "SIP/2.0/UDP h;branch=;received=::1;rport=5"
    )
    assert str(Via("UDP", "::1", 5060)) == "SIP/2.0/UDP [::1]:5060"


def test_cseqs() -> None:
    assert CSeq.parse("0009 \t INVITE") == CSeq(9, "INVITE")
    assert str(CSeq(2**31 - 1, "X-y")) == "2147483647 X-y"
    for text in ("", "1", "INVITE", "1INVITE", "-1 INVITE", "1 A B", "1 É"):
        with pytest.raises(MalformedMessage, match="not a CSeq"):
            CSeq.parse(text)
    with pytest.raises(MalformedMessage, match="number above 2147483647"):
        CSeq.parse("2147483648 INVITE")


@pytest.mark.parametrize(("text", "values"), REASONS.items())
def test_reasons(text: str, values: list[Reason]) -> None:
    assert Reason.parse_all(text) == values
    assert Reason.parse_all(", ".join(str(value) for value in values)) == values


@pytest.mark.parametrize("text", ["", ";cause=16", "Q 850;cause=16", "Q.850;cause=x", "Q.850;cause=1000", "Q.850,"])
def test_what_is_no_reason(text: str) -> None:
    with pytest.raises(MalformedMessage) as raised:
        Reason.parse_all(text)
    assert raised.value.where == "Reason header"
