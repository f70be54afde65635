from email.utils import formatdate

import pytest

from kobza.webhooks.schedule import ATTEMPTS, STEPS, parse_retry_after, wait_after

CONTRACT = [5, 30, 2 * 60, 10 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600]
"""Contract, section 4: at once, then after these."""


def test_the_steps_are_those_of_the_contract() -> None:
    assert [wait_after(attempt, 0.0) for attempt in range(1, ATTEMPTS)] == CONTRACT
    assert len(CONTRACT) + 1 == ATTEMPTS


def test_after_the_last_attempt_there_is_no_other() -> None:
    assert wait_after(ATTEMPTS, 0.0) is None
    assert wait_after(ATTEMPTS, 0.0, retry_after=5) is None


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
@pytest.mark.parametrize(("jitter", "factor"), [(-1.0, 0.9), (1.0, 1.1), (0.5, 1.05), (-7.0, 0.9), (7.0, 1.1)])
def test_the_wait_varies_by_a_tenth_at_most(attempt: int, jitter: float, factor: float) -> None:
    assert wait_after(attempt, jitter) == pytest.approx(STEPS[attempt - 1] * factor)


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        (None, 30),
        (0, 30),  # sooner than the schedule: the schedule counts
        (29, 30),
        (45, 45),
        (60, 60),
        (61, 60),  # not more than twice the step
        (1e9, 60),
    ],
)
def test_retry_after_counts_within_twice_the_step(retry_after: float | None, wait: float) -> None:
    assert wait_after(2, 0.0, retry_after) == wait


NOW = 1_750_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        (formatdate(NOW + 90), 90),
        ("9" * 400, 999_999_999_999),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("Fri, 99 Foo 2025 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
