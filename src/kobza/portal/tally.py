"""Counting calls for the statistics: a fold over all calls of an interval, made in the export process (ADR 27).

Hours and weekdays are those of Kyiv. In the night when clocks go back, the hour that comes twice counts as one, so that
no call is lost; in the one when they go forward, the hour that is skipped has no calls.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from kobza.call.routing import ANONYMOUS
from kobza.portal.formats import wall_moment
from kobza.store.export import CallReader

LOST_KEPT: Final = 1000
"""Callers that nobody called back, in the result: those who called last. All are counted."""
FOLLOWED_MS: Final = 31 * 86_400_000
"""For how long after the interval a call back is looked for."""
_HOUR_MS: Final = 3_600_000

ANSWERED, MISSED, OUTGOING, LOCAL = range(4)
"""Places in a count of calls: incoming ones that were answered, incoming ones that were not, outgoing, local."""
KINDS: Final = ("answered", "missed", "outgoing", "local")


class OfNumber(msgspec.Struct):
    """What one number of the enterprise had. A local call is one of both numbers."""

    answered: int = 0
    missed: int = 0
    waited_ms: int = 0
    """For how long the answered ones rang, in all."""
    made: int = 0
    got_through: int = 0
    """Calls made that were answered."""
    talk_ms: int = 0


class LostCaller(msgspec.Struct, array_like=True):
    """Somebody outside whose call was missed and with whom nobody has talked since."""

    number: str
    calls: int
    """Missed since the last talk."""
    last_at: int
    called_number: str
    tried: int = 0
    """Calls to this number since, that were not answered either."""


class Tally(msgspec.Struct):
    """The counts. Calls are counted by the moment at which they began."""

    days: dict[str, list[int]]
    """By day (`2026-04-20`), only those with calls: one count for each of KINDS."""
    week: list[list[list[int]]]
    """By weekday from Monday on, and by hour."""
    waited: dict[int, int]
    """Answered incoming calls by the whole seconds that they rang."""
    waited_ms: int
    talks: int
    """Calls that were answered, of any kind."""
    talk_ms: int
    people: dict[str, OfNumber]
    lost: list[LostCaller]
    lost_count: int
    lost_hidden: int
    """Missed calls without a number: nobody can call those back."""


class Counter:
    """The fold. Give it calls in their order, then those of the time after the interval."""

    def __init__(self, among: frozenset[str] | None = None) -> None:
        self._among = among
        self._days: dict[str, list[int]] = {}
        self._week = [[[0] * len(KINDS) for _ in range(24)] for _ in range(7)]
        self._waited: dict[int, int] = {}
        self._waited_ms = self._talks = self._talk_ms = self._hidden = 0
        self._people: dict[str, OfNumber] = {}
        self._lost: dict[str, LostCaller] = {}
        self._hour = -1
        self._of_day: list[int] = []
        self._of_hour: list[int] = []

    def add(self, calls: Sequence[Sequence[Any]]) -> None:
        """Count calls: rows of `CallScanner.between`."""
        among = self._among
        for started, _, ringing, answered, ended, direction, calling, called, answerer in calls:
            if started // _HOUR_MS != self._hour:
                self._turn_to(started)
            maker = receiver = None
            if direction == "incoming":
                kind = MISSED if answered is None else ANSWERED
            else:
                maker = calling
                kind = OUTGOING if direction == "outgoing" else LOCAL
            if direction != "outgoing":
                # Whoever picked up has the call; one that nobody did is missed by the one who was called.
                receiver = called if answered is None else answerer or called
            if among is not None:
                maker = maker if maker in among else None
                receiver = receiver if receiver in among else None
            if maker is not None or receiver is not None:
                self._of_day[kind] += 1
                self._of_hour[kind] += 1
                talk = 0
                if answered is not None:
                    talk = max(0, ended - answered)
                    self._talk_ms += talk
                    self._talks += 1
                if maker is not None:
                    self._make(maker, talk, answered is not None)
                if receiver is not None:
                    if answered is None:
                        self._of(receiver).missed += 1
                    else:
                        waited = 0 if ringing is None else max(0, answered - ringing)
                        self._take(receiver, talk, waited)
                        if kind == ANSWERED:
                            self._waited_ms += waited
                            self._waited[waited // 1000] = self._waited.get(waited // 1000, 0) + 1
            if kind == LOCAL:
                continue
            outside = called if kind == OUTGOING else calling
            if answered is None:
                self._miss(started, kind, outside, called, counted=receiver is not None)
            else:
                self._lost.pop(outside, None)

    def follow(self, calls: Sequence[Sequence[Any]]) -> None:
        """Look in calls after the interval for talks with those who were missed within it."""
        for started, _, _, answered, _, direction, calling, called, _ in calls:
            if direction == "local":
                continue
            outside = called if direction == "outgoing" else calling
            if answered is not None:
                self._lost.pop(outside, None)
            elif direction == "outgoing":
                self._miss(started, OUTGOING, outside, called, counted=False)

    @property
    def anybody_lost(self) -> bool:
        """Whether a talk that is still to come could change something."""
        return bool(self._lost)

    def result(self) -> Tally:
        """Return the counts as they are."""
        lost = sorted(self._lost.values(), key=lambda caller: caller.last_at, reverse=True)
        return Tally(
            days={day: counts for day, counts in self._days.items() if any(counts)},
            week=self._week,
            waited=self._waited,
            waited_ms=self._waited_ms,
            talks=self._talks,
            talk_ms=self._talk_ms,
            people=self._people,
            lost=lost[:LOST_KEPT],
            lost_count=len(lost),
            lost_hidden=self._hidden,
        )

    def _turn_to(self, moment: int) -> None:
        """Find where an hour of UTC is counted: zones of Kyiv differ by whole hours from it, always."""
        self._hour = moment // _HOUR_MS
        wall = wall_moment(moment)
        self._of_day = self._days.setdefault(wall.date().isoformat(), [0] * len(KINDS))
        self._of_hour = self._week[wall.weekday()][wall.hour]

    def _of(self, number: str) -> OfNumber:
        found = self._people.get(number)
        if found is None:
            found = self._people[number] = OfNumber()
        return found

    def _make(self, number: str, talk: int, answered: bool) -> None:
        person = self._of(number)
        person.made += 1
        person.got_through += answered
        person.talk_ms += talk

    def _take(self, number: str, talk: int, waited: int) -> None:
        person = self._of(number)
        person.answered += 1
        person.waited_ms += waited
        person.talk_ms += talk

    def _miss(self, at: int, kind: int, outside: str, called: str, *, counted: bool) -> None:
        """Remember a caller who was missed, until somebody talks with him, whoever calls whom."""
        known = self._lost.get(outside)
        if kind == OUTGOING:
            if known is not None:
                known.tried += 1
        elif not counted:
            return
        elif outside == ANONYMOUS:
            self._hidden += 1
        elif known is None:
            self._lost[outside] = LostCaller(outside, 1, at, called)
        else:
            known.calls, known.last_at, known.called_number = known.calls + 1, at, called


def tally_pieces(
    reader: CallReader, enterprise_id: str, from_ms: int, to_ms: int, department: str | None
) -> Iterator[bytes]:
    """Return the counts as JSON, after an empty piece for each page that was read."""
    scanner = reader.scanner()
    counter = Counter(None if department is None else scanner.of_department(enterprise_id, department))
    for page in scanner.between(enterprise_id, from_ms, to_ms):
        counter.add(page)
        yield b""
    if counter.anybody_lost:
        for page in scanner.between(enterprise_id, to_ms + 1, to_ms + FOLLOWED_MS):
            counter.follow(page)
            yield b""
    yield msgspec.json.encode(counter.result())
