"""Messages: reading, refusing, changing, writing."""

from collections.abc import Callable

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.headers import CSeq, NameAddr, Reason, Via
from kobza.sip.message import MAX_MESSAGE_BYTES, SipMessage, SipRequest, SipResponse, parse_message, split_message
from kobza.sip.uri import SipUri
from tests.sip.examples import ALL, CAPTURED, INVITE, WRITTEN, crlf, faults


def request(data: bytes = INVITE) -> SipRequest:
    message = parse_message(data)
    assert isinstance(message, SipRequest)
    return message


def response(data: bytes = WRITTEN["answer"]) -> SipResponse:
    message = parse_message(data)
    assert isinstance(message, SipResponse)
    return message


def with_header(line: str, data: bytes = WRITTEN["cancel"]) -> SipRequest:
    """A message with one more header line."""
    return request(data.replace(b"\r\n", b"\r\n" + line.encode("utf-8", "surrogateescape") + b"\r\n", 1))


def without(name: str, data: bytes = WRITTEN["cancel"]) -> bytes:
    lines = data.split(b"\r\n")
    kept = [line for line in lines if not line.startswith(name.encode() + b":")]
    assert len(kept) < len(lines)
    return b"\r\n".join(kept)


def test_a_request() -> None:
    invite = request()
    assert (invite.method, invite.version) == ("INVITE", "SIP/2.0")
    assert invite.uri == SipUri("sip", "0501112233", host="pbx.example.net", params=(("user", "phone"),))
    assert invite.uri is invite.uri
    assert invite.uri_text == "sip:0501112233@pbx.example.net;user=phone"
    assert invite.start_line == "INVITE sip:0501112233@pbx.example.net;user=phone SIP/2.0"
    assert invite.via == Via("UDP", "192.0.2.10", 5062, (("branch", "z9hG4bK.x1uHq~6Ys"), ("rport", None)))
    assert [via.host for via in invite.vias] == ["192.0.2.10", "edge.example.net", "198.51.100.7"]
    assert invite.sent_by == Via("UDP", "192.0.2.10", 5062)
    assert invite.branch == invite.via.branch == "z9hG4bK.x1uHq~6Ys"
    assert invite.from_.display_name == "Шевченко, Оксана"
    assert (invite.from_.tag, invite.to.tag) == ("YtSZ1gFFA", None)
    assert invite.call_id == "FBLCvFjtUH"
    assert invite.cseq == CSeq(20, "INVITE")
    assert [contact.param("expires") for contact in invite.contacts] == ["3600"]
    assert [str(route) for route in invite.routes] == ["<sip:edge.example.net;lr>", "<sip:core.example.net:5070;lr>"]
    assert (invite.record_routes, invite.paths, invite.reasons) == ([], [], [])
    assert (invite.max_forwards, invite.expires, invite.content_type) == (70, None, "application/sdp")
    assert invite.asserted_identities == []
    invite.add("P-Asserted-Identity", '"Cullen" <sip:cullen@example.net>, tel:+14085264000')
    assert [str(identity.uri) for identity in invite.asserted_identities] == [
        "sip:cullen@example.net",
        "tel:+14085264000",
    ]
    assert invite.tokens("supported") == ["replaces", "outbound", "gruu", "path"]
    assert invite.body.startswith(b"v=0\r\n")
    assert len(invite.body) == 145
    assert repr(invite) == "<SipRequest INVITE sip:0501112233@pbx.example.net;user=phone>"


def test_a_response() -> None:
    answer = response()
    assert (answer.status, answer.reason, answer.version) == (200, "OK", "SIP/2.0")
    assert (answer.via.rport, answer.via.received) == (41712, "203.0.113.5")
    assert [route.uri.host for route in answer.record_routes] == ["edge.example.net", "core.example.net"]
    assert answer.service_routes == []
    answer.add("Service-Route", "<sip:home.example.net;lr>, <sip:second.example.net;lr>")
    answer.add("service-route", "<sip:third.example.net>")
    assert [str(route) for route in answer.service_routes] == [
        *("<sip:home.example.net;lr>", "<sip:second.example.net;lr>", "<sip:third.example.net>"),
    ]
    assert answer.start_line == "SIP/2.0 200 OK"
    assert repr(answer) == "<SipResponse 200 OK>"


def test_compact_forms_and_ipv6() -> None:
    invite = request(WRITTEN["compact"])
    assert invite.uri == SipUri("tel", "+380501112233", params=(("phone-context", "ua"),))
    assert (invite.via.host, invite.via.received) == ("2001:db8::9:1", "2001:db8::9:255")
    assert (invite.from_.display_name, invite.content_type) == ("Anonymous", "application/sdp")
    assert invite.get("Session-Expires") == "1800;refresher=uac"
    assert invite.tokens("Supported") == ["timer", "100rel"]


def test_taking_all_contacts_away() -> None:
    register = request(WRITTEN["unregister"])
    assert register.is_contact_star
    assert (register.contacts, register.expires) == ([], 0)
    assert [path.uri.host for path in register.paths] == ["edge.example.net", "inner.example.net"]
    mixed = with_header("Contact: <sip:a@b>", WRITTEN["unregister"])
    assert not mixed.is_contact_star
    with pytest.raises(MalformedMessage, match="no URI scheme"):
        mixed.contacts  # noqa: B018


def test_reasons_of_all_lines() -> None:
    cancel = with_header("Reason: X")
    assert cancel.reasons == [Reason("X", 0), Reason("SIP", 200, "Call completed elsewhere"), Reason("Q.850", 26)]


@pytest.mark.parametrize("name", CAPTURED)
def test_what_was_captured_is_read_without_a_fault(name: str) -> None:
    assert faults(parse_message(CAPTURED[name])) == {}
    assert parse_message(CAPTURED[name]).from_.uri.host == "127.0.0.1"


@pytest.mark.parametrize("name", WRITTEN)
def test_what_was_written_is_read_without_a_fault(name: str) -> None:
    assert faults(parse_message(WRITTEN[name])) == {}


@pytest.mark.parametrize("name", [*CAPTURED, *WRITTEN])
def test_an_untouched_message_is_written_as_it_came(name: str) -> None:
    message = parse_message(ALL[name])
    faults(message)
    assert message.to_bytes() == ALL[name]


REFUSED: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "empty", "message"),
    "line breaks": (b"\r\n\r\n", "empty", "message"),
    "no end": (INVITE.split(b"\r\n\r\n")[0], "no blank line", "message"),
    "garbage": (b"\x80\x00garbage\r\n\r\n", "neither request nor status line", "start line"),
    "no uri": (INVITE.replace(b" sip:0501112233@pbx.example.net;user=phone", b"", 1), "neither request", "start line"),
    "tab in the start line": (INVITE.replace(b"INVITE ", b"INVITE\t", 1), "neither request", "start line"),
    "folded start line": (INVITE.replace(b" SIP/2.0\r\n", b" SIP/2.0\r\n x\r\n", 1), "neither request", "start line"),
    "control in the uri": (INVITE.replace(b"sip:0501", b"sip:\x070501", 1), "unprintable character", "start line"),
    "status 099": (WRITTEN["answer"].replace(b"200", b"099", 1), "neither request", "start line"),
    "status 700": (WRITTEN["answer"].replace(b"200", b"700", 1), "neither request", "start line"),
    "status 20": (WRITTEN["answer"].replace(b"200", b"20", 1), "neither request", "start line"),
    "no space behind the status": (WRITTEN["answer"].replace(b"200 OK", b"200OK", 1), "neither request", "start line"),
    "version 3": (INVITE.replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1), "version SIP/3.0", "start line"),
    "response of version 1": (WRITTEN["answer"].replace(b"SIP/2.0 ", b"SIP/1.0 ", 1), "version", "start line"),
    "no colon": (INVITE.replace(b"CSeq: ", b"CSeq ", 1), "no colon", "header line 5"),
    "no header name": (INVITE.replace(b"CSeq: ", b"C Seq: ", 1), "not a header name", "header line 5"),
    "lone CR": (INVITE.replace(b"Max-Forwards: 70", b"Max-Forwards: 70\rVia: x"), "lone CR", "header line 7"),
    "no Via": (without("Via"), "missing: via", "header"),
    "no From": (without("From"), "missing: from", "header"),
    "no To": (without("To"), "missing: to", "header"),
    "no Call-ID": (without("Call-ID"), "missing: call-id", "header"),
    "no CSeq": (without("CSeq"), "missing: cseq", "header"),
    "two Froms": (INVITE.replace(b"\r\nTo:", b"\r\nf: <sip:x@y>;tag=1\r\nTo:"), "from given 2 times", "header"),
    "two lengths": (INVITE.replace(b"\r\nTo:", b"\r\nl: 145\r\nTo:"), "content-length given 2 times", "header"),
    "no CSeq number": (INVITE.replace(b"CSeq: 20", b"CSeq: x"), "not a CSeq", "CSeq header"),
    "another method": (
        INVITE.replace(b"20 INVITE", b"20 BYE"),
        "method BYE is not the request's INVITE",
        "CSeq header",
    ),
    "length of words": (INVITE.replace(b"h: 145", b"h: many"), "not a number", "Content-Length header"),
    "huge length": (INVITE.replace(b"h: 145", b"h: 99999999999"), "number above", "Content-Length header"),
    "length too long": (INVITE.replace(b"h: 145", b"h: 146"), "145 bytes of body, Content-Length 146", "body"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusing(name: str) -> None:
    data, what, where = REFUSED[name]
    with pytest.raises(MalformedMessage, match=what) as raised:
        parse_message(data)
    assert raised.value.where == where
    assert raised.value.sip_status == (505 if "version" in what else 400)


def test_a_message_longer_than_a_datagram_is_refused() -> None:
    head, _body = INVITE.split(b"\r\n\r\n")
    room = MAX_MESSAGE_BYTES - len(head) - 4 - 2
    fitting = head.replace(b"h: 145", b"h: %d" % room) + b"\r\n\r\n" + b"x" * room
    assert len(fitting) == MAX_MESSAGE_BYTES
    assert len(request(fitting).body) == room
    with pytest.raises(MalformedMessage, match="longer than 65535 bytes") as raised:
        parse_message(fitting + b"x")
    assert raised.value.sip_status == 513


def test_line_breaks_before_and_bytes_behind_do_not_count() -> None:
    assert request(b"\r\n\r\n" + INVITE + b"left over").to_bytes() == INVITE


def test_without_a_length_the_body_is_the_rest() -> None:
    bare = request(without("Content-Length", INVITE))
    assert len(bare.body) == 145
    assert b"\r\nContent-Length: 145\r\n\r\nv=0" in bare.to_bytes()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_may_end_with_lf(end: bytes) -> None:
    head, _, body = INVITE.partition(b"\r\n\r\n")
    mixed = head.replace(b"\r\n", b"\n") + b"\n" + end + body
    assert request(mixed).to_bytes() == INVITE
    only_the_last = head + b"\n\n" + body
    assert request(only_the_last).to_bytes() == INVITE


def test_the_first_blank_line_ends_the_header_whatever_its_line_end() -> None:
    message = request(b"\n\n".join(without("Content-Length", INVITE).split(b"\r\n\r\n")) + b"\r\n\r\n")
    assert message.body.endswith(b"8000\r\n\r\n\r\n")


def test_folded_lines() -> None:
    folded = INVITE.replace(b"Via: SIP/2.0/UDP 192", b"Via:\r\n\tSIP/2.0/UDP\r\n   192", 1)
    message = request(folded)
    assert message.via == request().via
    assert message.to_bytes() == folded
    replaces = request(folded.replace(b"Supported: replaces,", b"Supported: replaces\r\n ,", 1))
    assert replaces.tokens("supported")[:2] == ["replaces", "outbound"]


def test_a_version_in_lower_case_is_kept() -> None:
    lower = INVITE.replace(b"SIP/2.0\r\n", b"sip/2.0\r\n", 1)
    assert request(lower).version == "sip/2.0"
    assert request(lower).to_bytes() == lower


def test_a_response_may_have_no_phrase() -> None:
    for start in (b"SIP/2.0 200 ", b"SIP/2.0 200"):
        assert response(WRITTEN["answer"].replace(b"SIP/2.0 200 OK", start, 1)).reason == ""
    assert response(WRITTEN["answer"].replace(b"OK", b"\xd1\x80 \xff", 1)).reason == "р \ufffd"


def test_bytes_that_are_not_utf_8_go_on_as_they_came() -> None:
    odd = INVITE.replace(b"Talk", b"T\xff\x00k").replace("Шевченко".encode(), b"\xff\xfe\x80" + b"-" * 13)
    message = request(odd)
    assert message.from_.display_name == "\ufffd\ufffd\ufffd" + "-" * 13 + ", Оксана"
    assert message.to_bytes() == odd


BROKEN: list[tuple[str, Callable[[SipMessage], object], str]] = [
    ("Via: SIP/2.0/UDP", lambda message: message.via, "Via header"),
    ("Via: SIP/2.0/UDP h, rubbish", lambda message: message.vias, "Via header"),
    ("Via: ,SIP/2.0/UDP h", lambda message: message.via, "Via header"),
    ("Contact: <sip:a@b", lambda message: message.contacts, "Contact header"),
    ("Route: nothing", lambda message: message.routes, "Route header"),
    ("Record-Route: <x>", lambda message: message.record_routes, "Record-Route header"),
    ("Path: ", lambda message: message.paths, "Path header"),
    ("Expires: -1", lambda message: message.expires, "Expires header"),
    ("Expires: 4294967296", lambda message: message.expires, "Expires header"),
    ("Content-Type: sdp", lambda message: message.content_type, "Content-Type header"),
    ("Content-Type: /sdp", lambda message: message.content_type, "Content-Type header"),
    ("Content-Type: a b/sdp", lambda message: message.content_type, "Content-Type header"),
    ("Reason: ;cause=1", lambda message: message.reasons, "Reason header"),
]


@pytest.mark.parametrize(("line", "getter", "where"), BROKEN, ids=[line for line, _, _ in BROKEN])
def test_a_broken_header_is_named_when_it_is_read(
    line: str, getter: Callable[[SipMessage], object], where: str
) -> None:
    message = with_header(line)
    for _ in range(2):
        with pytest.raises(MalformedMessage) as raised:
            getter(message)
        assert raised.value.where == where


def test_broken_mandatory_headers() -> None:
    for name, old, new in [
        ("From header", b"From: ", b"From: x"),
        ("To header", b"To: ", b"To: <x"),
        ("Call-ID header", b"Call-ID: ", b"Call-ID: \xd1\x80"),
        ("Max-Forwards header", b"Forwards: 70", b"Forwards: 256"),
    ]:
        message = request(WRITTEN["cancel"].replace(old, new))
        assert [error.where for error in faults(message).values()] == [name]
    empty = split_message(b"OPTIONS sip:h SIP/2.0\r\n\r\n")
    assert {str(error) for error in faults(empty).values()} == {
        f"header: no {key} header" for key in ("via", "from", "to", "call-id", "cseq")
    }


def test_content_types() -> None:
    for text in ("Application / SDP", "application/sdp ; charset=x", "APPLICATION/sdp;"):
        assert with_header(f"Content-Type: {text}").content_type == "application/sdp"
    assert request(WRITTEN["cancel"]).content_type is None


def test_a_request_of_another_scheme_has_its_uri_whole() -> None:
    assert request(INVITE.replace(b"sip:0501112233@pbx.example.net;user=phone", b"urn:service:sos", 1)).uri == SipUri(
        "urn", "service:sos"
    )
    broken = request(INVITE.replace(b"sip:0501112233@pbx.example.net;user=phone", b"<sip:x>", 1))
    with pytest.raises(MalformedMessage, match="no URI scheme") as raised:
        broken.uri  # noqa: B018
    assert raised.value.where == "Request-URI"


def test_typed_values_follow_changes() -> None:
    invite = request()
    assert invite.to.tag is None
    invite.set("t", "<sip:x@y>;tag=2")
    assert invite.to == NameAddr("", SipUri("sip", "x", host="y"), (("tag", "2"),))
    assert invite.via.port == 5062
    invite.prepend("Via", "SIP/2.0/TCP new;branch=z9hG4bK0")
    assert invite.via.host == "new"
    assert invite.contacts[0].uri.user == "+380671234567"
    invite.remove("Contact")
    assert invite.contacts == []
    invite.add("m", "<sip:a@b>")
    assert [contact.uri.user for contact in invite.contacts] == ["a"]
    invite.extend([("contact", "m: <sip:c@d>")])
    assert [contact.uri.user for contact in invite.contacts] == ["a", "c"]
    invite.contacts.clear()
    assert len(invite.contacts) == 2
    assert invite.cseq.number == 20
    invite.set("CSeq", "21 INVITE")
    assert invite.cseq.number == 21


def test_the_topmost_via_alone_is_replaced() -> None:
    invite = request()
    invite.replace_top_via(invite.via.with_param("rport", "6").with_param("received", "203.0.113.5"))
    assert (invite.via.rport, invite.via.received) == (6, "203.0.113.5")
    assert len(invite.vias) == 3
    invite.replace_top_via(None)
    assert invite.via.host == "edge.example.net"
    invite.replace_top_via(None)
    assert invite.get_all("via") == ["SIP/2.0/TLS 198.51.100.7;branch=z9hG4bK9"]
    invite.replace_top_via(None)
    with pytest.raises(MalformedMessage, match="no via header"):
        invite.via  # noqa: B018


@pytest.mark.parametrize(
    "params",
    [
        ";branch=z9hG4bK1",
        ";rport=5;branch=z9hG4bK1;received=192.0.2.1",
        "; branch = z9hG4bK1 ;rport",
        ";Branch=z9hG4bK1",
        ";branch=z9hG4bK1 ;rport",
        ";branch=z9hG4bK1==;rport",
        ';a=";branch=no";branch=z9hG4bK1',
        ";branch=z9hG4bK1, SIP/2.0/UDP h2;branch=z9hG4bK2",
        ";branch=",
        ";branch",
        ";rport",
        "",
    ],
)
def test_the_branch_is_that_of_the_topmost_via(params: str) -> None:
    """Found without reading the rest of a plain one, and the same in any."""
    invite = request()
    invite.set("Via", f"SIP/2.0/UDP h{params}")
    assert invite.branch == invite.via.branch


def test_the_length_is_always_true() -> None:
    invite = request()
    invite.body = b"12345"
    assert invite.to_bytes().count(b"Content-Length: 5\r\n") == 1
    assert len(request(invite.to_bytes()).body) == 5
    assert invite.get("content-length") == "145"  # as it came, until it is written


def test_a_new_uri_is_parsed_anew() -> None:
    invite = request()
    assert invite.uri.user == "0501112233"
    invite.uri_text = "sip:other@h"
    assert invite.uri == SipUri("sip", "other", host="h")
    assert invite.to_bytes().startswith(b"INVITE sip:other@h SIP/2.0\r\n")
    for uri in ("", "a b", "a\r\nVia:", "a\x00"):
        with pytest.raises(MalformedMessage, match="not a Request-URI"):
            invite.uri_text = uri


def test_copies_are_independent() -> None:
    for message in (request(), response()):
        before = message.to_bytes()
        copy = message.copy()
        assert copy.to_bytes() == before
        copy.set("Subject", "x")
        copy.remove("Via")
        copy.body = b"x"
        assert message.to_bytes() == before
        assert "Subject: x" in copy.to_bytes().decode()


def test_creating_a_request() -> None:
    made = SipRequest.create("OPTIONS", "sip:h", [("Via", "SIP/2.0/UDP a"), ("Subject", "Ок")], b"body")
    assert (
        made.to_bytes()
        == ("OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nSubject: Ок\r\nContent-Length: 4\r\n\r\nbody").encode()
    )
    for method, uri in [("", "sip:h"), ("A B", "sip:h"), ("A\r\n", "sip:h"), ("A", ""), ("A", "a b"), ("A", "a\x00")]:
        with pytest.raises(MalformedMessage, match="not a request line"):
            SipRequest.create(method, uri, [])
    with pytest.raises(MalformedMessage, match="line break"):
        SipRequest.create("A", "sip:h", [("Subject", "x\r\n")])


def test_creating_a_response() -> None:
    made = SipResponse.create(486, "Зайнято\r\n", [("Via", "SIP/2.0/UDP a")])
    assert made.to_bytes().decode() == (
        "SIP/2.0 486 Зайнято\ufffd\ufffd\r\nVia: SIP/2.0/UDP a\r\nContent-Length: 0\r\n\r\n"
    )
    for status in (99, 700, 0, -200):
        with pytest.raises(MalformedMessage, match="not a status"):
            SipResponse.create(status, "x", [])


def test_splitting_reads_what_parsing_refuses() -> None:
    broken = crlf("INVITE sip:h SIP/7.0\nVia: SIP/2.0/UDP h\nTo: \n\n")
    with pytest.raises(MalformedMessage):
        parse_message(broken)
    assert split_message(broken).get("to") == ""


def test_the_base_has_no_start_line() -> None:
    with pytest.raises(NotImplementedError):
        SipMessage([], [], b"").start_line  # noqa: B018


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("18000;duration=3600", 18_000),
        ("120 (I'm in a meeting)", 120),
        (str(2**32), 2**32),
        (str(2**32 + 1), None),
        ("9" * 5000, None),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(text: str | None, seconds: int | None) -> None:
    headers = [] if text is None else [("Retry-After", text)]
    assert SipResponse.create(503, "Service Unavailable", headers).retry_after == seconds
