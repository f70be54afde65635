"""A call under test with everybody around it, so that tests read like ladder diagrams.

The phones have names: "caller" is the one whose INVITE came in, a dialled device is called like its target. What the
call does is noted in short lines (`to desk: INVITE`, `media: answer from callee`), facts go through the owner states
and the call records as in the server. The media plane answers at once unless `media` is "manual".
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

from kobza.call import actions as do
from kobza.call.b2bua import Call
from kobza.call.cdr import Cdr, CdrFold
from kobza.call.controls import RecordCommand
from kobza.call.durations import ringing_seconds, talk_seconds, to_ms
from kobza.call.events import CallEnded, CallFact, MemberCalled, ReleasedBy
from kobza.call.leg import Rejection
from kobza.call.routing import SEVERAL, Party, Refused
from kobza.call.states import OwnerState, OwnerStates
from kobza.call.step import Destination, Step
from kobza.sip.headers import Reason

OFFER = b"v=0\r\nm=audio 4000 RTP/AVP 8\r\n"
ANSWER = b"v=0\r\nm=audio 5000 RTP/AVP 8\r\n"

OLENA = Party("+380671110001", "mriia", owner=True, convergent=True, record=False, display_name="Олена")
TARAS = Party("+380671110002", "mriia", owner=True, convergent=True, record=False, display_name="Тарас")
STRANGER = Party("+380445550000")
PETRO = Party("+380671110003", "mriia", owner=True, convergent=True, record=False, display_name="Петро")
ANNA = Party("+380671110004", "mriia", owner=True, convergent=True, record=False, display_name="Анна")
COMPETITOR = Party("+380672220002", "sokil", owner=True, convergent=True, record=False)

GROUP = Party("200", "mriia", convergent=True, display_name="Продажі")

EVERYBODY = (OLENA, TARAS, PETRO, STRANGER, COMPETITOR, ANNA)


def q850(cause: int) -> list[Reason]:
    """A Reason header as a phone sends it."""
    return [Reason("Q.850", cause, "")]


def with_direction(direction: str) -> bytes:
    """SDP with a direction attribute."""
    return OFFER + b"a=" + direction.encode() + b"\r\n"


class Ladder:
    """One call and the world around it."""

    def __init__(self, *, media: Literal["auto", "manual"] = "auto") -> None:
        self.now = 1_700_000_000.0
        self.media = media
        self.codecs_differ = False
        """What the plane finds when it compares the two sides, until one has answered a new offer."""
        self.lines: list[str] = []
        self.facts: list[CallFact] = []
        self.states: list[OwnerState] = []
        self.actions: list[do.Action] = []
        self.commands: dict[str, str] = {}
        self.asked: list[str] = []
        self.leg_ids: dict[str, str] = {"caller": "leg-caller", "callee": "leg-callee"}
        """Of each side now."""
        self.later_legs: dict[str, list[str]] = {"caller": [], "callee": []}
        """Of each side, those that a transfer made."""
        self.branch_ids: dict[str, str] = {"caller": "in"}
        self._names: dict[str, str] = {"in": "caller"}
        ids = itertools.count(1)
        self._new_id = lambda: f"id{next(ids)}"
        self.steps: list[Step | Refused | None] = []
        """Who is called when those before do not answer: one for each failure that is asked about."""
        self.failures: list[Rejection] = []
        self._owner_states = OwnerStates(self._new_id)
        self._cdr = CdrFold()
        self.call: Call

    # who does what

    def invite(
        self,
        *targets: str | do.InTurn,
        caller: Party = OLENA,
        callee: Party = TARAS,
        sdp: bytes = OFFER,
        origin: Literal["phone", "trunk"] = "phone",
        ring_timeout: float = 60.0,
        hops: Sequence[Party] = (),
        first: Step | None = None,
        answers_early: bool = False,
    ) -> None:
        """The caller's INVITE comes; `hops` are those that it is forwarded to at once, `first` is what else rings."""
        self.call = Call.incoming(
            "call",
            caller=caller,
            callee=callee,
            dialled=callee.number,
            branch_id="in",
            sdp=sdp,
            first=first or Step(targets, hops),
            onward=self._onward,
            origin=origin,
            caller_leg_id="leg-caller",
            callee_leg_id="leg-callee",
            new_id=self._new_id,
            now=self.now,
            ring_timeout=ring_timeout,
            answers_early=answers_early,
        )
        self._carry_out()

    def prack(self, sdp: bytes = b"") -> None:
        """The caller acknowledges the ringing that had our offer."""
        self.call.branch_answered_early("in", sdp, self.now)
        self._carry_out()

    def then(self, *targets: str | do.InTurn, hops: Sequence[Party] = (PETRO,), seconds: float | None = None) -> None:
        """Who is called when those before do not answer."""
        self.steps.append(Step(targets, hops, seconds))

    def ring_group(self, *people: tuple[Party, str], seconds: float = 20.0) -> Step:
        """Members of a ringing group, each with one device."""
        return Step((), (), seconds, [Destination(party, [device]) for party, device in people])

    def originate(
        self,
        originator: Sequence[str],
        destination: Sequence[str | do.InTurn] | Refused | Step,
        *,
        caller: Party = OLENA,
        callee: Party = TARAS,
        client_state: str | None = None,
    ) -> None:
        """A click2dial request comes."""
        self.call = Call.originated(
            "call",
            caller=caller,
            callee=callee,
            dialled=callee.number,
            originator_targets=originator,
            find_destination=lambda _: destination if isinstance(destination, Refused | Step) else Step(destination),
            onward=self._onward,
            caller_leg_id="leg-caller",
            callee_leg_id="leg-callee",
            new_id=self._new_id,
            now=self.now,
            client_state=client_state,
        )
        self._carry_out()

    def progress(self, phone: str, status: int = 180, sdp: bytes = b"", *, after: float = 0.1) -> None:
        self._wait(after)
        self.call.branch_progressed(self.branch_ids[phone], status, sdp, self.now)
        self._carry_out()

    def answer(self, phone: str, sdp: bytes = ANSWER, *, after: float = 3.0) -> None:
        self._wait(after)
        self.call.branch_answered(self.branch_ids[phone], sdp, self.now)
        self._carry_out()

    def reject(self, phone: str, status: int, reasons: Sequence[Reason] = (), *, after: float = 0.1) -> None:
        self._wait(after)
        self.call.branch_rejected(self.branch_ids[phone], status, reasons, self.now)
        self._carry_out()

    def silence(self, phone: str, *, after: float = 5.0) -> None:
        self._wait(after)
        self.call.branch_silent(self.branch_ids[phone], self.now)
        self._carry_out()

    def cancel(self, reasons: Sequence[Reason] = (), *, after: float = 1.0) -> None:
        self._wait(after)
        self.call.branch_cancelled("in", reasons, self.now)
        self._carry_out()

    def hang_up(self, phone: str, reasons: Sequence[Reason] = (), *, after: float = 10.0) -> None:
        self._wait(after)
        self.call.branch_ended(self.branch_ids[phone], reasons, self.now)
        self._carry_out()

    def lose(self, phone: str, cause: int, *, after: float = 10.0) -> None:
        """The dialog breaks: nothing is heard of the phone any more, or it does not know the call."""
        self._wait(after)
        self.call.branch_lost(self.branch_ids[phone], cause, self.now)
        self._carry_out()

    def refresh(self, phone: str, *, after: float = 1.0) -> None:
        """The session timer wants a re-INVITE."""
        self._wait(after)
        self.call.refresh_due(self.branch_ids[phone], self.now)
        self._carry_out()

    def ack(self, phone: str = "caller", sdp: bytes = b"", *, after: float = 0.1) -> None:
        self._wait(after)
        self.call.branch_confirmed(self.branch_ids[phone], sdp, self.now)
        self._carry_out()

    def offer(self, phone: str, sdp: bytes, *, after: float = 1.0) -> None:
        self._wait(after)
        self.call.branch_offered(self.branch_ids[phone], sdp, self.now)
        self._carry_out()

    def accept_offer(self, phone: str, sdp: bytes = ANSWER, *, after: float = 0.1) -> None:
        self._wait(after)
        self.call.offer_answered(self.branch_ids[phone], sdp, self.now)
        self._carry_out()

    def refuse_offer(self, phone: str, status: int, *, after: float = 0.1) -> None:
        self._wait(after)
        self.call.offer_rejected(self.branch_ids[phone], status, self.now)
        self._carry_out()

    def media_replies(self, sdp: bytes = b"plane", *, after: float = 0.0) -> None:
        """The plane replies to the oldest open request (only when `media` is "manual")."""
        self._wait(after)
        self.call.media_replied(self.asked.pop(0), sdp, self.now)
        self._carry_out()

    def media_fails(self, reason: str = "no ports left", *, after: float = 0.0) -> None:
        self._wait(after)
        self.call.media_failed(self.asked.pop(0), reason, self.now)
        self._carry_out()

    def media_times_out(self, side: do.SideName, *, after: float = 60.0) -> None:
        self._wait(after)
        self.call.media_timed_out(side, self.now)
        self._carry_out()

    def timer(self, name: str, *, after: float = 60.0) -> None:
        self._wait(after)
        self.call.timer_fired(name, self.now)
        self._carry_out()

    def clear(self, side: str, *, after: float = 1.0) -> None:
        self._wait(after)
        self.call.clear(self.leg_ids[side], self.now)
        self._carry_out()

    def hold(self, side: do.SideName, *, after: float = 1.0) -> str:
        self._wait(after)
        token = self.call.hold(self.leg_ids[side], self.now)
        self._carry_out()
        return token

    def unhold(self, side: do.SideName, *, after: float = 1.0) -> str:
        self._wait(after)
        token = self.call.unhold(self.leg_ids[side], self.now)
        self._carry_out()
        return token

    def transfer(
        self,
        side: do.SideName,
        *targets: str | do.InTurn,
        to: Party = PETRO,
        recall: Sequence[str] = ("again",),
        after: float = 1.0,
    ) -> str:
        self._wait(after)
        leg_id = self.leg_ids[side]
        own = next(view for view in self.call.legs.values() if view.leg_id == leg_id)
        party = next(party for party in EVERYBODY if party.number == own.number)
        token = self.call.transfer(leg_id, Destination(to, targets), Destination(party, recall), self.now)
        self._carry_out()
        return token

    def confer(self, *, on: bool = True) -> None:
        """Others are in the call too, so that whoever leaves is replaced; or nobody is any more."""
        self.call.go_on_with(Destination(Party(SEVERAL), ["seat"]) if on else None)

    def narrow(self, side: do.SideName, *, after: float = 1.0) -> str:
        """Have the phones send what can be mixed."""
        self._wait(after)
        token = self.call.narrow(self.leg_ids[side], self.now)
        self._carry_out()
        return token

    def pick_up(self, side: str, phone: str, who: Party = PETRO, *, sdp: bytes = OFFER, after: float = 1.0) -> None:
        """A phone's INVITE comes that picks up what rings on a side, or at a group's member (by its number)."""
        self._wait(after)
        self._take_place(phone)
        self.call.pick_up(self.leg_ids[side], who, self.branch_ids[phone], sdp, self.now)
        self._carry_out()

    def move(self, side: do.SideName, phone: str, *, sdp: bytes = OFFER, after: float = 1.0) -> None:
        """An INVITE comes from another phone of who talks on a side."""
        self._wait(after)
        self._take_place(phone)
        self.call.move(self.leg_ids[side], self.branch_ids[phone], sdp, self.now)
        self._carry_out()

    def withdraw(self, phone: str, *, after: float = 0.1) -> None:
        """CANCEL to an INVITE that wants a place."""
        self._wait(after)
        self.call.branch_cancelled(self.branch_ids[phone], (), self.now)
        self._carry_out()

    def _take_place(self, phone: str) -> None:
        branch_id = self.branch_ids[phone] = f"{phone}-in"
        self._names[branch_id] = phone

    def hand_over(self, side: do.SideName, by: ReleasedBy, *, after: float = 1.0) -> None:
        self._wait(after)
        self.call.hand_over(self.leg_ids[side], by, self.now)
        self._carry_out()

    def digits(self, side: do.SideName, digits: str, *, after: float = 1.0) -> str:
        self._wait(after)
        token = self.call.digits(self.leg_ids[side], digits, self.now)
        self._carry_out()
        return token

    def mute(self, side: do.SideName, *, on: bool = True, after: float = 1.0) -> None:
        self._wait(after)
        self.call.mute(self.leg_ids[side], self.now, on=on)
        self._carry_out()

    def record(self, side: do.SideName, what: RecordCommand, *, after: float = 1.0) -> None:
        self._wait(after)
        self.call.record(self.leg_ids[side], what, self.now)
        self._carry_out()

    def terminate(self, cause: int, *, after: float = 1.0) -> None:
        self._wait(after)
        self.call.terminate(cause, self.now)
        self._carry_out()

    def talk(self, phone: str = "desk", **invite: Any) -> None:
        """The shortest way to an established call."""
        self.invite(phone, **invite)
        self.progress(phone)
        self.answer(phone)
        self.ack()
        self.take()

    # what came of it

    def take(self) -> list[str]:
        """The lines since the last time."""
        lines, self.lines = self.lines, []
        return lines

    @property
    def records(self) -> tuple[Cdr, ...]:
        return self._cdr.records

    @property
    def ended(self) -> CallEnded:
        """The last fact."""
        fact = self.facts[-1]
        assert isinstance(fact, CallEnded)
        return fact

    @property
    def fact_names(self) -> list[str]:
        return [type(fact).__name__ for fact in self.facts]

    def told(self, side: do.SideName) -> str:
        """The states of an owner: "alerting established finished"; of those who came in its place after a "then"."""
        return ", then ".join(self.told_leg(leg_id) or "none" for leg_id in (f"leg-{side}", *self.later_legs[side]))

    def told_members(self) -> str:
        """The states of a group's members: those of each, in the order in which they were called."""
        members = [fact for fact in self.facts if isinstance(fact, MemberCalled)]
        told = [f"{fact.party.display_name} {self.told_leg(fact.leg_id) or 'none'}" for fact in members]
        return "; ".join(told)

    def told_leg(self, leg_id: str) -> str:
        """The states of one leg's owner."""
        return " ".join(state.state_type for state in self.states if state.call_control_id == leg_id)

    def state_of(self, side: do.SideName) -> str:
        """The state of a leg, as commands and presence see it."""
        return str(self.call.legs[self.leg_ids[side]].state)

    def record_of(self, enterprise_id: str) -> str:
        """A call record in short: "local, rang 4 s, talked 10 s"."""
        (cdr,) = [record for record in self.records if record.enterprise_id == enterprise_id]
        assert cdr.ended_at is not None
        ended = to_ms(cdr.ended_at)
        answered = None if cdr.answered_at is None else to_ms(cdr.answered_at)
        ringing = ringing_seconds(None if cdr.ringing_at is None else to_ms(cdr.ringing_at), answered, ended)
        short = f"{cdr.direction}, rang {ringing} s, talked {talk_seconds(answered, ended)} s"
        if cdr.answered_number in (None, cdr.called_number):
            return short
        names = {who.number: who.display_name for who in EVERYBODY}
        return f"{short}, answered by {names.get(cdr.answered_number) or cdr.answered_number}"

    def _onward(self, rejection: Rejection, now: float) -> Step | Refused | None:
        assert now <= self.now
        self.failures.append(rejection)
        return self.steps.pop(0) if self.steps else None

    def _wait(self, seconds: float) -> None:
        self.now += seconds

    def _carry_out(self) -> None:
        """Take facts and actions until there are none; the plane may answer within."""
        while actions := self.call.take_actions():
            for action in actions:
                self.actions.append(action)
                self._note(action)
        for fact in self.call.take_facts():
            self.facts.append(fact)
            self.states += self._owner_states.feed(fact)
            self._cdr.feed(fact)

    def _note(self, action: do.Action) -> None:
        match action:
            case do.Dial(branch_id, target):
                assert isinstance(target, str)
                self.branch_ids[target] = branch_id
                self._names[branch_id] = target
                self.lines.append(f"to {target}: INVITE")
            case do.Progress(_, status, sdp):
                self.lines.append(f"to caller: {status}{' with SDP' if sdp else ''}")
            case do.Answer(branch_id):
                self.lines.append(f"to {self._names[branch_id]}: 200")
            case do.Reject(branch_id, status, cause):
                self.lines.append(f"to {self._names[branch_id]}: {status}, cause {cause}")
            case do.Cancel(branch_id, cause, elsewhere):
                elsewhere_text = ", answered elsewhere" if elsewhere else ""
                self.lines.append(f"to {self._names[branch_id]}: CANCEL, cause {cause}{elsewhere_text}")
            case do.Bye(branch_id, cause):
                self.lines.append(f"to {self._names[branch_id]}: BYE, cause {cause}")
            case do.SendOffer(branch_id):
                self.lines.append(f"to {self._names[branch_id]}: re-INVITE")
            case do.AnswerOffer(branch_id):
                self.lines.append(f"to {self._names[branch_id]}: 200 to the re-INVITE")
            case do.RejectOffer(branch_id, status):
                self.lines.append(f"to {self._names.get(branch_id, branch_id)}: {status} to the re-INVITE")
            case do.MediaOffer(request_id, source, target_side):
                self.lines.append(f"media: offer from {source or 'the plane'} to {target_side}")
                self._ask(request_id)
            case do.MediaAnswer(request_id, source):
                self.lines.append(f"media: answer from {source}")
                self._ask(request_id)
            case do.MediaReoffer(request_id, source):
                self.lines.append(f"media: new offer from {source}")
                self._ask(request_id)
            case do.MediaDirect(request_id, side, direction):
                self.lines.append(f"media: {direction} to {side}")
                self._ask(request_id)
            case do.MediaReanswer(request_id, source):
                self.lines.append(f"media: new answer from {source}")
                self.codecs_differ = False
                self._ask(request_id)
            case do.MediaAlign(request_id, side):
                if self.media == "manual" or self.codecs_differ:
                    self.lines.append(f"media: codec of the other side to {side}")
                self._ask(request_id, b"plane" if self.codecs_differ else b"")
            case do.MediaNarrow(request_id, side):
                self.lines.append(f"media: G.711 to {side}")
                self._ask(request_id, b"plane" if self.codecs_differ else b"")
            case do.MediaPlay(side, what):
                self.lines.append(f"media: play {what} to {side}")
            case do.MediaMute(side, on):
                self.lines.append(f"media: {'mute' if on else 'unmute'} {side}")
            case do.MediaDigits(request_id, side, digits):
                self.lines.append(f"media: {digits} to {side}")
                self._ask(request_id)
            case do.MediaLeave(side):
                self.lines.append(f"media: {side} leaves")
            case do.MediaRecord():
                self.lines.append("media: record")
            case do.MediaTell(_, _, side):
                self.lines.append(f"media: tell {side} of the recording")
            case do.MediaPauseRecord(_, on):
                self.lines.append(f"media: {'pause' if on else 'resume'} recording")
            case do.MediaStopRecord():
                self.lines.append("media: stop recording")
            case do.ReplaceLeg(side, leg_id, party):
                self.leg_ids[side] = leg_id
                self.later_legs[side].append(leg_id)
                self.lines.append(f"{side} is {party.number}")
            case do.AddLeg(leg_id, party):
                self.leg_ids[party.number] = leg_id
                self.lines.append(f"{party.number} is called")
            case do.DropLeg(leg_id):
                (number,) = [key for key, each in self.leg_ids.items() if each == leg_id]
                self.lines.append(f"{number} is called no longer")
            case do.MediaRelease():
                self.lines.append("media: release")
            case do.StartTimer(name, delay):
                self.lines.append(f"timer {name.partition(':')[0]}: {delay:g} s")
            case do.StopTimer(name):
                self.lines.append(f"timer {name.partition(':')[0]}: stop")
            case do.CommandDone(token, state):
                self.commands[token] = state
                self.lines.append(f"command: {state}")
            case do.CommandFailed(token, error):
                self.commands[token] = error.code
                self.lines.append(f"command: {error.code}")

    def _ask(self, request_id: str, reply: bytes = b"plane") -> None:
        if self.media == "auto":
            self.call.media_replied(request_id, reply, self.now)
        else:
            self.asked.append(request_id)
