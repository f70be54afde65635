"""A dialog: what two user agents remember of each other, and the requests inside it (RFC 3261 12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from msgspec.structs import replace

from kobza.sip.errors import MalformedMessage
from kobza.sip.field_names import header_key
from kobza.sip.flow import Flow, host_text
from kobza.sip.headers import NameAddr
from kobza.sip.message import SipMessage, SipRequest, SipResponse
from kobza.sip.uri import SipUri

MAX_FORWARDS = 70
"""RFC 3261 8.1.1.6."""

RawLine = tuple[str, str]
"""Header key and whole line without its end."""


class Dialog:
    """Tags, CSeq numbers, route set, remote target and the flow; it writes requests. The call's state is not here.

    `from_line` and `to_line` are our From and To as whole header lines, with the tags there are.
    """

    __slots__ = (
        "_base",
        "_contact",
        "_route_lines",
        "_uri",
        "call_id",
        "flow",
        "from_line",
        "local_cseq",
        "local_tag",
        "remote_cseq",
        "remote_tag",
        "remote_target",
        "routes",
        "to_line",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local_tag: str,
        remote_tag: str | None,
        from_line: str,
        to_line: str,
        remote_target: str,
        routes: Sequence[str],
        flow: Flow,
        contact_user: str = "",
        local_cseq: int = 0,
        remote_cseq: int | None = None,
    ) -> None:
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        self.from_line = from_line
        self.to_line = to_line
        self.remote_target = remote_target
        self.routes = tuple(routes)
        """Values for Route, nearest first."""
        self.flow = flow
        """Where the next request goes."""
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        """CSeq number of the peer's last request; None before the first."""
        self._contact = f"Contact: {contact_of(flow, contact_user)}"
        self._base = flow
        self._uri = remote_target
        self._route_lines: tuple[str, ...] = ()
        self._write_head()

    @classmethod
    def of_request(cls, request: SipRequest, local_tag: str, flow: Flow) -> Dialog:
        """Make the dialog of a request received that can form one (12.1.1). It must have a Contact."""
        contact = _contact_of_peer(request)
        if contact is None:
            raise MalformedMessage("no Contact", "Contact header")
        routes = request.record_routes
        dialog = cls(
            call_id=request.call_id,
            local_tag=local_tag,
            remote_tag=request.from_.tag,
            from_line=f"From: {request.get('to')};tag={local_tag}",
            to_line=f"To: {request.get('from')}",
            remote_target=_request_uri(contact.uri),
            routes=[str(route) for route in routes],
            flow=flow,
            contact_user=request.uri.user if request.uri.is_supported else "",
            remote_cseq=request.cseq.number,
        )
        dialog._steer(routes[0].uri if routes else contact.uri)
        return dialog

    def confirm(self, response: SipResponse) -> None:
        """Take tag, route set and target of the response that makes this, the sender's, a dialog (12.1.2)."""
        self._take_tag(response)
        routes = response.record_routes[::-1]
        self.routes = tuple(str(route) for route in routes)
        contact = _contact_of_peer(response)
        if contact is not None:
            self.remote_target = _request_uri(contact.uri)
        if routes:
            self._steer(routes[0].uri)
        elif contact is not None:
            self._steer(contact.uri)
        self._write_head()

    def fork(self, response: SipResponse) -> Dialog:
        """Make the dialog of another fork's response to our request."""
        fork = Dialog(
            call_id=self.call_id,
            local_tag=self.local_tag,
            remote_tag=None,
            from_line=self.from_line,
            to_line=self.to_line,
            remote_target=self.remote_target,
            routes=(),
            flow=self._base,
            local_cseq=self.local_cseq,
        )
        fork.confirm(response)
        return fork

    def refresh(self, message: SipMessage) -> None:
        """Take the peer's Contact of a target refresh request or its 2xx (12.2.1.2, 12.2.2); the route set stays."""
        contact = _contact_of_peer(message)
        if contact is None:
            return
        if not self.routes:
            self._steer(contact.uri)
        target = _request_uri(contact.uri)
        if target != self.remote_target:
            self.remote_target = target
            self._write_head()

    def follow(self, flow: Flow) -> None:
        """Take the flow that a request of the peer came on: it may have a new connection, or address behind its NAT."""
        if flow == self._base:
            return
        if self.flow == self._base:
            self.flow = flow
        self._base = flow

    def follow_contact(self, contact: SipUri, flow: Flow) -> None:
        """Take a flow when the peer's Contact has this user and host, and the dialog runs on the same transport."""
        if self.flow.transport is not flow.transport or self.routes:
            return
        target = SipUri.parse(self.remote_target)
        if (target.user, target.host.lower()) == (contact.user, contact.host.lower()):
            self.follow(flow)

    def lose_connection(self) -> None:
        """Send over a new connection from now on: the old one is gone."""
        host, port = self.flow.remote
        uri = SipUri.parse(self._next_hop())
        if _is_address(uri.host):
            host, port = uri.host, uri.port or self.flow.transport.default_port
        self.flow = self._base = Flow(self.flow.transport, self.flow.local, (host, port))

    def next_cseq(self) -> int:
        """Count a request of ours."""
        self.local_cseq += 1
        return self.local_cseq

    def request(
        self,
        method: str,
        cseq: int,
        branch: str,
        *,
        lines: Iterable[RawLine] = (),
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str = "",
        max_forwards: int = MAX_FORWARDS,
    ) -> SipRequest:
        """Write a request of ours (12.2.1.1). `lines` are raw lines to add, `headers` values that are checked."""
        keys = ["via", "max-forwards", "from", "to", "call-id", "cseq"]
        text = [
            via_line(self.flow, branch),
            f"Max-Forwards: {max_forwards}",
            self.from_line,
            self.to_line,
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
        ]
        if self._route_lines:
            keys[2:2] = ["route"] * len(self._route_lines)
            text[2:2] = self._route_lines
        request = SipRequest(method, self._uri, keys, text, body)
        request.extend(lines)
        for name, value in headers:
            request.add(name, value)
        if body and content_type:
            request.add("Content-Type", content_type)
        return request

    def check(self) -> None:
        """Raise MalformedMessage for values of the owner that cannot stand in a message."""
        SipUri.parse(self.remote_target, "Request-URI")
        for line in (*self._route_lines, self.from_line, self.to_line, self.call_id):
            if "\r" in line or "\n" in line:
                raise MalformedMessage("line break in a value", line.partition(":")[0])

    @property
    def contact_line(self) -> RawLine:
        """Our Contact."""
        return "contact", self._contact

    @property
    def source(self) -> Flow:
        """The flow that the peer's last request came on. Who it is shows here, and in nothing that it says itself."""
        return self._base

    def _take_tag(self, response: SipResponse) -> None:
        self.remote_tag = response.to.tag
        self.to_line = f"To: {response.get('to')}"

    def _steer(self, uri: SipUri) -> None:
        self.flow = flow_toward(self._base, uri)

    def _next_hop(self) -> str:
        return str(NameAddr.parse(self.routes[0]).uri) if self.routes else self.remote_target

    def _write_head(self) -> None:
        """Keep Request-URI and Route ready; a strict router gets its URI first (12.2.1.1)."""
        uri, routes = self.remote_target, self.routes
        if routes:
            first = NameAddr.parse(routes[0], "Route header").uri
            if first.param("lr") is None:
                routes = (*routes[1:], f"<{uri}>")
                uri = _request_uri(first)
        self._uri = uri
        self._route_lines = tuple([f"Route: {route}" for route in routes]) if routes else ()


def raw_lines(headers: Iterable[tuple[str, str]]) -> tuple[RawLine, ...]:
    """Check headers that are sent later, when nobody could be told that one is wrong."""
    scratch = SipRequest("", "", [], [], b"")
    for name, value in headers:
        scratch.add(name, value)
    return tuple(scratch.lines_of({header_key(name) for name, _ in scratch.items()}))


def via_line(flow: Flow, branch: str) -> str:
    """Write our Via, with rport (RFC 3581)."""
    host, port = flow.local
    return f"Via: SIP/2.0/{flow.transport} {host_text(host)}:{port};branch={branch};rport"


def contact_of(flow: Flow, user: str = "") -> str:
    """Write a Contact value that reaches us on a flow's transport."""
    params = () if flow.transport == "UDP" else (("transport", flow.transport.uri_name),)
    return f"<{SipUri('sip', user=user, host=flow.local[0], port=flow.local[1], params=params)}>"


def flow_toward(flow: Flow, uri: SipUri) -> Flow:
    """Choose the flow for requests to the next hop `uri` of a dialog that runs on `flow`.

    A connection is kept. On UDP the URI says where to, unless it cannot: a name (there is no DNS here), or an address
    that is not reachable from where the peer's messages really come (a phone behind NAT that names its own).
    """
    if flow.transport.reliable:
        return flow
    remote = (uri.host, uri.port or flow.transport.default_port)
    if remote == flow.remote or (uri.host != flow.remote[0] and not _is_reachable(uri.host, flow.remote[0])):
        return flow
    return flow._replace(remote=remote)


def _is_reachable(host: str, seen: str) -> bool:
    try:
        claimed, real = ip_address(host), ip_address(seen)
    except ValueError:
        return False
    if claimed.version != real.version or claimed.is_unspecified or claimed.is_multicast:
        return False
    if claimed.is_loopback or real.is_loopback:
        return claimed.is_loopback and real.is_loopback
    return real.is_private or not claimed.is_private


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _contact_of_peer(message: SipMessage) -> NameAddr | None:
    contacts = message.contacts
    return contacts[0] if contacts and contacts[0].uri.scheme in ("sip", "sips") else None


def _request_uri(uri: SipUri) -> str:
    """Write a Contact or Route URI as a Request-URI: it has no headers and no method there (19.1.1, table 1)."""
    if uri.headers or uri.param("method") is not None:
        params = tuple(param for param in uri.params if param[0].lower() != "method")
        uri = replace(uri, headers="", params=params)
    return str(uri)
