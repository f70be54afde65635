"""The user agent: transactions, dialogs and INVITE usages behind one object without I/O (RFC 3261 8, 12 to 17).

Bytes, broken connections and `now` go in; transmissions, events and a deadline come out. All calls come from one
thread. After each input the owner takes `take_transmits` and `take_events`, and calls `handle_timers` at the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from kobza.sip.dialog import MAX_FORWARDS, Dialog
from kobza.sip.errors import MalformedMessage
from kobza.sip.event_header import EventHeader
from kobza.sip.flow import Flow, Transmit, host_text
from kobza.sip.headers import NameAddr
from kobza.sip.invite import InviteDialog
from kobza.sip.invite_client import FirstInvite
from kobza.sip.layer import StreamFor
from kobza.sip.message import SipRequest, SipResponse, parse_message, split_message
from kobza.sip.request import ClientRequest, Credentials, IncomingRequest
from kobza.sip.session_expires import SessionPolicy
from kobza.sip.subscription import Compose, Subscription
from kobza.sip.timers import Timers
from kobza.sip.traffic import SipTraffic
from kobza.sip.ua_core import MAX_DIALOGS, MAX_SUBSCRIPTIONS, OFFER_TYPE, UaCore
from kobza.sip.ua_events import (
    EarlyAnswered,
    InviteAnswered,
    InviteCancelled,
    InviteConfirmed,
    InviteEnded,
    InviteEvent,
    InviteProgressed,
    InviteReceived,
    InviteRejected,
    InviteSilent,
    MalformedReceived,
    OfferAnswered,
    OfferReceived,
    OfferRejected,
    RefreshDue,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
    SubscribeReceived,
    SubscriptionEnded,
    UaEvent,
)
from kobza.sip.ua_intake import SERVICE_UNAVAILABLE, Intake
from kobza.sip.uri import SipUri

__all__ = [
    "ClientRequest",
    "Credentials",
    "EarlyAnswered",
    "IncomingRequest",
    "InviteAnswered",
    "InviteCancelled",
    "InviteConfirmed",
    "InviteDialog",
    "InviteEnded",
    "InviteEvent",
    "InviteProgressed",
    "InviteReceived",
    "InviteRejected",
    "InviteSilent",
    "MalformedReceived",
    "OfferAnswered",
    "OfferReceived",
    "OfferRejected",
    "RefreshDue",
    "RequestFailed",
    "RequestReceived",
    "ResponseReceived",
    "SessionPolicy",
    "SubscribeReceived",
    "Subscription",
    "SubscriptionEnded",
    "UaCounts",
    "UaEvent",
    "UserAgent",
]

DEFAULT_TIMERS = Timers()


class UaCounts(NamedTuple):
    """How much a user agent holds, and what it has turned away since it began."""

    client_transactions: int
    server_transactions: int
    dialogs: int
    subscriptions: int
    timers: int
    malformed: int
    stray: int
    refused: int

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held."""
        calls = self.client_transactions or self.server_transactions or self.dialogs
        return not (calls or self.subscriptions or self.timers)


class UserAgent:
    """A SIP user agent, client and server.

    `new_token` gives unguessable text of token characters, at least 32 bits of chance (RFC 3261 19.3). `methods` are
    those that are given to the owner beside OPTIONS and INFO; others are refused with 405 or 501. `supported` are
    option tags for Supported, and what Require may name. `cancel_headers` go into the 487 to a cancelled INVITE,
    `lost_headers` into the BYE to a peer that does not answer any more. `session` is what is wanted of session timers
    (RFC 4028); without it there are none. `reliable`: provisional responses are acknowledged, with who wants it
    (RFC 3262).
    """

    def __init__(
        self,
        *,
        new_token: Callable[[], str],
        product: str = "Kobza",
        timers: Timers = DEFAULT_TIMERS,
        methods: Sequence[str] = ("REGISTER",),
        supported: Sequence[str] = (),
        cancel_headers: Sequence[tuple[str, str]] = (),
        lost_headers: Sequence[tuple[str, str]] = (),
        session: SessionPolicy | None = None,
        reliable: bool = False,
    ) -> None:
        self._core = UaCore(
            new_token, product, timers, methods, supported, cancel_headers, lost_headers, session, reliable=reliable
        )
        self._intake = Intake(self._core)
        self._malformed = 0

    # in

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one datagram, or one message of a stream that could not be read."""
        try:
            message = parse_message(data)
        except MalformedMessage as error:
            self._refuse_malformed(data, error, flow)
            return
        self.receive_message(message, flow, now)

    def receive_message(self, message: SipRequest | SipResponse, flow: Flow, now: float) -> None:
        """Take a message that was read."""
        try:
            if isinstance(message, SipRequest):
                self._intake.take_request(message, flow, now)
            else:
                self._intake.take_response(message, now)
        except MalformedMessage as error:
            self._count_malformed(flow, error, message.to_bytes())
            if isinstance(message, SipRequest):
                self._intake.answer_malformed(message, error, flow)

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Take that a connection broke, or that nothing can be sent to a UDP peer."""
        core = self._core
        core.layer.transport_failed(flow, now)
        if flow.transport.reliable:
            for dialog in core.dialogs.values():
                if dialog.flow == flow:
                    dialog.dialog.lose_connection()
            for subscription in [each for each in core.subscriptions.values() if each.dialog.flow == flow]:
                if flow.transport.is_web:
                    subscription.lost(str(SERVICE_UNAVAILABLE))
                else:
                    subscription.dialog.lose_connection()

    def follow_contact(self, contact: SipUri, flow: Flow) -> None:
        """Take that a peer is reached over another flow now, under the contact that it gave in its dialogs.

        For peers that open their connections themselves (RFC 7118): their next request would say so as well, but ours
        may come first. Contacts of dialogs have parameters of their own, so user and host are what counts.
        """
        for dialog in self._core.dialogs.values():
            dialog.dialog.follow_contact(contact, flow)
        for subscription in self._core.subscriptions.values():
            subscription.dialog.follow_contact(contact, flow)

    def send_large_by(self, stream_for: StreamFor, limit: int) -> None:
        """Have requests of more than `limit` bytes that would be datagrams sent the way that `stream_for` gives.

        When that fails before there was a response (`transport_failed`) they go as datagrams (RFC 3261 18.1.1).
        """
        self._core.layer.stream_for, self._core.layer.datagram_limit = stream_for, limit

    def handle_timers(self, now: float) -> None:
        """Do what is due."""
        self._core.queue.fire_due(now)

    # out

    def next_deadline(self) -> float | None:
        """When `handle_timers` wants to be called; None: not before something arrives."""
        return self._core.queue.next_deadline()

    def take_transmits(self) -> list[Transmit]:
        """What is to be sent, in order."""
        layer = self._core.layer
        taken, layer.transmits = layer.transmits, []
        return taken

    def take_events(self) -> list[UaEvent]:
        """What happened, in order."""
        core = self._core
        taken, core.events = core.events, []
        return taken

    @property
    def counts(self) -> UaCounts:
        """How much is held, for metrics."""
        core, intake = self._core, self._intake
        return UaCounts(
            len(core.layer.clients),
            len(core.layer.servers),
            len(core.dialogs),
            len(core.subscriptions),
            len(core.queue),
            self._malformed,
            intake.stray,
            intake.refused,
        )

    @property
    def traffic(self) -> SipTraffic:
        """What was sent and received, for metrics. To be read only."""
        return self._core.layer.traffic

    # acting

    def request(
        self,
        method: str,
        target: str,
        *,
        from_: NameAddr,
        to: NameAddr,
        flow: Flow,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        call_id: str | None = None,
        cseq: int | None = None,
        route_set: Sequence[str] = (),
        credentials: Credentials | None = None,
        now: float,
    ) -> ClientRequest:
        """Send a request outside dialogs. ResponseReceived or RequestFailed follows.

        A repetition with credentials takes the next CSeq number. MalformedMessage for values that cannot be sent.
        """
        core = self._core
        dialog = self._new_dialog(target, from_, to, flow, route_set, call_id)
        branch = core.new_branch()
        number = dialog.next_cseq() if cseq is None else cseq
        request = dialog.request(method, number, branch, lines=(core.agent_line,), headers=headers, body=body)
        client = ClientRequest(core, request, branch, flow, credentials)
        if core.layer.has_room_for_client:
            client.send(now)
        else:
            core.events.append(RequestFailed(client, SERVICE_UNAVAILABLE))
        return client

    def invite(
        self,
        target: str,
        *,
        from_: NameAddr,
        to: NameAddr,
        flow: Flow,
        body: bytes,
        route_set: Sequence[str] = (),
        headers: Iterable[tuple[str, str]] = (),
        credentials: Credentials | None = None,
        content_type: str = OFFER_TYPE,
        contact_user: str = "",
        max_forwards: int | None = None,
        call_id: str | None = None,
        response_within: float | None = None,
        now: float,
    ) -> InviteDialog:
        """Call. InviteProgressed, then InviteAnswered or InviteRejected follow.

        An empty `body` asks the peer for its offer. `contact_user` is the user part of our Contact; `max_forwards`
        is for a B2BUA, which passes on one less than it got. InviteSilent follows when no response has come
        `response_within` seconds from now. MalformedMessage for values that cannot be sent.
        """
        core = self._core
        dialog = self._new_dialog(target, from_, to, flow, route_set, call_id, contact_user)
        branch, cseq = core.new_branch(), dialog.next_cseq()
        supported = core.supported_lines if body else core.late_supported_lines
        request = dialog.request(
            "INVITE",
            cseq,
            branch,
            lines=(dialog.contact_line, core.allow_line, *supported, *core.session_lines, core.agent_line),
            headers=headers,
            body=body,
            content_type=content_type,
            max_forwards=MAX_FORWARDS if max_forwards is None else max_forwards,
        )
        has_room = core.layer.has_room_for_client and len(core.dialogs) < MAX_DIALOGS
        invite = InviteDialog(core, dialog, "uac", request, credentials)
        if has_room:
            invite.sent = FirstInvite(core, invite, credentials)
            invite.sent.send(request, cseq, branch, flow, now)
            if response_within is not None:
                invite.sent.report_silence(response_within, now)
        else:
            invite.rejected(SERVICE_UNAVAILABLE, None)
        return invite

    def dialog_named(self, call_id: str, local_tag: str, remote_tag: str) -> InviteDialog | None:
        """Find the call that a peer names by its dialog, as in Replaces (RFC 3891, section 3)."""
        dialog = self._core.dialogs.get(local_tag)
        return dialog if dialog is not None and dialog.dialog_id == (call_id, local_tag, remote_tag) else None

    def accept_subscription(
        self,
        incoming: IncomingRequest,
        event: EventHeader,
        *,
        content_type: str,
        compose: Compose,
        seconds: int,
        tag: object = None,
        headers: Iterable[tuple[str, str]] = (),
        now: float,
    ) -> Subscription | None:
        """Grant a SUBSCRIBE outside a dialog so many seconds; 0: only tell what there is now. Return what came of it.

        None when there are too many: that is answered then. `compose` writes the bodies, of `content_type`; `headers`
        go into the 200. MalformedMessage, and no answer, for a SUBSCRIBE that makes no dialog.
        """
        core = self._core
        if len(core.subscriptions) >= MAX_SUBSCRIPTIONS:
            self._intake.refuse(incoming, now)
            return None
        incoming.to_tag = core.new_token()
        dialog = Dialog.of_request(incoming.request, incoming.to_tag, incoming.flow)
        subscription = Subscription(core, dialog, event, content_type, compose, tag)
        subscription.accept(incoming, seconds, headers=headers, now=now)
        return subscription

    def respond(
        self,
        incoming: IncomingRequest,
        status: int,
        reason: str | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        now: float,
    ) -> None:
        """Answer a request of RequestReceived; too late (64*T1) it does nothing."""
        core = self._core
        if status == 405:
            lines = [core.allow_line]
        elif incoming.request.method == "OPTIONS" and status < 300:
            lines = [core.allow_line, core.accept_line, *core.supported_lines]
        else:
            lines = []
        incoming.respond(status, reason, lines=lines, headers=headers, body=body, now=now)

    def _new_dialog(
        self,
        target: str,
        from_: NameAddr,
        to: NameAddr,
        flow: Flow,
        route_set: Sequence[str],
        call_id: str | None,
        contact_user: str = "",
    ) -> Dialog:
        """Prepare the dialog-to-be of a request of ours; also for requests that make none."""
        core = self._core
        local_tag = core.new_token()
        if from_.tag is not None:
            from_ = replace(from_, params=tuple(param for param in from_.params if param[0].lower() != "tag"))
        dialog = Dialog(
            call_id=call_id or f"{core.new_token()}@{host_text(flow.local[0])}",
            local_tag=local_tag,
            remote_tag=None,
            from_line=f"From: {from_};tag={local_tag}",
            to_line=f"To: {to}",
            remote_target=target,
            routes=route_set,
            flow=flow,
            contact_user=contact_user,
        )
        dialog.check()
        return dialog

    # malformed

    def _refuse_malformed(self, data: bytes, error: MalformedMessage, flow: Flow) -> None:
        self._count_malformed(flow, error, data)
        try:
            message = split_message(data)
        except MalformedMessage:
            return
        if isinstance(message, SipRequest):
            self._intake.answer_malformed(message, error, flow)

    def _count_malformed(self, flow: Flow, error: MalformedMessage, data: bytes) -> None:
        self._malformed += 1
        self._core.events.append(MalformedReceived(flow, error, data))
