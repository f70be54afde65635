"""Blind transfer: one side leaves, and another number is called in its place while the other side hears ringback.

A transfer that comes to nothing (busy, no answer, nobody there) does not cost the side that stayed its call: the phones
of the one who transferred ring again. Only when nobody answers there either the call ends, with the cause for which the
transfer failed.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from kobza.call.actions import (
    Bye,
    MediaAnswer,
    MediaLeave,
    MediaOffer,
    MediaPlay,
    ReplaceLeg,
    StartTimer,
    StopTimer,
    Target,
)
from kobza.call.causes import (
    ANSWERED_ELSEWHERE,
    BEARER_NOT_IMPLEMENTED,
    CALL_REJECTED,
    NO_ANSWER,
    NORMAL_CLEARING,
    sip_from_cause,
)
from kobza.call.core import RING_TIMER, CallCore
from kobza.call.errors import MediaFailedError, WrongStateError
from kobza.call.events import CallRinging, CallTransferred, ReleasedBy, TransferAnswered
from kobza.call.leg import NOBODY_THERE, Branch, BranchState, Leg, LegState, Rejection
from kobza.call.phases import Phase
from kobza.call.renegotiation import COMMAND_TIMEOUT, Renegotiation
from kobza.call.setup import why
from kobza.call.step import Destination

if TYPE_CHECKING:
    from kobza.sip.headers import Reason


class Transfer:
    """Carries a call from the wish to transfer a side until that side talks again, or nobody is left to talk to."""

    __slots__ = (
        "_core",
        "_early",
        "_failure",
        "_kept",
        "_leg",
        "_next",
        "_renegotiation",
        "_ring_timeout",
        "_ringback",
        "_stands_in",
        "_token",
    )

    def __init__(
        self,
        core: CallCore,
        renegotiation: Renegotiation,
        leg: Leg,
        destination: Destination,
        recall: Destination,
        *,
        ring_timeout: float,
        by: ReleasedBy,
        now: float,
        cause: int = NORMAL_CLEARING,
        stands_in: bool = False,
    ) -> None:
        """Begin for the owner of `leg`, who leaves; WrongStateError when the call is not in a state for it.

        `recall` is that owner, called again should the transfer fail. `by` is who wants the transfer. `stands_in`: the
        destination is nobody, so nobody else is said to have answered; `cause` is why the owner leaves then.
        """
        branch = leg.talking
        if core.phase is not Phase.TALKING or branch is None:
            raise WrongStateError("The call is not established, or is being transferred.")
        if leg.command is not None:
            raise WrongStateError("Another command for this leg waits for the phone.")
        self._core = core
        self._renegotiation = renegotiation
        self._ring_timeout = ring_timeout
        self._kept = core.other(leg)
        self._next: Destination | None = recall
        self._failure: tuple[Rejection, ReleasedBy] | None = None
        self._early: Branch | None = None
        self._ringback = False
        self._token = core.begin_command(leg)
        core.enter(Phase.TRANSFERRING)
        renegotiation.leave(leg)
        if branch.state is BranchState.ANSWERED:
            branch.state = BranchState.CLOSED
            core.outbox.actions.append(Bye(branch.branch_id, NORMAL_CLEARING))
        self._leg = leg
        self._stands_in = stands_in
        self._call(destination, cause, by, now)
        self._kept.playing_music = False
        renegotiation.follow(self._kept)

    @property
    def token(self) -> str:
        """Under which the outcome comes: done when the destination is being called."""
        return self._token

    def _call(self, destination: Destination, cause: int, released_by: ReleasedBy, now: float) -> None:
        """Let the leg end for a cause and call another party in its place."""
        core, old = self._core, self._leg
        old.change(LegState.FINISHED, now)
        leg = Leg(core.new_id(), old.side, destination.party, now)
        self._seat(leg)
        self._early = None
        core.outbox.facts.append(
            CallTransferred(
                core.call_id, now, old.leg_id, cause, released_by, leg.leg_id, destination.party, self._kept.party
            )
        )
        actions = core.outbox.actions
        actions.append(MediaLeave(leg.side))
        actions.append(StartTimer(RING_TIMER, self._ring_timeout))
        self._play_ringback(on=True)
        request_id = core.outbox.ask(partial(self._dial, leg, destination.targets), self._not_offered)
        actions.append(MediaOffer(request_id, self._kept.side, leg.side, None))

    def _dial(self, leg: Leg, targets: Sequence[Target], sdp: bytes, now: float) -> None:
        core = self._core
        if leg is not self._leg:
            return
        core.dial(leg, targets, sdp)
        core.command_done(self._token, LegState.FINISHED)
        if not targets:
            self._fail(NOBODY_THERE, now)

    # what becomes of it

    def progressed(self, branch: Branch, status: int, sdp: bytes, now: float) -> None:
        """Take a provisional response of a device: 180 rings; any other counts only with SDP, as early media."""
        if status != 180 and not sdp:
            return
        core, leg = self._core, branch.leg
        branch.rang = True
        if not leg.rang:
            leg.rang = True
            core.outbox.facts.append(CallRinging(core.call_id, now, leg.leg_id))
        if sdp and sdp != branch.early_sdp and self._early in (None, branch):
            branch.early_sdp = sdp
            self._early = branch
            request_id = core.outbox.ask(partial(self._early_answered, branch), partial(self._early_failed, branch))
            core.outbox.actions.append(MediaAnswer(request_id, leg.side, sdp, branch.branch_id))

    def _early_answered(self, branch: Branch, _sdp: bytes, _now: float) -> None:
        if branch.state is BranchState.PENDING:
            self._renegotiation.align(self._kept, partial(self._early_aligned, branch))

    def _early_aligned(self, branch: Branch, ok: bool, _now: float) -> None:
        """Let the side that stayed hear early media that its phone understands; else the ringback stays."""
        if ok and branch.state is BranchState.PENDING:
            self._play_ringback(on=False)

    def _early_failed(self, branch: Branch, _reason: str, _now: float) -> None:
        """Go on without early media."""
        if branch.state is BranchState.PENDING:
            self._early = None

    def answered(self, branch: Branch, sdp: bytes, _now: float) -> None:
        """Take the first 200: the other devices stop ringing."""
        core, leg = self._core, branch.leg
        branch.state = BranchState.ANSWERED
        leg.talking = branch
        core.cancel_pending(leg, ANSWERED_ELSEWHERE, answered_elsewhere=True)
        request_id = core.outbox.ask(partial(self._connected, leg), partial(self._not_connected, leg))
        core.outbox.actions.append(MediaAnswer(request_id, leg.side, sdp or branch.early_sdp, branch.branch_id))

    def rings(self, leg: Leg) -> bool:
        """See Ringing."""
        return self.calls(leg) and leg.is_pending

    def picked_up(self, branch: Branch, for_other: bytes, now: float) -> None:
        """See Ringing."""
        core, old, leg = self._core, self._leg, branch.leg
        if leg is old:
            core.cancel_pending(leg, ANSWERED_ELSEWHERE, answered_elsewhere=True)
        else:
            core.pick_up(old, leg, self._kept.party, now)
            old.change(LegState.FINISHED, now)
            self._seat(leg)
            core.answered_number = leg.party.number
        self._connected(leg, for_other, now)

    def _seat(self, leg: Leg) -> None:
        """Let a leg be the side that is called."""
        core = self._core
        self._leg = leg
        if leg.side == "caller":
            core.caller = leg
        else:
            core.callee = leg
        core.outbox.actions.append(ReplaceLeg(leg.side, leg.leg_id, leg.party))

    def _connected(self, leg: Leg, _sdp: bytes, _now: float) -> None:
        if leg is self._leg:
            self._core.outbox.actions.append(StartTimer(RING_TIMER, COMMAND_TIMEOUT))
            self._renegotiation.align(self._kept, partial(self._kept_aligned, leg))

    def _kept_aligned(self, leg: Leg, ok: bool, now: float) -> None:
        """Join the two sides when they send one codec; if the phone that stayed will not, ask the new one."""
        if leg is not self._leg:
            return
        leg.connected = True
        if ok:
            self._join(leg, now)
        else:
            self._renegotiation.align(leg, partial(self._new_aligned, leg))

    def _new_aligned(self, leg: Leg, ok: bool, now: float) -> None:
        if ok:
            self._join(leg, now)
        else:
            self._fail(Rejection(sip_from_cause(BEARER_NOT_IMPLEMENTED), BEARER_NOT_IMPLEMENTED), now, "network")

    def _join(self, leg: Leg, now: float) -> None:
        core = self._core
        core.enter(Phase.TALKING)
        core.outbox.actions.append(StopTimer(RING_TIMER))
        self._play_ringback(on=False)
        leg.change(LegState.ESTABLISHED, now)
        if self._next is not None and not self._stands_in:  # it is no recall
            core.answered_number = leg.party.number
        core.outbox.facts.append(TransferAnswered(core.call_id, now, leg.leg_id, core.answered_number))
        core.tell(leg.side)
        core.record_party(leg.party, now)
        self._renegotiation.follow(leg)
        self._renegotiation.follow(self._kept)

    def rejected(self, branch: Branch, status: int, reasons: "Sequence[Reason]", now: float) -> None:
        """Take a device's refusal: when no other may still answer, or at 6xx, the best refusal counts."""
        rejection = self._core.refused(branch, status, reasons)
        if rejection is not None:
            self._fail(rejection, now)
        elif branch is self._early:
            self._early = None
            self._play_ringback(on=True)

    def timed_out(self, now: float) -> None:
        """Nobody answered in time."""
        if self._core.phase is Phase.TRANSFERRING:
            self._fail(Rejection(sip_from_cause(NO_ANSWER), NO_ANSWER), now, "network")

    def calls(self, leg: Leg) -> bool:
        """Whether it is this leg that is being called."""
        return leg is self._leg and self._core.phase is Phase.TRANSFERRING

    def cleared(self, now: float) -> None:
        """The called owner rejects through the API."""
        self._fail(Rejection(sip_from_cause(CALL_REJECTED), CALL_REJECTED), now, "api")

    def _fail(self, rejection: Rejection, now: float, released_by: ReleasedBy | None = None) -> None:
        """Nobody answers: call the one who transferred, or, if that was it, end the call."""
        core, leg = self._core, self._leg
        by = rejection.released_by(leg.side) if released_by is None else released_by
        for branch in leg.branches:
            if branch.state is BranchState.PENDING:
                core.cancel(branch, rejection.cause)
            elif branch.state is BranchState.ANSWERED:  # its media was not joined yet
                branch.state = BranchState.CLOSED
                self._renegotiation.leave(leg)
                core.outbox.actions.append(Bye(branch.branch_id, rejection.cause))
        if self._failure is None:
            self._failure = (rejection, by)
        recall, self._next = self._next, None
        if recall is not None and recall.targets:
            self._call(recall, rejection.cause, by, now)
        else:
            first, by_whom = self._failure
            core.end(first.cause, 200, by_whom, now)

    def _not_connected(self, leg: Leg, reason: str, now: float) -> None:
        if leg is self._leg:
            cause, status = why(reason)
            self._fail(Rejection(status, cause), now, "network")

    def _not_offered(self, reason: str, now: float) -> None:
        """End the call: without the plane nobody can be called."""
        self._core.command_failed(self._token, MediaFailedError(f"The media plane failed: {reason}"))
        self._core.end(why(reason)[0], 200, "network", now)

    def _play_ringback(self, *, on: bool) -> None:
        if on is not self._ringback:
            self._ringback = on
            self._core.outbox.actions.append(MediaPlay(self._kept.side, "ringback" if on else "none"))
