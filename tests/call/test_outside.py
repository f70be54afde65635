"""Where a number may call, and how what is said of it goes together."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.outside import COUNTED, OutsideLimits, prefix_of, too_wide

DEAR = OutsideLimits(calls_minute=60, at_once=30, denied=("+380900", "+979"))


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("0900", "+380900"), ("+38 (0900)", "+380900"), ("00979", "+979"), ("979", "+979"), ("+", "+"), ("+7", "+7")],
)
def test_prefixes_have_one_form(text: str, prefix: str) -> None:
    assert prefix_of(text) == prefix


@pytest.mark.parametrize("text", ["", " ", "abroad", "+38x", "++7", "1234567890123456"])
def test_what_is_no_prefix_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("such as +380, 0900 or + for all")):
        prefix_of(text)


@given(st.text(max_size=20))
def test_any_text_is_a_prefix_or_refused(text: str) -> None:
    try:
        prefix = prefix_of(text)
    except ValueError:
        return
    assert re.fullmatch(r"\+[0-9]{0,17}", prefix)
    assert prefix_of(prefix) == prefix or len(prefix) > 16


def test_the_longest_prefix_decides() -> None:
    national = OutsideLimits(denied=("+", "+380900"), allowed=("+380", "+48"))
    called = {"+380441234567": True, "+380900123456": False, "+48123456789": True, "+79991234567": False}
    assert {number: national.allows(number) for number in called} == called
    assert OutsideLimits().allows("+979123456789")
    assert not DEAR.allows("+979123456789")


def test_what_is_said_for_a_number_stands_above_what_is_said_for_all() -> None:
    own = OutsideLimits(at_once=0, calls_day=100, denied=("+7",), allowed=("+380900",)).over(DEAR)
    assert (own.calls_minute, own.at_once, own.calls_day, own.minutes_day) == (60, 0, 100, None)
    assert own.allows("+380900123456")
    assert not own.allows("+79991234567")
    assert not own.allows("+979123456789")
    assert OutsideLimits().over(DEAR) == DEAR
    assert OutsideLimits(denied=("+48",)).over(OutsideLimits(allowed=("+48",))).allows("+48123456789") is False


def test_nothing_said_is_known_as_such() -> None:
    assert OutsideLimits().says_nothing
    assert not OutsideLimits(at_once=0).says_nothing
    assert not DEAR.says_nothing


@pytest.mark.parametrize(
    ("limit", "before", "usual", "wide"),
    [
        (None, 5, 10, False),  # as usual again
        (10, 5, 10, False),  # no more than holds without
        (11, 5, 10, True),
        (20, 20, 10, False),  # what was said for it before, by who may
        (21, 20, 10, True),
        (0, 20, 10, True),  # no limit is more than any
        (0, 0, 10, False),
        (7, None, 10, False),
        (11, None, 10, True),
        (0, None, 10, True),
        (500, None, None, False),  # nothing was limited
        (500, 20, 0, False),
        (-1, 5, 10, True),
    ],
)
@pytest.mark.parametrize("name", COUNTED)
def test_who_may_only_make_it_narrower(
    name: str, limit: int | None, before: int | None, usual: int | None, wide: bool
) -> None:
    def only(value: int | None) -> OutsideLimits:
        fields: dict[str, Any] = {name: value}
        return OutsideLimits(**fields)

    limits, said, without = only(limit), only(before), only(usual)
    assert too_wide(limits, said, without) == (name if wide else None)


def test_who_may_only_make_it_narrower_allows_nothing_new() -> None:
    before = OutsideLimits(denied=("+7",), allowed=("+380", "+48"))
    assert too_wide(OutsideLimits(denied=("+", "+90"), allowed=("+48",)), before, DEAR) is None
    assert too_wide(OutsideLimits(allowed=("+380",)), before, DEAR) is None  # what was denied may be no longer
    assert too_wide(OutsideLimits(denied=("+7",), allowed=("+380", "+49")), before, DEAR) == "allowed"
