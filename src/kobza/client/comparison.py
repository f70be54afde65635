"""What differs between the calls that two servers tell of one interval. Pure.

Calls are matched first: by their numbers, by start and end within a tolerance, by duration and direction; one to one,
with the least difference in all (`kobza.client.matching`). Then each pair is compared field by field.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kobza.client.history import plain_number
from kobza.client.matching import assign
from kobza.client.models import HistoryCall, StatisticsRow
from kobza.client.wall import KYIV

ALONE: Final = 4000
"""What two calls cost that are left alone; every pair that can be is cheaper."""
TIME_COST: Final = 400
"""Of a start, and of an end, that is as far off as the tolerance, or farther."""
SECOND_COST: Final = 5
"""Of each second by which durations differ, up to LONGEST_COUNTED."""
LONGEST_COUNTED: Final = 60
DIRECTION_COST: Final = 400
FIELD_COST: Final = 10
"""Of every field that differs: so that of calls that are near each other those are paired that are wholly the same."""
NUMBER_COST: Final = 1500
"""Of another number on one side, or of the two numbers swapped."""

STATISTICS_FIELDS: Final = (
    "start_timestamp",
    "end_timestamp",
    "calling_number",
    "duration",
    "called_number",
    "calling_name",
    "called_name",
    "calling_department",
    "called_department",
    "calling_ownership",
    "called_ownership",
    "direction",
)
HISTORY_FIELDS: Final = (
    "start_datetime",
    "end_datetime",
    "calling_number",
    "called_number",
    "call_duration",
    "ringing",
    "direction",
    "cause",
    "recorded",
)
TIMES: Final = frozenset({"start_timestamp", "end_timestamp", "start_datetime", "end_datetime"})
SECONDS: Final = frozenset({"duration", "call_duration", "ringing"})


@dataclass(frozen=True, slots=True)
class ComparedCall:
    """A call of one side: what it is matched by, and its fields as the API names them."""

    calling: str
    called: str
    started_at: float
    ended_at: float
    duration: int
    direction: str | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same on both sides."""

    field: str
    theirs: Any
    ours: Any


@dataclass(frozen=True, slots=True)
class DifferingCall:
    """A call that both have, with what is not the same."""

    theirs: ComparedCall
    ours: ComparedCall
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result, each list in the order of time."""

    theirs: int
    ours: int
    """How many calls each side has."""
    same: int
    differing: tuple[DifferingCall, ...]
    only_theirs: tuple[ComparedCall, ...]
    only_ours: tuple[ComparedCall, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.differing or self.only_theirs or self.only_ours)


def statistics_call(row: StatisticsRow) -> ComparedCall:
    """Prepare a row of the basic call information. A field that a side did not tell is None."""
    told = {"start_timestamp": wall_text(row.started_at), "end_timestamp": wall_text(row.ended_at)}
    fields = {name: told[name] if name in told else getattr(row, name) for name in STATISTICS_FIELDS}
    return _compared(row.calling_number, row.called_number, row.started_at, row.ended_at, row.duration, fields)


def history_call(call: HistoryCall) -> ComparedCall:
    """Prepare a call of the history. Its ids are each server's own and are not compared, but whether it is recorded."""
    told = {
        "start_datetime": wall_text(call.started_at),
        "end_datetime": wall_text(call.ended_at),
        "recorded": call.record_id is not None,
    }
    fields = {name: told[name] if name in told else getattr(call, name) for name in HISTORY_FIELDS}
    return _compared(
        call.calling_number, call.called_number, call.started_at, call.ended_at, call.call_duration, fields
    )


def wall_text(at: datetime) -> str:
    """Write a moment as the API does: wall time of Kyiv, to the second."""
    return f"{at.astimezone(KYIV):%Y-%m-%d %H:%M:%S}"


def compare(
    theirs: Sequence[ComparedCall],
    ours: Sequence[ComparedCall],
    *,
    tolerance: int = 10,
    slack: int = 0,
    ignored: Collection[str] = (),
) -> Comparison:
    """Match the calls of two sides and compare them.

    `tolerance`: seconds by which start or end of one call may differ. `slack`: seconds by which times and durations may
    differ without a mention. `ignored`: names of fields that are not compared.
    """
    matched = assign(_edges(theirs, ours, max(tolerance, slack)), ALONE)
    differing: list[DifferingCall] = []
    for left, right in matched.items():
        differences = tuple(_differences(theirs[left], ours[right], slack, ignored))
        if differences:
            differing.append(DifferingCall(theirs[left], ours[right], differences))
    taken = set(matched.values())
    return Comparison(
        theirs=len(theirs),
        ours=len(ours),
        same=len(matched) - len(differing),
        differing=tuple(sorted(differing, key=lambda pair: pair.theirs.started_at)),
        only_theirs=_by_time(call for position, call in enumerate(theirs) if position not in matched),
        only_ours=_by_time(call for position, call in enumerate(ours) if position not in taken),
    )


def _compared(
    calling: str, called: str, started_at: datetime, ended_at: datetime, duration: int, fields: Mapping[str, Any]
) -> ComparedCall:
    return ComparedCall(
        calling=plain_number(calling),
        called=plain_number(called),
        started_at=float(started_at.timestamp() // 1),
        ended_at=float(ended_at.timestamp() // 1),
        duration=duration,
        direction=fields["direction"],
        fields=fields,
    )


def _by_time(calls: Iterable[ComparedCall]) -> tuple[ComparedCall, ...]:
    return tuple(sorted(calls, key=lambda call: call.started_at))


def _edges(theirs: Sequence[ComparedCall], ours: Sequence[ComparedCall], tolerance: int) -> list[dict[int, int]]:
    """Return for each of theirs which of ours it may be: one that shares a number and is near in time."""
    near = _Index(ours, tolerance)
    edges: list[dict[int, int]] = []
    for call in theirs:
        found = {position: _cost(call, ours[position], tolerance) for position in near.of(call)}
        edges.append({position: cost for position, cost in sorted(found.items()) if cost < ALONE})
    return edges


class _Index:
    """The calls of a side by number, in the order of their starts and of their ends."""

    def __init__(self, calls: Sequence[ComparedCall], tolerance: int) -> None:
        self._tolerance = tolerance
        self._starts: dict[str, list[tuple[float, int]]] = {}
        self._ends: dict[str, list[tuple[float, int]]] = {}
        for position, call in enumerate(calls):
            for number in {call.calling, call.called}:
                if number:  # two withheld numbers are not the same one
                    self._starts.setdefault(number, []).append((call.started_at, position))
                    self._ends.setdefault(number, []).append((call.ended_at, position))
        for rows in (*self._starts.values(), *self._ends.values()):
            rows.sort()

    def of(self, call: ComparedCall) -> set[int]:
        """Return the positions of the calls that share a number and whose start or end is near."""
        found: set[int] = set()
        for number in {call.calling, call.called}:
            found |= self._near(self._starts.get(number, []), call.started_at)
            found |= self._near(self._ends.get(number, []), call.ended_at)
        return found

    def _near(self, rows: Sequence[tuple[float, int]], at: float) -> set[int]:
        first = bisect_left(rows, (at - self._tolerance, -1))
        last = bisect_right(rows, (at + self._tolerance, len(rows) + 10**9))
        return {position for _, position in rows[first:last]}


def _cost(theirs: ComparedCall, ours: ComparedCall, tolerance: int) -> int:
    """Return what two calls differ by."""
    bound = max(1, tolerance)
    apart = min(abs(theirs.started_at - ours.started_at), bound) + min(abs(theirs.ended_at - ours.ended_at), bound)
    cost: int = int(TIME_COST * apart / bound)
    cost += FIELD_COST * sum(ours.fields.get(name) != value for name, value in theirs.fields.items())
    cost += SECOND_COST * min(abs(theirs.duration - ours.duration), LONGEST_COUNTED)
    if theirs.direction != ours.direction and None not in (theirs.direction, ours.direction):
        cost += DIRECTION_COST
    if (theirs.calling, theirs.called) == (ours.called, ours.calling) and theirs.calling != theirs.called:
        return cost + NUMBER_COST
    if theirs.calling != ours.calling and theirs.called != ours.called:
        return ALONE  # a caller of the one is the called of the other: two calls of one number
    return cost + NUMBER_COST * ((theirs.calling != ours.calling) + (theirs.called != ours.called))


def _differences(
    theirs: ComparedCall, ours: ComparedCall, slack: int, ignored: Collection[str]
) -> Iterator[Difference]:
    apart = {
        "start_timestamp": theirs.started_at - ours.started_at,
        "start_datetime": theirs.started_at - ours.started_at,
        "end_timestamp": theirs.ended_at - ours.ended_at,
        "end_datetime": theirs.ended_at - ours.ended_at,
    }
    for name, value in theirs.fields.items():
        other = ours.fields.get(name)
        if name in ignored or value == other:
            continue
        if name in TIMES and abs(apart[name]) <= slack:
            continue
        if name in SECONDS and None not in (value, other) and abs(value - other) <= slack:
            continue
        yield Difference(name, value, other)


def as_document(result: Comparison) -> dict[str, Any]:
    """Return the result for programs."""
    return {
        "equal": result.equal,
        "theirs": result.theirs,
        "ours": result.ours,
        "same": result.same,
        "differing": [
            {
                "theirs": dict(pair.theirs.fields),
                "ours": dict(pair.ours.fields),
                "fields": {each.field: {"theirs": each.theirs, "ours": each.ours} for each in pair.differences},
            }
            for pair in result.differing
        ],
        "only_theirs": [dict(call.fields) for call in result.only_theirs],
        "only_ours": [dict(call.fields) for call in result.only_ours],
    }


def in_words(result: Comparison) -> Iterator[str]:
    """Return the result for people: a summary, then a line for each call that is not the same, in the order of time."""
    yield (
        f"theirs {result.theirs} calls, ours {result.ours}: {result.same} the same, {len(result.differing)} differ, "
        f"{len(result.only_theirs)} only theirs, {len(result.only_ours)} only ours"
    )
    lines: list[tuple[float, str]] = []
    lines += [(call.started_at, f"only theirs: {_words(call)}") for call in result.only_theirs]
    lines += [(call.started_at, f"only ours:   {_words(call)}") for call in result.only_ours]
    for pair in result.differing:
        told = "; ".join(_difference_words(each, pair) for each in pair.differences)
        lines.append((pair.theirs.started_at, f"differs:     {_words(pair.theirs)}: {told}"))
    for _, line in sorted(lines, key=lambda line: line[0]):
        yield line


def _words(call: ComparedCall) -> str:
    start = call.fields.get("start_timestamp") or call.fields.get("start_datetime")
    numbers = f"{call.fields['calling_number'] or 'withheld'} -> {call.fields['called_number'] or 'withheld'}"
    return f"{start} {numbers}, {call.duration} s"


def _difference_words(each: Difference, pair: DifferingCall) -> str:
    name = each.field.replace("_", " ")
    if each.field in TIMES:
        which = "started_at" if each.field.startswith("start") else "ended_at"
        later = int(getattr(pair.ours, which) - getattr(pair.theirs, which))
        return f"{name} is {abs(later)} s {'later' if later > 0 else 'earlier'} in ours ({each.ours})"
    return f"{name} is {_value(each.theirs)} in theirs, {_value(each.ours)} in ours"


def _value(value: Any) -> str:
    match value:
        case None:
            return "absent"
        case bool():
            return "yes" if value else "no"
        case "":
            return "empty"
        case str():
            return f"'{value}'"
        case _:
            return str(value)
