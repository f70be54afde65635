"""Requests received inside a dialog, checked and given to its parts (RFC 3261 12.2.2, 14.2, 15.1.2, RFC 3311)."""

from __future__ import annotations

from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.invite_offer import REQUEST_PENDING, RETRY_AFTER_BOUND, ReceivedPrack, ReceivedUpdate
from kobza.sip.invite_server import ReceivedInvite
from kobza.sip.message import SipRequest
from kobza.sip.reliable import rack_of
from kobza.sip.request import IncomingRequest
from kobza.sip.ua_events import EarlyAnswered, OfferReceived, RequestReceived

BAD_REQUEST = 400
NOT_ACCEPTABLE_HERE = 488
SERVER_ERROR = 500
UNKNOWN_DIALOG = 481
UNSUPPORTED_MEDIA_TYPE = 415


def take_request(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> None:
    """Take a request of the dialog's peer, whose method is one that we allow."""
    request = incoming.request
    method = request.method
    lines = dialog.dialog
    number = request.cseq.number
    if lines.remote_cseq is not None and number < lines.remote_cseq:
        incoming.respond(SERVER_ERROR, now=now)
        return
    lines.remote_cseq = number
    lines.follow(incoming.flow)
    if method == "BYE":
        _take_bye(dialog, incoming, now)
    elif dialog.state is InviteState.CLOSING:
        incoming.respond(UNKNOWN_DIALOG, now=now)
    elif method == "INVITE":
        _take_invite(dialog, incoming, now)
    elif method == "UPDATE":
        _take_update(dialog, incoming, now)
    elif method == "PRACK":
        _take_prack(dialog, incoming, now)
    elif method == "OPTIONS":
        answer_options(incoming, now)
    else:
        incoming.core.events.append(RequestReceived(incoming))


def take_cancel(received: ReceivedInvite, request: SipRequest, now: float) -> None:
    """Take the CANCEL of an INVITE that has no final response. A re-INVITE's leaves the call as it was."""
    dialog = received.owner
    if received.is_first:
        dialog.cancelled(received, request, now)
    else:
        dialog.reject_offer(487, headers=dialog.core.cancel_headers, now=now)


def answer_options(incoming: IncomingRequest, now: float) -> None:
    """Answer OPTIONS with what we can (11.2)."""
    core = incoming.core
    incoming.respond(200, lines=(core.allow_line, core.accept_line, *core.supported_lines), now=now)


def refuse_body(incoming: IncomingRequest, now: float) -> bool:
    """Refuse a body that is packed, or of which something is to be understood that is no SDP (8.2.3, RFC 5621)."""
    request = incoming.request
    if not request.body:
        return False
    encoding = request.get("content-encoding")
    if encoding is not None and encoding.lower() != "identity":
        incoming.respond(UNSUPPORTED_MEDIA_TYPE, headers=(("Accept-Encoding", "identity"),), now=now)
        return True
    if request.unpacked.not_understood:
        incoming.respond(UNSUPPORTED_MEDIA_TYPE, lines=(incoming.core.accept_line,), now=now)
        return True
    return False


def _take_bye(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> None:
    """End the call. A callee may not send BYE before it answered (15), and we do not know what it meant."""
    if dialog.role == "uac" and dialog.is_unanswered:
        incoming.respond(UNKNOWN_DIALOG, now=now)
        return
    incoming.respond(200, now=now)
    dialog.ended(incoming.request, now)


def _take_prack(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> None:
    """Take a PRACK (RFC 3262, section 3). An offer in it is refused while our answer to the first is not there yet."""
    rack, reliable = rack_of(incoming.request), dialog.reliable
    if reliable is None or not reliable.take(rack):
        incoming.respond(UNKNOWN_DIALOG, now=now)
        return
    if reliable.brings_answer(rack):
        _take_early_answer(dialog, incoming, now)
        return
    is_refused = refuse_body(incoming, now)
    has_offer = not is_refused and bool(incoming.request.session)
    if has_offer and dialog.take_early_offer(ReceivedPrack(dialog, incoming)):
        return
    if has_offer:
        incoming.respond(NOT_ACCEPTABLE_HERE, now=now)
    dialog.go_on(now)
    if not has_offer and not is_refused:
        incoming.respond(200, now=now)


def _take_early_answer(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> None:
    """Take the answer to our offer in a reliable response. One that has none is for the owner to end the call over."""
    if not refuse_body(incoming, now):
        incoming.respond(200 if incoming.request.session else BAD_REQUEST, now=now)
    dialog.core.events.append(EarlyAnswered(dialog, incoming.request))
    dialog.go_on(now)


def _take_invite(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> None:
    if _refuse_offer(dialog, incoming, now):
        return
    dialog.dialog.refresh(incoming.request)
    dialog.offer_in = ReceivedInvite(dialog.core, dialog, incoming, is_first=False)
    dialog.core.events.append(OfferReceived(dialog, incoming.request))


def _take_update(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> None:
    if refuse_body(incoming, now):
        return
    if not incoming.request.session:
        dialog.dialog.refresh(incoming.request)
        ReceivedUpdate(dialog, incoming).accept((), b"", now)
        return
    if dialog.take_early_offer(ReceivedUpdate(dialog, incoming)):
        dialog.dialog.refresh(incoming.request)
        return
    if _refuse_offer(dialog, incoming, now):
        return
    dialog.dialog.refresh(incoming.request)
    dialog.offer_in = ReceivedUpdate(dialog, incoming)
    dialog.core.events.append(OfferReceived(dialog, incoming.request))


def _refuse_offer(dialog: InviteDialog, incoming: IncomingRequest, now: float) -> bool:
    """Refuse an offer that meets another one (RFC 3261 14.2, RFC 3311 5.2), or that is none."""
    if dialog.is_unanswered:
        ours = dialog.received is None or dialog.received.asks_for_offer
    else:
        ours = dialog.offer_out is not None and dialog.offer_out.is_busy
    owed = any(received.awaits_answer_in_ack for received in dialog.unacknowledged)
    if ours or owed or (dialog.state is InviteState.ACCEPTED and dialog.role == "uac"):
        incoming.respond(REQUEST_PENDING, now=now)
        return True
    if dialog.is_unanswered or (dialog.offer_in is not None and dialog.offer_in.is_open):
        seconds = dialog.core.random_below(RETRY_AFTER_BOUND)
        incoming.respond(SERVER_ERROR, headers=(("Retry-After", str(seconds)),), now=now)
        return True
    return refuse_body(incoming, now)
