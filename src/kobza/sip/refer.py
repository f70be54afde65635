"""REFER inside a call: where a phone sends the other side (RFC 3515), and in whose place (RFC 3891, section 3)."""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import quote, unquote

from msgspec.structs import replace

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import find_param, parse_params, shorten
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipRequest
from kobza.sip.uri import SipUri
from kobza.values import Value

WHERE: Final = "Refer-To header"
NOTIFY_HEADERS: Final = (
    ("Event", "refer"),
    ("Subscription-State", "terminated;reason=noresource"),
    ("Content-Type", "message/sipfrag;version=2.0"),
)
"""Of the one NOTIFY to a REFER that was taken: it says how things stand and that no more will follow."""


class Replaces(Value, frozen=True):
    """Names a dialog as the one who is asked to replace it sees it: `to_tag` is the tag of its own."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str, where: str = "Replaces header") -> Self:
        """Read `call-id;to-tag=…;from-tag=…`; MalformedMessage when one of the three is missing."""
        call_id, _, rest = text.strip().partition(";")
        params = parse_params(f";{rest}", where) if rest else ()
        to_tag, from_tag = find_param(params, "to-tag"), find_param(params, "from-tag")
        if not call_id.strip() or not to_tag or not from_tag:
            raise MalformedMessage(f"no dialog: {shorten(text)}", where)
        return cls(call_id.strip(), to_tag, from_tag, find_param(params, "early-only") is not None)

    def __str__(self) -> str:
        """Write it."""
        early_only = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early_only}"


class ReferTo(Value, frozen=True):
    """What a REFER asks for."""

    dialled: str
    """The user part of the URI: whom to call, as a person dials it."""
    replaces: Replaces | None
    """The call in which that one is talked to already: take it from there; None: call anew."""
    is_quiet: bool
    """Whoever asks wants no NOTIFY (RFC 4488)."""

    @classmethod
    def of(cls, request: SipRequest) -> Self:
        """Read a REFER. MalformedMessage without exactly one Refer-To (RFC 3515, 2.4.2), or with a broken one."""
        texts = request.get_all("refer-to")
        if len(texts) != 1:
            raise MalformedMessage(f"{len(texts)} of them, expected one", WHERE)
        uri = NameAddr.parse(texts[0], WHERE).uri
        if not uri.is_supported or (uri.param("method") or "INVITE").upper() != "INVITE":
            raise MalformedMessage(f"nothing to call: {shorten(str(uri))}", WHERE)
        headers = [header.partition("=") for header in uri.headers.split("&")]
        found = [unquote(value) for name, _, value in headers if unquote(name).lower() == "replaces"]
        return cls(
            uri.dialled,
            Replaces.parse(found[0], WHERE) if found else None,
            (request.get("refer-sub") or "").partition(";")[0].strip().lower() == "false",
        )


def refer_to(uri: SipUri, replaces: Replaces | None = None) -> str:
    """Write a Refer-To."""
    headers = "" if replaces is None else f"Replaces={quote(str(replaces), safe='')}"
    return f"<{replace(uri, headers=headers)}>"


def sipfrag(status: int, reason: str) -> bytes:
    """Write the body of a NOTIFY (RFC 3420)."""
    return f"SIP/2.0 {status} {reason}\r\n".encode()
