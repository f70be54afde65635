"""One INVITE usage of a dialog, in either role: what the owner of a call holds (RFC 3261 12 to 15, RFC 5057)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from kobza.sip.dialog import Dialog, RawLine, raw_lines
from kobza.sip.flow import Flow
from kobza.sip.invite_client import CANCELLED, FirstInvite
from kobza.sip.invite_offer import REQUEST_PENDING, ReceivedUpdate, Reinvite
from kobza.sip.invite_requests import ByeRequest, InDialogRequest
from kobza.sip.invite_server import ReceivedInvite
from kobza.sip.invite_state import OVER, STANDING, UNANSWERED, InviteState
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.reliable_server import ReliableResponses
from kobza.sip.request import ClientRequest, Credentials
from kobza.sip.session_timer import RefreshUpdate, SessionTimer
from kobza.sip.ua_core import UaCore
from kobza.sip.ua_events import (
    InviteAnswered,
    InviteCancelled,
    InviteConfirmed,
    InviteEnded,
    InviteProgressed,
    InviteRejected,
    InviteSilent,
    OfferReceived,
    OfferRejected,
    RefreshDue,
    RequestFailed,
)

Headers = Iterable[tuple[str, str]]

__all__ = ["InviteDialog", "InviteState"]

MAX_EARLY_TAGS = 32
"""Forks of one INVITE that are remembered while it rings."""
REFRESHING: Final = frozenset({"NOTIFY", "UPDATE"})
"""Requests in a dialog, beside INVITE, that say anew where we are reached (RFC 3311, section 5.1, RFC 6665, 4.4.1)."""
TEMPORARILY_UNAVAILABLE = 480
"""How `bye` refuses a call that was not answered."""


class InviteDialog:
    """A call as one user agent sees it.

    The owner's methods never raise for coming too late: what the peer did meanwhile is told by an event that is on its
    way, and the call does nothing. `now` is in seconds. Header values are checked: MalformedMessage for a line break.
    """

    __slots__ = (
        "_bye_lines",
        "_early_tags",
        "core",
        "credentials",
        "dialog",
        "offer_in",
        "offer_out",
        "received",
        "request",
        "role",
        "sent",
        "session",
        "state",
        "tag",
        "takes_info",
        "unacknowledged",
    )

    def __init__(
        self,
        core: UaCore,
        dialog: Dialog,
        role: Literal["uac", "uas"],
        request: SipRequest,
        credentials: Credentials | None = None,
    ) -> None:
        self.core = core
        self.dialog = dialog
        self.role: Literal["uac", "uas"] = role
        self.request: SipRequest | None = request
        """The first INVITE, ours or the peer's; None once the call stands, and nobody looks at it any more."""
        self.state = InviteState.TRYING
        self.tag: object | None = None
        """Free for the owner's use."""
        self.sent: FirstInvite | None = None
        """The first INVITE when it is ours, until its ACK. This and what follows is for the parts of the user agent."""
        self.received: ReceivedInvite | None = None
        """The first INVITE when it is the peer's, until its ACK."""
        self.unacknowledged: tuple[ReceivedInvite, ...] = ()
        """INVITEs that we answered with 2xx and whose ACK is awaited."""
        self.offer_out: Reinvite | None = None
        """Our offer that is under way."""
        self.offer_in: ReceivedInvite | ReceivedUpdate | None = None
        """The peer's offer that awaits the owner."""
        self.session = None if core.session is None else SessionTimer(core, self, core.session)
        """Sees that the peer is there; None: nobody does."""
        self.takes_info = role == "uas" and request.allows("INFO") is True
        """The peer has said in Allow that it takes INFO."""
        self.credentials = credentials
        self._bye_lines: tuple[RawLine, ...] = ()
        self._early_tags: tuple[str | None, ...] = ()
        core.dialogs[dialog.local_tag] = self

    def __repr__(self) -> str:
        return f"<InviteDialog {self.role} {self.state.value} {self.sip_call_id}>"

    @property
    def sip_call_id(self) -> str:
        """The Call-ID header."""
        return self.dialog.call_id

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return self.dialog.local_tag

    @property
    def remote_tag(self) -> str | None:
        """The peer's tag; None before it is known, and for a peer of RFC 2543."""
        return self.dialog.remote_tag

    @property
    def ringing_tag(self) -> str | None:
        """The tag of whoever rang first for our INVITE, as long as nobody has answered; None before."""
        return self._early_tags[0] if self._early_tags else None

    @property
    def dialog_id(self) -> tuple[str, str, str | None]:
        """Call-ID, our tag, the peer's (RFC 3261 12)."""
        return self.dialog.call_id, self.dialog.local_tag, self.dialog.remote_tag

    @property
    def flow(self) -> Flow:
        """Where our next request goes: where the peer's Contact says, which may be anybody's address."""
        return self.dialog.flow

    @property
    def source(self) -> Flow:
        """Where the peer's last request came from."""
        return self.dialog.source

    @property
    def remote_target(self) -> str:
        """URI of the peer's Contact; before the answer to our INVITE what we called."""
        return self.dialog.remote_target

    # what the owner does

    def provisional(self, status: int, *, body: bytes = b"", headers: Headers = (), now: float) -> None:
        """Send a 101 to 199 to the INVITE received; `body` is early media's SDP.

        To an INVITE without an offer, from who wants them reliably, the first must have ours; EarlyAnswered follows.
        """
        if self.received is not None and self.received.is_open:
            self.received.provisional(status, headers, body, now)
            self.state = InviteState.EARLY

    def accept(self, body: bytes, *, headers: Headers = (), now: float) -> None:
        """Answer the INVITE received with 200 and our SDP: the answer, or the offer when it had none.

        The 200 waits for the PRACK to a reliable response that had our answer, and has then none itself. RefreshDue
        follows the ACK if it should have had another one than that.
        """
        received = self.received
        if received is not None and received.is_open:
            reliable = received.reliable
            if reliable is not None and reliable.holds_back_200:
                reliable.final = tuple(headers), body
                return
            received.accept(headers, body, now)
            self.unacknowledged = (*self.unacknowledged, received)
            self.state = InviteState.ACCEPTED

    def reject(self, status: int, reason: str | None = None, *, headers: Headers = (), now: float) -> None:
        """Refuse the INVITE received with a 300 to 699."""
        if self.received is not None and self.received.is_open:
            self._drop_offers(now)
            self.received.reject(status, reason, headers, now)
            self.finish()

    def cancel(self, *, headers: Headers = (), now: float) -> None:
        """Take our INVITE back. InviteRejected follows; a 2xx that crosses is ended by itself. Answered: `bye`."""
        if self.sent is None or not self.is_unanswered:
            self.bye(headers=headers, now=now)
        elif self.state is not InviteState.CANCELLING:
            lines = raw_lines(headers)
            self.state = InviteState.CANCELLING
            self.sent.cancel(lines, now)

    def acknowledge(self, body: bytes) -> None:
        """Send the ACK with our answer to the offer in a 2xx, after an INVITE or re-INVITE of ours without a body."""
        if self.sent is not None and self.sent.owes_ack:
            self.sent.acknowledge(self.dialog, body)
            self._let_go()
            if self.state is InviteState.ACCEPTED:
                self.state = InviteState.CONFIRMED
        elif self.offer_out is not None and self.offer_out.owes_ack:
            self.offer_out.acknowledge(self.dialog, body)
            self.offer_out = None

    def bye(self, *, headers: Headers = (), now: float) -> None:
        """End the call in the way its state asks for: CANCEL, 480, or BYE, if need be after the ACK. No event follows.

        Only the CANCEL has its InviteRejected.
        """
        if self.is_unanswered:
            if self.sent is not None:
                self.cancel(headers=headers, now=now)
            else:
                self.reject(TEMPORARILY_UNAVAILABLE, headers=headers, now=now)
        elif self.state is InviteState.ACCEPTED and self.role == "uas":
            self._bye_lines = raw_lines(headers)
            self._stop_session()
            self.state = InviteState.CLOSING
        elif self.state in STANDING:
            self.acknowledge(b"")
            self.send_bye(raw_lines(headers), now)

    def reinvite(self, body: bytes, *, headers: Headers = (), now: float) -> None:
        """Offer anew, or with an empty `body` ask for an offer. OfferAnswered or OfferRejected follows.

        One at a time: a second one before the outcome is rejected with 491.
        """
        if self.state not in STANDING or self.offer_out is not None:
            status = 481 if self.state in OVER else REQUEST_PENDING
            self.core.events.append(OfferRejected(self, status))
            return
        self.offer_out = Reinvite(self.core, self, self.credentials, body, raw_lines(headers))
        self.offer_out.start(now)

    def answer_offer(self, body: bytes, *, headers: Headers = (), now: float) -> None:
        """Accept the offer of OfferReceived with our answer, or make ours when it had none."""
        offer = self._take_offer()
        if offer is not None:
            offer.accept(headers, body, now)
        if isinstance(offer, ReceivedInvite):
            self.unacknowledged = (*self.unacknowledged, offer)

    def reject_offer(self, status: int, reason: str | None = None, *, headers: Headers = (), now: float) -> None:
        """Refuse the offer of OfferReceived; what was agreed before stays."""
        offer = self._take_offer()
        if offer is not None:
            offer.reject(status, reason, headers, now)

    def send_request(self, method: str, *, headers: Headers = (), body: bytes = b"", now: float) -> ClientRequest:
        """Send INFO, NOTIFY, UPDATE or another request in the dialog; a Content-Type goes into `headers`.

        ResponseReceived or RequestFailed follows: with 481 at once when there is no dialog (yet, any more).
        """
        dialog, core = self.dialog, self.core
        cseq, branch = dialog.next_cseq(), core.new_branch()
        lines: tuple[RawLine, ...] = ()
        if method in REFRESHING:
            lines = (dialog.contact_line, core.allow_line, *core.supported_lines)
            if method == "UPDATE":
                lines = (*lines, *self.session_lines)
        request = dialog.request(method, cseq, branch, lines=lines, headers=headers, body=body)
        client = InDialogRequest(self, request, branch, self.credentials)
        if not (self.is_standing or (self.state is InviteState.EARLY and self.role == "uas")):
            core.events.append(RequestFailed(client, 481))
        else:
            client.send(now)
        return client

    # what the parts of the user agent do

    @property
    def is_unanswered(self) -> bool:
        """Whether the first INVITE has no final response."""
        return self.state in UNANSWERED

    @property
    def is_standing(self) -> bool:
        """Whether it was answered and is not over."""
        return self.state in STANDING

    @property
    def is_free_to_offer(self) -> bool:
        """Whether no INVITE and no offer is under way in either direction (RFC 3261 14.1)."""
        return (
            self.state is InviteState.CONFIRMED
            and not self.unacknowledged
            and (self.offer_in is None or not self.offer_in.is_open)
        )

    def has_peer(self, request: SipRequest) -> bool:
        """Whether a request with our tag is of this dialog: of the peer, or of a fork that rings."""
        dialog = self.dialog
        if request.call_id != dialog.call_id:
            return False
        tag = request.from_.tag
        return tag == dialog.remote_tag or (self.is_unanswered and tag in self._early_tags)

    def progressed(self, response: SipResponse) -> None:
        """Take a 101 to 199 to our INVITE."""
        tag = response.to.tag
        if tag not in self._early_tags and len(self._early_tags) < MAX_EARLY_TAGS:
            self._early_tags = (*self._early_tags, tag)
        self.state = InviteState.EARLY
        self.core.events.append(InviteProgressed(self, response.status, response))

    def silent(self) -> None:
        """Take that no response at all has come to our INVITE in the time that the owner gave."""
        self.core.events.append(InviteSilent(self))

    def answered(self, sent: FirstInvite, response: SipResponse, now: float) -> None:
        """Take the first 2xx to our INVITE."""
        self.dialog.confirm(response)
        self._early_tags = ()
        if sent.request.body:
            self.state = InviteState.CONFIRMED
            sent.acknowledge(self.dialog, b"")
            self._let_go()
        else:
            self.state = InviteState.ACCEPTED
            sent.owe_ack(self.dialog.remote_tag)
        self.refreshed(response, now)
        self.core.events.append(InviteAnswered(self, response))

    def rejected(self, status: int, response: SipResponse | None) -> None:
        """Take the failure of our INVITE."""
        self.finish()
        self.core.events.append(InviteRejected(self, status, response))

    def cancelled(self, received: ReceivedInvite, request: SipRequest, now: float) -> None:
        """Take the peer's CANCEL of its INVITE; for an owner that has accepted it is the end of the call."""
        accepted = received.reliable is not None and received.reliable.final is not None
        self._drop_offers(now)
        received.reject(CANCELLED, None, self.core.cancel_headers, now)
        self.finish()
        self.core.events.append(InviteEnded(self, request, "cancel") if accepted else InviteCancelled(self, request))

    @property
    def reliable(self) -> ReliableResponses | None:
        """How provisional responses are sent to a caller that requires PRACK; None to others. See `go_on`."""
        return None if self.received is None else self.received.reliable

    def go_on(self, now: float) -> None:
        """Send what has waited for the caller to acknowledge our answer, or for ours to its new offer."""
        reliable = self.reliable
        if reliable is not None and self.is_unanswered:
            if reliable.final is None:
                reliable.go_on(now)
            else:
                headers, body = reliable.final
                self.accept(body, headers=headers, now=now)

    def take_early_offer(self, offer: ReceivedUpdate) -> bool:
        """Take a new offer of the peer whose INVITE has no final response (RFC 6337, section 2.2); the owner answers.

        False: the peer may not make one.
        """
        reliable = self.reliable
        if reliable is None or not self.is_unanswered or not reliable.may_be_offered:
            return False
        reliable.is_offered = True
        self.offer_in = offer
        self.core.events.append(OfferReceived(self, offer.incoming.request))
        return True

    def offer_settled(self, answer: bytes, now: float) -> None:
        """Take that an offer of the peer's UPDATE or PRACK has been answered, or (b"") refused."""
        reliable = self.reliable
        if reliable is not None and reliable.is_offered:
            reliable.is_offered = False
            reliable.sdp = answer or reliable.sdp
            self.go_on(now)

    def prack_missing(self) -> None:
        """Take that the INVITE was refused: a reliable response of ours was not acknowledged for 64*T1."""
        self.finish()
        self.core.events.append(InviteEnded(self, None, "prack timeout"))

    def take_ack(self, request: SipRequest, now: float) -> None:
        """Take an ACK to a 2xx of ours; one that came before does nothing."""
        number = request.cseq.number
        for received in self.unacknowledged:
            if received.cseq == number:
                break
        else:
            return
        self.unacknowledged = tuple([each for each in self.unacknowledged if each is not received])
        received.acknowledged()
        if self.state is InviteState.CLOSING:
            if received.is_first:
                self.send_bye(self._bye_lines, now)
            return
        if received.is_first:
            self.state = InviteState.CONFIRMED
            self._let_go()
        self.core.events.append(InviteConfirmed(self, request, received.is_first))
        if received.differs:
            self.core.events.append(RefreshDue(self))

    def ack_missing(self, now: float) -> None:
        """End the call: a 2xx of ours was not acknowledged for 64*T1 (13.3.1.4)."""
        if self.state is not InviteState.CLOSING:
            self.core.events.append(InviteEnded(self, None, "ack timeout"))
        self.send_bye(self._bye_lines or self.core.lost_lines, now)

    def lost(self, reason: str, now: float) -> None:
        """End the call: the peer does not know it (481), or does not answer (408; a BYE is tried)."""
        if not self.is_standing:
            return
        self.core.events.append(InviteEnded(self, None, reason))
        if reason == "481":
            self._drop_offers(now)
            self.finish()
        else:
            self.send_bye(self.core.lost_lines, now)

    def expired(self, now: float) -> None:
        """End the call: nobody has refreshed its session in its time (RFC 4028, section 10)."""
        self.core.events.append(InviteEnded(self, None, "expired"))
        self.send_bye(self.core.lost_lines, now)

    def refreshed(self, response: SipResponse, now: float) -> None:
        """Take the 2xx to an INVITE or UPDATE of ours as the beginning of a session, or its refresh."""
        if self.session is not None and self.is_standing:
            self.session.agreed(response, now)

    @property
    def session_lines(self) -> tuple[RawLine, ...]:
        """What a re-INVITE or UPDATE of ours says of the session."""
        return () if self.session is None else self.session.request_lines()

    def refresh_by_update(self, session: SessionTimer) -> RefreshUpdate:
        """Make the UPDATE that refreshes the session and changes nothing."""
        dialog, core = self.dialog, self.core
        cseq, branch = dialog.next_cseq(), core.new_branch()
        lines = (dialog.contact_line, core.allow_line, *core.supported_lines, *session.request_lines())
        request = dialog.request("UPDATE", cseq, branch, lines=lines)
        return RefreshUpdate(session, self, request, branch, self.credentials)

    def ended(self, request: SipRequest, now: float) -> None:
        """Take the peer's BYE. What it leaves open is answered 487 (15.1.2)."""
        is_news = self.state is not InviteState.CLOSING
        if self.received is not None and self.received.is_open:
            self.received.reject(CANCELLED, None, (), now)
        self._drop_offers(now)
        self.finish()
        if is_news:
            self.core.events.append(InviteEnded(self, request, "bye"))

    def send_bye(self, lines: tuple[RawLine, ...], now: float) -> None:
        """Send our BYE; the dialog is known until that has an outcome."""
        self._drop_offers(now)
        self._stop_session()
        self.state = InviteState.CLOSING
        dialog, branch = self.dialog, self.core.new_branch()
        request = dialog.request("BYE", dialog.next_cseq(), branch, lines=lines)
        ByeRequest(self.core, request, branch, dialog.flow, self.credentials, self, dialog).send(now)

    def finish(self) -> None:
        """Be over: no timer of ours runs, and nobody finds this dialog any more.

        Its parts are let go, as they know it too: so it is given back when the last of them is, without the collector.
        """
        self._stop_session()
        self.state = InviteState.ENDED
        self.received = self.session = None
        if self.sent is not None and not self.sent.owes_ack:
            self.sent = None
        self.core.dialogs.pop(self.dialog.local_tag, None)

    def _let_go(self) -> None:
        """Let go of the first INVITE: the call stands, and what may still come for it comes to its transaction.

        It is kept for the PRACK of a response that the caller has not acknowledged yet.
        """
        self.request = self.sent = None
        if self.reliable is None or self.reliable.is_settled:
            self.received = None

    def _stop_session(self) -> None:
        if self.session is not None:
            self.session.stop()

    def _drop_offers(self, now: float) -> None:
        if self.reliable is not None:
            self.reliable.is_offered = False  # nothing waits for it any more
        if self.offer_out is not None:
            self.offer_out.stop()
            self.offer_out = None
        offer = self._take_offer()
        if offer is not None:
            offer.reject(CANCELLED, None, (), now)
        for received in self.unacknowledged:
            received.stop()
        self.unacknowledged = ()

    def _take_offer(self) -> ReceivedInvite | ReceivedUpdate | None:
        offer, self.offer_in = self.offer_in, None
        return offer if offer is not None and offer.is_open else None
