"""Whatever comes, in whatever order: a call of random inputs keeps its promises.

The inputs are drawn without regard to what could come: any event for any branch, any reply to any question, at any
time, twice. After each one the promises are checked; then everybody who still has something to report does, and the
call must be over, with nothing left behind.
"""

import contextlib
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kobza.call import actions as do
from kobza.call.errors import WrongStateError
from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallForwarded,
    CallHeld,
    CallPickedUp,
    CallResumed,
    CallRinging,
    CallStarted,
    CallTransferred,
    MemberCalled,
    MemberLeft,
    RecordingStarted,
    TransferAnswered,
)
from kobza.call.phases import Phase
from kobza.call.reach import LOOP
from kobza.call.routing import Party
from kobza.call.step import Destination, Step
from kobza.sip.headers import Reason
from tests.call.ladder import COMPETITOR, EVERYBODY, OLENA, PETRO, STRANGER, TARAS, Ladder, with_direction

REPEATED: Final = (
    *(CallHeld, CallResumed, CallRinging, RecordingStarted),
    *(CallTransferred, TransferAnswered, CallForwarded, CallPickedUp, MemberCalled, MemberLeft),
)

OWNER_TOLD: Final = re.compile(r"|(alerting )?(established (held resumed )*(held )?)?finished")
NEW_NAMES: Final = ["five", "six"]
"""Devices of those to whom a call is transferred, and of those who are called again."""

SDPS: Final = [b"", b"early", *(with_direction(word) for word in ("sendrecv", "sendonly", "recvonly", "inactive"))]
NAMES: Final = ["caller", "one", "two", "three", "four", "five", "six", "seven", "eight", "ghost", "taker"]
STATUSES: Final = [100, 180, 183, 200, 302, 401, 404, 408, 480, 486, 487, 488, 491, 500, 503, 603]

branch_names = st.sampled_from(NAMES)
sdps = st.sampled_from(SDPS)
statuses = st.sampled_from(STATUSES)
sides = st.sampled_from(["caller", "callee"])
reasons = st.lists(st.builds(Reason, st.sampled_from(["Q.850", "SIP"]), st.integers(-1, 200), st.just("")), max_size=2)
steps = st.one_of(
    st.tuples(st.just("progress"), branch_names, statuses, sdps),
    st.tuples(st.just("answer"), branch_names, sdps),
    st.tuples(st.just("reject"), branch_names, statuses, reasons),
    st.tuples(st.just("cancel"), branch_names, reasons),
    st.tuples(st.just("hang up"), branch_names, reasons),
    st.tuples(st.just("lose"), branch_names, st.sampled_from([41, 102])),
    st.tuples(st.just("refresh"), branch_names),
    st.tuples(st.just("ack"), branch_names, sdps),
    st.tuples(st.just("offer"), branch_names, sdps),
    st.tuples(st.just("accept offer"), branch_names, sdps),
    st.tuples(st.just("refuse offer"), branch_names, statuses),
    st.tuples(st.just("media replies"), st.integers(0, 3), sdps),
    st.tuples(st.just("media fails"), st.integers(0, 3), st.sampled_from(["not acceptable", "gone"])),
    st.tuples(st.just("media stops"), sides),
    st.tuples(st.just("timer"), st.integers(0, 3)),
    st.tuples(st.just("clear"), sides),
    st.tuples(st.just("hold"), sides),
    st.tuples(st.just("unhold"), sides),
    st.tuples(st.sampled_from(["mute", "unmute"]), sides),
    st.tuples(st.just("digits"), sides, st.sampled_from(["1", "23,4", "5" * 40])),
    st.tuples(st.sampled_from(["record_start", "record_pause", "record_resume", "record_stop"]), sides),
    st.tuples(st.just("transfer"), sides, st.booleans()),
    st.tuples(st.just("pick up"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("move"), sides, sdps),
    st.tuples(st.just("terminate"), st.integers(1, 127)),
)
mild_steps = st.one_of(
    st.tuples(st.just("media replies"), st.just(0), sdps),
    st.tuples(st.just("progress"), branch_names, statuses, sdps),
    st.tuples(st.just("offer"), branch_names, sdps),
    st.tuples(st.just("accept offer"), branch_names, sdps),
    st.tuples(st.just("refuse offer"), branch_names, statuses),
    st.tuples(st.sampled_from(["hold", "unhold"]), sides),
    st.tuples(st.just("ack"), branch_names, st.just(b"answer")),
    st.tuples(st.just("refresh"), branch_names),
    st.tuples(st.just("pick up"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("move"), sides, sdps),
)
"""What does not end a call, so that a story has a middle."""

talkers = st.sampled_from(["caller", "one", "three", "five", "six", "taker"])
talking_steps = st.one_of(
    st.tuples(st.just("media replies"), st.just(0), st.just(b"plane")),
    st.tuples(st.just("media replies"), st.just(0), st.just(b"plane")),
    st.tuples(st.just("media replies"), st.just(0), st.sampled_from([b"plane", b"early"])),
    st.tuples(st.just("accept offer"), talkers, sdps),
    st.tuples(st.just("accept offer"), talkers, sdps),
    st.tuples(st.just("offer"), talkers, sdps),
    st.tuples(st.just("ack"), talkers, sdps),
    st.tuples(st.just("refresh"), talkers),
    st.tuples(st.just("refuse offer"), talkers, st.sampled_from([408, 488])),
    st.tuples(st.just("hold"), sides),
    st.tuples(st.just("unhold"), sides),
    st.tuples(st.just("digits"), sides, st.sampled_from(["1", "23,4", "5" * 40])),
    st.tuples(st.sampled_from(["mute", "unmute", "record_start", "record_pause", "record_stop"]), sides),
    st.tuples(st.just("transfer"), sides, st.booleans()),
    st.tuples(st.just("pick up"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("move"), sides, sdps),
    st.tuples(st.just("progress"), talkers, statuses, sdps),
    st.tuples(st.just("answer"), talkers, sdps),
    st.tuples(st.just("reject"), talkers, st.sampled_from([404, 486, 603]), reasons),
)
"""What happens while both talk, or one is called in the place of the other."""

PATHS: Final[dict[bool, list[tuple[object, ...]]]] = {
    False: [
        ("media replies", 0, b"plane"),
        ("progress", "three", 180, b""),
        ("answer", "three", b"answer"),
        ("media replies", 0, b"plane"),
        ("media replies", 0, b"plane"),
        ("ack", "caller", b"answer"),
    ],
    True: [
        ("media replies", 0, b"plane"),
        ("progress", "one", 180, b""),
        ("answer", "one", b"answer"),
        ("media replies", 0, b"plane"),
        ("media replies", 0, b"plane"),
        ("progress", "three", 180, b""),
        ("answer", "three", b"answer"),
        ("media replies", 0, b"plane"),
        ("media replies", 0, b"plane"),
    ],
}
"""How a call (click2dial: True) comes to its answer when nothing gets in the way."""


TRANSFER: Final[list[tuple[object, ...]]] = [
    ("transfer", "callee", True),
    ("media replies", 0, b"plane"),
    ("media replies", 0, b"plane"),
    ("answer", "five", b"answer"),
    ("media replies", 0, b"plane"),
    ("media replies", 0, b"plane"),
]


@st.composite
def stories(draw: st.DrawFn, *, originated: bool) -> list[tuple[object, ...]]:
    """The way to the answer, or a part of it, with disturbances, and then whatever comes."""
    path = PATHS[originated]
    story: list[tuple[object, ...]] = []
    for step in path[: draw(st.sampled_from([*range(len(path)), *[len(path)] * 12]))]:
        story += draw(st.just([]) | st.just([]) | st.lists(mild_steps, max_size=2))
        story.append(step)
    story += draw(st.lists(talking_steps, max_size=40))
    story += draw(st.lists(steps, max_size=15))
    return story


class Watched(Ladder):
    """A call whose every action and fact is checked against what it promises."""

    def __init__(self) -> None:
        super().__init__(media="manual")
        self.branch_ids = dict.fromkeys(NAMES, "no such branch")
        self.branch_ids["caller"] = "in"
        self.timers: set[str] = set()
        self.tokens: list[str] = []
        self.outcomes: Counter[str] = Counter()
        self.finals_to_caller = 0
        self.waiting: set[str] = set()
        """INVITEs that want a place and have no final response."""
        self.takers = 0
        self.over: set[str] = set()
        """Branches that need nothing more from us: refused, hung up, ended by our BYE."""
        self.answered: set[str] = set()
        self.cancelled: set[str] = set()
        self.dialled: set[str] = set()
        self.hung_up: set[str] = set()
        self.open_offers: Counter[str] = Counter()
        self.comparing: set[str] = set()
        """Questions to the plane whether both sides send one codec."""
        self.media_open = False
        self.media_released = False
        self.records_on: dict[str, str] = {}
        self.all_legs = ["leg-caller", "leg-callee"]

    def play(self, step: tuple[object, ...]) -> None:
        """Give the call one input."""
        call, now = self.call, self.now
        self.now += 0.25
        match step:
            case ["progress", str(name), int(status), bytes(sdp)]:
                call.branch_progressed(self.branch_ids[name], status, sdp, now)
            case ["answer", str(name), bytes(sdp)]:
                branch_id = self.branch_ids[name]
                if branch_id in self.dialled - self.over:
                    self.answered.add(branch_id)
                call.branch_answered(branch_id, sdp, now)
            case ["reject", str(name), int(status), list(given_reasons)]:
                branch_id = self.branch_ids[name]
                if status >= 300 and branch_id in self.dialled - self.answered:
                    self.over.add(branch_id)
                call.branch_rejected(branch_id, status, given_reasons, now)
            case ["cancel", str(name), list(given_reasons)]:
                if name == "caller" and self.branch_ids[name] == "in" and not self.finals_to_caller:
                    self.finals_to_caller += 1
                    self.over.add("in")
                self.withdrawn(self.branch_ids[name])
                call.branch_cancelled(self.branch_ids[name], given_reasons, now)
            case ["hang up", str(name), list(given_reasons)]:
                branch_id = self.branch_ids[name]
                self.hung_up.add(branch_id)
                if branch_id not in self.waiting and (branch_id != "in" or self.finals_to_caller):
                    self.over.add(branch_id)
                call.branch_ended(branch_id, given_reasons, now)
            case ["lose", str(name), int(cause)]:
                branch_id = self.branch_ids[name]
                if branch_id in self.waiting:  # it has no dialog that could break
                    return
                self.hung_up.add(branch_id)
                if branch_id == "in" and not self.finals_to_caller:
                    self.finals_to_caller += 1  # the user agent has refused it
                self.over.add(branch_id)
                call.branch_lost(branch_id, cause, now)
            case ["refresh", str(name)]:
                call.refresh_due(self.branch_ids[name], now)
            case ["ack", str(name), bytes(sdp)]:
                call.branch_confirmed(self.branch_ids[name], sdp, now)
            case ["offer", str(name), bytes(sdp)]:
                self.open_offers[self.branch_ids[name]] += 1
                call.branch_offered(self.branch_ids[name], sdp, now)
            case ["accept offer", str(name), bytes(sdp)]:
                call.offer_answered(self.branch_ids[name], sdp, now)
            case ["refuse offer", str(name), int(status)]:
                call.offer_rejected(self.branch_ids[name], status, now)
            case ["media replies", int(number), bytes(sdp)]:
                question = self.question(number)
                # mostly both sides send one codec
                call.media_replied(question, b"" if question in self.comparing and sdp != b"early" else sdp, now)
            case ["media fails", int(number), str(reason)]:
                call.media_failed(self.question(number), reason, now)
            case ["media stops", ("caller" | "callee") as side]:
                call.media_timed_out(side, now)
            case ["timer", int(number)]:
                names = sorted(self.timers) or ["no such timer"]
                name = names[number % len(names)]
                self.timers.discard(name)
                call.timer_fired(name, now)
            case ["transfer", str(side), bool(recalled)]:
                self.begin_transfer(side, recalled=recalled)
            case ["digits", str(side), str(digits)]:
                self.try_command(lambda: self.tokens.append(self.call.digits(self.leg_ids[side], digits, now)))
            case [("mute" | "unmute") as what, str(side)]:
                self.try_command(lambda: call.mute(self.leg_ids[side], now, on=what == "mute"))
            case [("clear" | "hold" | "unhold") as command, str(side)]:
                self.command(command, self.leg_ids[side])
            case [str(what), str(side)] if what.startswith("record_"):
                self.try_command(lambda: call.record(self.leg_ids[side], what, now))  # type: ignore[arg-type]
            case ["pick up", int(place), int(who)]:
                leg_id = list(call.legs)[place % len(call.legs)]
                self.take_place(lambda branch_id: call.pick_up(leg_id, EVERYBODY[who], branch_id, b"o", now))
            case ["move", str(side), bytes(sdp)]:
                self.take_place(lambda branch_id: call.move(self.leg_ids[side], branch_id, sdp or b"o", now))
            case ["terminate", int(cause)]:
                call.terminate(cause, now)
            case _:
                raise AssertionError(step)
        self._carry_out()

    def take_place(self, begin: Callable[[str], None]) -> None:
        """An INVITE comes that wants a place."""
        self.takers += 1
        branch_id = f"taker {self.takers}"
        try:
            begin(branch_id)
        except WrongStateError:
            return
        self.branch_ids["taker"] = branch_id
        self._names[branch_id] = branch_id
        self.waiting.add(branch_id)

    def withdrawn(self, branch_id: str) -> None:
        """The user agent has answered the CANCEL of an INVITE that wants a place."""
        if branch_id in self.waiting:
            self.waiting.remove(branch_id)
            self.over.add(branch_id)

    def forwarded(self, number: int, hops: list[Party]) -> None:
        """Have one more step to go when nobody answers: the third one leads nowhere."""
        devices = [["seven"], ["eight", "nine"], []][number % 3]
        self.branch_ids |= dict.fromkeys(devices, "no such branch")
        self.steps.append(Step(devices, hops, 7.0) if number % 4 < 3 else LOOP)

    def group(self, *people: tuple[Party, list[str]]) -> Step:
        """Members of a ringing group with their devices."""
        return Step((), (), 9.0, [Destination(party, devices) for party, devices in people])

    def question(self, number: int) -> str:
        """The id of an open question to the plane; each is answered once, most of them in order."""
        return self.asked.pop(min(number, len(self.asked) - 1)) if self.asked else "no such question"

    def try_command(self, command: Callable[[], object]) -> None:
        with contextlib.suppress(WrongStateError):
            command()

    def begin_transfer(self, side: str, *, recalled: bool) -> None:
        """Transfer the other side to a number with two devices; once each name has rung there are no more."""
        leg_id = self.leg_ids[side]
        view = self.call.legs[leg_id]
        own = next(party for party in EVERYBODY if party.number == view.number)
        taken = [name for name in NEW_NAMES if self.branch_ids[name] == "no such branch"]
        recall = [f"again {len(self.tokens)}"] if recalled else []
        self.branch_ids |= dict.fromkeys(recall, "no such branch")
        self.try_command(
            lambda: self.tokens.append(
                self.call.transfer(leg_id, Destination(PETRO, taken), Destination(own, recall), self.now)
            )
        )

    def command(self, command: str, leg_id: str) -> None:
        try:
            if command == "clear":
                self.call.clear(leg_id, self.now)
            else:
                token = self.call.hold(leg_id, self.now) if command == "hold" else self.call.unhold(leg_id, self.now)
                assert token not in self.tokens
                self.tokens.append(token)
        except WrongStateError:
            assert command != "clear" or self.call.phase is Phase.ENDED

    def _note(self, action: do.Action) -> None:
        super()._note(action)
        if type(action).__name__.startswith("Media"):
            assert not self.media_released
        match action:
            case do.Dial(branch_id):
                assert branch_id not in self.dialled
                self.dialled.add(branch_id)
            case do.Progress(branch_id):
                assert branch_id == "in"
                assert not self.finals_to_caller
            case do.Answer(branch_id) | do.Reject(branch_id):
                if branch_id == "in":
                    self.finals_to_caller += 1
                    assert self.finals_to_caller == 1
                else:
                    self.waiting.remove(branch_id)
                assert isinstance(action, do.Answer) or action.status >= 300
                (self.answered if isinstance(action, do.Answer) else self.over).add(branch_id)
            case do.Cancel(branch_id):
                assert branch_id in self.dialled - self.answered - self.over - self.cancelled
                self.cancelled.add(branch_id)
            case do.Bye(branch_id):
                assert branch_id in self.answered - self.over
                self.over.add(branch_id)
            case do.SendOffer(branch_id):
                assert branch_id in self.answered - self.over
            case do.AnswerOffer(branch_id) | do.RejectOffer(branch_id):
                self.open_offers[branch_id] -= 1
                assert self.open_offers[branch_id] >= 0
            case do.MediaOffer():
                self.media_open = True
            case do.MediaAlign(request_id):
                self.comparing.add(request_id)
            case do.MediaRecord(record_id, enterprise_id):
                assert record_id not in self.records_on
                assert enterprise_id not in self.records_on.values()
                self.records_on[record_id] = enterprise_id
            case do.ReplaceLeg(_, leg_id) | do.AddLeg(leg_id):
                self.all_legs.append(leg_id)
            case do.MediaRelease():
                self.media_released = True
            case do.StartTimer(name):
                self.timers.add(name)
            case do.StopTimer(name):
                self.timers.discard(name)
            case do.CommandDone(token) | do.CommandFailed(token):
                self.outcomes[token] += 1

    def check(self) -> None:
        """What holds at any moment."""
        counts = Counter(type(fact) for fact in self.facts)
        assert isinstance(self.facts[0], CallStarted)
        assert max(counts[kind] for kind in counts if kind not in REPEATED) == 1
        for before, fact in zip(self.facts, self.facts[1:], strict=False):
            assert not isinstance(before, CallEnded)
            assert fact.at >= before.at
            if isinstance(fact, TransferAnswered | RecordingStarted):
                assert counts[CallAnswered]
            if isinstance(fact, CallForwarded):
                assert not any(isinstance(each, CallAnswered) for each in self.facts[: self.facts.index(fact)])
            if isinstance(fact, CallPickedUp):
                assert fact.cause == 26
        assert counts[TransferAnswered] <= counts[CallTransferred]
        assert counts[CallEnded] == (self.call.phase is Phase.ENDED)
        assert not self.call.finished or self.call.phase is Phase.ENDED

    def check_end(self, *, originated: bool) -> None:
        """What holds when everybody is done."""
        assert self.call.finished
        assert self.finals_to_caller == (0 if originated else 1)
        assert self.dialled <= self.over
        assert self.waiting == set()
        assert self.media_released is self.media_open
        assert self.timers == set()
        assert not any(self.open_offers[branch_id] for branch_id in self.open_offers if branch_id not in self.hung_up)
        assert self.outcomes == Counter(self.tokens)
        ended = self.ended
        assert 1 <= ended.cause <= 127
        answered = any(isinstance(fact, CallAnswered) for fact in self.facts)
        assert (ended.sip_status == 200) is answered
        for leg_id in self.all_legs:
            told = [state for state in self.states if state.call_control_id == leg_id]
            assert OWNER_TOLD.fullmatch(" ".join(state.state_type for state in told))
            assert [state.sequence for state in told] == list(range(1, len(told) + 1))
        assert len({state.event_id for state in self.states}) == len(self.states)
        for record in self.records[:2]:
            assert record.cause == ended.cause
            assert (record.answered_at is not None) is answered
        assert all(record.ended_at is not None for record in self.records)


def settle(ladder: Watched) -> None:
    """Everybody reports what there is to report."""
    ladder.play(("terminate", 41))
    for name, branch_id in ladder.branch_ids.items():
        if branch_id in ladder.cancelled - ladder.over:
            ladder.play(("reject", name, 487, []))
    if ladder.answered - ladder.over:
        raise AssertionError("a dialog is left behind")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
@pytest.mark.parametrize("originated", [False, True])
def test_a_call_keeps_its_promises(data: st.DataObject, *, originated: bool) -> None:
    everybody = st.sampled_from([(OLENA, TARAS), (OLENA, STRANGER), (STRANGER, TARAS), (OLENA, COMPETITOR)])
    caller, callee = data.draw(everybody)
    devices = data.draw(st.sampled_from([["one"], ["one"], ["one", "two"], []]))
    destination = data.draw(st.sampled_from([["three"], ["three"], ["three", "four"], []]))
    story = data.draw(stories(originated=originated))
    if data.draw(st.booleans()):
        caller = replace(caller, record=True)
    ladder = Watched()
    for number in range(data.draw(st.sampled_from([0, 0, 1, 2, 3]))):
        ladder.forwarded(number, data.draw(st.lists(st.sampled_from([PETRO, STRANGER, COMPETITOR]), max_size=2)))
    if originated:
        ladder.branch_ids["caller"] = "no such branch"
        ladder.originate(devices, destination, caller=caller, callee=callee)
    else:
        grouped = data.draw(st.sampled_from([None, None, [["one"], ["two", "three"]], [["one", "three"]]]))
        people = [] if grouped is None else zip([TARAS, PETRO], grouped, strict=False)
        first = None if grouped is None else ladder.group(*people)
        sdp = data.draw(st.sampled_from([b"o", b""]))
        ladder.invite(*devices, *destination, caller=caller, callee=callee, sdp=sdp, first=first)
    ladder.check()
    for step in story:
        ladder.play(step)
        ladder.check()
    settle(ladder)
    ladder.check_end(originated=originated)
    after = len(ladder.facts)
    for step in story:
        ladder.play(step)
    assert len(ladder.facts) == after
    ladder.check_end(originated=originated)


def random_step(choice: random.Random) -> tuple[object, ...]:
    """A step, most of the time one that keeps a call going."""
    talker = choice.choice(
        ["caller", "caller", "one", "one", "two", "three", "three", "four", "five", "six", "seven", "eight"]
    )
    sdp = choice.choice(SDPS)
    if choice.random() < 0.03:
        return choice.choice(
            [
                ("answer", talker, sdp),
                ("reject", talker, choice.choice(STATUSES), []),
                ("cancel", "caller", []),
                ("hang up", talker, [Reason("Q.850", choice.randint(-1, 200), "")]),
                ("media fails", choice.randint(0, 3), choice.choice(["not acceptable", "gone"])),
                ("media stops", choice.choice(["caller", "callee"])),
                ("transfer", choice.choice(["caller", "callee"]), choice.random() < 0.5),
                ("transfer", choice.choice(["caller", "callee"]), choice.random() < 0.5),
                ("pick up", choice.randint(0, 3), choice.randint(0, 3)),
                ("pick up", choice.randint(0, 3), choice.randint(0, 3)),
                ("move", choice.choice(["caller", "callee"]), sdp),
                ("move", choice.choice(["caller", "callee"]), sdp),
                ("clear", choice.choice(["caller", "callee"])),
                ("terminate", choice.randint(1, 127)),
            ]
        )
    if choice.random() < 0.03:
        return ("timer", choice.randint(0, 3))
    return choice.choice(
        [
            ("media replies", 0, sdp or b"plane"),
            ("media replies", 0, sdp or b"plane"),
            ("media replies", 0, sdp or b"plane"),
            ("media replies", 0, sdp or b"plane"),
            ("media replies", 0, sdp or b"plane"),
            ("media replies", 0, sdp or b"plane"),
            ("progress", talker, choice.choice([180, 183]), sdp),
            ("offer", talker, sdp),
            ("ack", talker, sdp or b"answer"),
            ("accept offer", talker, sdp),
            ("accept offer", talker, sdp),
            ("accept offer", talker, sdp),
            ("refuse offer", talker, choice.choice([408, 488])),
            ("hold", choice.choice(["caller", "callee"])),
            ("unhold", choice.choice(["caller", "callee"])),
            ("reject", choice.choice(["two", "four", "five", "six"]), 486, []),
            ("answer", choice.choice(["five", "six"]), sdp),
            ("digits", choice.choice(["caller", "callee"]), "12"),
            ("hold", choice.choice(["caller", "callee"])),
            (choice.choice(["mute", "unmute", "record_start", "record_pause"]), choice.choice(["caller", "callee"])),
        ]
    )


def test_a_thousand_long_calls_keep_their_promises() -> None:
    """The same with stories of another kind: long, and seldom ended; seeded, so always the same thousand."""
    met: Counter[str] = Counter()
    for seed in range(1000):
        choice = random.Random(seed)
        ladder = Watched()
        recorded = replace(OLENA, record=choice.random() < 0.5)
        originated = choice.random() < 0.5
        for number in range(choice.choice([0, 0, 0, 1, 2, 3])):
            ladder.forwarded(number, [PETRO])
        if originated:
            ladder.branch_ids["caller"] = "no such branch"
            ladder.originate(["one", "two"], ["three", "four"], caller=recorded)
        else:
            grouped = ladder.group((TARAS, ["one"]), (PETRO, ["three", "four"])) if choice.random() < 0.3 else None
            ladder.invite("one", "three", sdp=choice.choice([b"offer", b""]), caller=recorded, first=grouped)
        refused = bool(ladder.steps) and not originated and choice.random() < 0.4
        for step in PATHS[originated]:
            ladder.play(step)
            if refused:  # at once or after early media
                ladder.play(("reject", "three", 486, []))
                ladder.play(("reject", "one", 503, []))
                ladder.play(("answer", "seven", b"answer"))
            if choice.random() < 0.3:
                ladder.play(random_step(choice))
            if choice.random() < 0.2:
                for taking in (("pick up", 1, choice.randint(0, 3)), ("media replies", 0, b"plane")):
                    ladder.play(taking)
        for number in range(80):
            if number == 30 and choice.random() < 0.3:
                for step in TRANSFER:
                    ladder.play(step)
            ladder.play(random_step(choice))
            ladder.check()
        settle(ladder)
        ladder.check_end(originated=originated)
        met["taken"] += sum(line.startswith("to taker") and line.endswith(": 200") for line in ladder.lines)
        met.update(set(ladder.fact_names) | set(ladder.commands.values()) | set(ladder.lines))
    assert min(met[name] for name in ("CallHeld", "CallResumed", "held", "RecordingStarted")) > 50
    assert min(met[name] for name in ("CallTransferred", "TransferAnswered", "finished")) > 50
    assert min(met[name] for name in ("CallForwarded", "MemberCalled", "MemberLeft")) > 50
    assert met["CallPickedUp"] > 50
    assert met["taken"] > 150
    assert min(met[name] for name in ("refused_by_phone", "no_answer_from_phone", "wrong_state", "established")) > 30
    assert min(met[line] for line in ("media: play music to caller", "media: sendonly to callee")) > 30
    assert min(met[f"media: codec of the other side to {side}"] for side in ("caller", "callee")) > 50
