"""Responses made to requests."""

import pytest

from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipRequest, parse_message, split_message
from kobza.sip.responses import REASON_PHRASES, reason_phrase, response_to, size_of_response
from tests.sip.examples import INVITE, TORTURE, crlf


def invite(*headers: tuple[str, str]) -> SipRequest:
    message = parse_message(INVITE)
    assert isinstance(message, SipRequest)
    for name, value in headers:
        message.add(name, value)
    return message


def test_what_is_copied() -> None:
    request = invite(("Timestamp", "54"), ("Record-Route", "<sip:p;lr>"))
    ringing = response_to(request, 180, to_tag="t1")
    assert [name for name, _ in ringing.items()] == ["Via", "Via", "From", "To", "CSeq", "Call-ID", "Record-Route"]
    assert ringing.get_all("via") == request.get_all("via")
    assert ringing.get("to") == "sip:0501112233@pbx.example.net;tag=t1"
    assert ringing.to.tag == "t1"
    assert (ringing.from_, ringing.cseq, ringing.call_id) == (request.from_, request.cseq, request.call_id)
    assert (ringing.status, ringing.reason, ringing.body) == (180, "Ringing", b"")
    assert request.to.tag is None


def test_a_100_has_the_timestamp_and_no_tag() -> None:
    trying = response_to(invite(("Timestamp", "54"), ("Record-Route", "<sip:p;lr>")), 100, to_tag="t1")
    assert trying.get("timestamp") == "54"
    assert trying.get("record-route") is None
    assert trying.to.tag is None


@pytest.mark.parametrize(
    ("method", "status", "copied"),
    [
        ("INVITE", 101, True),
        ("INVITE", 299, True),
        ("INVITE", 300, False),
        ("INVITE", 486, False),
        ("SUBSCRIBE", 200, True),
        ("REFER", 202, True),
        ("NOTIFY", 200, True),
        ("BYE", 200, False),
        ("REGISTER", 200, False),
        ("OPTIONS", 200, False),
    ],
)
def test_record_route_goes_where_a_dialog_may_form(method: str, status: int, copied: bool) -> None:
    request = invite(("Record-Route", "<sip:p;lr>"))
    request.method = method
    assert (response_to(request, status).get("record-route") is not None) is copied


def test_a_tag_that_is_there_stays() -> None:
    request = invite()
    request.set("To", "<sip:x@h>;tag=old")
    assert response_to(request, 200, to_tag="new").to.tag == "old"
    assert response_to(invite(), 200).to.tag is None


def test_headers_phrase_and_body_of_ours() -> None:
    made = response_to(invite(), 488, "Ні", headers=[("Warning", '304 kobza "x"')], body=b"abc")
    assert made.to_bytes().startswith("SIP/2.0 488 Ні\r\n".encode())
    assert made.get("warning") == '304 kobza "x"'
    assert made.to_bytes().endswith(b"Content-Length: 3\r\n\r\nabc")
    assert response_to(invite(), 488, "").reason == ""


def test_a_broken_request_is_answered_too() -> None:
    """quotbal has a To that cannot be read: it goes back as it came (RFC 4475 3.1.2.6)."""
    request = split_message(TORTURE["quotbal"])
    assert isinstance(request, SipRequest)
    refused = response_to(request, 400, to_tag="t")
    assert refused.get("to") == request.get("to") == '"Mr. J. User <sip:j.user@example.com>'
    insufficient = split_message(TORTURE["insuf"])
    assert isinstance(insufficient, SipRequest)
    assert [name for name, _ in response_to(insufficient, 400, to_tag="t").items()] == ["CSeq", "Via"]


def test_without_a_via_nobody_can_be_answered() -> None:
    request = split_message(crlf("OPTIONS sip:h SIP/2.0\nTo: <sip:h>\n\n"))
    assert isinstance(request, SipRequest)
    with pytest.raises(MalformedMessage, match="no via header"):
        response_to(request, 400)


def test_phrases() -> None:
    assert reason_phrase(486) == "Busy Here"
    assert [reason_phrase(status) for status in (199, 299, 399, 499, 599, 699, 700)] == [
        "Early Dialog Terminated",
        "OK",
        "Redirection",
        "Client Error",
        "Server Error",
        "Global Failure",
        "Unknown",
    ]
    assert all(100 <= status < 700 and phrase for status, phrase in REASON_PHRASES.items())


@pytest.mark.parametrize("status", [401, 404, 503])
def test_the_size_of_a_response_is_known_before_it_is_made(status: int) -> None:
    headers = (("WWW-Authenticate", 'Digest realm="kobza",nonce="1"'),)
    sent = response_to(invite(), status, to_tag="0123456789abcdef", headers=(*headers, ("Server", "Kobza")))
    assert size_of_response(invite(), status, headers) == len(sent.to_bytes())
