"""A phone's transfer keys: REFER in a call, with and without a second call to the one it is transferred to."""

import logging
from collections.abc import Callable
from typing import Final

from kobza.call.errors import (
    DestinationUnreachableError,
    KobzaError,
    NoRouteError,
    NumberError,
    WrongStateError,
)
from kobza.call.events import ReleasedBy
from kobza.call.numbers import normalize
from kobza.call.phases import Phase
from kobza.pbx.live_call import Enter, LiveCall
from kobza.pbx.reading import call_of
from kobza.pbx.transfers import Transfers
from kobza.sip import ua as sip
from kobza.sip.errors import MalformedMessage
from kobza.sip.refer import NOTIFY_HEADERS, ReferTo, Replaces, sipfrag

log = logging.getLogger(__name__)

REFUSALS: Final[tuple[tuple[type[KobzaError], int], ...]] = (
    (NumberError, 484),
    (NoRouteError, 404),
    (DestinationUnreachableError, 480),
    (WrongStateError, 480),
)
"""What a phone is told whose transfer cannot begin."""


class Refers:
    """Takes REFERs. One that cannot be done is refused, and the call stays as it was.

    One that can is answered 202, and at once with its only NOTIFY: whoever transfers leaves the call then and there,
    and what comes of it is the call's affair, which rings that phone again rather than lose the other side.
    """

    def __init__(
        self,
        ua: sip.UserAgent,
        transfers: Transfers,
        *,
        now: Callable[[], float],
        feed: Enter,
        ring_timeout: float,
    ) -> None:
        self._ua = ua
        self._transfers = transfers
        self._now = now
        self._feed = feed
        self._ring_timeout = ring_timeout

    def take(self, incoming: sip.IncomingRequest) -> None:
        """Answer a REFER and do what it asks for."""
        now = self._now()
        dialog = incoming.dialog
        found = None if dialog is None else call_of(dialog)
        leg_id = None if found is None else found[0].call.leg_of(found[1])
        if dialog is None or found is None or leg_id is None:  # nobody transfers what he does not talk in
            self._ua.respond(incoming, 403, now=now)
            return
        live = found[0]
        own = next(party for own_leg_id, party, _ in live.parties() if own_leg_id == leg_id)
        if own.enterprise_id is None:  # strangers would call the world at our expense
            self._ua.respond(incoming, 403, now=now)
            return
        try:
            wanted = ReferTo.of(incoming.request)
        except MalformedMessage as error:
            self._ua.respond(incoming, 400, f"Bad {error.where}", now=now)
            return
        try:
            other = self._begin(live, leg_id, wanted, now)
        except KobzaError as error:
            log.info("a transfer by the phone is refused: %s", error, extra=live.about)
            status = next((status for kind, status in REFUSALS if isinstance(error, kind)), 603)
            self._ua.respond(incoming, status, now=now)
            return
        self._ua.respond(incoming, 202, headers=(("Refer-Sub", "false"),) if wanted.is_quiet else (), now=now)
        if not wanted.is_quiet:
            dialog.send_request("NOTIFY", headers=NOTIFY_HEADERS, body=sipfrag(200, "OK"), now=now)
        for each in (live, other):
            if each is not None:
                self._feed(each, _nothing)

    def _begin(self, live: LiveCall, leg_id: str, wanted: ReferTo, now: float) -> LiveCall | None:
        """Begin a transfer; return the other call that it ends, if there is one. Raises KobzaError."""
        by: ReleasedBy = "caller" if leg_id == live.caller_leg_id else "called"
        if wanted.replaces is None:
            destination = normalize(wanted.dialled)
            self._transfers.begin(live, leg_id, destination, now, ring_timeout=self._ring_timeout, by=by)
            return None
        other, other_leg_id = self._call_named(live, leg_id, wanted.replaces)
        if other.call.phase is Phase.TALKING:
            self._transfers.join(live, leg_id, other, other_leg_id, now, ring_timeout=self._ring_timeout, by=by)
        else:  # who is called there has not answered: called anew, from this call
            self._transfers.begin(live, leg_id, other.callee.number, now, ring_timeout=self._ring_timeout, by=by)
            other.call.clear(other_leg_id, now, by="caller")
        return other

    def _call_named(self, live: LiveCall, leg_id: str, replaces: Replaces) -> tuple[LiveCall, str]:
        """Return another call of the same number's phones, by a dialog of theirs. Raises WrongStateError."""
        dialog = self._ua.dialog_named(replaces.call_id, replaces.to_tag, replaces.from_tag)
        found = None if dialog is None else call_of(dialog)
        if found is not None and found[0] is not live:
            other, branch_id = found
            other_leg_id = other.call.leg_of(branch_id)
            calls = other.call.phase is Phase.TALKING or other_leg_id == other.caller_leg_id
            if other_leg_id is not None and calls and _number_at(other, other_leg_id) == _number_at(live, leg_id):
                return other, other_leg_id
        raise WrongStateError("There is no second call of this phone.")


def _number_at(live: LiveCall, leg_id: str) -> str:
    return next(party.number for own_leg_id, party, _ in live.parties() if own_leg_id == leg_id)


def _nothing() -> None:
    """Give a call no input: only what it says already is to be done."""
