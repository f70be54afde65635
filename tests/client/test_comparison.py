"""Matching and comparing of calls, on lists made up for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.client import HistoryCall, StatisticsRow
from kobza.client.comparison import (
    ComparedCall,
    Comparison,
    as_document,
    compare,
    history_call,
    in_words,
    statistics_call,
)

BASE = datetime(2026, 3, 1, 10, tzinfo=UTC)


def row(
    at: int, duration: int = 14, calling: str = "0671111111", called: str = "0501112233", **more: Any
) -> ComparedCall:
    """Return a call that starts so many seconds after noon in Kyiv."""
    started = BASE + timedelta(seconds=at)
    values: dict[str, Any] = {"direction": "outgoing", "calling_name": "Олена"} | more
    return statistics_call(
        StatisticsRow(
            started_at=started,
            ended_at=started + timedelta(seconds=duration),
            calling_number=calling,
            called_number=called,
            duration=duration,
            **values,
        )
    )


def differences(result: Comparison) -> list[dict[str, tuple[Any, Any]]]:
    return [{each.field: (each.theirs, each.ours) for each in pair.differences} for pair in result.differing]


def test_the_same_calls_are_equal() -> None:
    calls = [row(0), row(60), row(61, 0)]
    result = compare(calls, list(reversed(calls)))
    assert result.equal
    assert (result.theirs, result.ours, result.same) == (3, 3, 3)
    assert list(in_words(result)) == ["theirs 3 calls, ours 3: 3 the same, 0 differ, 0 only theirs, 0 only ours"]


@pytest.mark.parametrize(
    ("ours", "expected", "words"),
    [
        (
            row(3),
            {
                "start_timestamp": ("2026-03-01 12:00:00", "2026-03-01 12:00:03"),
                "end_timestamp": ("2026-03-01 12:00:14", "2026-03-01 12:00:17"),
            },
            "start timestamp is 3 s later in ours (2026-03-01 12:00:03)",
        ),
        (
            row(0, 15),
            {"end_timestamp": ("2026-03-01 12:00:14", "2026-03-01 12:00:15"), "duration": (14, 15)},
            "duration is 14 in theirs, 15 in ours",
        ),
        (
            row(0, direction="incoming"),
            {"direction": ("outgoing", "incoming")},
            "'outgoing' in theirs, 'incoming' in ours",
        ),
        (row(0, calling_name="Olena"), {"calling_name": ("Олена", "Olena")}, "'Олена' in theirs, 'Olena' in ours"),
        (row(0, calling_name=None), {"calling_name": ("Олена", None)}, "'Олена' in theirs, absent in ours"),
        (row(0, called="0509999999"), {"called_number": ("0501112233", "0509999999")}, "called number is"),
        (
            row(0, calling="+380671111111"),
            {"calling_number": ("0671111111", "+380671111111")},
            "calling number is '0671111111' in theirs, '+380671111111' in ours",
        ),
        (
            row(0, calling="0501112233", called="0671111111"),
            {"calling_number": ("0671111111", "0501112233"), "called_number": ("0501112233", "0671111111")},
            "calling number is",
        ),
        (row(0, calling=""), {"calling_number": ("0671111111", "")}, "empty in ours"),
    ],
)
def test_each_difference_is_told(ours: ComparedCall, expected: dict[str, Any], words: str) -> None:
    result = compare([row(0)], [ours])
    assert not result.equal
    assert differences(result) == [expected]
    assert words in "\n".join(in_words(result))
    assert as_document(result)["differing"][0]["fields"] == {
        name: {"theirs": theirs, "ours": ours} for name, (theirs, ours) in expected.items()
    }


def test_another_call_is_no_pair() -> None:
    far = compare([row(0)], [row(60)])
    assert (len(far.only_theirs), len(far.only_ours), far.same) == (1, 1, 0)
    others = compare([row(0)], [row(0, calling="0672222222", called="0509999999")])
    assert (len(others.only_theirs), len(others.only_ours)) == (1, 1)
    through = compare([row(0)], [row(0, calling="0501112233", called="0509999999")])
    assert (len(through.only_theirs), len(through.only_ours)) == (1, 1)  # who was called there, calls here
    withheld = compare([row(0, calling="", called="1")], [row(0, calling="", called="2")])
    assert (len(withheld.only_theirs), len(withheld.only_ours)) == (1, 1)
    assert "withheld -> 1, 14 s" in "\n".join(in_words(withheld))


def test_one_side_answered_and_the_other_did_not() -> None:
    """The start of an answered call is its answer: the ends are what is near."""
    answered, unanswered = row(20, 30), replace(row(0, 50), duration=0)
    assert len(compare([answered], [unanswered]).differing) == 1


def test_repeated_calls_keep_their_places_when_one_is_missing() -> None:
    times = [0, 4, 8, 12, 16]
    result = compare([row(at) for at in times], [row(at) for at in times if at != 4])
    assert result.same == 4
    assert [call.started_at for call in result.only_theirs] == [row(4).started_at]
    result = compare([row(at) for at in times[1:]], [row(at) for at in times])
    assert (result.same, len(result.only_ours)) == (4, 1)


def test_of_calls_at_once_those_with_the_same_length_are_the_same() -> None:
    theirs = [row(0, 10), row(1, 300), row(2, 45)]
    ours = [row(2, 10), row(0, 300), row(1, 45)]
    result = compare(theirs, ours)
    assert [set(told) for told in differences(result)] == [{"start_timestamp", "end_timestamp"}] * 3


def test_slack_and_ignored_fields() -> None:
    theirs, ours = [row(0)], [row(1, 15, calling_name="Olena")]
    assert [set(told) for told in differences(compare(theirs, ours, slack=1))] == [{"end_timestamp", "calling_name"}]
    assert compare(theirs, ours, slack=2, ignored={"calling_name"}).equal
    assert compare([row(0)], [row(40)], slack=60).equal


HISTORY = HistoryCall(
    call_id="a",
    calling_number="0671111111",
    called_number="0501112233",
    started_at=BASE,
    ended_at=BASE + timedelta(seconds=20),
    call_duration=14,
    ringing=5,
    direction="outgoing",
    cause=16,
    record_id="r1",
)


def test_histories_are_compared_but_for_their_ids() -> None:
    same = replace(HISTORY, call_id="b", record_id="r2", sip_status=200, client_state="x", answered_at=BASE)
    assert compare([history_call(HISTORY)], [history_call(same)]).equal
    other = replace(HISTORY, record_id=None, cause=31, ringing=None, direction="local")
    result = compare([history_call(HISTORY)], [history_call(other)])
    assert differences(result) == [
        {"ringing": (5, None), "direction": ("outgoing", "local"), "cause": (16, 31), "recorded": (True, False)}
    ]
    assert "recorded is yes in theirs, no in ours" in "\n".join(in_words(result))


calls = st.builds(
    row,
    st.integers(0, 40),
    st.integers(0, 30),
    st.sampled_from(["0671111111", "0672222222", ""]),
    st.sampled_from(["0501112233", "0671111111"]),
    direction=st.sampled_from(["incoming", "outgoing", None]),
)


@given(st.lists(calls, max_size=12), st.lists(calls, max_size=12), st.randoms(use_true_random=False))
def test_every_call_is_accounted_for_once_in_whatever_order(
    theirs: list[ComparedCall], ours: list[ComparedCall], random: Random
) -> None:
    result = compare(theirs, ours)
    pairs = result.same + len(result.differing)
    assert pairs + len(result.only_theirs) == len(theirs) == result.theirs
    assert pairs + len(result.only_ours) == len(ours) == result.ours
    swapped = compare(ours, theirs)
    assert swapped.same + len(swapped.differing) == pairs
    shuffled = random.sample(theirs, len(theirs)), random.sample(ours, len(ours))
    again = compare(*shuffled)
    assert again.same + len(again.differing) == pairs
    assert len(list(in_words(result))) == 1 + len(result.differing) + len(result.only_theirs) + len(result.only_ours)


@given(st.lists(calls, max_size=15), st.randoms(use_true_random=False))
def test_a_list_equals_itself(theirs: list[ComparedCall], random: Random) -> None:
    assert compare(theirs, random.sample(theirs, len(theirs))).equal
