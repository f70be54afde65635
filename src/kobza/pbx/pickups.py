"""Calls that are picked up, or go on at another phone: INVITEs that want a place in a call which is there."""

import logging
from collections.abc import Callable, Collection
from typing import Final

from kobza.call.causes import CALL_REJECTED, NORMAL_UNSPECIFIED, reason_header
from kobza.call.core import PLACE_IS_GONE
from kobza.call.directory import Subscriber
from kobza.call.errors import KobzaError, NumberError
from kobza.call.numbers import normalize
from kobza.call.routing import party_of
from kobza.call.trunk import Trunk
from kobza.pbx.admission import Admission
from kobza.pbx.live_call import Enter, LiveCall, branch_of
from kobza.pbx.place_wanted import PlaceWanted, WantsPlace
from kobza.pbx.running_calls import RunningCalls
from kobza.pbx.trunk_lines import TrunkLines
from kobza.sip.invite import InviteDialog, InviteState
from kobza.sip.refer import Replaces

log = logging.getLogger(__name__)

NO_SUCH_DIALOG: Final = 481
BUSY_TALKING: Final = 486
"""The dialog is answered by now, and was wanted as long as it rings only."""
NOT_ALLOWED: Final = 403
NOTHING_RINGS: Final = 480
NO_OFFER: Final = 488
IS_ASKED: Final = 491
"""The phone of that place is being asked for something else: once more a little later."""


class _Refused(Exception):
    """Why an INVITE gets no place."""

    def __init__(self, status: int, why: str, cause: int = NORMAL_UNSPECIFIED) -> None:
        super().__init__(why)
        self.status = status
        self.cause = cause


class Pickups:
    """Answers such INVITEs: what is not granted is refused, and the call goes on as it was.

    Whoever calls is known by then. A number may pick up what rings at numbers and ringing groups of its enterprise, and
    take over its own calls from another of its phones; a trunk, its own legs of calls (see docs/calls.md).
    """

    def __init__(
        self,
        admission: Admission,
        calls: RunningCalls,
        lines: TrunkLines,
        enter: Enter,
        new_id: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._admission = admission
        self._calls = calls
        self._running = calls.by_id
        self._dialogs = calls.dialogs
        self._lines = lines
        self._enter = enter
        self._new_id = new_id
        self._now = now

    def take(self, dialog: InviteDialog, sdp: bytes, asked: WantsPlace) -> None:
        """Answer an INVITE. `sdp` is its offer, b"" without one."""
        who = asked.who
        about: dict[str, str | None] = {"enterprise_id": who.enterprise_id if isinstance(who, Subscriber) else None}
        try:
            live = self._place(dialog, sdp, who, asked.wanted)
        except _Refused as refused:
            name = who.number if isinstance(who, Subscriber) else f"trunk {who.name}"
            log.info("%s gets no place in a call: %d, %s", name, refused.status, refused, extra=about)
            reason = (("Reason", reason_header(refused.cause)),)
            dialog.reject(refused.status, headers=reason, now=self._now())
            return
        self._enter(live, _nothing)

    def _place(self, dialog: InviteDialog, sdp: bytes, who: Subscriber | Trunk, wanted: PlaceWanted) -> LiveCall:
        """Begin to give an INVITE its place, and return in which call."""
        if not sdp:
            raise _Refused(NO_OFFER, "it has no offer")
        if wanted.replaces is not None:
            return self._replace(dialog, who, wanted.replaces, sdp)
        if isinstance(who, Trunk):
            raise _Refused(NOT_ALLOWED, "a trunk picks nothing up", CALL_REJECTED)
        return self._pick_up(dialog, who, *self._ringing_at(who, wanted.at), sdp)

    # a dialog is named

    def _replace(self, dialog: InviteDialog, who: Subscriber | Trunk, replaces: Replaces, sdp: bytes) -> LiveCall:
        live, branch_id, place = self._named(replaces)
        leg_id = live.call.leg_of(branch_id)
        if place.state is InviteState.CANCELLING or not (place.is_unanswered or place.is_standing) or leg_id is None:
            raise _Refused(PLACE_IS_GONE, "that dialog is over")
        if place.is_unanswered and place.role == "uas":  # RFC 3891, section 3: only what we began ourselves
            raise _Refused(NO_SUCH_DIALOG, "that is a phone which calls")
        party = next(own for own_leg_id, own, _ in live.parties() if own_leg_id == leg_id)
        if place.is_unanswered and isinstance(who, Subscriber):
            return self._pick_up(dialog, who, live, leg_id, sdp)
        if place.is_standing and replaces.early_only:
            raise _Refused(BUSY_TALKING, "it is answered already")
        if isinstance(who, Trunk):
            if self._dialogs.trunk_of(live.call_id, place) != who.name:
                raise _Refused(NOT_ALLOWED, "that dialog is not of this trunk", CALL_REJECTED)
        elif not party.is_same(party_of(who)):
            raise _Refused(NOT_ALLOWED, "somebody else talks there", CALL_REJECTED)
        return self._join(
            dialog,
            live,
            who,
            lambda branch_id: (
                live.call.move(leg_id, branch_id, sdp, self._now())
                if place.is_standing
                else live.call.pick_up(leg_id, party, branch_id, sdp, self._now())
            ),
        )

    def _named(self, replaces: Replaces) -> tuple[LiveCall, str, InviteDialog]:
        """Find a dialog by its name, as its phone says it, or as one who watches that phone does: the tags swapped."""
        call_id = self._dialogs.call_of(replaces.call_id)
        if call_id is None:
            raise _Refused(NO_SUCH_DIALOG, "there is no such dialog")
        live = self._running.get(call_id)
        if live is None:
            raise _Refused(PLACE_IS_GONE, "that call is over")
        tags = {replaces.to_tag, replaces.from_tag}
        for place in live.dialogs:
            if (
                place.sip_call_id == replaces.call_id
                and {place.local_tag, place.remote_tag or place.ringing_tag} == tags
            ):
                return live, branch_of(place), place
        raise _Refused(NO_SUCH_DIALOG, "there is no such dialog")

    # what rings somewhere

    def _ringing_at(self, who: Subscriber, at: str) -> tuple[LiveCall, str]:
        """Find the call that rings longest at a number or group, or at those of the caller's ringing groups."""
        numbers, mine = self._colleagues(who) if not at else {_number(at)}, party_of(who)
        for live in self._running.values():
            for leg_id, own, other in live.parties():
                here = own.enterprise_id == who.enterprise_id and own.number in numbers
                if here and not other.is_same(mine) and _rings(live, leg_id):
                    return live, leg_id
        raise _Refused(NOTHING_RINGS, "nothing rings there")

    def _colleagues(self, who: Subscriber) -> Collection[str]:
        """Return the ringing groups that a number is a member of, and all their members."""
        groups = self._admission.directory.groups.values()
        found: set[str] = set()
        for group in groups:
            if group.enterprise_id == who.enterprise_id and who.number in group.members:
                found |= {group.number, *group.members}
        return found

    def _pick_up(self, dialog: InviteDialog, who: Subscriber, live: LiveCall, leg_id: str, sdp: bytes) -> LiveCall:
        party, other = next((own, other) for own_leg_id, own, other in live.parties() if own_leg_id == leg_id)
        if party.enterprise_id != who.enterprise_id:
            raise _Refused(NOT_ALLOWED, "it rings in another enterprise", CALL_REJECTED)
        mine = party_of(who)
        if other.is_same(mine):
            raise _Refused(NOT_ALLOWED, "it is a call of the same number", CALL_REJECTED)
        here = sum(own.is_same(mine) for each, own, _ in live.parties() if each in live.present)
        if not who.makes_call(self._admission.calls_of(who.number) - here):
            raise _Refused(NOT_ALLOWED, f"{who.number} has as many calls as it may", CALL_REJECTED)
        return self._join(
            dialog, live, who, lambda branch_id: live.call.pick_up(leg_id, mine, branch_id, sdp, self._now())
        )

    def _join(
        self, dialog: InviteDialog, live: LiveCall, who: Subscriber | Trunk, begin: Callable[[str], None]
    ) -> LiveCall:
        """Begin what gives the INVITE its place; the call answers it."""
        branch_id = self._new_id()
        try:
            begin(branch_id)
        except KobzaError as error:
            raise _Refused(IS_ASKED, str(error)) from error
        self._calls.add_dialog(live, branch_id, dialog, who.name if isinstance(who, Trunk) else None)
        if isinstance(who, Trunk):
            self._lines.take(who, dialog)
        return live


def _rings(live: LiveCall, leg_id: str) -> bool:
    """Tell whether a phone of a leg rings, or one of its group's members."""
    if not live.call.rings(leg_id):
        return False
    legs = (leg_id, *live.ringing) if leg_id == live.callee_leg_id else (leg_id,)
    dialogs = [live.dialog(branch_id) for each in legs for branch_id in live.call.branches_of(each)]
    return any(dialog is not None and dialog.state is InviteState.EARLY for dialog in dialogs)


def _number(at: str) -> str:
    try:
        return normalize(at)
    except NumberError as error:
        raise _Refused(NOTHING_RINGS, str(error)) from error


def _nothing() -> None:
    """Give a call no input: only what it says already is to be done."""
