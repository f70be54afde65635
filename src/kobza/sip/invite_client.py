"""An INVITE of ours on the wire: digest, CANCEL, the ACKs to its 2xx (RFC 3261 9.1, 13.2, 22)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from kobza.sip.dialog import Dialog, RawLine
from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.invite_requests import ByeRequest, Prack
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.reliable import EarlyDialog, RAck, rseq_of
from kobza.sip.request import Authorizer, Credentials, again
from kobza.sip.timers import Timer
from kobza.sip.transaction import SILENT, ClientTransaction
from kobza.sip.ua_core import OFFER_TYPE, UaCore

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog

MAX_EARLY_DIALOGS = 32
"""Forks of one INVITE whose reliable responses are acknowledged."""
CANCELLED = 487
"""Status told for an INVITE that we cancelled, whatever came."""
ANSWERED: Final = SipRequest("INVITE", "", [], [], b"")
"""In the place of an INVITE that was answered: nobody looks at it any more, while its transaction lives on."""
GIVE_UP = 0
"""Timer: no final response came 64*T1 after the CANCEL (9.1)."""
SILENCE = 1
"""Timer: no response at all came in the time that the owner gave."""
FIRST_FREE_KIND = 2
"""Timer kinds of subclasses begin here."""

_CANCEL_KEEPS: Final = frozenset({"via", "max-forwards", "route", "from", "to", "call-id"})


class SentInvite(ABC):
    """What the first INVITE and a re-INVITE have in common. It lives as long as its transaction: so do its ACKs."""

    __slots__ = (
        "_acks",
        "_authorizer",
        "_cancel_lines",
        "_cancel_sent",
        "_early",
        "_provisional",
        "_timer",
        "branch",
        "core",
        "cseq",
        "flow",
        "is_cancelled",
        "is_open",
        "owner",
        "request",
        "transaction",
    )

    def __init__(self, core: UaCore, owner: InviteDialog, credentials: Credentials | None) -> None:
        self.core = core
        self.owner = owner
        self.is_open = False
        """Whether a final response is awaited."""
        self.is_cancelled = False
        self._authorizer = None if credentials is None else Authorizer(credentials, core.new_token)
        self._acks: dict[str | None, tuple[Flow, bytes] | None] = {}
        """By the peer's tag: forks answer with different ones. None while the owner owes the answer in it."""
        self._cancel_lines: tuple[RawLine, ...] = ()
        self._cancel_sent = False
        self._provisional = False
        self._early: dict[str | None, EarlyDialog] = {}
        """By the peer's tag, of those that have responded reliably."""
        self._timer: Timer | None = None
        self.transaction: ClientTransaction | None = None
        """As long as a final response is awaited."""

    def send(self, request: SipRequest, cseq: int, branch: str, flow: Flow, now: float) -> None:
        """Send the INVITE, the first time or again."""
        self.request = request
        self.cseq = cseq
        self.branch = branch
        self.flow = flow
        self.is_open = True
        self._provisional = False
        self._early.clear()
        self.transaction = self.core.send(request, branch, flow, self, now)

    def cancel(self, lines: tuple[RawLine, ...], now: float) -> None:
        """Take the INVITE back: at once when a provisional response was seen, else when one comes (9.1)."""
        self.is_cancelled = True
        self._cancel_lines = lines
        if self._provisional and self.transaction is not None:
            self._send_cancel(self.transaction, now)

    def acknowledge(self, dialog: Dialog, body: bytes) -> None:
        """Send the ACK to a 2xx, in its dialog, with the INVITE's credentials (13.2.2.4, 22.1)."""
        request = dialog.request(
            "ACK",
            self.cseq,
            self.core.new_branch(),
            headers=self._authorizer.headers.items() if self._authorizer is not None else (),
            body=body,
            content_type=OFFER_TYPE,
        )
        ack = dialog.flow, request.to_bytes()
        self._acks[dialog.remote_tag] = ack
        self.core.layer.traffic.requests_sent["ACK"] += 1
        self.core.layer.transmit(*ack)

    @property
    def owes_ack(self) -> bool:
        """Whether the owner owes the answer in an ACK."""
        return None in self._acks.values()

    def owe_ack(self, tag: str | None) -> None:
        """Hold the ACK back: the owner has an offer to answer in it."""
        self._acks[tag] = None

    def response_received(self, transaction: ClientTransaction, response: SipResponse, now: float) -> None:
        """Take a response (called by the transaction)."""
        status = response.status
        if status < 200:
            self._provisional = True
            if self._timer is not None and self._timer.kind == SILENCE:
                self._stop_timer()
            if self.is_cancelled:
                if not self._cancel_sent:
                    self._send_cancel(transaction, now)
            elif status > 100 and self._acknowledge_provisional(response, now):
                self.progressed(response)
            return
        if status < 300:
            self._succeed(response, now)
            return
        self._close()
        if not self.is_cancelled:
            if self._authorizer is not None and self._authorizer.answers(response, self.request):
                self._send_again(self._authorizer.headers, now)
                return
            session = self.owner.session
            raised = None if session is None else session.raised(response)
            if raised is not None:
                self._send_again(raised, now)
                return
        self.refused(response.status, response, now)

    def transaction_failed(self, _transaction: ClientTransaction, status: int, now: float) -> None:
        """Take a failure (called by the transaction)."""
        self._close()
        self.refused(CANCELLED if self.is_cancelled else status, None, now)

    def report_silence(self, within: float, now: float) -> None:
        """Tell the owner when no response at all has come by then; for the INVITE that was just sent."""
        self._timer = self.core.queue.start(now + within, self, SILENCE)

    def timer_fired(self, kind: int, now: float) -> None:
        """Give up waiting for the end of what was cancelled, or tell that the peer is silent."""
        self._timer = None
        if kind == GIVE_UP and self.transaction is not None:
            self.transaction.give_up(now)
            self._close()
            self.refused(CANCELLED, None, now)
        elif not self.is_cancelled:
            self.owner.silent()

    def _acknowledge_provisional(self, response: SipResponse, now: float) -> bool:
        """Send the PRACK to a reliable response (RFC 3262, section 4); False: it is not to be looked at.

        That is one which came before, one before which another is missing, and one of which nothing can be told.
        """
        if not self.core.reliable:
            return True
        try:
            rseq = rseq_of(response)
            if rseq is None:
                return True
            tag = response.to.tag
            early = self._early.get(tag)
            if early is None:
                if len(self._early) >= MAX_EARLY_DIALOGS:
                    return False
                self._early[tag] = early = EarlyDialog(self._dialog_of(response), rseq)
            elif rseq != early.rseq + 1:
                return False
        except MalformedMessage:
            return False
        early.rseq = rseq
        dialog, branch = early.dialog, self.core.new_branch()
        rack = RAck(rseq, self.cseq, "INVITE")
        request = dialog.request("PRACK", self.owner.dialog.next_cseq(), branch, headers=(("RAck", str(rack)),))
        Prack(self.owner, dialog, request, branch, self.owner.credentials).send(now)
        return True

    # for subclasses

    @abstractmethod
    def _dialog_of(self, response: SipResponse) -> Dialog:
        """Return the dialog of a provisional response."""

    @abstractmethod
    def progressed(self, response: SipResponse) -> None:
        """Take a 101 to 199."""

    @abstractmethod
    def succeeded(self, response: SipResponse, now: float) -> None:
        """Take the first 2xx of a tag; it must be acknowledged."""

    @abstractmethod
    def refused(self, status: int, response: SipResponse | None, now: float) -> None:
        """Take the end without a 2xx; `response` is None when none came."""

    # inside

    def _succeed(self, response: SipResponse, now: float) -> None:
        tag = response.to.tag
        if tag not in self._acks:
            self._close()
            self.succeeded(response, now)
            self.request = ANSWERED
            return
        ack = self._acks[tag]
        if ack is not None:
            self.core.layer.traffic.repeated += 1
            self.core.layer.transmit(*ack)

    def _close(self) -> None:
        self.is_open = False
        self.transaction = None
        self._stop_timer()

    def _stop_timer(self) -> None:
        self.core.queue.stop(self._timer)
        self._timer = None

    def _send_again(self, headers: dict[str, str], now: float) -> None:
        branch, cseq = self.core.new_branch(), self.owner.dialog.next_cseq()
        self.send(again(self.request, cseq, branch, self.flow, headers), cseq, branch, self.flow, now)

    def _send_cancel(self, transaction: ClientTransaction, now: float) -> None:
        """Send the CANCEL on the INVITE's way: same Request-URI, Via and Route."""
        self._cancel_sent = True
        cancel = SipRequest("CANCEL", self.request.uri_text, [], [], b"")
        cancel.extend(self.request.lines_of(_CANCEL_KEEPS))
        cancel.extend((("cseq", f"CSeq: {self.cseq} CANCEL"), *self._cancel_lines))
        self.core.send(cancel, self.branch, transaction.flow, SILENT, now)
        self.core.queue.stop(self._timer)
        self._timer = self.core.queue.start(now + self.core.timers.timeout, self, GIVE_UP)


class FirstInvite(SentInvite):
    """The INVITE that makes the dialog."""

    __slots__ = ()

    def _dialog_of(self, response: SipResponse) -> Dialog:
        return self.owner.dialog.fork(response)

    def progressed(self, response: SipResponse) -> None:
        """Tell of ringing and early media."""
        self._learn(response)
        self.owner.progressed(response)

    def succeeded(self, response: SipResponse, now: float) -> None:
        """Take the first 2xx as the answer; another fork's, and one after a CANCEL, is acknowledged and ended."""
        owner = self.owner
        if not self.is_cancelled and owner.is_unanswered:
            self._learn(response)
            owner.answered(self, response, now)
            return
        fork = owner.dialog.fork(response)
        self.acknowledge(fork, b"")
        branch = self.core.new_branch()
        bye = fork.request("BYE", fork.next_cseq(), branch)
        ByeRequest(self.core, bye, branch, fork.flow, owner.credentials, None, fork).send(now)
        if owner.is_unanswered:
            owner.rejected(CANCELLED, None)

    def refused(self, status: int, response: SipResponse | None, _now: float) -> None:
        """Tell of the failure."""
        self.owner.rejected(status, response)

    def _learn(self, response: SipResponse) -> None:
        """Learn from Allow whether the peer takes INFO; a response without one says nothing about it."""
        said = response.allows("INFO")
        if said is not None:
            self.owner.takes_info = said
