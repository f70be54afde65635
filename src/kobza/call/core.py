"""What the parts of a call share: its legs and branches, its phase, and its end."""

from typing import Final

from kobza.call.actions import Bye, Cancel, CommandFailed, MediaRelease, Reject, RejectOffer, StartTimer, StopTimer
from kobza.call.causes import sip_from_cause
from kobza.call.errors import WrongStateError
from kobza.call.events import CallEnded, CallHeld, CallResumed, CallStarted, ReleasedBy
from kobza.call.leg import Branch, BranchState, Leg, LegState
from kobza.call.outbox import Outbox
from kobza.call.phases import TRANSITIONS, Phase

RING_TIMER: Final = "ring"
"""Bounds the way to the answer, of each side by itself."""

SETTLE_TIMER: Final = "settle"

SETTLE_TIME: Final = 40.0
"""Seconds after the end in which a cancelled branch may still report; the longest that a cancelled INVITE lives
(RFC 3261, section 9.1: 64*T1 = 32 s) and some."""

COMMAND_TIMER: Final = "command:"
"""What the names of command timers start with; the command's token follows."""


class CallCore:
    """The state of one call. Only `enter` changes the phase, only `end` ends it."""

    __slots__ = (
        "branches",
        "call_id",
        "callee",
        "caller",
        "media_open",
        "originated",
        "outbox",
        "phase",
        "settled",
    )

    def __init__(self, started: CallStarted, phase: Phase) -> None:
        self.call_id = started.call_id
        self.phase = phase
        self.originated = started.origin == "api"
        """A click2dial call: the caller's leg has branches that we dialled."""
        self.caller = Leg(started.caller_leg_id, "caller", started.caller, started.at)
        self.callee = Leg(started.callee_leg_id, "callee", started.callee, started.at)
        self.branches: dict[str, Branch] = {}
        """Every branch that there ever was, by id."""
        self.media_open = False
        """The media plane knows the call."""
        self.settled = False
        """After the end: no branch has anything left to report."""
        self.outbox = Outbox()
        self.outbox.facts.append(started)

    def enter(self, phase: Phase) -> None:
        """Come into another phase; RuntimeError for a step that the table does not have, which is a bug of ours."""
        if phase not in TRANSITIONS[self.phase]:
            raise RuntimeError(f"a call cannot go from {self.phase} to {phase}")
        self.phase = phase

    def add_branch(self, leg: Leg, branch_id: str, *, incoming: bool = False) -> None:
        """Note a new INVITE of a leg."""
        branch = Branch(branch_id, leg, incoming=incoming)
        leg.branches.append(branch)
        self.branches[branch_id] = branch

    def cancel(self, branch: Branch, cause: int, *, answered_elsewhere: bool = False) -> None:
        """Take back an INVITE that has no final response yet."""
        branch.state = BranchState.CANCELLED
        branch.cancel_cause = cause
        self.outbox.actions.append(Cancel(branch.branch_id, cause, answered_elsewhere))

    def close(self, branch: Branch) -> None:
        """Note the end of a cancelled branch; the last one after the end of the call settles it."""
        branch.state = BranchState.CLOSED
        if self.phase is Phase.ENDED and not self.settled and not self._is_waiting:
            self.settled = True
            self.outbox.actions.append(StopTimer(SETTLE_TIMER))

    def tell_hold(self, leg: Leg, now: float) -> None:
        """State a fact if the leg has begun or ceased to hold since the last one; not before both talk."""
        if leg.state is LegState.ESTABLISHED and leg.held:
            leg.change(LegState.HELD, now)
            self.outbox.facts.append(CallHeld(self.call_id, now, leg.leg_id))
        elif leg.state is LegState.HELD and not leg.held:
            leg.change(LegState.ESTABLISHED, now)
            self.outbox.facts.append(CallResumed(self.call_id, now, leg.leg_id))

    def terminate(self, cause: int, now: float) -> None:
        """End the call because the server or the network must."""
        self.end(cause, 200 if self.phase is Phase.TALKING else sip_from_cause(cause), "network", now)

    def end(self, cause: int, status: int, released_by: ReleasedBy, now: float) -> None:
        """End every branch, the media, the timers and the commands on their way; then state the fact.

        A branch whose peer ended it must be marked CLOSED before. Must not be called twice.
        """
        talked = self.phase is Phase.TALKING
        self.enter(Phase.ENDED)
        actions = self.outbox.actions
        self.outbox.forget_questions()
        for branch in self.branches.values():
            if branch.state is BranchState.ANSWERED:
                branch.state = BranchState.CLOSED
                if branch.leg.reoffering:  # its re-INVITE wants an answer all the same (RFC 3261, section 15.1.2)
                    actions.append(RejectOffer(branch.branch_id, 487))
                actions.append(Bye(branch.branch_id, cause))
            elif branch.state is BranchState.PENDING and branch.incoming:
                branch.state = BranchState.CLOSED
                actions.append(Reject(branch.branch_id, status, cause))
            elif branch.state is BranchState.PENDING:
                self.cancel(branch, cause)
        if self.media_open:
            actions.append(MediaRelease())
            if not talked:
                actions.append(StopTimer(RING_TIMER))
        for leg in (self.caller, self.callee):
            if leg.command is not None and not leg.command.failed:
                actions.append(StopTimer(COMMAND_TIMER + leg.command.token))
                actions.append(CommandFailed(leg.command.token, WrongStateError("The call has ended.")))
            leg.command = None
            leg.change(LegState.FINISHED, now)
        self.outbox.facts.append(CallEnded(self.call_id, now, cause, status, released_by))
        self.settled = not self._is_waiting
        if not self.settled:
            actions.append(StartTimer(SETTLE_TIMER, SETTLE_TIME))

    @property
    def _is_waiting(self) -> bool:
        return any(branch.state is BranchState.CANCELLED for branch in self.branches.values())
