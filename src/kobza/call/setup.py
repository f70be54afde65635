"""The way of a call to its answer: offers, dialling, ringing, early media, and the first 200."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from kobza.call.actions import (
    Answer,
    AnswerOffer,
    MediaAnswer,
    MediaOffer,
    MediaPlay,
    MediaReoffer,
    Progress,
    RejectOffer,
    SideName,
    StartTimer,
    StopTimer,
    Target,
)
from kobza.call.causes import (
    ANSWERED_ELSEWHERE,
    BEARER_NOT_IMPLEMENTED,
    CALL_REJECTED,
    NO_ANSWER,
    PROTOCOL_ERROR,
    REDIRECTION,
    TEMPORARY_FAILURE,
    sip_from_cause,
)
from kobza.call.core import RING_TIMER, CallCore
from kobza.call.early_offer import EarlyOffer
from kobza.call.events import CallAnswered, CallForwarded, CallRinging, OriginatorRang, ReleasedBy
from kobza.call.leg import NOBODY_THERE, Branch, BranchState, Leg, LegState, Rejection
from kobza.call.phases import Phase
from kobza.call.renegotiation import COMMAND_TIMEOUT, Renegotiation
from kobza.call.routing import Party, Refused
from kobza.call.step import FindTargets, Onward, Step

if TYPE_CHECKING:
    from kobza.sip.headers import Reason


class Setup:
    """Carries a call from its start to the answer, or to the failure of a leg."""

    __slots__ = (
        "_core",
        "_early",
        "_early_offer",
        "_find_targets",
        "_group_refused_by",
        "_hears_us",
        "_late_offer",
        "_offer",
        "_onward",
        "_progressed",
        "_realigns",
        "_renegotiation",
        "_ring_timeout",
        "_ringback",
    )

    def __init__(
        self,
        core: CallCore,
        renegotiation: Renegotiation,
        find_targets: FindTargets,
        onward: Onward,
        ring_timeout: float,
    ) -> None:
        self._core = core
        self._renegotiation = renegotiation
        self._find_targets = find_targets
        self._onward = onward
        self._group_refused_by: ReleasedBy = "network"  # who the best refusal of a group's members came from
        self._offer = b""  # what the called side is offered, whoever that is
        self._ring_timeout = ring_timeout
        self._early: Branch | None = None  # the branch whose early media the caller hears
        self._late_offer = False  # the caller's INVITE had no offer, and ours has no answer yet
        self._early_offer: EarlyOffer | None = None  # with the ringing, to a caller that takes one there
        self._progressed = False  # the caller was told that it rings
        self._hears_us = False  # the caller has an answer to its offer, in which it heard early media
        self._realigns = False  # it has agreed on codecs before the called side did
        self._ringback = False  # the caller hears our ringback

    def begin_incoming(self, branch_id: str, sdp: bytes, now: float, *, answers_early: bool) -> None:
        """Begin with the caller's INVITE."""
        self._core.add_branch(self._core.caller, branch_id, incoming=True)
        self._late_offer = not sdp
        self._early_offer = EarlyOffer(self._core) if answers_early and not sdp else None
        self._offer_to_callee("caller" if sdp else None, sdp or None, now)

    def begin_originated(self, targets: Sequence[Target], now: float) -> None:
        """Begin by ringing the originator's devices."""
        caller = self._core.caller
        if not targets:
            self._fail(caller, NOBODY_THERE, now)
            return
        self._core.outbox.actions.append(StartTimer(RING_TIMER, self._ring_timeout))
        self._ask_for_offer(partial(self._dial_originator, targets), None, "caller", None)

    def _offer_to_callee(self, source: SideName | None, sdp: bytes | None, now: float) -> None:
        found = self._find_targets(now)
        if isinstance(found, Refused):
            self._core.end(found.cause, found.status, "network", now)
            return
        step = self._reached(found, Rejection(sip_from_cause(REDIRECTION), REDIRECTION), "network", now)
        if step is not None:
            self._start_timer(step)
            self._ask_for_offer(partial(self._dial_first, step), source, "callee", sdp)

    def _reached(self, step: Step | None, why: Rejection, by: ReleasedBy, now: float) -> Step | None:
        """Let the called side be who a step leads to, over those where nobody is; None: nobody is left, the call fails.

        `why` is how those before have failed, as their owners are told: a cause of its own for who was never called.
        """
        while step is not None:
            for party in step.hops:
                self._replace_callee(party, why, by, now)
                why, by = Rejection(sip_from_cause(REDIRECTION), REDIRECTION), "network"
            if step.targets or step.members:
                return step
            why, by = step.empty, step.empty.released_by("callee")
            step = self._next_step(why, now)
        self._core.end(why.cause, why.status_for_caller, by, now)
        return None

    def _next_step(self, rejection: Rejection, now: float) -> Step | None:
        """Return who is called after a failure, if anybody can be; else the caller hears of the failure itself."""
        following = self._onward(rejection, now)
        return following if isinstance(following, Step) else None

    def _replace_callee(self, party: Party, why: Rejection, by: ReleasedBy, now: float) -> None:
        core = self._core
        old, leg = core.callee, Leg(core.new_id(), "callee", party, now)
        core.outbox.facts.append(
            CallForwarded(core.call_id, now, old.leg_id, why.cause, by, leg.leg_id, party, core.caller.party)
        )
        core.replace_callee(leg, now)

    def _start_timer(self, step: Step) -> None:
        seconds = self._ring_timeout if step.seconds is None else step.seconds
        self._core.outbox.actions.append(StartTimer(RING_TIMER, seconds))

    def _ask_for_offer(
        self, replied: Callable[[bytes, float], None], source: SideName | None, target: SideName, sdp: bytes | None
    ) -> None:
        self._core.media_open = True
        request_id = self._core.outbox.ask(replied, self._media_failed)
        branch_id = self._core.caller.branches[0].branch_id if sdp else ""
        self._core.outbox.actions.append(MediaOffer(request_id, source, target, sdp, branch_id))

    def _dial_originator(self, targets: Sequence[Target], sdp: bytes, _now: float) -> None:
        self._core.enter(Phase.ORIGINATOR_RINGING)
        self._core.dial(self._core.caller, targets, sdp)

    def _dial_first(self, step: Step, sdp: bytes, now: float) -> None:
        self._core.enter(Phase.RINGING)
        self._offer = sdp
        self._dial_step(step, now)

    def _dial_step(self, step: Step, now: float) -> None:
        core = self._core
        core.dial(core.callee, step.targets, self._offer)
        for member in step.members:
            core.add_member(member.party, member.targets, self._offer, now)

    # ringing

    def progressed(self, branch: Branch, status: int, sdp: bytes, now: float) -> None:
        """Take a provisional response of a device: 180 rings; any other counts only with SDP, as early media."""
        if status != 180 and not sdp:
            return
        core = self._core
        leg = branch.leg
        branch.rang = True
        if leg is core.caller:
            if not leg.rang:
                leg.rang = True
                core.outbox.facts.append(OriginatorRang(core.call_id, now, leg.leg_id))
            return
        if not leg.rang:
            leg.rang = True
            core.outbox.facts.append(CallRinging(core.call_id, now, leg.leg_id))
        repeated = sdp == branch.early_sdp
        if sdp:
            branch.early_sdp = sdp
        if not sdp or self._late_offer or self._early not in (None, branch):
            self._tell_ringing()
        elif not repeated or self._early is None:
            self._hear_early(branch)

    def _hear_early(self, branch: Branch) -> None:
        """Let the caller hear the early media of a device."""
        self._early = branch
        core = self._core
        request_id = core.outbox.ask(partial(self._early_answered, branch), partial(self._early_failed, branch))
        core.outbox.actions.append(MediaAnswer(request_id, "callee", branch.early_sdp, branch.branch_id))

    def _tell_ringing(self) -> None:
        """Tell the caller once that it rings, unless early media tells it better."""
        if self._progressed or self._early is not None or self._core.originated:
            return
        self._progressed = True
        if self._early_offer is None or not self._early_offer.ring():
            self._core.outbox.actions.append(Progress(self._core.caller.branches[0].branch_id, 180, b""))

    def caller_answered(self, sdp: bytes, now: float) -> None:
        """Take the caller's answer to the offer that it got with the ringing. Without one there is no media."""
        if self._early_offer is None or not self._late_offer:
            return
        if not sdp:
            self._core.terminate(PROTOCOL_ERROR, now)
            return
        self._late_offer = False
        self._realigns = True
        self._early_offer.answered(sdp, self._caller_connected, self._late_answer_failed)

    def _caller_connected(self, _sdp: bytes, _now: float) -> None:
        """Let the caller hear what it can hear by now."""
        self._hears_us = True
        if self._core.phase is Phase.TALKING:  # the 200 waited for this
            self._align_again()
            return
        rings = (branch for branch in self._core.branches if branch.state is BranchState.PENDING)
        early = next((branch for branch in rings if branch.early_sdp), None)
        if early is not None:
            self._hear_early(early)

    def _early_answered(self, branch: Branch, sdp: bytes, _now: float) -> None:
        if branch.state is not BranchState.PENDING:
            return
        if self._core.originated:
            self._renegotiation.align(self._core.caller, partial(self._early_aligned, branch))
        else:
            self._core.outbox.actions.append(Progress(self._core.caller.branches[0].branch_id, 183, sdp))
            self._hears_us = True
            self._play_ringback(on=False)

    def offered(self, branch: Branch, sdp: bytes) -> bool:
        """Take a new offer of the caller before the call is answered; False: it has no answer to the first one yet."""
        caller = self._core.caller
        begins = branch.incoming and not branch.takes_place and branch.leg is caller
        if not begins or not self._hears_us or caller.connected or caller.reoffering:
            return False
        caller.reoffering = True
        refused = partial(self._offer_refused, branch)
        request_id = self._core.outbox.ask(partial(self._offer_answered, branch, sdp), refused)
        self._core.outbox.actions.append(MediaReoffer(request_id, "caller", sdp))
        return True

    def _offer_answered(self, branch: Branch, sdp: bytes, answer: bytes, now: float) -> None:
        self._core.caller.reoffering = False
        self._realigns = True
        self._core.outbox.actions.append(AnswerOffer(branch.branch_id, answer))
        self._renegotiation.heard(self._core.caller, sdp, now)
        if self._core.phase is Phase.TALKING:  # the 200 waited for this
            self._align_again()

    def _offer_refused(self, branch: Branch, reason: str, _now: float) -> None:
        self._core.caller.reoffering = False
        self._core.outbox.actions.append(RejectOffer(branch.branch_id, why(reason)[1]))

    def _align_again(self) -> None:
        """Have the caller send what the called side takes, should it have agreed on codecs before that answered."""
        self._realigns = False
        self._renegotiation.align(self._core.caller, _either_way)

    def _early_aligned(self, branch: Branch, ok: bool, _now: float) -> None:
        """Let the originator hear early media that its phone understands; else the ringback stays."""
        if ok and branch.state is BranchState.PENDING:
            self._play_ringback(on=False)

    def _early_failed(self, branch: Branch, _reason: str, _now: float) -> None:
        """Go on without early media."""
        if branch.state is BranchState.PENDING:
            self._early = None
            self._tell_ringing()

    def _play_ringback(self, *, on: bool) -> None:
        if on is not self._ringback:
            self._ringback = on
            self._core.outbox.actions.append(MediaPlay("caller", "ringback" if on else "none"))

    # the end of a branch's ringing

    def rejected(self, branch: Branch, status: int, reasons: "Sequence[Reason]", now: float) -> None:
        """Take a device's refusal: when no other may still answer, or at 6xx, the best refusal ends the leg."""
        rejection = self._core.refused(branch, status, reasons)
        if rejection is not None and branch.leg in self._core.members:
            self._member_failed(branch.leg, rejection, rejection.released_by("callee"), now)
        elif rejection is not None:
            self._fail(branch.leg, rejection, now)
        elif branch is self._early:
            self._early_over()

    def _early_over(self) -> None:
        self._early = None
        if self._core.originated:
            self._play_ringback(on=True)

    def member_cleared(self, leg: Leg, by: ReleasedBy, now: float) -> None:
        """A member of a ringing group rejects by a command: the others go on ringing."""
        self._member_failed(leg, Rejection(sip_from_cause(CALL_REJECTED), CALL_REJECTED), by, now)

    def _member_failed(self, leg: Leg, rejection: Rejection, by: ReleasedBy, now: float) -> None:
        """A member rings no longer. When it was the last one, the group has failed for the best of their reasons."""
        core = self._core
        group = core.callee
        core.drop_member(leg, rejection.cause, by, now)
        best = group.rejection = rejection.better(group.rejection)
        if best is rejection:
            self._group_refused_by = by
        if not core.members:
            self._fail(group, best, now, self._group_refused_by)
        elif self._early is not None and self._early.leg is leg:
            self._early_over()

    def _fail(self, leg: Leg, rejection: Rejection, now: float, released_by: ReleasedBy | None = None) -> None:
        """Nobody on a leg answers: the call goes on to whoever is to be called then, or fails."""
        by = rejection.released_by(leg.side) if released_by is None else released_by
        step = None if leg is self._core.caller else self._next_step(rejection, now)
        if step is None:
            self._core.end(rejection.cause, rejection.status_for_caller, by, now)
            return
        self._core.cancel_pending(leg, rejection.cause)
        following = self._reached(step, rejection, by, now)
        if following is not None:
            self._go_on(following, now)

    def _go_on(self, step: Step, now: float) -> None:
        """Call the next ones with the offer that the ones before had; the caller hears that it rings anew."""
        core = self._core
        self._early = None
        if not core.originated:
            self._progressed = False
            core.outbox.actions.append(Progress(core.caller.branches[0].branch_id, 181, b""))
        if core.originated or self._hears_us:
            self._play_ringback(on=True)
        self._start_timer(step)
        self._dial_step(step, now)

    def _media_failed(self, reason: str, now: float) -> None:
        self._core.end(*why(reason), "network", now)

    def answered(self, branch: Branch, sdp: bytes, now: float) -> None:
        """Take the first 200 of a leg: its other devices stop ringing, and so do the other members of a group."""
        core = self._core
        branch.state = BranchState.ANSWERED
        leg = branch.leg
        leg.talking = branch
        self._silence_others(leg, now)
        if leg is core.caller:
            core.enter(Phase.ORIGINATOR_CONNECTING)
            request_id = core.outbox.ask(self._originator_connected, self._media_failed)
        else:
            core.enter(Phase.CONNECTING)
            request_id = core.outbox.ask(self._callee_connected, self._media_failed)
        core.outbox.actions.append(MediaAnswer(request_id, leg.side, sdp or branch.early_sdp, branch.branch_id))

    def _silence_others(self, leg: Leg, now: float) -> None:
        """Let nobody ring any more but the leg that answers, which is the called side from now on."""
        core = self._core
        core.cancel_pending(leg, ANSWERED_ELSEWHERE, answered_elsewhere=True)
        is_member = leg in core.members
        if is_member:
            core.forget_member(leg)
        for other in core.members:
            core.drop_member(other, ANSWERED_ELSEWHERE, "called", now, answered_elsewhere=True)
        if leg is core.caller or leg is core.callee:
            return
        if not is_member:
            core.pick_up(core.callee, leg, core.caller.party, now)
        core.replace_callee(leg, now)

    def rings(self, leg: Leg) -> bool:
        """See Ringing."""
        core = self._core
        if core.phase is not Phase.RINGING or leg is core.caller:
            return False
        return leg.is_pending or (leg is core.callee and bool(core.members))

    def picked_up(self, branch: Branch, for_other: bytes, now: float) -> None:
        """See Ringing."""
        self._silence_others(branch.leg, now)
        self._core.enter(Phase.CONNECTING)
        self._callee_connected(for_other, now)

    def _originator_connected(self, _sdp: bytes, now: float) -> None:
        self._core.caller.connected = True
        self._core.enter(Phase.PREPARING)
        self._play_ringback(on=True)
        self._offer_to_callee("caller", None, now)

    def _callee_connected(self, sdp: bytes, now: float) -> None:
        if self._core.originated:
            self._core.outbox.actions.append(StartTimer(RING_TIMER, COMMAND_TIMEOUT))
            self._renegotiation.align(self._core.caller, self._caller_aligned)
        elif self._early_offer is not None and self._early_offer.is_out:
            self._talk(b"", now)
        elif self._late_offer:
            self._ask_for_offer(self._talk, "callee", "caller", None)
        else:
            self._talk(sdp, now)

    def _caller_aligned(self, ok: bool, now: float) -> None:
        """Join the two sides when they send one codec; if the originator's phone will not, ask the other one."""
        if ok:
            self._talk(b"", now)
        else:
            self._core.callee.connected = True
            self._renegotiation.align(self._core.callee, self._callee_aligned)

    def _callee_aligned(self, ok: bool, now: float) -> None:
        if ok:
            self._talk(b"", now)
        else:
            self._core.end(BEARER_NOT_IMPLEMENTED, 488, "network", now)

    def _talk(self, sdp: bytes, now: float) -> None:
        """Join the two sides."""
        core = self._core
        core.enter(Phase.TALKING)
        caller, callee = core.caller, core.callee
        actions, facts = core.outbox.actions, core.outbox.facts
        actions.append(StopTimer(RING_TIMER))
        self._play_ringback(on=False)
        if not core.originated:
            branch = caller.branches[0]
            branch.state = BranchState.ANSWERED
            caller.talking = branch
            actions.append(Answer(branch.branch_id, sdp))
        caller.connected = callee.connected = True
        caller.change(LegState.ESTABLISHED, now)
        callee.change(LegState.ESTABLISHED, now)
        core.answered_number = callee.party.number
        facts.append(CallAnswered(core.call_id, now, callee.party.number, callee.leg_id))
        if caller.party.record or callee.party.record:
            core.record_party(caller.party, now)
            core.record_party(callee.party, now)
        core.tell_hold(caller, now)  # an originator may have held while the destination rang,
        core.tell_hold(callee, now)  # and a destination while its phone was asked for another codec
        if self._realigns:
            self._align_again()

    def confirmed(self, sdp: bytes, now: float) -> bool:
        """Take the caller's ACK; return False if it has nothing to do with the first offer and answer.

        RFC 3261, section 13.2.1: the ACK to a 200 with an offer must bring the answer. Without it there is no media.
        """
        if not self._late_offer or (self._early_offer is not None and self._early_offer.is_out):
            return False
        self._late_offer = False
        if sdp:
            request_id = self._core.outbox.ask(_nothing, self._late_answer_failed)
            branch_id = self._core.caller.branches[0].branch_id
            self._core.outbox.actions.append(MediaAnswer(request_id, "caller", sdp, branch_id))
        else:
            self._core.end(PROTOCOL_ERROR, 200, "network", now)
        return True

    @property
    def waits_for_answer(self) -> bool:
        """Whether the caller has an offer of ours that it has not answered yet."""
        return self._late_offer

    def _late_answer_failed(self, reason: str, now: float) -> None:
        self._core.terminate(why(reason)[0], now)

    def timed_out(self, now: float) -> None:
        """Nobody answered in time (480, cause 19), or the media plane never replied (503, cause 41).

        480 rather than 408: it is what RFC 3398 (7.2.4.1) gives for cause 19, while 408 would read as 102 at the other
        end (8.2.6.1), a network that lost its answer.
        """
        core = self._core
        if core.phase in (Phase.ORIGINATOR_RINGING, Phase.RINGING):
            leg = core.caller if core.phase is Phase.ORIGINATOR_RINGING else core.callee
            for member in core.members:
                core.drop_member(member, NO_ANSWER, "network", now)
            self._fail(leg, Rejection(480, NO_ANSWER), now, "network")
        elif core.phase is not Phase.ENDED:
            core.terminate(TEMPORARY_FAILURE, now)


def _either_way(_ok: bool, _now: float) -> None:
    """Go on: a phone that stays with its codec is heard as far as the other one can."""


def _nothing(_sdp: bytes, _now: float) -> None:
    """Take a reply that nobody waits for."""


def why(reason: str) -> tuple[int, int]:
    """Return cause and status for a failure of the media plane: the peer's SDP ("not acceptable"), or the plane."""
    if "not acceptable" in reason:
        return BEARER_NOT_IMPLEMENTED, 488
    return TEMPORARY_FAILURE, 503
