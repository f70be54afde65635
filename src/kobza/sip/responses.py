"""Responses to requests (RFC 3261 8.2.6) and reason phrases (21 and the IANA registry)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipRequest, SipResponse

REASON_PHRASES: dict[int, str] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}

_CLASS_PHRASES = {1: "Progress", 2: "OK", 3: "Redirection", 4: "Client Error", 5: "Server Error", 6: "Global Failure"}
_COPIED: Final = frozenset({"via", "from", "to", "call-id", "cseq"})
_DIALOG_FORMING: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})


def reason_phrase(status: int) -> str:
    """Phrase for a status; one for its class when the status is unknown."""
    return REASON_PHRASES.get(status) or _CLASS_PHRASES.get(status // 100, "Unknown")


def response_to(
    request: SipRequest,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> SipResponse:
    """Make a response: Vias, From, To, Call-ID and CSeq are the request's, byte for byte (8.2.6.2).

    `to_tag` goes into To unless it has one or the status is 100. A 101 to 2xx to a request that can form a dialog
    copies Record-Route (12.1.1), a 100 Timestamp (8.2.6.1). It also works on a request with a broken header (for the
    400), as long as there is a Via: without one MalformedMessage, as nobody could be answered.
    """
    response = SipResponse.create(status, reason_phrase(status) if reason is None else reason, (), body)
    copied = _COPIED
    if status == 100:
        copied = copied | {"timestamp"}
    elif status < 300 and request.method in _DIALOG_FORMING:
        copied = copied | {"record-route"}
    lines = request.lines_of(copied)
    if not any(key == "via" for key, _ in lines):
        raise MalformedMessage("no via header", "header")
    if to_tag is not None and status != 100 and not _has_to_tag(request):
        lines = [(key, f"{line};tag={to_tag}" if key == "to" else line) for key, line in lines]
    response.extend(lines)
    for name, value in headers:
        response.add(name, value)
    return response


def size_of_response(request: SipRequest, status: int, headers: Iterable[tuple[str, str]]) -> int:
    """Return how many bytes a response of a user agent has at most: with a tag of 16 characters and a short Server.

    Raises MalformedMessage as `response_to` does.
    """
    return len(response_to(request, status, to_tag="0" * 16, headers=(*headers, ("Server", "Kobza"))).to_bytes())


def _has_to_tag(request: SipRequest) -> bool:
    """A To that cannot be read counts as tagged: it goes back as it came."""
    try:
        return request.to.tag is not None
    except MalformedMessage:
        return True
