"""What the parts of a call share: its legs and branches, its phase, and its end."""

from collections.abc import Callable, Mapping, Sequence
from sys import intern
from typing import TYPE_CHECKING, Final

from kobza.call.actions import (
    AddLeg,
    Bye,
    Cancel,
    CommandDone,
    CommandFailed,
    Dial,
    DropLeg,
    InTurn,
    MediaRecord,
    MediaRelease,
    MediaTell,
    Reject,
    RejectOffer,
    ReplaceLeg,
    Servers,
    SideName,
    StartTimer,
    StopTimer,
    Target,
)
from kobza.call.causes import ANSWERED_ELSEWHERE, RECOVERY_ON_TIMER, cause_from_sip, sip_from_cause
from kobza.call.errors import KobzaError, WrongStateError
from kobza.call.events import (
    CallEnded,
    CallHeld,
    CallPickedUp,
    CallResumed,
    CallStarted,
    MemberCalled,
    MemberLeft,
    RecordingStarted,
    ReleasedBy,
)
from kobza.call.leg import Branch, BranchState, Leg, LegState, Recording, Rejection
from kobza.call.outbox import Outbox
from kobza.call.phases import TRANSITIONS, Phase
from kobza.call.routing import Party
from kobza.call.step import Destination
from kobza.values import NO_ENTRIES

if TYPE_CHECKING:
    from kobza.sip.headers import Reason

RING_TIMER: Final = "ring"
"""Bounds the way to the answer, of each side by itself."""

SETTLE_TIMER: Final = "settle"

PLACE_IS_GONE: Final = 603
"""What an INVITE is told that wanted to take a place in a call which is over (RFC 3891, section 3)."""

SETTLE_TIME: Final = 40.0
"""Seconds after the end in which a cancelled branch may still report; the longest that a cancelled INVITE lives
(RFC 3261, section 9.1: 64*T1 = 32 s) and some."""

COMMAND_TIMER: Final = "command:"
"""What the names of command timers start with; the command's token follows."""


class CallCore:
    """The state of one call. Only `enter` changes the phase, only `end` ends it."""

    __slots__ = (
        "answered_number",
        "branches",
        "branches_made",
        "call_id",
        "callee",
        "caller",
        "commands",
        "media_open",
        "members",
        "narrow",
        "new_id",
        "originated",
        "outbox",
        "phase",
        "recordings",
        "settled",
        "stand_in",
        "tokens",
    )

    def __init__(self, started: CallStarted, phase: Phase, new_id: Callable[[], str]) -> None:
        self.new_id = new_id
        self.call_id = started.call_id
        self.phase = phase
        self.originated = started.origin == "api"
        """A click2dial call: the caller's leg has branches that we dialled."""
        self.caller = Leg(started.caller_leg_id, "caller", started.caller, started.at)
        self.callee = Leg(started.callee_leg_id, "callee", started.callee, started.at)
        self.members: tuple[Leg, ...] = ()
        """Of the ringing group on the called side, those that ring now."""
        self.branches: tuple[Branch, ...] = ()
        """Every branch that there ever was."""
        self.branches_made = 0
        """How many there were that we dialled, for their ids."""
        self.media_open = False
        """The media plane knows the call."""
        self.narrow = False
        """Its phones are to send G.711, since their voices are mixed."""
        self.stand_in: Destination | None = None
        """Who takes the place of a side that leaves, so that the other one goes on; None: the call ends."""
        self.answered_number = started.callee.number
        """Who the call's record says answered, once somebody has."""
        self.commands = 0
        """How many there were, for their tokens."""
        self.tokens: tuple[str, ...] = ()
        """Of commands under way that wait for the media plane."""
        self.recordings: Mapping[str, Recording] = NO_ENTRIES
        """By enterprise. Replaced when another one begins."""
        self.settled = False
        """After the end: no branch has anything left to report."""
        self.outbox = Outbox()
        self.outbox.facts.append(started)

    @property
    def answered(self) -> bool:
        """Whether both have talked and the call is not over."""
        return self.phase is Phase.TALKING or self.phase is Phase.TRANSFERRING

    def other(self, leg: Leg) -> Leg:
        """Return the leg on the other side."""
        return self.callee if leg is self.caller else self.caller

    @property
    def legs(self) -> "tuple[Leg, ...]":
        """Every leg that there is now, the caller's first."""
        return (self.caller, self.callee, *self.members)

    def add_member(self, party: Party, targets: Sequence[Target], sdp: bytes, now: float) -> None:
        """Call a member of a ringing group beside the others."""
        leg = Leg(self.new_id(), "callee", party, now)
        self.members += (leg,)
        called = MemberCalled(self.call_id, now, leg.leg_id, self.callee.leg_id, party, self.caller.party)
        self.outbox.facts.append(called)
        self.outbox.actions.append(AddLeg(leg.leg_id, party))
        self.dial(leg, targets, sdp)

    def drop_member(
        self, leg: Leg, cause: int, released_by: ReleasedBy, now: float, *, answered_elsewhere: bool = False
    ) -> None:
        """Call a member of a ringing group no longer."""
        self.cancel_pending(leg, cause, answered_elsewhere=answered_elsewhere)
        self.forget_member(leg)
        leg.change(LegState.FINISHED, now)
        self.outbox.facts.append(MemberLeft(self.call_id, now, leg.leg_id, cause, released_by))
        self.outbox.actions.append(DropLeg(leg.leg_id))

    def forget_member(self, leg: Leg) -> None:
        """Have a leg no more among those that ring."""
        self.members = tuple([member for member in self.members if member is not leg])

    def replace_callee(self, leg: Leg, now: float) -> None:
        """Let another leg be the called side."""
        self.callee.change(LegState.FINISHED, now)
        self.callee = leg
        self.outbox.actions.append(ReplaceLeg("callee", leg.leg_id, leg.party))

    def pick_up(self, place: Leg, leg: Leg, kept: Party, now: float) -> None:
        """Call off what rings on a leg, as another one has answered in its place."""
        self.cancel_pending(place, ANSWERED_ELSEWHERE, answered_elsewhere=True)
        self.outbox.facts.append(
            CallPickedUp(self.call_id, now, place.leg_id, ANSWERED_ELSEWHERE, "called", leg.leg_id, leg.party, kept)
        )

    def cancel_pending(self, leg: Leg, cause: int, *, answered_elsewhere: bool = False) -> None:
        """Take back what INVITEs of a leg have no final response yet."""
        for branch in leg.branches:
            if branch.state is BranchState.PENDING:
                self.cancel(branch, cause, answered_elsewhere=answered_elsewhere)

    def new_token(self, leg: Leg) -> str:
        """Return the name under which the outcome of a command comes."""
        self.commands += 1
        return f"{leg.leg_id}:{self.commands}"

    def begin_command(self, leg: Leg) -> str:
        """Return the token of a command that waits for the media plane."""
        token = self.new_token(leg)
        self.tokens += (token,)
        return token

    def command_done(self, token: str, state: LegState) -> None:
        """Tell whoever asked that a command that waited is carried out; once."""
        if self._take_token(token):
            self.outbox.actions.append(CommandDone(token, state))

    def command_failed(self, token: str, error: KobzaError) -> None:
        """Tell whoever asked that a command that waited came to nothing; once."""
        if self._take_token(token):
            self.outbox.actions.append(CommandFailed(token, error))

    def _take_token(self, token: str) -> bool:
        waits = token in self.tokens
        self.tokens = tuple([each for each in self.tokens if each != token])
        return waits

    def record_party(self, party: Party, now: float) -> None:
        """Begin the recording that a party's package asks for, unless its enterprise has one."""
        if party.record and party.enterprise_id is not None and party.enterprise_id not in self.recordings:
            self.record(party.enterprise_id, now)

    def record(self, enterprise_id: str, now: float) -> None:
        """Begin the recording of an enterprise."""
        record_id = self.new_id()
        self.recordings = {**self.recordings, enterprise_id: Recording(record_id)}
        self.outbox.actions.append(MediaRecord(record_id, enterprise_id))
        self.outbox.facts.append(RecordingStarted(self.call_id, now, record_id, enterprise_id))

    def tell(self, side: SideName) -> None:
        """Have a side that has come into the call told of the recordings that go on."""
        for enterprise_id, recording in self.recordings.items():
            if recording.state != "stopped":
                self.outbox.actions.append(MediaTell(recording.record_id, enterprise_id, side))

    def enter(self, phase: Phase) -> None:
        """Come into another phase; RuntimeError for a step that the table does not have, which is a bug of ours."""
        if phase not in TRANSITIONS[self.phase]:
            raise RuntimeError(f"a call cannot go from {self.phase} to {phase}")
        self.phase = phase

    def add_branch(self, leg: Leg, branch_id: str, *, incoming: bool = False) -> Branch:
        """Note a new INVITE of a leg."""
        branch = self.note(Branch(branch_id, leg, incoming=incoming))
        leg.branches += (branch,)
        return branch

    def note(self, branch: Branch) -> Branch:
        """Note a branch by which something may come, whether its leg counts on it yet or not."""
        self.branches += (branch,)
        return branch

    def branch(self, branch_id: str) -> Branch | None:
        """Return a branch of the call; None: it has no such one."""
        for branch in self.branches:
            if branch.branch_id == branch_id:
                return branch
        return None

    def _new_branch_id(self) -> str:
        """Return an id that no other branch of this call has. It means nothing elsewhere, so calls share the text."""
        self.branches_made += 1
        return intern(str(self.branches_made))

    def dial(self, leg: Leg, targets: Sequence[Target], sdp: bytes) -> None:
        """Send an INVITE with an offer to each target of a leg; of those in turn to the first."""
        for target in targets:
            if isinstance(target, InTurn):
                self._dial_in_turn(leg, target.targets, sdp)
            else:
                branch_id = self._new_branch_id()
                self.add_branch(leg, branch_id)
                self.outbox.actions.append(Dial(branch_id, target, sdp, leg.side))

    def refused(self, branch: Branch, status: int, reasons: "Sequence[Reason]") -> Rejection | None:
        """Take the refusal of a dialled branch: the next target in turn is tried when the way to this one failed.

        Return the best refusal of the leg when none of it may still answer, or after a 6xx; else None.
        """
        branch.state = BranchState.CLOSED
        leg = branch.leg
        own = Rejection(status, cause_from_sip(status, reasons))
        best = leg.rejection = own.better(leg.rejection)
        if not branch.rang and own.is_of_way:
            following = branch.after_silence if own.is_of_server else branch.others
            if following:
                self._dial_in_turn(leg, following, branch.offer, branch.branch_id)
                return None
        return best if best.ends_search or not leg.is_pending else None

    def silent(self, branch: Branch) -> None:
        """Take back a branch that has had no response in its time, and try the next target in turn, if there is one."""
        following = branch.after_silence
        if branch.state is BranchState.PENDING and following:
            leg = branch.leg
            leg.rejection = Rejection(408, RECOVERY_ON_TIMER).better(leg.rejection)
            self.cancel(branch, RECOVERY_ON_TIMER)
            self._dial_in_turn(leg, following, branch.offer, branch.branch_id)

    def _dial_in_turn(self, leg: Leg, targets: tuple[Target, ...], sdp: bytes, replaces: str = "") -> None:
        branch = self.add_branch(leg, self._new_branch_id())
        first, branch.others = targets[0], targets[1:]
        target, *servers = first.targets if isinstance(first, Servers) else (first,)
        branch.servers = tuple(servers)
        branch.offer = sdp
        has_next = bool(branch.servers or branch.others)
        self.outbox.actions.append(Dial(branch.branch_id, target, sdp, leg.side, has_next=has_next, replaces=replaces))

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

    def dissolve(self) -> None:
        """Let legs and branches go that know each other: so what is over is given back without the collector."""
        for branch in self.branches:
            branch.leg.branches = ()
            branch.leg.talking = None

    def terminate(self, cause: int, now: float) -> None:
        """End the call because the server or the network must."""
        self.end(cause, 200 if self.answered else sip_from_cause(cause), "network", now)

    def end(self, cause: int, status: int, released_by: ReleasedBy, now: float) -> None:
        """End every branch, the media, the timers and the commands on their way; then state the fact.

        A branch whose peer ended it must be marked CLOSED before. Must not be called twice.
        """
        talked = self.phase is Phase.TALKING
        self.enter(Phase.ENDED)
        actions = self.outbox.actions
        self.outbox.forget_questions()
        for branch in self.branches:
            if branch.state is BranchState.ANSWERED:
                branch.state = BranchState.CLOSED
                if branch.leg.reoffering:  # its re-INVITE wants an answer all the same (RFC 3261, section 15.1.2)
                    actions.append(RejectOffer(branch.branch_id, 487))
                actions.append(Bye(branch.branch_id, cause))
            elif branch.state is BranchState.PENDING and branch.incoming:
                branch.state = BranchState.CLOSED
                actions.append(Reject(branch.branch_id, PLACE_IS_GONE if branch.takes_place else status, cause))
            elif branch.state is BranchState.PENDING:
                self.cancel(branch, cause)
        if self.media_open:
            actions.append(MediaRelease())
            if not talked:
                actions.append(StopTimer(RING_TIMER))
        for leg in self.legs:
            if leg.command is not None and not leg.command.failed:
                actions.append(StopTimer(COMMAND_TIMER + leg.command.token))
                actions.append(CommandFailed(leg.command.token, WrongStateError("The call has ended.")))
            leg.command = None
            leg.change(LegState.FINISHED, now)
        if self.tokens:
            actions += [CommandFailed(token, WrongStateError("The call has ended.")) for token in self.tokens]
            self.tokens = ()
        self.outbox.facts.append(CallEnded(self.call_id, now, cause, status, released_by))
        self.settled = not self._is_waiting
        if not self.settled:
            actions.append(StartTimer(SETTLE_TIMER, SETTLE_TIME))

    @property
    def _is_waiting(self) -> bool:
        return any(branch.state is BranchState.CANCELLED for branch in self.branches)
