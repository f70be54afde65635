"""Whether a peer is there, in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.probe import PATIENCE, RETRY, Probe, Reach


def asked(every: float = 30, at: float = 100.0) -> Probe:
    """A probe whose first question is on its way."""
    probe = Probe(every)
    probe.start(at)
    assert probe.handle_timer(at)
    return probe


@pytest.mark.parametrize("status", [200, 404, 403, 405, 483, 501, 505])
def test_whatever_it_answers_it_is_there(status: int) -> None:
    probe = asked()
    assert probe.state is Reach.UNKNOWN
    probe.answered(status, "Said", 100.1)
    assert (probe.state, probe.detail, probe.deadline) == (Reach.UP, "", 130.1)
    assert not probe.handle_timer(130)
    assert probe.handle_timer(130.1)


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_server_that_takes_no_calls_is_down(status: int) -> None:
    probe = asked()
    probe.answered(status, "Said", 101)
    assert (probe.state, probe.detail) == (Reach.DOWN, f"it answers OPTIONS with {status} Said")
    assert probe.deadline == 101 + RETRY


def test_silence_is_down_and_an_answer_up_again_also_a_late_one() -> None:
    probe = asked()
    assert not probe.handle_timer(100 + PATIENCE)
    assert (probe.state, probe.detail) == (Reach.DOWN, "no answer to OPTIONS")
    assert probe.deadline == 100 + PATIENCE + RETRY
    probe.failed(408, 132)  # the end of the transaction is no news
    assert probe.deadline == 100 + PATIENCE + RETRY
    assert probe.handle_timer(120)
    probe.answered(200, "OK", 121)
    assert (probe.state, probe.detail, probe.deadline) == (Reach.UP, "", 151)
    probe = asked()
    probe.handle_timer(104)
    probe.answered(200, "OK", 107)
    assert probe.state is Reach.UP


@pytest.mark.parametrize(("status", "detail"), [(408, "no answer to OPTIONS"), (503, "it cannot be reached")])
def test_what_cannot_be_sent_is_down_at_once(status: int, detail: str) -> None:
    probe = asked(every=5)
    probe.failed(status, 100)
    assert (probe.state, probe.detail, probe.deadline) == (Reach.DOWN, detail, 105)


def test_one_that_a_call_suspects_is_asked_at_once() -> None:
    probe = asked()
    probe.suspect(101)  # it is being asked
    assert not probe.handle_timer(101)
    probe.answered(200, "OK", 102)
    probe.suspect(103)
    assert probe.handle_timer(103)


def test_one_that_is_never_asked() -> None:
    probe = Probe(0)
    probe.start(100)
    probe.suspect(100)
    assert not probe.handle_timer(1_000)
    assert (probe.state, probe.deadline) == (Reach.UNKNOWN, None)


@given(st.lists(st.sampled_from(["200", "503", "failed", "suspect"]) | st.floats(0, 40), max_size=40))
def test_it_never_falls_asleep(steps: list[str | float]) -> None:
    probe, now = asked(), 100.0
    for step in steps:
        match step:
            case "failed":
                probe.failed(503, now)
            case "suspect":
                probe.suspect(now)
            case str():
                probe.answered(int(step), "Said", now)
            case _:
                now += step
                probe.handle_timer(now)
        assert probe.deadline is not None
        assert probe.deadline <= now + 30
