"""Dialogs of calls: what the user agent says of one becomes an input of its call."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from kobza.call.causes import RECOVERY_ON_TIMER, TEMPORARY_FAILURE
from kobza.pbx.live_call import Enter
from kobza.pbx.reading import call_of, reasons_of
from kobza.sip import ua as sip
from kobza.sip.invite import InviteDialog
from kobza.sip.invite_offer import REQUEST_PENDING
from kobza.sip.message import SipResponse

LOST: Final[Mapping[str, int]] = MappingProxyType({"481": TEMPORARY_FAILURE})
"""Why a call ends whose dialog broke, by what the user agent says of it. All else: something did not come in time."""

Refused = Callable[[InviteDialog, SipResponse], None]


class DialogEvents:
    """One method for each kind of event. Of a dialog that belongs to no call nothing is to be said."""

    def __init__(self, enter: Enter, now: Callable[[], float], refused: Refused) -> None:
        """`refused` is told of the response by which a peer has refused a call of ours."""
        self._refused = refused
        self._enter = enter
        self._now = now

    @property
    def by_type(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Who takes which event."""
        return {
            sip.InviteProgressed: self._invite_progressed,
            sip.InviteSilent: self._invite_silent,
            sip.InviteAnswered: self._invite_answered,
            sip.InviteRejected: self._invite_rejected,
            sip.InviteCancelled: self._invite_cancelled,
            sip.InviteConfirmed: self._invite_confirmed,
            sip.EarlyAnswered: self._early_answered,
            sip.InviteEnded: self._invite_ended,
            sip.OfferReceived: self._offer_received,
            sip.OfferAnswered: self._offer_answered,
            sip.OfferRejected: self._offer_rejected,
            sip.RefreshDue: self._refresh_due,
        }

    def _invite_progressed(self, event: sip.InviteProgressed) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            sdp = event.response.session
            self._enter(live, lambda: live.call.branch_progressed(branch_id, event.status, sdp, self._now()))

    def _invite_silent(self, event: sip.InviteSilent) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            self._enter(live, lambda: live.call.branch_silent(branch_id, self._now()))

    def _invite_answered(self, event: sip.InviteAnswered) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            sdp = event.response.session
            self._enter(live, lambda: live.call.branch_answered(branch_id, sdp, self._now()))

    def _invite_rejected(self, event: sip.InviteRejected) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            reasons = reasons_of(event.response)
            if event.response is not None:
                self._refused(event.dialog, event.response)
            self._enter(live, lambda: live.call.branch_rejected(branch_id, event.status, reasons, self._now()))

    def _invite_cancelled(self, event: sip.InviteCancelled) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            reasons = reasons_of(event.request)
            self._enter(live, lambda: live.call.branch_cancelled(branch_id, reasons, self._now()))

    def _invite_confirmed(self, event: sip.InviteConfirmed) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            sdp = event.request.session
            self._enter(live, lambda: live.call.branch_confirmed(branch_id, sdp, self._now()))

    def _early_answered(self, event: sip.EarlyAnswered) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            sdp = event.request.session
            self._enter(live, lambda: live.call.branch_answered_early(branch_id, sdp, self._now()))

    def _invite_ended(self, event: sip.InviteEnded) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            if event.request is None:
                cause = LOST.get(event.reason, RECOVERY_ON_TIMER)
                self._enter(live, lambda: live.call.branch_lost(branch_id, cause, self._now()))
                return
            reasons = reasons_of(event.request)
            self._enter(live, lambda: live.call.branch_ended(branch_id, reasons, self._now()))

    def _offer_received(self, event: sip.OfferReceived) -> None:
        found = call_of(event.dialog)
        if found is None:  # it is on its way from one call to another, and our offer follows
            event.dialog.reject_offer(REQUEST_PENDING, now=self._now())
            return
        live, branch_id = found
        sdp = event.request.session
        self._enter(live, lambda: live.call.branch_offered(branch_id, sdp, self._now()))

    def _offer_answered(self, event: sip.OfferAnswered) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            sdp = event.response.session
            if branch_id in live.taking:
                live.end_taking(branch_id)
                self._enter(live, lambda: live.call.branch_answered(branch_id, sdp, self._now()))
            else:
                self._enter(live, lambda: live.call.offer_answered(branch_id, sdp, self._now()))

    def _offer_rejected(self, event: sip.OfferRejected) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            if branch_id in live.taking:
                live.end_taking(branch_id)
                event.dialog.bye(now=self._now())
                self._enter(live, lambda: live.call.branch_rejected(branch_id, event.status, (), self._now()))
            else:
                self._enter(live, lambda: live.call.offer_rejected(branch_id, event.status, self._now()))

    def _refresh_due(self, event: sip.RefreshDue) -> None:
        if (found := call_of(event.dialog)) is not None:
            live, branch_id = found
            if branch_id not in live.taking:  # the offer to a phone that was taken over refreshes as well
                self._enter(live, lambda: live.call.refresh_due(branch_id, self._now()))
