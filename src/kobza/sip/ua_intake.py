"""What a user agent does with what arrives: matching, the checks of RFC 3261 8.2, answers that need no owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kobza.sip.dialog import Dialog
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.headers import Via
from kobza.sip.invite import InviteDialog
from kobza.sip.invite_received import UNKNOWN_DIALOG, refuse_body, take_cancel, take_request
from kobza.sip.invite_server import Acknowledged, ReceivedInvite
from kobza.sip.layer import RETRY_AFTER, Key, server_key
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.reliable import rack_of
from kobza.sip.request import IncomingRequest
from kobza.sip.responses import response_to
from kobza.sip.session_expires import is_too_short, min_se_of, session_expires_of
from kobza.sip.traffic import METHODS, method_label
from kobza.sip.transaction_tables import Input
from kobza.sip.ua_core import MAX_DIALOGS, UaCore
from kobza.sip.ua_events import InviteReceived, RequestReceived

SERVICE_UNAVAILABLE = 503
_REFRESHING: Final = frozenset({"INVITE", "UPDATE"})
"""Requests with which a session is agreed on (RFC 4028)."""
_OURS_ONLY_INSIDE: Final = frozenset({"BYE", "UPDATE", "INFO", "PRACK"})


class Intake:
    """Takes what arrives. The counters only grow."""

    __slots__ = ("core", "refused", "stray")

    def __init__(self, core: UaCore) -> None:
        self.core = core
        self.refused = 0
        """Requests answered 503 because a bound was reached."""
        self.stray = 0
        """Responses and ACKs that belong to nothing here."""

    def take_response(self, response: SipResponse, now: float) -> None:
        """Give a response to its transaction. MalformedMessage when a header that will be read is broken."""
        transaction = self.core.layer.client_for(response)
        if transaction is None:
            self.stray += 1
            return
        _ = response.to
        self.core.layer.traffic.responses_received[method_label(response.cseq.method), response.status] += 1
        if 200 <= response.status < 300 and response.cseq.method in ("INVITE", "UPDATE"):
            _ = response.contacts
            _ = response.record_routes
        transaction.receive(response, now)

    def take_request(self, request: SipRequest, flow: Flow, now: float) -> None:
        """Give a request to its transaction, dialog or owner. MalformedMessage before anything was done with it."""
        via = stamp(request, flow)
        method = request.method
        layer = self.core.layer
        key = server_key(request, via, "INVITE" if method == "ACK" else method)
        known = layer.servers.get(key)
        if known is not None:
            if method == "ACK":
                layer.traffic.requests_received["ACK"] += 1
                known.feed(Input.RECEIVE_ACK, request, now)
            else:
                layer.traffic.repeated += 1
                known.feed(Input.RECEIVE_REQUEST, request, now)
            return
        layer.traffic.requests_received[method_label(method)] += 1
        required = _check(request)
        if self.core.session is not None and method in _REFRESHING:
            _ = session_expires_of(request), min_se_of(request)
        if method == "PRACK":
            _ = rack_of(request), request.unpacked
        to_tag = request.to.tag
        dialog = self.core.dialog_of(request) if to_tag is not None else None
        if method == "ACK":
            if dialog is None:
                self.stray += 1
            else:
                dialog.take_ack(request, now)
            return
        if not layer.has_room_for(request, dialog is not None):
            self._refuse(request, via, flow)
            return
        merge_key = _merge_key(request) if to_tag is None and method != "CANCEL" else None
        is_merged = merge_key is not None and merge_key in layer.merged
        response_flow, fallback = response_flows(via, flow)
        server = layer.start_server(request, key, response_flow, None if is_merged else merge_key, now, fallback)
        incoming = IncomingRequest(self.core, request, flow, server, dialog)
        if method == "CANCEL":
            self._take_cancel(incoming, via, now)
        elif is_merged:
            incoming.respond(482, now=now)
        elif self._refuse_kind(incoming, required, now):
            return
        elif to_tag is None and method not in _OURS_ONLY_INSIDE:
            self._take_outside(incoming, now)
        elif dialog is not None:
            take_request(dialog, incoming, now)
        elif (subscription := self.core.subscription_of(request)) is not None:
            subscription.take_request(incoming, now)
        else:
            incoming.respond(UNKNOWN_DIALOG, now=now)

    def answer_malformed(self, request: SipRequest, error: MalformedMessage, flow: Flow) -> None:
        """Answer a request that could not be taken, without a transaction; nothing when even that is impossible."""
        if request.method == "ACK":
            return
        try:
            via = stamp(request, flow)
            self._answer_stateless(request, via, flow, error.sip_status, ())
        except MalformedMessage:
            return

    def refuse(self, incoming: IncomingRequest, now: float) -> None:
        """Answer what would go beyond a bound."""
        self.refused += 1
        incoming.respond(SERVICE_UNAVAILABLE, headers=(("Retry-After", str(RETRY_AFTER)),), now=now)

    def _refuse(self, request: SipRequest, via: Via, flow: Flow) -> None:
        self.refused += 1
        headers = (("Retry-After", str(RETRY_AFTER)),)
        self._answer_stateless(request, via, flow, SERVICE_UNAVAILABLE, headers)

    def _answer_stateless(
        self, request: SipRequest, via: Via, flow: Flow, status: int, headers: Sequence[tuple[str, str]]
    ) -> None:
        response = response_to(request, status, to_tag=self.core.new_token(), headers=headers)
        response.extend((self.core.server_line,))
        self.core.layer.traffic.responses_sent[method_label(request.method), status] += 1
        self.core.layer.transmit(response_flows(via, flow)[0], response.to_bytes())

    def _take_cancel(self, incoming: IncomingRequest, via: Via, now: float) -> None:
        """Answer a CANCEL, and its INVITE 487 when that has no final response (9.2). Other methods go on."""
        core = self.core
        cancelled = core.layer.servers.get(server_key(incoming.request, via, "INVITE"))
        if cancelled is None:
            incoming.respond(UNKNOWN_DIALOG, now=now)
            return
        received = cancelled.user
        if isinstance(received, ReceivedInvite):
            incoming.to_tag = received.owner.local_tag
        elif isinstance(received, Acknowledged):
            incoming.to_tag = received.to_tag
        incoming.respond(200, now=now)
        if isinstance(received, ReceivedInvite) and received.is_open:
            take_cancel(received, incoming.request, now)

    def _refuse_kind(self, incoming: IncomingRequest, required: Sequence[str], now: float) -> bool:
        """Refuse a method (8.2.1, 21.5.2: 501 for one that nobody registered) or an extension (8.2.2.3) not ours.

        And a session that is too short (RFC 4028, section 9).
        """
        core, method = self.core, incoming.request.method
        if method not in core.allow:
            incoming.respond(405 if method in METHODS else 501, lines=(core.allow_line,), now=now)
            return True
        unknown = [option for option in required if option.lower() not in core.supported]
        if unknown:
            incoming.respond(420, headers=(("Unsupported", ", ".join(unknown)),), now=now)
            return True
        session = core.session
        if session is not None and method in _REFRESHING and is_too_short(incoming.request, session.min_se):
            incoming.respond(422, headers=(("Min-SE", str(session.min_se)),), now=now)
            return True
        return False

    def _take_outside(self, incoming: IncomingRequest, now: float) -> None:
        core, request = self.core, incoming.request
        if not request.uri.is_supported:
            incoming.respond(416, now=now)
        elif request.method != "INVITE":
            core.events.append(RequestReceived(incoming))
        elif request.max_forwards == 0:
            incoming.respond(483, now=now)  # this user agent may be half of a B2BUA: what goes round must stop
        elif len(core.dialogs) >= MAX_DIALOGS:
            self.refuse(incoming, now)
        elif not refuse_body(incoming, now):
            incoming.to_tag = core.new_token()
            dialog = InviteDialog(core, Dialog.of_request(request, incoming.to_tag, incoming.flow), "uas", request)
            incoming.dialog = dialog
            dialog.received = ReceivedInvite(core, dialog, incoming, is_first=True)
            dialog.received.expire(now)
            core.events.append(InviteReceived(dialog, request))


def stamp(request: SipRequest, flow: Flow) -> Via:
    """Write where the request came from into its topmost Via (RFC 3261 18.2.1, RFC 3581 4); returns that."""
    via = request.via
    host, port = flow.remote
    wants_rport = via.wants_rport
    if not wants_rport and via.host == host:
        return via
    if wants_rport and request.stamp_via(host, port):
        return via
    params = [(name, value) for name, value in via.params if name.lower() not in ("received", "rport")]
    params.append(("received", host))
    if wants_rport:
        params.append(("rport", str(port)))
    via = Via(via.transport, via.host, via.port, tuple(params))
    request.replace_top_via(via)
    return via


def response_flows(via: Via, flow: Flow) -> tuple[Flow, Flow | None]:
    """Choose where responses go, and where when that connection is gone (RFC 3261 18.2.2, RFC 3581 4)."""
    host = flow.remote[0]
    if flow.transport.reliable:
        return flow, Flow(flow.transport, flow.local, (host, via.port or flow.transport.default_port))
    if via.wants_rport:
        return flow, None
    return flow._replace(remote=(host, via.port or flow.transport.default_port)), None


def _check(request: SipRequest) -> list[str]:
    """Read all that will be read of a request, before anything is done with it; returns its Require."""
    _ = request.call_id, request.from_
    method = request.method
    if request.to.tag is None:
        _ = request.uri, request.max_forwards
    if method in ("INVITE", "UPDATE"):
        contacts = request.contacts
        if (
            method == "INVITE"
            and request.to.tag is None
            and not (contacts and contacts[0].uri.scheme in ("sip", "sips"))
        ):
            raise MalformedMessage("no Contact with a SIP URI", "Contact header")
        _ = request.record_routes
        if request.body:
            _ = request.unpacked
    return request.tokens("require")


def _merge_key(request: SipRequest) -> Key:
    """What a request that came here twice on different ways has in common (8.2.2.2)."""
    cseq = request.cseq
    return (request.from_.tag, request.call_id, cseq.number, cseq.method)
