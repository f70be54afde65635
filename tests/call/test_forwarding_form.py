"""Forwarding as people write it."""

import pytest

from kobza.call.errors import NumberError
from kobza.call.forwarding import Forwarding, Occasion
from kobza.call.forwarding_form import forwarding_of

OWN = "+380671110001"


def test_numbers_in_any_spelling_nothing_is_off() -> None:
    written = {
        Occasion.BUSY: "067 111 00 02",
        Occasion.NO_ANSWER: "101",
        Occasion.ALWAYS: None,
        Occasion.UNREACHABLE: "",
    }
    assert forwarding_of(OWN, written, 30) == Forwarding(busy="+380671110002", no_answer="101", no_answer_after=30)
    assert forwarding_of(OWN, {}, 30) == Forwarding()  # no seconds without a target


@pytest.mark.parametrize(
    ("occasion", "text", "after", "told", "parameter"),
    [
        (Occasion.BUSY, "sales", None, "is no number", "busy"),
        (Occasion.ALWAYS, "0671110001", None, "cannot be forwarded to itself", "always"),
        (Occasion.NO_ANSWER, "101", 4, "5 to 120 seconds", "no_answer_after"),
        (Occasion.NO_ANSWER, "101", 121, "5 to 120 seconds", "no_answer_after"),
    ],
)
def test_what_cannot_be(occasion: Occasion, text: str, after: int | None, told: str, parameter: str) -> None:
    with pytest.raises(NumberError, match=told) as raised:
        forwarding_of(OWN, {occasion: text}, after)
    assert raised.value.parameter == parameter
