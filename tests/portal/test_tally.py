"""Counting calls: whose they are, on which day and hour, and who was never called back."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.routing import ANONYMOUS
from kobza.portal.tally import KINDS, LOCAL, OUTGOING, Counter, LostCaller, OfNumber, Tally
from kobza.store.scan import ScannedCall

ANNA, BOHDAN, CLIENT, OTHER = "+380671111111", "+380672222222", "+380501112233", "+48221234567"


def at(text: str) -> int:
    """Return a moment (ms) written as UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def call(
    started: int,
    direction: str,
    calling: str,
    called: str,
    *,
    rang: int | None = 4000,
    talk: int | None = None,
    **more: Any,
) -> ScannedCall:
    """Return a call that rang (ms) and, answered, lasted (ms)."""
    ringing = None if rang is None else started + 1000
    picked_up = None if talk is None else (ringing or started) + (rang or 0)
    ended = (picked_up or started + 20_000) + (talk or 0)
    answerer = more.get("answerer", None if talk is None else called)
    return ScannedCall(started, f"c{started}", ringing, picked_up, ended, direction, calling, called, answerer)


def count(*calls: ScannedCall, among: frozenset[str] | None = None, later: tuple[ScannedCall, ...] = ()) -> Tally:
    counter = Counter(among)
    counter.add(calls)
    counter.follow(later)
    return msgspec.json.decode(msgspec.json.encode(counter.result()), type=Tally)


MONDAY = at("2026-04-20T06:00:00")
"""09:00 in Kyiv."""


def test_a_call_counts_for_who_answered_and_a_missed_one_for_who_was_called() -> None:
    tally = count(
        call(MONDAY, "incoming", CLIENT, ANNA, talk=60_000),
        call(MONDAY + 1, "incoming", CLIENT, ANNA, talk=30_000, answerer=BOHDAN),
        call(MONDAY + 2, "incoming", OTHER, ANNA),
        call(MONDAY + 3, "outgoing", ANNA, CLIENT, talk=10_000),
        call(MONDAY + 4, "outgoing", ANNA, CLIENT),
        call(MONDAY + 5, "local", ANNA, BOHDAN, rang=None, talk=5000),
        call(MONDAY + 6, "local", ANNA, BOHDAN),
    )
    assert tally.people == {
        ANNA: OfNumber(answered=1, missed=1, waited_ms=4000, made=4, got_through=2, talk_ms=75_000),
        BOHDAN: OfNumber(answered=2, missed=1, waited_ms=4000, made=0, got_through=0, talk_ms=35_000),
    }
    assert tally.days == {"2026-04-20": [2, 1, 2, 2]}
    assert tally.week[0][9] == [2, 1, 2, 2]
    assert (tally.waited, tally.waited_ms) == ({4: 2}, 8000)
    assert (tally.talks, tally.talk_ms) == (4, 105_000), "a local talk counts once"


def test_of_a_department_only_its_calls_are_counted_but_any_colleague_calls_back() -> None:
    calls = (
        call(MONDAY, "incoming", CLIENT, ANNA),
        call(MONDAY + 1, "incoming", OTHER, ANNA),
        call(MONDAY + 2, "incoming", "+380930000000", BOHDAN),
        call(MONDAY + 3, "outgoing", BOHDAN, CLIENT, talk=1000),
        call(MONDAY + 4, "local", BOHDAN, ANNA, talk=1000),
    )
    tally = count(*calls, among=frozenset([ANNA]))
    assert tally.days == {"2026-04-20": [0, 2, 0, 1]}
    assert list(tally.people) == [ANNA]
    assert [caller.number for caller in tally.lost] == [OTHER]


def test_whoever_was_talked_with_since_is_not_lost() -> None:
    missed = [call(MONDAY + number, "incoming", CLIENT, ANNA) for number in range(2)]
    lost = LostCaller(CLIENT, 2, MONDAY + 1, ANNA)
    assert count(*missed).lost == [lost]
    tried = call(MONDAY + 9, "outgoing", BOHDAN, CLIENT)
    assert count(*missed, tried).lost == [msgspec.structs.replace(lost, tried=1)]
    called_back = call(MONDAY + 10, "outgoing", BOHDAN, CLIENT, talk=1)
    came_through = call(MONDAY + 10, "incoming", CLIENT, BOHDAN, talk=1)
    for talk in (called_back, came_through):
        assert count(*missed, tried, talk).lost == []
        assert count(*missed, tried, later=(talk,)).lost == []
    again = call(MONDAY + 20, "incoming", CLIENT, BOHDAN)
    assert count(*missed, called_back, again).lost == [LostCaller(CLIENT, 1, MONDAY + 20, BOHDAN)]
    assert count(*missed, later=(tried, again)).lost == [msgspec.structs.replace(lost, tried=1)], "it is of other days"
    hidden = count(call(MONDAY, "incoming", ANONYMOUS, ANNA))
    assert (hidden.lost, hidden.lost_count, hidden.lost_hidden) == ([], 0, 1)


def test_both_nights_when_clocks_change() -> None:
    # 29 March 2026: 03:00 becomes 04:00. 25 October 2026: 04:00 becomes 03:00 again.
    spring = [call(at(f"2026-03-29T0{hour}:30:00"), "incoming", CLIENT, ANNA) for hour in (0, 1)]
    autumn = [call(at(f"2026-10-25T0{hour}:30:00"), "incoming", CLIENT, ANNA) for hour in (0, 1, 2)]
    ends = [call(at(text), "incoming", CLIENT, ANNA) for text in ("2026-03-28T21:59:59", "2026-03-28T22:00:00")]
    tally = count(*ends, *spring, *autumn)
    sunday = [sum(counts) for counts in tally.week[6]]
    assert sunday[:6] == [1, 0, 1, 2, 2, 0], "02:30, then 04:30; 03:30 twice, then 04:30"
    assert {day: sum(counts) for day, counts in tally.days.items()} == {
        "2026-03-28": 1,
        "2026-03-29": 3,
        "2026-10-25": 3,
    }


numbers = st.sampled_from([CLIENT, OTHER, ANONYMOUS])
own = st.sampled_from([ANNA, BOHDAN])
talks = st.none() | st.integers(0, 10**6)


@st.composite
def some_calls(draw: st.DrawFn) -> list[ScannedCall]:
    moments = sorted(draw(st.lists(st.integers(0, 2**41), max_size=30)))
    made = []
    for moment in moments:
        direction = draw(st.sampled_from(["incoming", "outgoing", "local"]))
        calling = draw(numbers if direction == "incoming" else own)
        called = draw(numbers if direction == "outgoing" else own)
        made.append(call(moment, direction, calling, called, rang=draw(talks), talk=draw(talks)))
    return made


@given(some_calls(), st.none() | st.frozensets(own))
def test_every_call_is_counted_once_in_each_part(calls: list[ScannedCall], among: frozenset[str] | None) -> None:
    tally = count(*calls, among=among)
    wanted = [each for each in calls if among is None or _parties(each) & among]
    sums = [sum(column) for column in zip([0] * len(KINDS), *tally.days.values(), strict=True)]
    assert sums == [sum(hour[kind] for day in tally.week for hour in day) for kind in range(len(KINDS))]
    assert sum(sums) == len(wanted)
    assert sum(tally.waited.values()) == sums[0]
    assert tally.talks == sum(each.answered_at is not None for each in wanted)
    if among is None:
        made = sum(person.made for person in tally.people.values())
        received = sum(person.answered + person.missed for person in tally.people.values())
        assert (made, received) == (sums[OUTGOING] + sums[LOCAL], len(calls) - sums[OUTGOING])
    assert len(tally.lost) == tally.lost_count
    for caller in tally.lost:
        since = [
            each
            for each in calls
            if caller.number in each and each.answered_at is not None and each.started_at > caller.last_at
        ]
        assert since == []


def _parties(each: ScannedCall) -> set[str]:
    parties = set()
    if each.direction != "incoming":
        parties.add(each.calling_number)
    if each.direction != "outgoing":
        parties.add(each.answered_number or each.called_number)
    return parties
