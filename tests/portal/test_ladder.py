from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kobza.call.states import StateType
from kobza.portal.ladder import WIDTH, Segment, ladder
from kobza.store.calls import HistoryRow
from kobza.store.events import Event

START = 1_760_000_000_000


def call(**changes: Any) -> HistoryRow:
    values: dict[str, Any] = dict.fromkeys(HistoryRow._fields)
    moments = {"started_at": START, "ringing_at": START + 1000, "answered_at": START + 2000, "ended_at": START + 10_000}
    return HistoryRow(**{**values, "direction": "outgoing", **moments, **changes})


def event(leg: str, sequence: int, state: str, at: int, **changes: Any) -> Event:
    values: dict[str, Any] = dict.fromkeys(Event._fields)
    told = {"call_control_id": leg, "sequence": sequence, "state_type": state, "occurred_at": START + at}
    return Event(**{**values, "state_owner": "+38067", "call_direction": "outgoing", **told, **changes})


def test_the_call_itself_and_each_leg() -> None:
    told = [
        event("b", 1, "alerting", 1000, state_owner="+38050"),
        event("b", 2, "finished", 2000, state_owner="+38050"),
        event("a", 4, "resumed", 7000),
        event("a", 2, "established", 2000),
        event("a", 3, "held", 5000),
        event("a", 5, "finished", 10_000),
        event("a", 6, "record_ready", 12_000),
    ]
    whole, ringing, talking = ladder(call(), told)
    assert whole.segments == [
        Segment("dialling", 0, 100, 1),
        Segment("alerting", 100, 100, 1),
        Segment("established", 200, 800, 8),
    ]
    assert (ringing.owner, ringing.segments) == ("+38050", [Segment("alerting", 100, 100, 1)])
    assert talking.segments == [
        Segment("established", 200, 300, 3),
        Segment("held", 500, 200, 2),
        Segment("established", 700, 300, 3),
    ]


def test_a_person_who_was_erased_has_no_rung() -> None:
    assert len(ladder(call(), [event("a", 1, "alerting", 0, state_owner="")])) == 1


@given(
    st.tuples(st.integers(-9, 9999), st.none() | st.integers(-9, 9999), st.integers(-9, 9999)),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(list(StateType)), st.integers(-99, 20_000))),
)
def test_whatever_was_stored_can_be_drawn(
    moments: tuple[int, int | None, int], told: list[tuple[str, str, int]]
) -> None:
    """Clocks go backwards, and a crash may leave a call without its last states."""
    rang, answered, ended = moments
    shown = call(
        ringing_at=START + rang, answered_at=None if answered is None else START + answered, ended_at=START + ended
    )
    for rung in ladder(shown, [event(leg, at, state, after) for at, (leg, state, after) in enumerate(told)]):
        for segment in rung.segments:
            assert 0 <= segment.x < WIDTH
            assert segment.width > 0
            assert segment.seconds >= 0
