"""What a user agent tells its owner. Each event is past tense; what it asks for is a method call, now or later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kobza.sip.errors import MalformedMessage
from kobza.sip.flow import Flow
from kobza.sip.message import SipRequest, SipResponse
from kobza.values import Value

if TYPE_CHECKING:
    from kobza.sip.invite import InviteDialog
    from kobza.sip.request import ClientRequest, IncomingRequest
    from kobza.sip.subscription import Subscription


class RequestReceived(Value, frozen=True):
    """A request that the owner answers with `UserAgent.respond`: outside dialogs, and INFO inside one."""

    incoming: IncomingRequest


class InviteReceived(Value, frozen=True):
    """A call comes in: `request` is the INVITE; without a body it asks for our offer. 100 is sent when nothing else is
    within 200 ms."""

    dialog: InviteDialog
    request: SipRequest


class InviteProgressed(Value, frozen=True):
    """A 101 to 199 to our INVITE. Forks have different tags in To."""

    dialog: InviteDialog
    status: int
    response: SipResponse


class InviteSilent(Value, frozen=True):
    """Our INVITE has had no response at all, not even a 100, in the time given to it. It goes on unless cancelled."""

    dialog: InviteDialog


class InviteAnswered(Value, frozen=True):
    """The first 2xx to our INVITE. The ACK was sent, unless the INVITE had no body: then `acknowledge` sends it."""

    dialog: InviteDialog
    response: SipResponse


class InviteRejected(Value, frozen=True):
    """Our INVITE failed: 300 to 699, or without a response 408 (timeout), 487 (cancelled), 503 (transport, bound)."""

    dialog: InviteDialog
    status: int
    response: SipResponse | None


class InviteCancelled(Value, frozen=True):
    """The caller took its INVITE back; CANCEL and INVITE are answered. `request` is the CANCEL."""

    dialog: InviteDialog
    request: SipRequest


class InviteConfirmed(Value, frozen=True):
    """The ACK to our 2xx came. Its body answers our offer when the INVITE had none.

    `initial` is false for the ACK of a re-INVITE.
    """

    dialog: InviteDialog
    request: SipRequest
    initial: bool = True


class EarlyAnswered(Value, frozen=True):
    """The PRACK to a provisional response with our offer came: its body is the answer (RFC 3262, section 5).

    Without a body, or with one that is no SDP, there is no answer, and there will be none.
    """

    dialog: InviteDialog
    request: SipRequest


class InviteEnded(Value, frozen=True):
    """The dialog is over, and not by our `bye`.

    `request` is the peer's BYE, or its CANCEL ("cancel") while what we accepted it with waits for a PRACK. It is None
    when no ACK came ("ack timeout"), no PRACK ("prack timeout"; the INVITE is answered 504), when nobody has refreshed
    the session in time ("expired"), or when the peer knew the dialog no more ("481", "408": RFC 3261 12.2.1.2). But for
    481 and 504 our BYE is on its way.
    """

    dialog: InviteDialog
    request: SipRequest | None
    reason: str


class OfferReceived(Value, frozen=True):
    """A re-INVITE, or an UPDATE with a body; `answer_offer` or `reject_offer` must follow.

    Without a body it is a re-INVITE that asks for our offer; the answer comes with InviteConfirmed.
    """

    dialog: InviteDialog
    request: SipRequest


class OfferAnswered(Value, frozen=True):
    """The 2xx to our re-INVITE; the ACK was sent, unless the re-INVITE had no body (see InviteAnswered)."""

    dialog: InviteDialog
    response: SipResponse


class OfferRejected(Value, frozen=True):
    """Our re-INVITE failed; the dialog goes on as it was."""

    dialog: InviteDialog
    status: int


class RefreshDue(Value, frozen=True):
    """A re-INVITE is wanted with what was agreed on, for one of two reasons.

    The session timer asks for it, as this peer takes no UPDATE (RFC 4028, 10): without one the session ends in its
    time. Or the answer that a caller got in a provisional response is not the one with which it was accepted.
    """

    dialog: InviteDialog


class SubscribeReceived(Value, frozen=True):
    """A SUBSCRIBE inside a subscription: it shall go on, or end. The owner answers with `Subscription.accept`, or
    refuses with `UserAgent.respond`; the subscription is then as it was."""

    subscription: Subscription
    incoming: IncomingRequest


class SubscriptionEnded(Value, frozen=True):
    """A subscription is over, and not by our `end`: "unsubscribed", "timeout" (nobody refreshed it), or the status of
    a NOTIFY that failed: the subscriber's, 408 (no answer), 503 (not to be reached)."""

    subscription: Subscription
    reason: str


class ResponseReceived(Value, frozen=True):
    """The final response to a `request`."""

    request: ClientRequest
    response: SipResponse


class RequestFailed(Value, frozen=True):
    """No final response to a `request` will come: 408 (timeout) or 503 (transport, bound)."""

    request: ClientRequest
    status: int


class MalformedReceived(Value, frozen=True):
    """What arrived could not be read; a request was answered where that was possible."""

    flow: Flow
    error: MalformedMessage
    data: bytes


InviteEvent = (
    InviteReceived
    | InviteProgressed
    | InviteSilent
    | InviteAnswered
    | InviteRejected
    | InviteCancelled
    | InviteConfirmed
    | EarlyAnswered
    | InviteEnded
    | OfferReceived
    | OfferAnswered
    | OfferRejected
    | RefreshDue
)
UaEvent = (
    InviteEvent
    | RequestReceived
    | ResponseReceived
    | RequestFailed
    | MalformedReceived
    | SubscribeReceived
    | SubscriptionEnded
)
