"""Offers in a dialog that stands: our re-INVITE with glare, the peer's UPDATE (RFC 3261 14, RFC 3311)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from kobza.sip.dialog import Dialog, RawLine
from kobza.sip.flow import Flow
from kobza.sip.invite_client import FIRST_FREE_KIND, SentInvite
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.request import Credentials, IncomingRequest
from kobza.sip.transaction import ClientTransaction
from kobza.sip.ua_core import OFFER_TYPE, UaCore
from kobza.sip.ua_events import OfferAnswered, OfferRejected

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog

MAX_TRIES = 8
"""Tries of one offer against 491 before it counts as rejected: about 20 seconds of glare."""
REQUEST_PENDING = 491
DIALOG_DESTROYING: Final = frozenset({408, 481})
"""Statuses that end the dialog when a re-INVITE or UPDATE gets them (12.2.1.2, 14.1)."""
RETRY_AFTER_BOUND = 11
"""A second offer before the first was answered is told to come back after 0 to 10 seconds (14.2)."""

_TRY_AGAIN = FIRST_FREE_KIND
_TOO_LONG = FIRST_FREE_KIND + 1


class Reinvite(SentInvite):
    """An offer of ours, from the owner's wish to its outcome; 491 and open transactions make it wait and try again."""

    __slots__ = ("_body", "_lines", "_tries")

    def __init__(
        self,
        core: UaCore,
        owner: InviteDialog,
        credentials: Credentials | None,
        body: bytes,
        lines: tuple[RawLine, ...],
    ) -> None:
        super().__init__(core, owner, credentials)
        self._body = body
        self._lines = lines
        self._tries = 0

    @property
    def is_busy(self) -> bool:
        """Whether the peer may not offer: our re-INVITE is on the wire or its ACK is owed. Not while it waits."""
        return self.is_open or self.owes_ack

    def start(self, now: float) -> None:
        """Send it, or wait while another offer or an INVITE without ACK is under way (14.1)."""
        owner, core = self.owner, self.core
        if not owner.is_free_to_offer:
            self._try_later(now)
            return
        dialog = owner.dialog
        cseq, branch = dialog.next_cseq(), core.new_branch()
        request = dialog.request(
            "INVITE",
            cseq,
            branch,
            lines=(
                dialog.contact_line,
                core.allow_line,
                *(core.supported_lines if self._body else core.late_supported_lines),
                *owner.session_lines,
                core.agent_line,
                *self._lines,
            ),
            body=self._body,
            content_type=OFFER_TYPE,
        )
        self.send(request, cseq, branch, dialog.flow, now)

    def send(self, request: SipRequest, cseq: int, branch: str, flow: Flow, now: float) -> None:
        """Send it, and wait only so long: no person is asked, and meanwhile nobody else may offer."""
        super().send(request, cseq, branch, flow, now)
        self._timer = self.core.queue.start(now + self.core.timers.timeout, self, _TOO_LONG)

    def stop(self) -> None:
        """The dialog is over: try no more. What is on the wire keeps its timer: after a 1xx nothing else ends it."""
        if not self.is_open:
            self.core.queue.stop(self._timer)
            self._timer = None

    def timer_fired(self, kind: int, now: float) -> None:
        """Try again; or take back a re-INVITE that a peer lets ring."""
        if kind == _TRY_AGAIN:
            self.start(now)
        elif kind == _TOO_LONG:
            self._timer = None
            self.cancel((), now)
        else:
            super().timer_fired(kind, now)

    def transaction_failed(self, _transaction: ClientTransaction, status: int, now: float) -> None:
        """No response at all: the peer is gone (408), or out of reach for now (503)."""
        self._close()
        if status == 408:
            self.owner.lost("408", now)
        self.refused(status, None, now)

    def _dialog_of(self, _response: SipResponse) -> Dialog:
        return self.owner.dialog

    def progressed(self, _response: SipResponse) -> None:
        """Nothing: a re-INVITE rings for nobody."""

    def succeeded(self, response: SipResponse, now: float) -> None:
        """Acknowledge, and tell of the answer. After our BYE, or a CANCEL that came too late, only acknowledge."""
        owner = self.owner
        owner.dialog.refresh(response)
        owner.refreshed(response, now)
        if owner.offer_out is self and not self._body:
            self.owe_ack(response.to.tag)
            self.core.events.append(OfferAnswered(owner, response))
            return
        self.acknowledge(owner.dialog, b"")
        self._settle(OfferAnswered(owner, response))

    def refused(self, status: int, response: SipResponse | None, now: float) -> None:
        """Wait and try again after 491; end the dialog when the peer knows it no more; else tell of the failure."""
        owner = self.owner
        if response is not None:
            if status == REQUEST_PENDING and owner.offer_out is self:
                self._try_later(now)
                return
            if status in DIALOG_DESTROYING:
                owner.lost(str(status), now)
            elif owner.session is not None:
                owner.session.refused(now)
        self._settle(OfferRejected(owner, status))

    def _try_later(self, now: float) -> None:
        """Wait as 14.1 says: whoever owns the Call-ID longer than the other, so that they do not meet again."""
        self._tries += 1
        if self._tries >= MAX_TRIES:
            self._settle(OfferRejected(self.owner, REQUEST_PENDING))
            return
        if self.owner.role == "uac":
            delay = 2.1 + self.core.random_below(191) / 100
        else:
            delay = self.core.random_below(201) / 100
        self._timer = self.core.queue.start(now + delay, self, _TRY_AGAIN)

    def _settle(self, event: OfferAnswered | OfferRejected) -> None:
        if self.owner.offer_out is self:
            self.owner.offer_out = None
            self.core.events.append(event)


class ReceivedUpdate:
    """An UPDATE with an offer that awaits the owner's answer. Has what `ReceivedInvite` has for that."""

    __slots__ = ("incoming", "owner")

    asks_for_offer = False

    def __init__(self, owner: InviteDialog, incoming: IncomingRequest) -> None:
        self.owner = owner
        self.incoming = incoming

    @property
    def is_open(self) -> bool:
        """Whether the response is owed; not any more when the owner took longer than 64*T1."""
        return self.incoming.transaction.is_open

    def accept(self, headers: Iterable[tuple[str, str]], body: bytes, now: float) -> None:
        """Send the 200."""
        core = self.incoming.core
        session = self.owner.session
        agreed = () if session is None or self.owner.is_unanswered else session.accept(self.incoming.request, now)
        lines = (self.owner.dialog.contact_line, core.allow_line, *core.supported_lines, *agreed)
        if body:
            lines = (*lines, ("content-type", f"Content-Type: {OFFER_TYPE}"))
        self._answer(lines, headers, body, now)

    def reject(self, status: int, reason: str | None, headers: Iterable[tuple[str, str]], now: float) -> None:
        """Send a 300 to 699."""
        self.incoming.respond(status, reason, headers=headers, now=now)
        self.owner.offer_settled(b"", now)

    def _answer(self, lines: tuple[RawLine, ...], headers: Iterable[tuple[str, str]], body: bytes, now: float) -> None:
        self.incoming.respond(200, lines=lines, headers=headers, body=body, now=now)
        self.owner.offer_settled(body, now)


class ReceivedPrack(ReceivedUpdate):
    """A PRACK with an offer (RFC 3262, section 5). Its 200 has the answer."""

    __slots__ = ()

    def accept(self, headers: Iterable[tuple[str, str]], body: bytes, now: float) -> None:
        """Send the 200."""
        self._answer((("content-type", f"Content-Type: {OFFER_TYPE}"),), headers, body, now)
