"""Offers after the first: re-INVITEs of the phones (hold, resume, refresh, late offer), hold through the API, codecs.

The media plane stands between the sides, so a phone's new offer is answered at once and never travels to the other
side. What a leg's phone is to be offered is not stored but derived: "inactive" while the API holds the leg, "sendonly"
(it hears music) while the API holds the other one, else "sendrecv". Whenever that differs from what the phone was
told last, and nothing else is on its way, a re-INVITE goes out; so commands that cross end in the right state.

Nor is it stored which codec a phone should send: whoever has changed what one side talks has the other one aligned, and
the media plane compares the two when nothing else is on its way.
"""

from functools import partial
from typing import Final

from kobza.call.actions import (
    AnswerOffer,
    CommandDone,
    CommandFailed,
    MediaAlign,
    MediaDirect,
    MediaDirection,
    MediaNarrow,
    MediaPlay,
    MediaReanswer,
    MediaReoffer,
    RejectOffer,
    SendOffer,
    StartTimer,
    StopTimer,
)
from kobza.call.core import COMMAND_TIMER, CallCore
from kobza.call.errors import CommandRefusedError, KobzaError, MediaFailedError, NoAnswerFromPhoneError, WrongStateError
from kobza.call.leg import Aligned, Branch, Command, Leg, LegState, OwnOffer
from kobza.call.phases import Phase
from kobza.call.sdp_direction import audio_direction, says_hold

COMMAND_TIMEOUT: Final = 10.0
"""Seconds that a phone has to answer an offer that somebody waits for: longer than the retry after a glare (RFC 3261,
section 14.1), shorter than anybody waits for an HTTP answer, or for a voice."""


class Renegotiation:
    """Hold, resume and whatever else changes the session of an established call."""

    __slots__ = ("_core", "_outbox")

    def __init__(self, core: CallCore) -> None:
        self._core = core
        self._outbox = core.outbox

    # the phones' offers

    def offered(self, branch: Branch, sdp: bytes) -> None:
        """Take a phone's new offer (b"": it wants one from us) of a branch that has a dialog."""
        leg = branch.leg
        if not leg.connected or leg.own_offer is not None or leg.is_read:
            self._outbox.actions.append(RejectOffer(branch.branch_id, 491))
            return
        leg.reoffering = True
        request_id = self._outbox.ask(partial(self._reoffered, branch, sdp), partial(self._not_reoffered, branch))
        self._outbox.actions.append(MediaReoffer(request_id, leg.side, sdp))

    def _reoffered(self, branch: Branch, offer: bytes, answer: bytes, now: float) -> None:
        leg = branch.leg
        if not leg.reoffering:  # its phone has left
            return
        leg.reoffering = False
        self._outbox.actions.append(AnswerOffer(branch.branch_id, answer))
        leg.late_reoffer = not offer
        if offer:
            self._heard(leg, audio_direction(offer), now)
            self._let_follow(leg)
        self._pursue(leg)

    def _not_reoffered(self, branch: Branch, reason: str, _now: float) -> None:
        if not branch.leg.reoffering:
            return
        branch.leg.reoffering = False
        self._outbox.actions.append(RejectOffer(branch.branch_id, 488 if "not acceptable" in reason else 503))
        self._pursue(branch.leg)

    def confirmed(self, branch: Branch, sdp: bytes, now: float) -> None:
        """Take the ACK of a phone's re-INVITE: with the answer when the re-INVITE had no offer."""
        leg = branch.leg
        if leg.late_reoffer:
            leg.late_reoffer = False
            if sdp:
                request_id = self._outbox.ask(partial(self._late_answered, leg), _not_answered)
                self._outbox.actions.append(MediaReanswer(request_id, leg.side, sdp))
                self._heard(leg, audio_direction(sdp), now)

    def _late_answered(self, leg: Leg, _reply: bytes, _now: float) -> None:
        self._let_follow(leg)

    def _let_follow(self, leg: Leg) -> None:
        """Let the other side send what a phone takes since its new offer, should it have dropped the codec before."""
        other = self._core.other(leg)
        if self._core.phase is Phase.TALKING and other.aligning is None:
            self.align(other, _whatever)

    def heard(self, leg: Leg, sdp: bytes, now: float) -> None:
        """Learn from a phone's offer that was answered elsewhere whether it holds."""
        self._heard(leg, audio_direction(sdp), now)

    def _heard(self, leg: Leg, direction: MediaDirection, now: float) -> None:
        """Learn from a phone's direction whether it holds; while it is told "inactive", its echo says nothing."""
        if leg.told != "inactive" or direction != "inactive":
            leg.held_by_phone = says_hold(direction)
        self._core.tell_hold(leg, now)

    # hold through the API

    def command(self, leg: Leg, *, hold: bool) -> str:
        """Begin to hold, or to take up again, for a leg; return the token under which the outcome comes.

        Raises WrongStateError before the answer, while another command of the leg is on its way, and when there is
        nothing to do.
        """
        if leg.state not in (LegState.ESTABLISHED, LegState.HELD):
            raise WrongStateError("The call is not established.")
        if leg.command is not None:
            raise WrongStateError("Another command for this leg waits for the phone.")
        if leg.held_by_api is hold:
            raise WrongStateError("The leg is on hold already." if hold else "The leg is not held through the API.")
        token = self._core.new_token(leg)
        leg.command = Command(token, hold=hold)
        self._outbox.actions.append(StartTimer(COMMAND_TIMER + token, COMMAND_TIMEOUT))
        self._pursue(leg)
        return token

    def timed_out(self, token: str) -> None:
        """Tell whoever asked that the phone did not answer in time.

        A re-INVITE that is out stays out. If the phone answers it after all the call is held (or resumed) and its facts
        say so, since that is what the phone does.
        """
        for leg in (self._core.caller, self._core.callee):
            command = leg.command
            if command is not None and command.token == token and not command.failed:
                command.failed = True
                error = NoAnswerFromPhoneError("The phone did not answer in time.")
                self._outbox.actions.append(CommandFailed(token, error))
                if leg.own_offer is None or leg.own_offer.command is not command:
                    leg.command = None

    def answered(self, branch: Branch, sdp: bytes) -> None:
        """Take a phone's answer to an offer of ours."""
        leg = branch.leg
        offer = leg.own_offer
        if offer is None or not offer.sent:
            return
        offer.sent = False
        request_id = self._outbox.ask(partial(self._agreed, leg, offer, sdp), partial(self._not_agreed, leg, offer))
        self._outbox.actions.append(MediaReanswer(request_id, leg.side, sdp))

    def _agreed(self, leg: Leg, offer: OwnOffer, sdp: bytes, _reply: bytes, now: float) -> None:
        if leg.own_offer is not offer:  # its phone has left
            return
        leg.own_offer = None
        leg.told = offer.direction
        command = offer.command
        if command is not None:
            leg.command = None
            leg.held_by_api = command.hold
        self._heard(leg, audio_direction(sdp), now)
        if command is not None:
            self._finish(leg, command)
        self._pursue(leg)

    def _not_agreed(self, leg: Leg, offer: OwnOffer, reason: str, now: float) -> None:
        """Take an answer that is none as a refusal.

        A phone that does not know the codec and accepts all the same has given up its stream (RFC 3264, section 6), so
        it is offered again what it had.
        """
        if leg.own_offer is not offer:
            return
        if offer.aligns is None:
            error = CommandRefusedError(f"The phone's answer cannot be used: {reason}.", sip_status=200)
            self._give_up(leg, offer, error, now)
        else:
            leg.own_offer = leg.told = None
            self._aligned(leg, offer, False, now)

    def refused(self, branch: Branch, status: int, now: float) -> None:
        """Take a phone's refusal of an offer of ours; the session goes on as it was (RFC 3261, section 14.1)."""
        leg = branch.leg
        offer = leg.own_offer
        if offer is None or not offer.sent:
            return
        if status == 408:
            self._give_up(leg, offer, NoAnswerFromPhoneError("The phone did not answer."), now)
        else:
            self._give_up(leg, offer, CommandRefusedError(f"The phone refused with {status}.", sip_status=status), now)

    def refresh(self, branch: Branch) -> None:
        """Offer a phone once more what it has; any other offer that is under way does as well."""
        leg = branch.leg
        if leg.talking is branch and leg.connected and leg.own_offer is None and not leg.is_read:
            leg.told = None
            self._pursue(leg)

    # one codec

    def align(self, leg: Leg, done: Aligned) -> None:
        """Have a connected leg's phone send the codec of the other side; `done` is called when it does, or refused.

        A later `done` takes the place of one that was not called yet: what counts is how things stand in the end.
        """
        leg.aligning = done
        self._pursue(leg)

    def _compared(self, branch: Branch, offer: OwnOffer, sdp: bytes, now: float) -> None:
        if sdp:
            self._written(branch, offer, sdp, now)
        elif branch.leg.own_offer is offer:
            branch.leg.own_offer = None
            self._aligned(branch.leg, offer, True, now)

    def _aligned(self, leg: Leg, offer: OwnOffer, ok: bool, now: float) -> None:
        """Go on after an offer; tell whoever it was for, unless another one waits by now."""
        done: Aligned | None = None
        if leg.aligning is offer.aligns:
            done, leg.aligning = leg.aligning, None
        self._pursue(leg)
        if done is not None:
            done(ok, now)

    # what all have in common

    def _pursue(self, leg: Leg) -> None:
        """Send a leg's phone the offer that it should have, unless it has it or another one is on its way."""
        branch = leg.talking
        if branch is None or not leg.connected or leg.own_offer is not None or leg.is_read:
            return
        direction = self._direction_for(leg)
        if direction != leg.told:
            offer = leg.own_offer = OwnOffer(direction, leg.command)
            request_id = self._outbox.ask(partial(self._written, branch, offer), partial(self._not_written, leg, offer))
            self._outbox.actions.append(MediaDirect(request_id, leg.side, direction))
        elif leg.aligning is not None:
            offer = leg.own_offer = OwnOffer(direction, None, leg.aligning)
            request_id = self._outbox.ask(
                partial(self._compared, branch, offer), partial(self._not_written, leg, offer)
            )
            ask = MediaNarrow if self._core.narrow else MediaAlign
            self._outbox.actions.append(ask(request_id, leg.side))

    def _direction_for(self, leg: Leg) -> MediaDirection:
        if leg.held_by_api if leg.command is None else leg.command.hold:
            return "inactive"
        return "sendonly" if self._core.other(leg).held_by_api else "sendrecv"

    def _written(self, branch: Branch, offer: OwnOffer, sdp: bytes, _now: float) -> None:
        if branch.leg.own_offer is not offer:  # its phone has left
            return
        offer.sent = True
        self._outbox.actions.append(SendOffer(branch.branch_id, sdp))

    def _not_written(self, leg: Leg, offer: OwnOffer, reason: str, now: float) -> None:
        if leg.own_offer is offer:
            self._give_up(leg, offer, MediaFailedError(f"The media plane failed: {reason}"), now)

    def _give_up(self, leg: Leg, offer: OwnOffer, error: KobzaError, now: float) -> None:
        """End an offer of ours that came to nothing.

        The offer that follows a command of the other side is not tried again: it was courtesy, the phone hears the
        music anyway; a later change makes a new one.
        """
        leg.own_offer = None
        command = offer.command
        if command is None:
            leg.told = offer.direction
        else:
            leg.command = None
            if not command.failed:
                self._outbox.actions.append(StopTimer(COMMAND_TIMER + command.token))
                self._outbox.actions.append(CommandFailed(command.token, error))
        self._aligned(leg, offer, False, now)

    def _finish(self, leg: Leg, command: Command) -> None:
        """Let the other side follow a command that its phone confirmed: music or voice, and its re-INVITE."""
        if not command.failed:
            self._outbox.actions.append(StopTimer(COMMAND_TIMER + command.token))
            self._outbox.actions.append(CommandDone(command.token, leg.state))
        self._play(leg)
        self.follow(self._core.other(leg))

    # when a side has changed hands

    def moved(self, leg: Leg, offer: bytes, now: float) -> None:
        """Go on with a leg's new phone, whose offer was answered; it holds if that says so, whatever the other did."""
        leg.late_reoffer = False
        self._heard(leg, audio_direction(offer), now)
        self._let_follow(leg)
        self._pursue(leg)

    def leave(self, leg: Leg) -> None:
        """Forget a leg whose phone leaves; its open re-INVITE wants an answer all the same (RFC 3261, 15.1.2)."""
        if leg.reoffering and leg.talking is not None:
            leg.reoffering = False
            self._outbox.actions.append(RejectOffer(leg.talking.branch_id, 487))
        leg.own_offer = leg.moving = None
        leg.aligning = None

    def follow(self, leg: Leg) -> None:
        """Let a side have what follows from the other one: music or voice, and the offer that says so."""
        self._play(leg)
        self._pursue(leg)

    def _play(self, leg: Leg) -> None:
        music = self._core.other(leg).held_by_api and not leg.held_by_api
        if music is not leg.playing_music:
            leg.playing_music = music
            self._outbox.actions.append(MediaPlay(leg.side, "music" if music else "none"))


def _whatever(_ok: bool, _now: float) -> None:
    """Go on either way: a phone that stays with its codec is heard as far as the other one can."""


def _not_answered(_reason: str, _now: float) -> None:
    """Leave the session as it was: the phone's answer was none."""
