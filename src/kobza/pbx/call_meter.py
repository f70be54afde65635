"""How calls go, in numbers: attempts, answers, ends by cause, setup and talk times, also for each trunk.

Fed with the facts of calls, which exist anyway: some microseconds a call.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal

from kobza.call import causes
from kobza.call.events import (
    CallAnswered,
    CallEnded,
    CallFact,
    CallRinging,
    CallStarted,
    CallTransferred,
    Origin,
    TransferAnswered,
)
from kobza.measures import Histogram

Direction = Literal["incoming", "outgoing", "local"]
"""As the server sees a call: from outside, to outside, or between numbers of its own, whoever owns them."""
Outcome = Literal["answered", "busy", "no_answer", "rejected", "cancelled", "absent", "wrong_number", "failed"]
"""What became of a call. The first six say that the network did its part (ITU-T E.425, network effectiveness)."""

DIRECTIONS: Final[tuple[Direction, ...]] = ("incoming", "outgoing", "local")
SETUP_BOUNDS: Final[Sequence[float]] = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
"""Seconds until something rings. Beyond three the caller wonders, beyond eight it is a fault (ITU-T E.721)."""
TALK_BOUNDS: Final[Sequence[float]] = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)
"""Seconds of talk."""

_OUTCOMES: Final[dict[int, Outcome]] = {
    causes.UNALLOCATED: "wrong_number",
    causes.USER_BUSY: "busy",
    causes.NO_USER_RESPONDING: "no_answer",
    causes.NO_ANSWER: "no_answer",
    causes.SUBSCRIBER_ABSENT: "absent",
    causes.CALL_REJECTED: "rejected",
    causes.NUMBER_CHANGED: "wrong_number",
    causes.INVALID_NUMBER: "wrong_number",
    causes.NORMAL_CLEARING: "cancelled",
    causes.NORMAL_UNSPECIFIED: "cancelled",
}
"""Of a call that was not answered, by its cause; every other cause is a failure."""


def outcome_of(cause: int, *, answered: bool) -> Outcome:
    """Return what became of a call."""
    return "answered" if answered else _OUTCOMES.get(cause, "failed")


class CallMeter:
    """The counters of one switch. They only grow."""

    def __init__(self) -> None:
        self.attempts: defaultdict[tuple[Direction, Origin], int] = defaultdict(int)
        self.answers: defaultdict[Direction, int] = defaultdict(int)
        self.ends: defaultdict[tuple[Direction, Outcome, int], int] = defaultdict(int)
        """The last is the cause (Q.850)."""
        self.refused = 0
        """Calls that could not even be written down: the journal takes no more."""
        self.setup = {direction: Histogram(SETUP_BOUNDS) for direction in DIRECTIONS}
        """Seconds from the INVITE to the first sign of life of the called side (post-dial delay)."""
        self.talk = {direction: Histogram(TALK_BOUNDS) for direction in DIRECTIONS}
        self.trunk_attempts: defaultdict[tuple[str, Direction], int] = defaultdict(int)
        """By the trunk's name; for each leg that goes by it."""
        self.trunk_answers: defaultdict[tuple[str, Direction], int] = defaultdict(int)
        self.trunk_ends: defaultdict[tuple[str, Direction, Outcome], int] = defaultdict(int)

    @property
    def active(self) -> dict[Direction, int]:
        """Calls that are on, by direction."""
        active: dict[Direction, int] = dict.fromkeys(DIRECTIONS, 0)
        for (direction, _), count in self.attempts.copy().items():
            active[direction] += count
        for (direction, _, _), count in self.ends.copy().items():
            active[direction] -= count
        return active

    @property
    def on_trunks(self) -> dict[tuple[str, Direction], int]:
        """Legs of calls that are on by a trunk, by its name."""
        on = dict(self.trunk_attempts)
        for (name, way, _), count in self.trunk_ends.copy().items():
            on[name, way] -= count
        return on

    @property
    def talking(self) -> dict[Direction, int]:
        """Those of them that were answered."""
        talking: dict[Direction, int] = {direction: self.answers[direction] for direction in DIRECTIONS}
        for (direction, outcome, _), count in self.ends.copy().items():
            if outcome == "answered":
                talking[direction] -= count
        return talking


class MeteredCall:
    """What is remembered of one call until it ends."""

    __slots__ = ("_answered_at", "_direction", "_is_on", "_meter", "_started_at", "_trunks")

    def __init__(self, meter: CallMeter) -> None:
        self._meter = meter
        self._direction: Direction = "local"
        self._is_on = False
        self._started_at: float | None = None
        """None once its setup is measured, and when there is none to measure."""
        self._answered_at: float | None = None
        self._trunks: tuple[tuple[str, Direction, bool, str], ...] = ()
        """Name, direction, whether it was answered there, and the branch of a leg that goes out."""

    def came_by(self, trunk: str) -> None:
        """Note, before the call's first facts, by which trunk it came."""
        self._trunks += ((trunk, "incoming", False, ""),)

    def goes_by(self, trunk: str, branch_id: str) -> None:
        """Note that a leg of the call goes out by a trunk."""
        self._trunks += ((trunk, "outgoing", False, branch_id),)
        self._meter.trunk_attempts[trunk, "outgoing"] += 1

    def failed_over(self, branch_id: str) -> str | None:
        """Note that the trunk of a branch failed and another one is tried: the call's end is none of its own.

        Return its name; None when the branch never went out.
        """
        for used in self._trunks:
            name, way, _, branch = used
            if branch == branch_id:
                self._trunks = tuple([each for each in self._trunks if each[3] != branch_id])
                self._meter.trunk_ends[name, way, "failed"] += 1
                return name
        return None

    def feed(self, facts: Sequence[CallFact]) -> None:
        """Take the next facts."""
        for fact in facts:
            kind = type(fact)
            if kind is CallRinging:
                self._set_up(fact.at)
            elif kind is CallAnswered:
                self._set_up(fact.at)
                self._answered_at = fact.at
                self._meter.answers[self._direction] += 1
                self._trunks_answered()
            elif type(fact) is CallEnded:
                self._end(fact)
            elif type(fact) is CallStarted:
                self._begin(fact)
            elif kind is TransferAnswered:
                self._trunks_answered()
            elif kind is CallTransferred:
                self._started_at = None

    def cut_off(self) -> None:
        """Count a call that is forgotten without an end of its own as failed; nothing for one that has ended."""
        if self._is_on:
            self._over(causes.TEMPORARY_FAILURE)

    def _begin(self, fact: CallStarted) -> None:
        self._is_on = True
        if fact.caller.enterprise_id is None:
            self._direction = "incoming"
        elif fact.callee.enterprise_id is None:
            self._direction = "outgoing"
        if fact.origin != "api":  # a click is no INVITE: the originator's own phone comes first
            self._started_at = fact.at
        self._meter.attempts[self._direction, fact.origin] += 1
        for name, way, _, _ in self._trunks:
            self._meter.trunk_attempts[name, way] += 1

    def _set_up(self, at: float) -> None:
        if self._started_at is not None:
            self._meter.setup[self._direction].observe(at - self._started_at)
            self._started_at = None

    def _end(self, fact: CallEnded) -> None:
        if self._answered_at is not None:
            self._meter.talk[self._direction].observe(fact.at - self._answered_at)
        self._over(fact.cause)

    def _over(self, cause: int) -> None:
        self._is_on = False
        self._meter.ends[self._direction, outcome_of(cause, answered=self._answered_at is not None), cause] += 1
        for name, way, answered, _ in self._trunks:
            self._meter.trunk_ends[name, way, outcome_of(cause, answered=answered)] += 1

    def _trunks_answered(self) -> None:
        if self._trunks:
            for name, way, answered, _ in self._trunks:
                if not answered:
                    self._meter.trunk_answers[name, way] += 1
            self._trunks = tuple([(name, way, True, branch) for name, way, _, branch in self._trunks])
