"""When a receiver that fails may be tried: fewer at once, then only probed, then all again."""

import pytest

from kobza.webhooks.circuit import Circuit
from kobza.webhooks.health import Health
from kobza.webhooks.outcome import Outcome

NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def quick_probes() -> None:
    """Keep the pauses as they are."""


def failing(count: int, *, dead: bool = True) -> Circuit:
    circuit = Circuit()
    for _ in range(count):
        circuit.failed(NOW, 0.0, dead=dead)
    return circuit


def test_the_more_fails_the_fewer_are_tried_at_once() -> None:
    assert [failing(count).allowed(16, NOW) for count in range(5)] == [16, 8, 4, 2, 1]
    assert failing(40, dead=False).allowed(16, NOW) == 1


def test_a_dead_receiver_is_probed_with_one_attempt_after_longer_and_longer_pauses() -> None:
    circuit = failing(5)
    now, pauses = NOW, []
    for _ in range(6):
        assert circuit.open_until is not None
        pauses.append(circuit.open_until - now)
        assert circuit.allowed(16, circuit.open_until - 0.1) == 0
        circuit.failed(circuit.open_until - 0.1, 0.0, dead=True)  # was under way when it opened
        now = circuit.open_until
        assert circuit.allowed(16, now) == 1
        circuit.failed(now, 0.0, dead=True)
    assert pauses == [5, 10, 20, 40, 60, 60]
    circuit.succeeded()
    assert circuit.allowed(16, NOW) == 16
    assert failing(4).open_until is None


def test_who_minds_one_state_is_not_dead() -> None:
    assert failing(100, dead=False).open_until is None
    circuit = failing(5)
    circuit.failed(NOW + 5, 0.0, dead=False)
    assert circuit.allowed(16, NOW) == 1


@pytest.mark.parametrize(
    ("status", "dead"), [(None, True), (500, True), (503, True), (429, True), (408, True), (400, False), (404, False)]
)
def test_which_failures_say_that_it_is_dead(status: int | None, dead: bool) -> None:
    assert Outcome(NOW, 1, "u", status_code=status, error="e").dead is dead


def test_since_when_it_fails_and_what_is_worth_a_line() -> None:
    health, bad, good = Health(), Outcome(NOW, 1, "u", error="e"), Outcome(NOW, 1, "u", status_code=200)
    assert health.note(good, NOW, 0.0) is None
    assert [health.note(bad, NOW + number, 0.0) for number in range(6)] == ["fails", None, None, None, "dead", None]
    assert health.failing_since == NOW
    assert [health.beyond_hope(NOW + 99, after) for after in (100.0, 99.0, None)] == [False, True, False]
    assert health.note(good, NOW + 9, 0.0) == "works"
    assert health.failures == 0
    assert not health.beyond_hope(NOW + 1e9, 1.0)
    assert Health(NOW - 5).beyond_hope(NOW, 5.0)  # known from the life before
