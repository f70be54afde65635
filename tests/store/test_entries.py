import pytest

from kobza.store.entries import (
    CdrClosed,
)
from tests.store.builders import NOW, attempt, cdr, stored


def test_a_closed_record_needs_an_end() -> None:
    with pytest.raises(ValueError, match="call-1"):
        CdrClosed(cdr())


@pytest.mark.parametrize(("outcome", "retry_at"), [("retry", None), ("delivered", NOW), ("failed", NOW)])
def test_an_attempt_says_when_to_try_again_if_it_is(outcome: str, retry_at: float | None) -> None:
    with pytest.raises(ValueError, match="try again"):
        attempt(1, 1, outcome=outcome, retry_at=retry_at)


def test_bodies_are_not_shown() -> None:
    assert "Ганна" not in repr(stored(1))
    assert "leg-1" in repr(stored(1))
    shown = repr(attempt(1, 3, response="a secret", exchange="another secret"))
    assert "secret" not in shown
    assert "attempt=3" in shown
