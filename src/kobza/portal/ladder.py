"""A call as a ladder: a bar for the call and one for each leg, divided by what state it was in and when. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kobza.call.states import StateType
from kobza.store.calls import HistoryRow
from kobza.store.events import Event

WIDTH: Final = 1000
"""Of the whole call."""
LEAST: Final = 4
"""Of a state, so that a moment is seen."""
_SHOWN: Final = {StateType.RESUMED: StateType.ESTABLISHED}
"""What a state is called while it lasts."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A state of a leg: where it begins, how wide it is (of WIDTH), and how many seconds it lasted, rounded."""

    state: str
    """dialling, alerting, established or held."""
    x: int
    width: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Rung:
    """One leg, or with an empty owner the call itself. Numbers are E.164 or short codes."""

    owner: str
    other: str
    direction: str
    segments: list[Segment]


def ladder(call: HistoryRow, events: Sequence[Event]) -> list[Rung]:
    """Return the call itself and then its legs in the order in which they began."""
    begin, end = call.started_at, max(call.ended_at, call.started_at + 1)
    marks = [("dialling", call.started_at), ("alerting", call.ringing_at), ("established", call.answered_at)]
    rungs = [Rung("", "", call.direction, _segments([(s, at) for s, at in marks if at is not None], end, begin, end))]
    legs: dict[str, list[Event]] = {}
    for event in events:
        if event.state_owner and event.state_type != StateType.RECORD_READY:
            legs.setdefault(event.call_control_id, []).append(event)
    for states in legs.values():
        states.sort(key=lambda event: event.sequence)
        over = next((each.occurred_at for each in states if each.state_type == StateType.FINISHED), end)
        lasted = [
            (str(_SHOWN.get(StateType(each.state_type), each.state_type)), each.occurred_at)
            for each in states
            if each.state_type != StateType.FINISHED
        ]
        first = states[0]
        segments = _segments(lasted, over, begin, end)
        rungs.append(Rung(first.state_owner, first.phone_number, first.call_direction, segments))
    return rungs


def _segments(states: Iterable[tuple[str, int]], over: int, begin: int, end: int) -> list[Segment]:
    """Divide a bar by states with the moments (ms) at which they began; the last one ends at `over`."""
    marks = sorted(states, key=lambda mark: mark[1])
    segments = []
    for (state, since), (_, until) in pairwise([*marks, ("", over)]):
        if until <= since:
            continue
        x = _place(since, begin, end)
        width = max(LEAST, _place(until, begin, end) - x)
        segments.append(Segment(state, min(x, WIDTH - LEAST), width, round((until - since) / 1000)))
    return segments


def _place(at: int, begin: int, end: int) -> int:
    return round(WIDTH * (min(max(at, begin), end) - begin) / (end - begin))
