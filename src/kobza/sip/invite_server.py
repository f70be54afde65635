"""An INVITE received: provisional responses, the 2xx until its ACK, CANCEL (RFC 3261 13.3, 14.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kobza.sip.dialog import RawLine
from kobza.sip.errors import MalformedMessage
from kobza.sip.message import SipRequest
from kobza.sip.reliable import wants_reliable
from kobza.sip.reliable_server import ReliableResponses
from kobza.sip.request import IncomingRequest
from kobza.sip.timers import Timer
from kobza.sip.transaction import ServerTransaction
from kobza.sip.ua_core import OFFER_TYPE, UaCore

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog

PROVISIONAL_INTERVAL = 60.0
"""Seconds after which a provisional response is repeated, so that no proxy gives up (13.3.1.1)."""

_REPEAT = 0
_NO_ACK = 1
_STILL_RINGING = 2
_EXPIRED = 3


class Acknowledged:
    """In the place of an INVITE whose ACK came: of what comes again for it nothing follows.

    It lives for half a minute, when the call may long be over.
    """

    __slots__ = ("to_tag",)

    def __init__(self, to_tag: str) -> None:
        self.to_tag = to_tag
        """Our tag, which the response to a late CANCEL has too (RFC 3261 9.2)."""

    def ack_received(self, request: SipRequest, now: float) -> None:
        """Nothing: the ACK came again."""

    def transaction_failed(self, transaction: ServerTransaction, status: int, now: float) -> None:
        """Nothing."""


class ReceivedInvite:
    """The first INVITE of a dialog, or a re-INVITE, with its server transaction."""

    __slots__ = (
        "_again",
        "_end",
        "_expiry",
        "_interval",
        "_last",
        "_lines",
        "_repeat",
        "core",
        "cseq",
        "differs",
        "incoming",
        "is_first",
        "owner",
        "reliable",
    )

    def __init__(self, core: UaCore, owner: InviteDialog, incoming: IncomingRequest, *, is_first: bool) -> None:
        self.core = core
        self.owner = owner
        self.incoming = incoming
        self.is_first = is_first
        self.cseq = incoming.request.cseq.number
        self.differs = False
        """The answer that the caller has, from a provisional response, is not the one that the owner gave at last."""
        self.reliable: ReliableResponses | None = None
        """How provisional responses are sent to a caller that requires PRACK."""
        if is_first and core.reliable and wants_reliable(incoming.request):
            self.reliable = ReliableResponses(self)
        self._lines: tuple[RawLine, ...] = ()
        self._last = (0, b"")
        self._again: tuple[int, tuple[tuple[str, str], ...]] = (0, ())
        self._interval = 0.0
        self._repeat: Timer | None = None
        self._end: Timer | None = None
        self._expiry: Timer | None = None
        incoming.transaction.user = self

    @property
    def is_open(self) -> bool:
        """Whether a final response is owed."""
        return self.incoming.transaction.is_open

    @property
    def asks_for_offer(self) -> bool:
        """Whether it had no offer, so that ours is answered in the ACK, or in the PRACK if it went out before."""
        return not self.incoming.request.session

    @property
    def awaits_answer_in_ack(self) -> bool:
        """Whether our 2xx had the offer."""
        return self.asks_for_offer and (self.reliable is None or not self.reliable.sdp)

    def expire(self, now: float) -> None:
        """Take it as cancelled when the time is up that it gives in Expires (13.3.1); one that cannot be read is none.

        It is for who waits no longer than that, and often has no CANCEL to send: a gateway's or a dialler's call.
        """
        try:
            seconds = self.incoming.request.expires
        except MalformedMessage:
            return
        if seconds:
            self._expiry = self.core.queue.start(now + seconds, self, _EXPIRED)

    def provisional(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, now: float) -> None:
        """Send a 101 to 199, again every minute.

        The first to a caller that wants it reliably and made no offer has to have ours (RFC 3262, section 5): until
        there is one, none goes out.
        """
        if self.reliable is None:
            self._last = status, self.write(status, headers, body, now)
        elif self.asks_for_offer and not body and not self.reliable.sdp:
            return
        else:
            self._again = status, tuple(headers)
            self.reliable.send(status, self._again[1], body, now)
        self.core.queue.stop(self._repeat)
        self._repeat = self.core.queue.start(now + PROVISIONAL_INTERVAL, self, _STILL_RINGING)

    def accept(self, headers: Iterable[tuple[str, str]], body: bytes, now: float) -> None:
        """Send the 200, again and again until the ACK comes, on every transport (13.3.1.4)."""
        self.stop()
        if self.reliable is not None and self.reliable.sdp:
            self.differs = bool(body) and body != self.reliable.sdp
            body = b""
        session = self.owner.session
        lines = () if session is None else session.accept(self.incoming.request, now)
        self._last = 200, self.write(200, headers, body, now, lines)
        timers, queue = self.core.timers, self.core.queue
        self._interval = timers.t1
        self._repeat = queue.start(now + self._interval, self, _REPEAT)
        self._end = queue.start(now + timers.timeout, self, _NO_ACK)

    def reject(self, status: int, reason: str | None, headers: Iterable[tuple[str, str]], now: float) -> None:
        """Send a 300 to 699."""
        self.stop()
        self.incoming.respond(status, reason, headers=headers, now=now)

    def stop(self) -> None:
        """Repeat nothing any more: the ACK came, or the dialog is over."""
        self.core.queue.stop(self._repeat)
        self.core.queue.stop(self._end)
        self.core.queue.stop(self._expiry)
        self._repeat = self._end = self._expiry = None
        if self.reliable is not None:
            self.reliable.stop()

    def acknowledged(self) -> None:
        """Take that the ACK came: repeat nothing, and let the transaction live on without this."""
        self.stop()
        self.incoming.transaction.user = Acknowledged(self.owner.local_tag)

    def timer_fired(self, kind: int, now: float) -> None:
        """Send again, or see that no ACK came."""
        if kind == _NO_ACK:
            self.stop()
            self.owner.ack_missing(now)
            return
        if kind == _EXPIRED:
            self.owner.cancelled(self, self.incoming.request, now)
            return
        if kind == _STILL_RINGING and self.reliable is not None:
            self.provisional(*self._again, b"", now)
            return
        self.incoming.transaction.respond(*self._last, now)
        if kind == _REPEAT:
            self.core.layer.traffic.retransmitted += 1
            self._interval = min(self._interval * 2, self.core.timers.t2)
            self._repeat = self.core.queue.start(now + self._interval, self, _REPEAT)
        else:
            self._repeat = self.core.queue.start(now + PROVISIONAL_INTERVAL, self, _STILL_RINGING)

    def ack_received(self, request: SipRequest, now: float) -> None:
        """Take an ACK to the 2xx that had the INVITE's branch (called by the transaction)."""
        self.owner.take_ack(request, now)

    def transaction_failed(self, transaction: ServerTransaction, status: int, now: float) -> None:
        """Nothing: no ACK to a refusal harms nobody, and what could not be sent is sent again until its time is up."""

    def write(
        self,
        status: int,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        now: float,
        more: tuple[RawLine, ...] = (),
    ) -> bytes:
        """Send what makes or refreshes a dialog: with Record-Route, Contact, Allow, Supported (12.1.1, 13.2.1)."""
        core = self.core
        if not self._lines:
            record_routes = self.incoming.request.lines_of(("record-route",))
            contact = self.owner.dialog.contact_line
            self._lines = (*record_routes, contact, core.allow_line, *core.supported_lines)
        lines = (*self._lines, *more)
        if body:
            lines = (*lines, ("content-type", f"Content-Type: {OFFER_TYPE}"))
        return self.incoming.respond(status, None, lines=lines, headers=headers, body=body, now=now)
