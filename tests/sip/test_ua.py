"""Requests outside dialogs, and what a user agent answers by itself (RFC 3261 8, 9, 11, 18)."""

from typing import Any

import pytest

from kobza.sip import layer, ua, ua_core, ua_intake
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.ua import (
    InviteReceived,
    InviteRejected,
    MalformedReceived,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
)
from tests.sip.network import ANSWER, BOB, OFFER
from tests.sip.stand import CONTACT, PEER, SDP_TYPE, TCP, UDP, Headers, Stand


def send(stand: Stand, method: str = "OPTIONS", **options: Any) -> Any:
    values: dict[str, Any] = {"from_": BOB, "to": BOB, "flow": stand.flow, "now": stand.now} | options
    return stand.ua.request(method, values.pop("target", "sip:192.0.2.9:5080"), **values)


def test_request_and_response() -> None:
    stand = Stand(product="Kobza test")
    client = send(stand, "MESSAGE", headers=[("Content-Type", "text/plain")], body=b"hello", route_set=["<sip:p;lr>"])
    client.tag = "mine"
    message = stand.one("MESSAGE")
    assert message.body == b"hello"
    assert message.content_type == "text/plain"
    assert message.max_forwards == 70
    assert message.get("User-Agent") == "Kobza test"
    assert message.get("Route") == "<sip:p;lr>"
    assert message.via.wants_rport
    assert message.call_id.endswith("@192.0.2.1")
    stand.answer(message, 100)
    stand.answer(message, 202)
    assert [(event.request, event.response.status) for event in stand.told(ResponseReceived)] == [(client, 202)]
    stand.finish()


def test_tag_of_an_address_is_not_ours() -> None:
    """An owner may pass on a From that it received."""
    stand = Stand()
    send(stand, from_=NameAddr.parse("<sip:a@b>;x=1;tag=theirs"))
    assert stand.one("OPTIONS").from_.param("x") == "1"
    assert stand.one("OPTIONS").from_.tag not in (None, "theirs")
    stand.wait(32)
    stand.finish()


@pytest.mark.parametrize(("broken", "status"), [(False, 408), (True, 503)])
def test_request_without_response(broken: bool, status: int) -> None:
    stand = Stand()
    client = send(stand)
    if broken:
        stand.ua.transport_failed(UDP, stand.now)
    else:
        stand.wait(32)
    assert [(event.request, event.status) for event in stand.told(RequestFailed)] == [(client, status)]
    stand.finish()


@pytest.mark.parametrize(
    "options",
    [
        {"target": "sip:a b@c"},
        {"target": "nothing"},
        {"target": "sip:a@b\r\nX: y"},
        {"headers": [("X", "a\nb")]},
        {"call_id": "a\r\nb"},
        {"route_set": ["<sip:"]},
        {"from_": NameAddr.parse("<sip:a@b>").with_param("x\r\ny", None)},
    ],
)
def test_request_that_cannot_be_sent(options: dict[str, Any]) -> None:
    stand = Stand()
    with pytest.raises(MalformedMessage):
        send(stand, **options)
    stand.finish()


def test_answer_of_the_owner() -> None:
    stand = Stand()
    stand.receive(stand.request("REGISTER", headers=[CONTACT]))
    incoming = stand.told(RequestReceived)[0].incoming
    assert incoming.request.method == "REGISTER"
    assert incoming.flow == UDP
    assert incoming.dialog is None
    incoming.tag = "mine"
    stand.ua.respond(incoming, 200, "Fine", headers=[("Expires", "60")], body=b"x", now=stand.now)
    stand.ua.respond(incoming, 500, now=stand.now)  # there is one final response
    response = stand.response()
    assert (response.status, response.reason, response.get("Expires"), response.body) == (200, "Fine", "60", b"x")
    assert response.to.tag
    assert response.get("Server") == "Kobza"
    assert stand.words == ["200 REGISTER"]
    stand.finish()


def test_answer_that_comes_too_late() -> None:
    stand = Stand()
    stand.receive(stand.request("REGISTER"))
    stand.wait(32)
    stand.ua.respond(stand.told(RequestReceived)[0].incoming, 200, now=stand.now)
    assert stand.words == []
    stand.finish()


@pytest.mark.parametrize(("status", "allow", "accept"), [(200, True, True), (404, False, False), (405, True, False)])
def test_options_and_405_say_what_is_allowed(status: int, allow: bool, accept: bool) -> None:
    stand = Stand(supported=["path"], methods=["OPTIONS", "MESSAGE"])
    stand.receive(stand.request("OPTIONS"))
    stand.ua.respond(stand.told(RequestReceived)[0].incoming, status, now=stand.now)
    response = stand.response()
    allowed = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "MESSAGE"] if allow else []
    assert response.tokens("Allow") == allowed
    assert response.get("Accept") == ("application/sdp, multipart/mixed" if accept else None)
    assert response.get("Supported") == ("path" if accept else None)
    stand.finish()


INVITE_HEADERS = [CONTACT, SDP_TYPE]

REFUSED: dict[str, tuple[str, dict[str, Any], int, tuple[str, str] | None]] = {
    "known method": ("SUBSCRIBE", {}, 405, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REGISTER")),
    "unknown method": ("DANCE", {}, 501, ("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REGISTER")),
    "required": ("INVITE", {"headers": [*INVITE_HEADERS, ("Require", "100rel, Path")]}, 420, ("Unsupported", "100rel")),
    "required twice": (
        "OPTIONS",
        {"headers": [("Require", "a"), ("Require", "path, b")]},
        420,
        ("Unsupported", "a, b"),
    ),
    "bye of nothing": ("BYE", {"to_tag": "x"}, 481, None),
    "bye without tag": ("BYE", {}, 481, None),
    "update without tag": ("UPDATE", {}, 481, None),
    "info without tag": ("INFO", {}, 481, None),
    "re-invite of nothing": ("INVITE", {"to_tag": "x", "headers": INVITE_HEADERS}, 481, None),
    "options of nothing": ("OPTIONS", {"to_tag": "x"}, 481, None),
    "cancel of nothing": ("CANCEL", {}, 481, None),
    "scheme": ("OPTIONS", {"uri": "mailto:us@example.net"}, 416, None),
    "too many hops": ("INVITE", {"headers": [*INVITE_HEADERS, ("Max-Forwards", "0")]}, 483, None),
    "other body": (
        "INVITE",
        {"headers": [CONTACT, ("Content-Type", "text/plain")], "body": b"hello"},
        415,
        ("Accept", "application/sdp, multipart/mixed"),
    ),
    "packed body": (
        "INVITE",
        {"headers": [*INVITE_HEADERS, ("Content-Encoding", "gzip")], "body": b"x"},
        415,
        ("Accept-Encoding", "identity"),
    ),
    "no contact": ("INVITE", {"headers": [SDP_TYPE], "body": OFFER}, 400, None),
    "contact of another kind": ("INVITE", {"headers": [("Contact", "<tel:+38067>")]}, 400, None),
    "broken contact": ("INVITE", {"headers": [("Contact", "<sip:")]}, 400, None),
    "broken record-route": ("INVITE", {"headers": [CONTACT, ("Record-Route", "<sip:")]}, 400, None),
    "broken type": ("INVITE", {"headers": [CONTACT, ("Content-Type", "sdp")], "body": OFFER}, 400, None),
    "broken max-forwards": ("OPTIONS", {"headers": [("Max-Forwards", "many")]}, 400, None),
    "broken require": ("OPTIONS", {"headers": [("Require", ",,")]}, 400, None),
    "broken uri": ("OPTIONS", {"uri": "sip:"}, 400, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_without_an_owner(name: str) -> None:
    method, options, status, header = REFUSED[name]
    stand = Stand(supported=["path"])
    stand.receive(stand.request(method, **options))
    response = stand.response()
    assert response.status == status
    assert response.to.tag
    assert response.get("Server") == "Kobza"
    assert response.cseq.method == method
    if header is not None:
        assert response.get(header[0]) == header[1]
    assert len(stand.told(MalformedReceived)) == (status == 400)
    assert not stand.told(RequestReceived)
    assert not stand.told(InviteReceived)
    stand.finish()


@pytest.mark.parametrize(
    "headers",
    [
        [CONTACT],
        [CONTACT, ("Content-Type", "Application/SDP; charset=utf-8")],
        [CONTACT, SDP_TYPE, ("Content-Encoding", "identity")],
    ],
)
def test_body_that_is_taken_as_sdp(headers: Headers) -> None:
    stand = Stand()
    dialog = stand.invited(headers=headers)
    assert stand.told(InviteReceived)[0].request.body == OFFER
    dialog.reject(486, now=stand.now)
    stand.finish()


def test_tel_uri_is_called() -> None:
    stand = Stand()
    dialog = stand.invited(uri="tel:+380671234567")
    dialog.provisional(180, now=stand.now)
    assert stand.response().contacts[0].uri.user == "+380671234567"
    dialog.reject(486, now=stand.now)
    stand.finish()


def test_merged_request() -> None:
    """RFC 3261 8.2.2.2: the same request on two ways."""
    stand = Stand()
    for branch in ("z9hG4bKway1", "z9hG4bKway2"):
        stand.receive(stand.request("INVITE", branch=branch, headers=INVITE_HEADERS, body=OFFER))
    assert stand.words == ["482 INVITE"]
    assert len(stand.told(InviteReceived)) == 1
    stand.told(InviteReceived)[0].dialog.reject(486, now=stand.now)
    stand.finish()


def test_repeated_request_is_answered_again_without_a_second_event() -> None:
    stand = Stand()
    options = stand.request("OPTIONS")
    stand.receive(options)
    stand.receive(options)
    stand.ua.respond(stand.told(RequestReceived)[0].incoming, 200, now=stand.now)
    stand.receive(options)
    assert stand.words == ["200 OPTIONS", "200 OPTIONS"]
    stand.finish()


def test_cancel_of_a_request_that_was_refused() -> None:
    stand = Stand()
    stand.receive(stand.request("INVITE", branch="z9hG4bKx", headers=[CONTACT, ("Require", "x")]))
    stand.receive(stand.request("CANCEL", branch="z9hG4bKx", headers=[("Require", "x")]))
    assert stand.words == ["420 INVITE", "200 CANCEL"]
    stand.finish()


# where responses go


@pytest.mark.parametrize(
    ("via", "rport", "flow", "expected"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5080", True, UDP, UDP),
        ("SIP/2.0/UDP 10.0.0.1:5060", True, UDP, UDP),
        ("SIP/2.0/UDP 10.0.0.1:6000", False, UDP, UDP._replace(remote=("192.0.2.9", 6000))),
        ("SIP/2.0/UDP phone.example.net", False, UDP, UDP._replace(remote=("192.0.2.9", 5060))),
        ("SIP/2.0/UDP 192.0.2.9", False, UDP, UDP._replace(remote=("192.0.2.9", 5060))),
        ("SIP/2.0/TCP 192.0.2.9:5099", False, TCP, TCP),
    ],
)
def test_response_goes_back(via: str, rport: bool, flow: Flow, expected: Flow) -> None:
    stand = Stand(flow)
    request = stand.request("DANCE", via=via, branch="z9hG4bKv")
    if not rport:
        request.set("Via", f"{via};branch=z9hG4bKv")
    stand.receive(request)
    assert stand.flows == [expected]
    top = stand.response().via
    assert top.branch == "z9hG4bKv"
    assert top.rport == (PEER[1] if rport else None)
    assert top.received == (None if not rport and top.host == "192.0.2.9" else "192.0.2.9")
    stand.finish()


def test_received_of_the_sender_is_not_believed() -> None:
    stand = Stand()
    request = stand.request("DANCE")
    request.set("Via", "SIP/2.0/UDP 10.0.0.1;received=203.0.113.1;RPORT=9;branch=z9hG4bKv")
    stand.receive(request)
    assert stand.flows == [UDP]
    assert stand.response().get_all("via") == [
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKv;received=192.0.2.9;rport=5080",
    ]
    stand.finish()


# malformed


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"OPTIONS sip:us SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>\r\n\r\n", 400),
        (b"OPTIONS sip:us SIP/7.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: <sip:b>\r\n\r\n", 505),
        (b"ACK sip:us SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a>\r\n\r\n", None),
        (b"OPTIONS sip:us SIP/2.0\r\nVia: nothing\r\nFrom: <sip:a>\r\n\r\n", None),
        (b"OPTIONS sip:us SIP/2.0\r\nFrom: <sip:a>\r\n\r\n", None),
        (b"SIP/2.0 200 OK\r\nFrom: <sip:a>\r\n\r\n", None),
        (b"\x00\xff\xfe", None),
        (b"x" * 70_000, None),
    ],
)
def test_malformed(data: bytes, status: int | None) -> None:
    stand = Stand()
    stand.receive(data)
    event = stand.told(MalformedReceived)[0]
    assert (event.flow, event.data) == (UDP, data)
    assert event.error.where
    assert [int(sent.split(b" ")[1]) for sent in stand.raw] == ([] if status is None else [status])
    assert stand.ua.counts.malformed == 1
    stand.finish()


def test_malformed_request_in_a_call_does_not_harm_it() -> None:
    stand = Stand()
    dialog = stand.established()
    stand.receive(stand.within(dialog, "INVITE", number=2, headers=[("Contact", "<sip:")], body=b""))
    assert stand.response().status == 400
    stand.receive(stand.within(dialog, "BYE", number=2))
    assert stand.response().status == 200
    stand.finish()


# bounds


def test_server_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the bound new requests are refused, those of calls are not; above the reserve all are."""
    stand = Stand()
    dialog = stand.established()
    monkeypatch.setattr(layer, "MAX_SERVER_TRANSACTIONS", 1)
    stand.receive(stand.request("OPTIONS", call_id="new"))
    stand.receive(stand.within(dialog, "OPTIONS", number=2))
    assert stand.words == ["503 OPTIONS", "200 OPTIONS"]
    refusal = stand.sent[0]
    assert refusal.get("Retry-After") == str(layer.RETRY_AFTER)
    monkeypatch.setattr(layer, "DIALOG_RESERVE", 0)
    stand.receive(stand.within(dialog, "BYE", number=3))
    stand.receive(stand.request("CANCEL"))
    assert stand.words[2:] == ["503 BYE", "503 CANCEL"]
    assert stand.ua.counts.refused == 3
    stand.wait(40)
    stand.receive(stand.within(dialog, "BYE", number=4))
    stand.finish()


def test_client_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand()
    monkeypatch.setattr(layer, "MAX_CLIENT_TRANSACTIONS", 0)
    client = send(stand)
    dialog = stand.invite()
    assert [(event.request, event.status) for event in stand.told(RequestFailed)] == [(client, 503)]
    assert [(event.dialog, event.status) for event in stand.told(InviteRejected)] == [(dialog, 503)]
    assert stand.words == []
    stand.finish()


def test_dialog_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand()
    dialog = stand.established()
    for module in (ua, ua_core, ua_intake):
        monkeypatch.setattr(module, "MAX_DIALOGS", 1)
    stand.receive(stand.request("INVITE", call_id="new", headers=INVITE_HEADERS, body=OFFER))
    stand.invite()
    assert stand.words == ["503 INVITE"]
    assert stand.news == ["InviteRejected"]
    assert stand.ua.counts.refused == 1
    dialog.bye(now=stand.now)
    stand.finish()


def test_counts() -> None:
    stand = Stand()
    assert stand.ua.counts.is_idle
    dialog = stand.invited()
    dialog.accept(ANSWER, now=stand.now)
    send(stand)
    counts = stand.ua.counts
    assert (counts.client_transactions, counts.server_transactions, counts.dialogs) == (1, 1, 1)
    assert counts.timers >= 3
    assert not counts.is_idle
    stand.receive(stand.within(dialog, "ACK", number=1))
    dialog.bye(now=stand.now)
    stand.finish()


def test_ipv6() -> None:
    flow = Flow(Transport.UDP, ("2001:db8::1", 5060), ("2001:db8::9", 5080))
    stand = Stand(flow)
    dialog = stand.invite(target="sip:peer@[2001:db8::9]:5080")
    invite = stand.one("INVITE")
    assert invite.via.host == "2001:db8::1"
    assert invite.call_id.endswith("@[2001:db8::1]")
    assert invite.contacts[0].uri.host == "2001:db8::1"
    stand.answer(invite, 200, headers=[("Contact", "<sip:peer@[2001:db8::9]:5081>")], body=ANSWER)
    assert dialog.flow.remote == ("2001:db8::9", 5081)
    dialog.bye(now=stand.now)
    stand.finish()
