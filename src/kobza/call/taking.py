"""An INVITE that takes a place in a call which is there, in that of a dialog of the call (RFC 3891).

Who picks up what rings takes the place of whoever was called; who goes on talking from another phone, that of the phone
before. Until the media plane has agreed to the INVITE's offer nothing has changed: it rings on, and the talk goes on.
"""

from functools import partial
from typing import Final, Protocol

from kobza.call.actions import Answer, Bye, MediaAnswer, MediaReoffer, Reject
from kobza.call.causes import ANSWERED_ELSEWHERE, NORMAL_CLEARING
from kobza.call.core import PLACE_IS_GONE, CallCore
from kobza.call.errors import WrongStateError
from kobza.call.leg import Branch, BranchState, Leg
from kobza.call.renegotiation import Renegotiation
from kobza.call.routing import Party
from kobza.call.setup import why

NOTHING_RINGS: Final = "Nothing rings there."

ANSWERED_ALREADY = 486
"""What who picks up is told when somebody else was faster (RFC 3891, section 3)."""


class Ringing(Protocol):
    """What the INVITEs under way belong to."""

    def rings(self, leg: Leg) -> bool:
        """Tell whether somebody is called on a leg, or on those of its group's members."""
        ...

    def picked_up(self, branch: Branch, for_other: bytes, now: float) -> None:
        """Let a branch that came in be the one that has answered; `for_other`: the answer for the other side."""
        ...


class Taking:
    """Takes such INVITEs into one call."""

    __slots__ = ("_core", "_renegotiation")

    def __init__(self, core: CallCore, renegotiation: Renegotiation) -> None:
        self._core = core
        self._renegotiation = renegotiation

    def pick_up(self, ringing: Ringing, place: Leg, party: Party, branch_id: str, sdp: bytes, now: float) -> None:
        """Begin to let a party answer what rings on a leg; WrongStateError when nothing rings there.

        A party that is called itself has answered on one more of its devices; any other one gets a leg of its own. The
        plane reads the INVITE's offer twice: as the answer to what was offered to those who ring, which makes the
        answer for the other side, and as a new offer, which makes ours.
        """
        if not ringing.rings(place):
            raise WrongStateError(NOTHING_RINGS)
        core = self._core
        called = [place, *(leg for leg in core.legs if ringing.rings(leg) and leg.party.is_same(party))]
        own = next((leg for leg in reversed(called) if leg.party == party), None)
        leg = own or Leg(core.new_id(), place.side, party, now)
        branch = core.note(Branch(branch_id, leg, incoming=True, takes_place=True))
        refused = partial(self._refused, branch)
        request_id = core.outbox.ask(partial(self._read, ringing, place, branch, sdp), refused)
        core.outbox.actions.append(MediaAnswer(request_id, leg.side, sdp, branch_id))

    def _read(self, ringing: Ringing, place: Leg, branch: Branch, sdp: bytes, for_other: bytes, _now: float) -> None:
        if self._is_wanted(ringing, place, branch):
            picked_up = partial(self._picked_up, ringing, place, branch, for_other)
            request_id = self._core.outbox.ask(picked_up, partial(self._refused, branch))
            self._core.outbox.actions.append(MediaReoffer(request_id, branch.leg.side, sdp))

    def _picked_up(
        self, ringing: Ringing, place: Leg, branch: Branch, for_other: bytes, answer: bytes, now: float
    ) -> None:
        if self._is_wanted(ringing, place, branch):
            self._accept(branch, answer)
            ringing.picked_up(branch, for_other, now)

    def _is_wanted(self, ringing: Ringing, place: Leg, branch: Branch) -> bool:
        """Tell whether who picks up still wants to, and it rings still; refuse the INVITE when somebody was faster."""
        if branch.state is not BranchState.PENDING:
            return False
        if ringing.rings(place):
            return True
        self._reject(branch, ANSWERED_ALREADY, ANSWERED_ELSEWHERE)
        return False

    def move(self, leg: Leg, branch_id: str, sdp: bytes) -> None:
        """Begin to let a leg's owner go on talking on another phone.

        WrongStateError before the answer, and while an offer or a command of the leg is under way.
        """
        busy = leg.own_offer is not None or leg.is_read or leg.command is not None
        if leg.talking is None or not leg.connected or busy:
            raise WrongStateError("The phone is not talking, or is being asked for something.")
        branch = leg.moving = self._core.note(Branch(branch_id, leg, incoming=True, takes_place=True))
        request_id = self._core.outbox.ask(partial(self._moved, branch, sdp), partial(self._not_moved, branch))
        self._core.outbox.actions.append(MediaReoffer(request_id, leg.side, sdp))

    def _moved(self, branch: Branch, sdp: bytes, answer: bytes, now: float) -> None:
        leg, before = branch.leg, branch.leg.talking
        if leg.moving is not branch or before is None:  # the phone before was transferred away
            if branch.state is BranchState.PENDING:
                self._reject(branch, PLACE_IS_GONE, NORMAL_CLEARING)
            return
        leg.moving = None
        if branch.state is not BranchState.PENDING:  # taken back: the plane has to learn anew where the phone is
            leg.told = None
            self._renegotiation.follow(leg)
            return
        before.state = BranchState.CLOSED
        self._accept(branch, answer)
        self._core.outbox.actions.append(Bye(before.branch_id, NORMAL_CLEARING))
        self._renegotiation.moved(leg, sdp, now)

    def _not_moved(self, branch: Branch, reason: str, now: float) -> None:
        self._refused(branch, reason, now)
        if branch.leg.moving is branch:
            branch.leg.moving = None
            self._renegotiation.follow(branch.leg)

    def _accept(self, branch: Branch, answer: bytes) -> None:
        leg = branch.leg
        branch.state = BranchState.ANSWERED
        leg.branches += (branch,)
        leg.talking = branch
        self._core.outbox.actions.append(Answer(branch.branch_id, answer))

    def _refused(self, branch: Branch, reason: str, _now: float) -> None:
        if branch.state is BranchState.PENDING:
            cause, status = why(reason)
            self._reject(branch, status, cause)

    def _reject(self, branch: Branch, status: int, cause: int) -> None:
        branch.state = BranchState.CLOSED
        self._core.outbox.actions.append(Reject(branch.branch_id, status, cause))
