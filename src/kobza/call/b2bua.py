"""One call: two legs joined back to back, each with its own dialogs (RFC 7092), and the media plane in between.

A `Call` is told what happened to its branches, its media and its timers, and says what it wants done (`take_actions`)
and what has become known (`take_facts`). It does no I/O and reads no clock. Whatever arrives late, twice, or for a
branch it does not know is harmless. `docs/calls.md` shows every scenario and what each input does in each phase.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Self

from kobza.call.actions import Action, Bye, Reject, RejectOffer, SideName, Target
from kobza.call.causes import (
    CALL_REJECTED,
    NORMAL_CLEARING,
    NORMAL_UNSPECIFIED,
    TEMPORARY_FAILURE,
    cause_from_reasons,
    sip_from_cause,
)
from kobza.call.controls import Controls, RecordCommand
from kobza.call.core import COMMAND_TIMER, RING_TIMER, SETTLE_TIMER, CallCore
from kobza.call.errors import NotFoundError, WrongStateError
from kobza.call.events import CallFact, CallStarted, Origin, ReleasedBy
from kobza.call.leg import Branch, BranchState, Leg, LegView, RecordingState, Rejection
from kobza.call.narrowing import Narrowing
from kobza.call.phases import Phase
from kobza.call.renegotiation import COMMAND_TIMEOUT, Renegotiation
from kobza.call.routing import Party
from kobza.call.setup import Setup
from kobza.call.step import Destination, FindTargets, Onward, Step
from kobza.call.taking import NOTHING_RINGS, Taking
from kobza.call.transfer import Transfer

if TYPE_CHECKING:
    from kobza.sip.headers import Reason


CALLERS_BRANCH: Final = "in"
"""The id of the INVITE by which a call came in: one of this call alone, as those of the branches that it dials."""
_LIVE: Final = (BranchState.PENDING, BranchState.ANSWERED)


def _nowhere(_rejection: Rejection, _now: float) -> None:
    """Nobody else is called."""


class Call:
    """One call between two legs. Made by `incoming` or `originated`; over when `finished`."""

    __slots__ = ("_core", "_placing", "_setup")

    def __init__(self, core: CallCore, setup: Setup) -> None:
        self._core = core
        self._setup: Setup | None = setup
        """None once both talk, and the caller has answered if the offer was ours: a call may last for hours."""
        self._placing: Setup | Transfer | None = setup
        """What the INVITEs under way belong to; None: both talk, so there are none."""

    @property
    def _renegotiation(self) -> Renegotiation:
        return Renegotiation(self._core)

    @classmethod
    def incoming(
        cls,
        call_id: str,
        *,
        caller: Party,
        callee: Party,
        dialled: str,
        branch_id: str = CALLERS_BRANCH,
        sdp: bytes,
        first: Step,
        origin: Origin,
        caller_leg_id: str,
        callee_leg_id: str,
        new_id: Callable[[], str],
        now: float,
        onward: Onward = _nowhere,
        ring_timeout: float = 60.0,
        answers_early: bool = False,
    ) -> Self:
        """Begin a call that came in as the INVITE `branch_id`: who the `first` step names rings.

        The targets of a step ring together. When they fail, `onward` says who is called next; the INVITE gets what the
        last ones said, 480 for lack of any. `sdp` b"" is a late offer: the plane makes the offers to both sides.
        `answers_early`: the caller acknowledges that it rings, and answers an offer in that (RFC 3262).
        `new_id` makes the ids of new branches.
        """
        started = CallStarted(call_id, now, caller, dialled, callee, origin, caller_leg_id, callee_leg_id)
        core = CallCore(started, Phase.PREPARING, new_id)
        setup = Setup(core, Renegotiation(core), lambda _: first, onward, ring_timeout)
        setup.begin_incoming(branch_id, sdp, now, answers_early=answers_early)
        return cls(core, setup)

    @classmethod
    def originated(
        cls,
        call_id: str,
        *,
        caller: Party,
        callee: Party,
        dialled: str,
        originator_targets: Sequence[Target],
        find_destination: FindTargets,
        caller_leg_id: str,
        callee_leg_id: str,
        new_id: Callable[[], str],
        now: float,
        onward: Onward = _nowhere,
        timeout: float = 60.0,
        client_state: str | None = None,
    ) -> Self:
        """Begin a click2dial call: the originator's devices ring first, the destination's after the answer.

        Where the destination is, is asked then: its phones may have moved, its settings changed meanwhile. `timeout`
        (seconds) bounds the ringing of each side by itself.
        """
        started = CallStarted(call_id, now, caller, dialled, callee, "api", caller_leg_id, callee_leg_id, client_state)
        core = CallCore(started, Phase.ORIGINATOR_PREPARING, new_id)
        setup = Setup(core, Renegotiation(core), find_destination, onward, timeout)
        setup.begin_originated(originator_targets, now)
        return cls(core, setup)

    # what the call says

    @property
    def has_said(self) -> bool:
        """Whether it said anything since the last time that was taken."""
        outbox = self._core.outbox
        return bool(outbox.facts or outbox.actions)

    def take_actions(self) -> list[Action]:
        """Return what is to be done since the last time, in order."""
        return self._core.outbox.take_actions()

    def take_facts(self) -> list[CallFact]:
        """Return what has become known since the last time, in order."""
        return self._core.outbox.take_facts()

    @property
    def call_id(self) -> str:
        """The call's own id, the same in every call state and record."""
        return self._core.call_id

    @property
    def phase(self) -> Phase:
        """How far the call has come."""
        return self._core.phase

    @property
    def finished(self) -> bool:
        """Whether the call is over and every branch is: nothing more will come, it can be forgotten.

        Always comes, at most SETTLE_TIME after CallEnded, even when a cancelled branch never reports its end.
        """
        return self._core.phase is Phase.ENDED and self._core.settled

    @property
    def legs(self) -> Mapping[str, LegView]:
        """The legs by id, as commands and presence see them; the caller's first."""
        return {leg.leg_id: leg.view for leg in self._core.legs}

    # what happens to the branches

    def branch_progressed(self, branch_id: str, status: int, sdp: bytes, now: float) -> None:
        """A device answered provisionally: 180 rings; any other counts only with SDP, as early media."""
        branch = self._dialled(branch_id)
        if branch is not None and branch.state is BranchState.PENDING and self._placing is not None:
            self._placing.progressed(branch, status, sdp, now)

    def branch_answered(self, branch_id: str, sdp: bytes, now: float) -> None:
        """A device answered with 200: the first one wins; a 200 that crosses our CANCEL is ended at once."""
        branch = self._dialled(branch_id)
        if branch is None:
            return
        if branch.state is BranchState.CANCELLED:
            self._core.outbox.actions.append(Bye(branch_id, branch.cancel_cause))
            self._core.close(branch)
        elif branch.state is BranchState.PENDING and self._placing is not None:
            self._placing.answered(branch, sdp, now)

    def branch_rejected(self, branch_id: str, status: int, reasons: "Sequence[Reason]", now: float) -> None:
        """A device refused, or never answered (408): when none is left, the best refusal ends the call.

        6xx ends the search for all devices (RFC 3261, section 16.7 step 5). A status below 300 is ignored.
        """
        branch = self._dialled(branch_id)
        if branch is None or status < 300:
            return
        if branch.state is BranchState.CANCELLED:
            self._core.close(branch)
        elif branch.state is BranchState.PENDING and self._placing is not None:
            self._placing.rejected(branch, status, reasons, now)

    def branch_silent(self, branch_id: str, now: float) -> None:  # noqa: ARG002
        """No response at all has come from a target that has others behind it: the next one is tried."""
        branch = self._dialled(branch_id)
        if branch is not None:
            self._core.silent(branch)

    def branch_cancelled(self, branch_id: str, reasons: "Sequence[Reason]", now: float) -> None:
        """The caller took its INVITE back (200 and 487 are sent by the user agent already)."""
        branch = self._core.branch(branch_id)
        if branch is not None and branch.incoming and branch.state is BranchState.PENDING:
            branch.state = BranchState.CLOSED
            if not branch.takes_place:
                self._give_up(reasons, now)

    def branch_ended(self, branch_id: str, reasons: "Sequence[Reason]", now: float) -> None:
        """The peer ended its dialog with BYE."""
        branch = self._core.branch(branch_id)
        if branch is None:
            return
        if branch.state is BranchState.CANCELLED:
            self._core.close(branch)
        elif branch.state is BranchState.ANSWERED:
            branch.state = BranchState.CLOSED
            self._hung_up(branch.leg, reasons, now)
        elif branch.state is BranchState.PENDING and branch.takes_place:
            branch.state = BranchState.CLOSED
            self._core.outbox.actions.append(Reject(branch_id, 487, NORMAL_UNSPECIFIED))
        elif branch.state is BranchState.PENDING and branch.incoming:
            self._give_up(reasons, now)  # BYE in an early dialog: the INVITE still wants its 487 (RFC 3261, 15.1.2)
        elif branch.state is BranchState.PENDING and self._placing is not None:
            self._placing.rejected(branch, 480, reasons, now)

    def branch_lost(self, branch_id: str, cause: int, now: float) -> None:
        """The dialog broke: no ACK or PRACK came, nobody refreshed its session, or the peer does not know it any more.

        Nobody hung up, so it is the network that ended the call.
        """
        branch = self._core.branch(branch_id)
        begins = branch is not None and branch.incoming and not branch.takes_place
        waits = branch is not None and begins and branch.state is BranchState.PENDING
        if branch is None or not (waits or branch.state is BranchState.ANSWERED):
            self.branch_ended(branch_id, (), now)
        else:
            branch.state = BranchState.CLOSED
            self.terminate(cause, now)

    def branch_confirmed(self, branch_id: str, sdp: bytes, now: float) -> None:
        """The ACK came to a 200 of ours; `sdp` is the answer if our 200 had the offer, else b""."""
        branch = self._core.branch(branch_id)
        if branch is None or branch.state is not BranchState.ANSWERED:
            return
        setup = self._setup
        if not branch.incoming or branch.takes_place or setup is None or not setup.confirmed(sdp, now):
            self._renegotiation.confirmed(branch, sdp, now)

    def branch_answered_early(self, branch_id: str, sdp: bytes, now: float) -> None:
        """The caller acknowledged that it rings; `sdp` is its answer to the offer in that, b"" when it gave none."""
        branch, setup = self._core.branch(branch_id), self._setup
        is_of_caller = branch is not None and branch.incoming
        if branch is not None and is_of_caller and setup is not None and branch.state in _LIVE:
            setup.caller_answered(sdp, now)

    def branch_offered(self, branch_id: str, sdp: bytes, now: float) -> None:  # noqa: ARG002
        """A phone sent a re-INVITE or UPDATE with a new offer, or (b"") asks for one of ours."""
        branch = self._core.branch(branch_id)
        if branch is None or branch.state in (BranchState.CLOSED, BranchState.CANCELLED):
            self._core.outbox.actions.append(RejectOffer(branch_id, 481))
        elif self._setup is None or not self._setup.offered(branch, sdp):
            self._renegotiation.offered(branch, sdp)

    def refresh_due(self, branch_id: str, now: float) -> None:  # noqa: ARG002
        """The dialog wants a re-INVITE that changes nothing, so that it is known whether its phone is there."""
        branch = self._core.branch(branch_id)
        if branch is not None and branch.state is BranchState.ANSWERED:
            self._renegotiation.refresh(branch)

    def offer_answered(self, branch_id: str, sdp: bytes, now: float) -> None:  # noqa: ARG002
        """A phone accepted a SendOffer."""
        branch = self._core.branch(branch_id)
        if branch is not None and branch.state is BranchState.ANSWERED:
            self._renegotiation.answered(branch, sdp)

    def offer_rejected(self, branch_id: str, status: int, now: float) -> None:
        """A phone refused a SendOffer, or never answered it (408)."""
        branch = self._core.branch(branch_id)
        if branch is not None and branch.state is BranchState.ANSWERED:
            self._renegotiation.refused(branch, status, now)

    def _dialled(self, branch_id: str) -> Branch | None:
        """Return a branch that we dialled."""
        branch = self._core.branch(branch_id)
        return None if branch is None or branch.incoming else branch

    def _hung_up(self, leg: Leg, reasons: "Sequence[Reason]", now: float) -> None:
        """End the call because a side that had answered, or been answered, hung up."""
        core = self._core
        cause = cause_from_reasons(reasons) or NORMAL_CLEARING
        if core.answered:
            by: ReleasedBy = "caller" if leg is core.caller else "called"
            if not self._goes_on_without(leg, cause, by, now):
                core.end(cause, 200, by, now)
        elif leg is core.caller:
            self._give_up(reasons, now)
        else:
            core.end(cause, sip_from_cause(cause), "called", now)

    def _goes_on_without(self, leg: Leg, cause: int, by: ReleasedBy, now: float) -> bool:
        """Let the other side of a leg go on in its conference, if it is in one; return whether it does."""
        core = self._core
        stand_in = core.stand_in
        if stand_in is None or core.phase is not Phase.TALKING or leg.command is not None:
            return False
        nobody = Destination(leg.party, ())
        self._placing = Transfer(
            core,
            self._renegotiation,
            leg,
            stand_in,
            nobody,
            ring_timeout=COMMAND_TIMEOUT,
            by=by,
            now=now,
            cause=cause,
            stands_in=True,
        )
        core.stand_in = None  # when the other one leaves too, the call is over
        return True

    def _give_up(self, reasons: "Sequence[Reason]", now: float) -> None:
        """End the call because the caller did before the answer, by CANCEL or BYE, from its phone or click2dialled.

        The contract's section 5 in one place: 487 is 31 when the caller gave up, whatever the way; a normal clear, 16,
        is one after the answer. A cause that the caller's Reason header gives wins over both.
        """
        self._core.end(cause_from_reasons(reasons) or NORMAL_UNSPECIFIED, 487, "caller", now)

    def dissolve(self) -> None:
        """Let go of what a call has while it is on. What is told to it later changes nothing."""
        self._core.dissolve()

    # what happens to media and timers

    def media_replied(self, request_id: str, sdp: bytes, now: float) -> None:
        """The media plane replied to a request that has an id."""
        self._core.outbox.reply(request_id, sdp, now)
        if self._core.phase is Phase.TALKING:
            self._placing = None
            if self._setup is not None and not self._setup.waits_for_answer:
                self._setup = None

    def media_failed(self, request_id: str, reason: str, now: float) -> None:
        """The media plane refused a request: "not acceptable" in the reason blames the SDP, all else the plane."""
        self._core.outbox.fail(request_id, reason, now)

    def media_timed_out(self, side: SideName, now: float) -> None:
        """A side has sent nothing for too long: the call is dead, unless that side is not connected yet."""
        if (self._core.caller if side == "caller" else self._core.callee).connected:
            self.terminate(TEMPORARY_FAILURE, now)

    def timer_fired(self, name: str, now: float) -> None:
        """A timer ran out; an unknown or forgotten one changes nothing."""
        if name == RING_TIMER and self._placing is not None:
            self._placing.timed_out(now)
        elif name == SETTLE_TIMER:
            self._core.settled = True
        elif name.startswith(COMMAND_TIMER):
            self._renegotiation.timed_out(name.removeprefix(COMMAND_TIMER))

    # what others want

    def clear(self, leg_id: str, now: float, *, by: ReleasedBy = "api") -> None:
        """Reject an alerting call (cause 21), give up one's own (31), or end an established one (16), through the API.

        `by` is who wants it instead, as call states say.

        While a call is transferred, the one who is called rejects the transfer only. Raises NotFoundError for a leg
        that is not the call's, WrongStateError when the call has ended.
        """
        leg, core = self._leg(leg_id), self._core
        if core.answered:
            if isinstance(self._placing, Transfer) and self._placing.calls(leg):
                self._placing.cleared(now)
            elif not self._goes_on_without(leg, NORMAL_CLEARING, by, now):
                core.end(NORMAL_CLEARING, 200, by, now)
        elif leg in core.members and self._setup is not None:
            self._setup.member_cleared(leg, by, now)
        elif leg is core.caller and not core.originated:
            core.end(NORMAL_UNSPECIFIED, 487, by, now)
        else:
            core.end(CALL_REJECTED, sip_from_cause(CALL_REJECTED), by, now)

    def hold(self, leg_id: str, now: float) -> str:  # noqa: ARG002
        """Put the other side on hold for a leg; return the token of the CommandDone or CommandFailed to come.

        Raises NotFoundError or WrongStateError.
        """
        return self._renegotiation.command(self._leg(leg_id), hold=True)

    def unhold(self, leg_id: str, now: float) -> str:  # noqa: ARG002
        """Take up again a call that `hold` holds; otherwise as `hold`."""
        return self._renegotiation.command(self._leg(leg_id), hold=False)

    def narrow(self, leg_id: str, now: float) -> str:  # noqa: ARG002
        """Have both phones send G.711 from now on, for who acts on a leg; return a token as `hold` does.

        Raises NotFoundError or WrongStateError.
        """
        return Narrowing(self._core, self._renegotiation, self._leg(leg_id)).token

    def go_on_with(self, stand_in: Destination | None) -> None:
        """Say who takes the place of a side that leaves, so that the other one goes on; None: the call ends then."""
        self._core.stand_in = stand_in

    def transfer(
        self,
        leg_id: str,
        destination: Destination,
        recall: Destination,
        now: float,
        *,
        ring_timeout: float = 60.0,
        by: ReleasedBy = "api",
    ) -> str:
        """Have the owner of a leg leave and the destination called in its place; return a token as `hold` does.

        The command is done when the destination is being called. `recall` is the owner that leaves, to be called again
        when nobody answers there; `by` is who wants it, as its call states say. Raises NotFoundError or
        WrongStateError.
        """
        leg = self._leg(leg_id)
        transfer = Transfer(
            self._core, self._renegotiation, leg, destination, recall, ring_timeout=ring_timeout, by=by, now=now
        )
        self._placing = transfer
        return transfer.token

    def pick_up(self, leg_id: str, party: Party, branch_id: str, sdp: bytes, now: float) -> None:
        """Let a party answer what rings on a leg, by the INVITE `branch_id` of its own with its offer.

        It gets its 200 from the call, or a refusal: 488 for its offer, 486 when another one was faster. Raises
        NotFoundError, or WrongStateError when nothing rings there.
        """
        place, placing = self._leg(leg_id), self._placing
        if placing is None:
            raise WrongStateError(NOTHING_RINGS)
        Taking(self._core, self._renegotiation).pick_up(placing, place, party, branch_id, sdp, now)

    def move(self, leg_id: str, branch_id: str, sdp: bytes, now: float) -> None:  # noqa: ARG002
        """Let a leg's owner go on talking on another phone, whose INVITE `branch_id` is; the phone before gets BYE.

        The answers are as those of `pick_up`. Raises NotFoundError or WrongStateError.
        """
        Taking(self._core, self._renegotiation).move(self._leg(leg_id), branch_id, sdp)

    def rings(self, leg_id: str) -> bool:
        """Tell whether somebody is called on a leg, so that the call can be picked up there."""
        placing = self._placing
        return placing is not None and any(leg.leg_id == leg_id and placing.rings(leg) for leg in self._core.legs)

    def hand_over(self, leg_id: str, by: ReleasedBy, now: float) -> None:
        """End the call, but not the dialog of a leg's phone, which talks on in another call.

        An offer of that phone that is open is for whoever takes the dialog to refuse. Raises NotFoundError, and
        WrongStateError when the call is not established, or is being transferred.
        """
        leg, core = self._leg(leg_id), self._core
        branch = leg.talking
        if core.phase is not Phase.TALKING or branch is None:
            raise WrongStateError("The call is not established, or is being transferred.")
        leg.reoffering = False
        self._renegotiation.leave(leg)
        branch.state = BranchState.CLOSED
        core.end(NORMAL_CLEARING, 200, by, now)

    def leg_of(self, branch_id: str) -> str | None:
        """Return the leg whose phone a branch is; None when it has left, or none is."""
        branch, core = self._core.branch(branch_id), self._core
        gone = branch is None or branch.state in (BranchState.CLOSED, BranchState.CANCELLED)
        return None if branch is None or gone or branch.leg not in core.legs else branch.leg.leg_id

    def branches_of(self, leg_id: str) -> list[str]:
        """Return the branches of a leg, a group's member included, that may be answered or were."""
        return [
            branch.branch_id
            for leg in self._core.legs
            if leg.leg_id == leg_id
            for branch in leg.branches
            if branch.state is BranchState.PENDING or branch.state is BranchState.ANSWERED
        ]

    def digits(self, leg_id: str, digits: str, now: float) -> str:  # noqa: ARG002
        """Send DTMF digits to the other side of a leg; return a token as `hold` does, done when all are out.

        Raises NotFoundError or WrongStateError.
        """
        return Controls(self._core).digits(self._leg(leg_id), digits)

    def mute(self, leg_id: str, now: float, *, on: bool) -> None:  # noqa: ARG002
        """Let the other side hear silence instead of a leg's voice, or its voice again.

        Raises NotFoundError or WrongStateError.
        """
        Controls(self._core).mute(self._leg(leg_id), on=on)

    def record(self, leg_id: str, what: RecordCommand, now: float) -> None:
        """Begin, pause, go on with or end the recording for the enterprise of a leg.

        Raises NotFoundError or WrongStateError.
        """
        Controls(self._core).record(self._leg(leg_id), what, now)

    def recording_of(self, leg_id: str) -> tuple[str, RecordingState] | None:
        """Return id and state of the recording of a leg's enterprise; None when it has none."""
        leg = next((leg for leg in (self._core.caller, self._core.callee) if leg.leg_id == leg_id), None)
        recording = None if leg is None else self._core.recordings.get(leg.party.enterprise_id or "")
        return None if recording is None else (recording.record_id, recording.state)

    def terminate(self, cause: int, now: float) -> None:
        """End the call because the server must: its media is lost, it stops, it cannot store. Harmless when over."""
        if self._core.phase is not Phase.ENDED:
            self._core.terminate(cause, now)

    def _leg(self, leg_id: str) -> Leg:
        core = self._core
        for leg in core.legs:
            if leg.leg_id == leg_id:
                if core.phase is Phase.ENDED:
                    raise WrongStateError("The call has ended.")
                return leg
        raise NotFoundError("There is no such call.")
