"""A subscription as its notifier sees it: SUBSCRIBE and NOTIFY in a dialog of their own (RFC 6665, 4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from kobza.sip.dialog import Dialog
from kobza.sip.errors import MalformedMessage
from kobza.sip.event_header import EventHeader
from kobza.sip.message import SipRequest, SipResponse
from kobza.sip.request import IncomingRequest
from kobza.sip.timers import Timer
from kobza.sip.transaction import SILENT, ClientTransaction, ClientUser
from kobza.sip.ua_core import UaCore
from kobza.sip.ua_events import SubscribeReceived, SubscriptionEnded
from kobza.values import same

MAX_UDP_BODY: Final = 850
"""Bytes of a NOTIFY's body on UDP: its header has some 450, and above 1,300 in all a request may not fit one datagram
(RFC 3261, 18.1.1)."""
LONGEST_RETRY: Final = 60
"""Seconds for which a subscriber may ask us to wait with the next NOTIFY."""
UNKNOWN: Final = 481
OUT_OF_ORDER: Final = 500

Compose = Callable[[bool, int | None], bytes | None]
"""Writes a body: of all there is (True), or of what has changed since the last one (None: nothing has).

The number is how many bytes it may have at most; None: as many as it takes."""

_EXPIRED = 0
_RETRY = 1


class Subscription:
    """Tells one subscriber of one resource. One NOTIFY is under way at a time; after it goes what is newest then.

    `SubscriptionEnded` follows when it ends otherwise than by `end`.
    """

    __slots__ = (
        "_compose",
        "_content_type",
        "_expires_at",
        "_expiry",
        "_last_words",
        "_owes_all",
        "_owes_change",
        "_retry",
        "_under_way",
        "core",
        "dialog",
        "event",
        "tag",
    )

    def __init__(
        self, core: UaCore, dialog: Dialog, event: EventHeader, content_type: str, compose: Compose, tag: object
    ) -> None:
        self.core = core
        self.dialog = dialog
        self.event = event
        self.tag = tag
        """Free for the owner's use."""
        self._content_type = content_type
        self._compose = compose
        self._expires_at = 0.0
        self._expiry: Timer | None = None
        self._retry: Timer | None = None
        self._under_way = False
        self._owes_all = False
        self._owes_change = False
        self._last_words: str | None = None
        """Why it ended, while the NOTIFY that says so waits for the one before."""
        core.subscriptions[dialog.local_tag] = self

    def __repr__(self) -> str:
        return f"<Subscription {self.event} {self.dialog.call_id}>"

    @property
    def is_active(self) -> bool:
        """Whether it is told of changes."""
        return self.core.subscriptions.get(self.dialog.local_tag) is self

    # what the owner does

    def accept(
        self, incoming: IncomingRequest, seconds: int, *, headers: Iterable[tuple[str, str]] = (), now: float
    ) -> None:
        """Grant a SUBSCRIBE so many seconds, and tell all there is; 0 ends the subscription with that."""
        core = self.core
        self.dialog.refresh(incoming.request)
        lines = (*incoming.request.lines_of(("record-route",)), self.dialog.contact_line)
        incoming.respond(200, lines=lines, headers=(("Expires", str(seconds)), *headers), now=now)
        core.queue.stop(self._expiry)
        if not seconds:
            self._over("unsubscribed")
            self._say_last("timeout", now)
            return
        self._expires_at = now + seconds
        self._expiry = core.queue.start(self._expires_at, self, _EXPIRED)
        self._owes_all = True
        self._tell(now)

    def changed(self, now: float) -> None:
        """Take that there is something new to tell: it goes now, or when the NOTIFY under way was answered."""
        if self.is_active:
            self._owes_change = True
            self._tell(now)

    def end(self, reason: str, now: float) -> None:
        """End it and say why (RFC 6665, 4.1.3: "noresource", "probation;retry-after=60")."""
        if self.is_active:
            self._forget()
            self._say_last(reason, now)

    # what the parts of the user agent do

    def has_peer(self, request: SipRequest) -> bool:
        """Whether a request with our tag is of this dialog."""
        return (request.call_id, request.from_.tag) == (self.dialog.call_id, self.dialog.remote_tag)

    def take_request(self, incoming: IncomingRequest, now: float) -> None:
        """Take a request of the subscriber: a SUBSCRIBE that refreshes or ends this one; nothing else belongs here."""
        request, dialog = incoming.request, self.dialog
        if request.method != "SUBSCRIBE":
            incoming.respond(UNKNOWN, now=now)
            return
        number = request.cseq.number
        if dialog.remote_cseq is not None and number < dialog.remote_cseq:
            incoming.respond(OUT_OF_ORDER, now=now)
            return
        try:
            event = EventHeader.of(request)
            _ = request.contacts
        except MalformedMessage as error:
            incoming.respond(error.sip_status, f"Bad {error.where}", now=now)
            return
        if event is None or not same(event, self.event):  # one dialog is one subscription (4.5.2)
            incoming.respond(UNKNOWN, now=now)
            return
        dialog.remote_cseq = number
        dialog.follow(incoming.flow)
        self.core.events.append(SubscribeReceived(self, incoming))

    def response_received(self, _transaction: ClientTransaction, response: SipResponse, now: float) -> None:
        """Take the response to a NOTIFY (called by the transaction)."""
        if response.status < 200:
            return
        self._under_way = False
        if response.status < 300:
            if self._last_words is not None:
                self._say_last(self._last_words, now)
            else:
                self._tell(now)
            return
        seconds = _retry_after(response)
        if seconds is None or not self.is_active:
            self.lost(str(response.status))
            return
        self._owes_all = True  # what that NOTIFY said was not taken
        self._retry = self.core.queue.start(now + seconds, self, _RETRY)

    def transaction_failed(self, _transaction: ClientTransaction, status: int, _now: float) -> None:
        """Take that a NOTIFY was not answered, or could not be sent (called by the transaction)."""
        self._under_way = False
        self.lost(str(status))

    def timer_fired(self, kind: int, now: float) -> None:
        """Do what is due."""
        if kind == _RETRY:
            self._retry = None
            self._tell(now)
        else:
            self._over("timeout")
            self._say_last("timeout", now)

    def lost(self, reason: str) -> None:
        """End it without another word: the subscriber does not know it, or cannot be reached."""
        self._last_words = None
        if self.is_active:
            self._over(reason)

    # inside

    def _over(self, reason: str) -> None:
        self._forget()
        self.core.events.append(SubscriptionEnded(self, reason))

    def _forget(self) -> None:
        core = self.core
        core.subscriptions.pop(self.dialog.local_tag, None)
        core.queue.stop(self._expiry)
        core.queue.stop(self._retry)
        self._expiry = self._retry = None
        self._owes_all = self._owes_change = False

    def _tell(self, now: float) -> None:
        """Send what is owed, unless a NOTIFY is under way or the subscriber has asked us to wait."""
        if self._under_way or self._retry is not None or not (self._owes_all or self._owes_change):
            return
        body = self._compose(self._owes_all, self._most)
        self._owes_all = self._owes_change = False
        if body is not None:
            left = max(1, round(self._expires_at - now))
            self._under_way = True
            self._notify(f"active;expires={left}", body, self, now)

    def _say_last(self, reason: str, now: float) -> None:
        """Send the last NOTIFY; what becomes of it concerns nobody."""
        if self._under_way:
            self._last_words = reason
        else:
            self._last_words = None
            self._notify(f"terminated;reason={reason}", self._compose(True, self._most) or b"", SILENT, now)

    @property
    def _most(self) -> int | None:
        return None if self.dialog.flow.transport.reliable else MAX_UDP_BODY

    def _notify(self, state: str, body: bytes, user: ClientUser, now: float) -> None:
        core, dialog = self.core, self.dialog
        branch = core.new_branch()
        request = dialog.request(
            "NOTIFY",
            dialog.next_cseq(),
            branch,
            lines=(dialog.contact_line, core.agent_line),
            headers=(("Event", str(self.event)), ("Subscription-State", state)),
            body=body,
            content_type=self._content_type,
        )
        core.send(request, branch, dialog.flow, user, now)


def _retry_after(response: SipResponse) -> int | None:
    """Return for how many seconds a subscriber asks us to wait; None when it does not (4.2.2)."""
    seconds = response.retry_after
    return None if seconds is None else min(max(seconds, 1), LONGEST_RETRY)
