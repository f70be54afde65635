"""Route sets, remote targets and where requests of a dialog go (RFC 3261 12, 16.12)."""

from typing import Any

import pytest

from kobza.sip.dialog import Dialog, contact_of, flow_toward
from kobza.sip.flow import Flow, Transport
from kobza.sip.uri import SipUri
from tests.sip.network import ANSWER
from tests.sip.stand import CONTACT, SDP_TYPE, TCP, UDP, Stand

LOOSE = ["<sip:p1.example.net;lr>", "<sip:p2.example.net;lr>"]


@pytest.mark.parametrize(
    ("record_route", "uri", "routes"),
    [
        ([], "sip:peer@192.0.2.9:5080", []),
        (LOOSE, "sip:peer@192.0.2.9:5080", LOOSE),
        (
            ["<sip:p1.example.net?X=y;method=INVITE>", LOOSE[1]],
            "sip:p1.example.net",
            [LOOSE[1], "<sip:peer@192.0.2.9:5080>"],
        ),
        (["<sip:p1.example.net;method=INVITE>"], "sip:p1.example.net", ["<sip:peer@192.0.2.9:5080>"]),
    ],
)
@pytest.mark.parametrize("role", ["uac", "uas"])
def test_route_set(role: str, record_route: list[str], uri: str, routes: list[str]) -> None:
    """12.1.1 and 12.1.2: the called takes Record-Route in order, the caller in reverse; a strict router 12.2.1.1."""
    stand = Stand()
    if role == "uas":
        headers = [CONTACT, SDP_TYPE, *(("Record-Route", route) for route in record_route)]
        dialog = stand.invited(headers=headers)
        dialog.provisional(180, now=stand.now)
        dialog.accept(ANSWER, now=stand.now)
        for word in ("180 INVITE", "200 INVITE"):
            response = stand.sent[stand.words.index(word)]
            assert response.get_all("Record-Route") == record_route
        stand.receive(stand.within(dialog, "ACK", number=1))
    else:
        dialog = stand.invite()
        listed = ", ".join(reversed(record_route))
        headers = [CONTACT] + ([("Record-Route", listed)] if listed else [])
        stand.answer(stand.one("INVITE"), 200, headers=headers, body=ANSWER)
        ack = stand.one("ACK")
        assert (ack.uri_text, ack.get_all("Route")) == (uri, routes)
    dialog.bye(now=stand.now)
    bye = stand.one("BYE")
    assert (bye.uri_text, bye.get_all("Route")) == (uri, routes)
    stand.finish()


def test_preloaded_route_is_replaced_by_the_recorded() -> None:
    stand = Stand()
    dialog = stand.invite(route_set=["<sip:edge.example.net;lr>"])
    invite = stand.one("INVITE")
    assert invite.get_all("Route") == ["<sip:edge.example.net;lr>"]
    stand.answer(invite, 183)
    dialog.cancel(now=stand.now)
    assert stand.one("CANCEL").get_all("Route") == ["<sip:edge.example.net;lr>"]
    stand.answer(invite, 487)
    assert stand.one("ACK").get_all("Route") == ["<sip:edge.example.net;lr>"]
    stand.finish()
    stand = Stand()
    dialog = stand.called(route_set=["<sip:edge.example.net;lr>"])
    dialog.bye(now=stand.now)
    assert stand.one("BYE").get_all("Route") == []
    stand.finish()


def test_target_refresh_keeps_the_route_set() -> None:
    stand = Stand()
    dialog = stand.established(headers=[CONTACT, SDP_TYPE, ("Record-Route", "<sip:192.0.2.50:5070;lr>")])
    assert dialog.flow.remote == ("192.0.2.50", 5070)
    stand.receive(stand.within(dialog, "UPDATE", number=2, headers=[("Contact", "<sip:new@192.0.2.60>")]))
    stand.receive(stand.within(dialog, "UPDATE", number=3))
    stand.receive(stand.within(dialog, "UPDATE", number=4, headers=[("Contact", "<tel:+38067>")]))
    dialog.bye(now=stand.now)
    bye = stand.one("BYE")
    assert bye.uri_text == "sip:new@192.0.2.60"
    assert bye.get_all("Route") == ["<sip:192.0.2.50:5070;lr>"]
    assert dialog.flow.remote == ("192.0.2.50", 5070)
    stand.finish()


def test_route_set_over_a_broken_connection() -> None:
    stand = Stand(TCP)
    dialog = stand.established(headers=[CONTACT, SDP_TYPE, ("Record-Route", "<sip:192.0.2.50;transport=tcp;lr>")])
    named = stand.established(call_id="named", headers=[("Contact", "<sip:peer@phone.example.net>"), SDP_TYPE])
    stand.ua.transport_failed(TCP._replace(connection=1), stand.now)
    assert dialog.flow == TCP
    stand.ua.transport_failed(TCP, stand.now)
    assert dialog.flow == Flow(Transport.TCP, TCP.local, ("192.0.2.50", 5060))
    assert named.flow == TCP._replace(connection=0)
    for one in (dialog, named):
        one.bye(now=stand.now)
    stand.finish()


def test_a_peer_that_comes_back_over_another_socket_is_followed() -> None:
    """RFC 7118: only the peer opens connections, so ours go where its contact has registered from since."""
    first = Flow(Transport.WS, TCP.local, ("192.0.2.9", 40_000), 7)
    contact = "sip:k1ob@za3.invalid;transport=ws"
    stand = Stand(first)
    dialog = stand.established(headers=[("Contact", f"<{contact};ob>"), SDP_TYPE])
    routed = stand.established(
        call_id="routed",
        headers=[("Contact", f"<{contact}>"), SDP_TYPE, ("Record-Route", "<sip:192.0.2.50;transport=ws;lr>")],
    )
    stand.ua.transport_failed(first, stand.now)
    second = Flow(Transport.WS, TCP.local, ("192.0.2.10", 40_004), 9)
    for other in ("sip:k1ob@other.invalid", "sip:k1@za3.invalid"):
        stand.ua.follow_contact(SipUri.parse(other), second)
    stand.ua.follow_contact(SipUri.parse(contact), second._replace(transport=Transport.TCP))
    assert dialog.flow.connection == 0
    stand.ua.follow_contact(SipUri.parse(contact), second)
    assert (dialog.flow, routed.flow.connection) == (second, 0)
    for one in (dialog, routed):
        one.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize(
    ("source", "uri", "expected"),
    [
        (("198.51.100.9", 5080), "sip:198.51.100.9:5080", ("198.51.100.9", 5080)),
        (("198.51.100.9", 1024), "sip:198.51.100.9", ("198.51.100.9", 5060)),
        (("8.8.8.8", 1024), "sip:u@192.168.1.5:5060", ("8.8.8.8", 1024)),  # behind NAT
        (("8.8.8.8", 1024), "sip:9.9.9.9:5070", ("9.9.9.9", 5070)),
        (("10.0.0.1", 1024), "sip:192.168.1.5", ("192.168.1.5", 5060)),
        (("10.0.0.1", 1024), "sip:8.8.8.8", ("8.8.8.8", 5060)),
        (("8.8.8.8", 1024), "sip:phone.example.net", ("8.8.8.8", 1024)),
        (("8.8.8.8", 1024), "sip:127.0.0.1:5060", ("8.8.8.8", 1024)),
        (("127.0.0.1", 1024), "sip:192.168.1.5", ("127.0.0.1", 1024)),
        (("127.0.0.1", 1024), "sip:127.0.0.2:5060", ("127.0.0.2", 5060)),
        (("8.8.8.8", 1024), "sip:0.0.0.0", ("8.8.8.8", 1024)),
        (("8.8.8.8", 1024), "sip:224.0.1.75", ("8.8.8.8", 1024)),
        (("8.8.8.8", 1024), "sip:[2001:db8::1]", ("8.8.8.8", 1024)),
    ],
)
def test_next_hop_on_udp(source: tuple[str, int], uri: str, expected: tuple[str, int]) -> None:
    flow = Flow(Transport.UDP, ("192.0.2.1", 5060), source)
    assert flow_toward(flow, SipUri.parse(uri)) == flow._replace(remote=expected)
    stream = Flow(Transport.TCP, ("192.0.2.1", 5060), source, 3)
    assert flow_toward(stream, SipUri.parse(uri)) == stream


def test_phone_behind_nat_is_followed() -> None:
    """Its Contact names a private address: answers go where its requests come from, also after its NAT moved it."""
    stand = Stand(Flow(Transport.UDP, ("192.0.2.1", 5060), ("8.8.8.8", 40000)))
    dialog = stand.established(headers=[("Contact", "<sip:u@192.168.1.5:5060>"), SDP_TYPE])
    assert dialog.flow.remote == ("8.8.8.8", 40000)
    stand.receive(stand.within(dialog, "OPTIONS", number=2), stand.flow._replace(remote=("8.8.8.8", 40001)))
    assert dialog.flow.remote == ("8.8.8.8", 40001)
    dialog.bye(now=stand.now)
    stand.finish()


def test_requests_of_a_proxy_do_not_turn_the_dialog_away_from_the_contact() -> None:
    stand = Stand()
    contact = ("Contact", "<sip:peer@192.0.2.60:5070>")
    dialog = stand.established(headers=[contact, SDP_TYPE])
    assert dialog.flow.remote == ("192.0.2.60", 5070)
    stand.receive(stand.within(dialog, "OPTIONS", number=2), UDP._replace(remote=("192.0.2.70", 5060)))
    assert dialog.flow.remote == ("192.0.2.60", 5070)
    dialog.bye(now=stand.now)
    stand.finish()


@pytest.mark.parametrize(
    ("flow", "user", "expected"),
    [
        (UDP, "", "<sip:192.0.2.1:5060>"),
        (UDP, "+38067", "<sip:+38067@192.0.2.1:5060>"),
        (TCP, "a b", "<sip:a%20b@192.0.2.1:5060;transport=tcp>"),
        (Flow(Transport.WSS, ("2001:db8::1", 443), ("2001:db8::2", 1)), "", "<sip:[2001:db8::1]:443;transport=ws>"),
        (Flow(Transport.TLS, ("192.0.2.1", 5061), ("192.0.2.2", 1)), "", "<sip:192.0.2.1:5061;transport=tls>"),
    ],
)
def test_our_contact(flow: Flow, user: str, expected: str) -> None:
    assert contact_of(flow, user) == expected


def test_request_of_a_dialog() -> None:
    values: dict[str, Any] = {"from_line": "From: <sip:a@b>;tag=1", "to_line": "To: <sip:c@d>;tag=2"}
    dialog = Dialog(call_id="x", local_tag="1", remote_tag="2", remote_target="sip:c@e", routes=(), flow=UDP, **values)
    request = dialog.request("INFO", dialog.next_cseq(), "z9hG4bKq", headers=[("X", "y")], body=b"z")
    assert request.to_bytes() == (
        b"INFO sip:c@e SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKq;rport\r\nMax-Forwards: 70\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INFO\r\nX: y\r\n"
        b"Content-Length: 1\r\n\r\nz"
    )
