"""Causes and statuses: RFC 3398's tables, the contract's section 5, and words for all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.cause_texts import CAUSE_TEXTS
from kobza.call.causes import (
    ANSWERED_ELSEWHERE_REASON,
    CAUSE_BY_STATUS,
    STATUS_BY_CAUSE,
    cause_from_reasons,
    cause_from_sip,
    cause_text,
    reason_header,
    sip_from_cause,
)
from kobza.sip.headers import Reason

RFC_3398_8_2_6_1 = """
400 41 401 21 402 21 403 21 404 1 405 63 406 79 407 21 408 102 410 22 413 127 414 127 415 79 416 127 420 127 421 127
423 127 480 18 481 41 482 25 483 25 484 28 485 1 486 17 500 41 501 79 502 38 503 41 504 102 505 127 513 127 600 17
603 21 604 1
"""
RFC_3398_7_2_4_1 = """
1 404 2 404 3 404 17 486 18 408 19 480 20 480 22 410 26 404 27 502 28 484 29 501 31 480 34 503 38 503 41 503 42 503
47 503 55 403 57 403 58 503 65 488 70 488 79 501 87 403 88 503 102 504 111 500 127 500
"""


def pairs(table: str) -> list[tuple[int, int]]:
    numbers = [int(word) for word in table.split()]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


@pytest.mark.parametrize(("status", "cause"), pairs(RFC_3398_8_2_6_1))
def test_sip_to_cause_by_rfc_3398(status: int, cause: int) -> None:
    assert cause_from_sip(status) == cause


@pytest.mark.parametrize(("cause", "status"), pairs(RFC_3398_7_2_4_1))
def test_cause_to_sip_by_rfc_3398(cause: int, status: int) -> None:
    assert sip_from_cause(cause) == status


@pytest.mark.parametrize(
    ("status", "cause"), [(487, 31), (488, 65), (302, 23), (499, 41), (599, 41), (699, 17), (200, 16), (700, 41)]
)
def test_statuses_beyond_the_table(status: int, cause: int) -> None:
    assert cause_from_sip(status) == cause


@pytest.mark.parametrize(
    ("cause", "status"),
    [(16, 480), (21, 603), (23, 480), (5, 480), (43, 503), (50, 503), (66, 501), (95, 503), (96, 500)],
)
def test_causes_beyond_the_table(cause: int, status: int) -> None:
    assert sip_from_cause(cause) == status
    assert sip_from_cause(0) == 480
    assert sip_from_cause(999) == 500


def test_a_q850_reason_wins() -> None:
    sip = Reason("SIP", 200, "Call completed elsewhere")
    assert cause_from_sip(486, [sip, Reason("q.850", 34, "")]) == 34
    assert cause_from_sip(486, [sip]) == 17
    assert cause_from_sip(486, [Reason("Q.850", 0, ""), Reason("Q.850", 128, "")]) == 17
    assert cause_from_reasons([]) is None


def test_words() -> None:
    assert cause_text(17) == cause_text(17, "en-GB") == cause_text(17, "pl") == "User busy"
    assert cause_text(17, "uk") == cause_text(17, "UK-ua") == "Абонент зайнятий"


@pytest.mark.parametrize(
    ("cause", "like"), [(0, 31), (15, 31), (33, 47), (51, 63), (72, 79), (94, 95), (105, 111), (120, 127), (300, 31)]
)
def test_a_free_value_is_the_unspecified_one_of_its_class(cause: int, like: int) -> None:
    assert cause_text(cause) == cause_text(like)


def test_every_cause_in_use_has_words_in_both_languages() -> None:
    in_use = set(CAUSE_BY_STATUS.values()) | set(STATUS_BY_CAUSE)
    assert in_use <= set(CAUSE_TEXTS)
    for english, ukrainian in CAUSE_TEXTS.values():
        assert english.isascii()
        assert '"' not in english
        assert not ukrainian.isascii()
    assert len({english for english, _ in CAUSE_TEXTS.values()}) == len(CAUSE_TEXTS)


def test_the_reason_header() -> None:
    assert reason_header(17) == 'Q.850;cause=17;text="User busy"'
    assert reason_header(15) == 'Q.850;cause=15;text="Normal, unspecified"'
    assert ANSWERED_ELSEWHERE_REASON.startswith('SIP;cause=200;text="Call completed elsewhere", Q.850;cause=26;')


@given(st.integers())
def test_any_number_has_a_cause_a_status_and_words(value: int) -> None:
    assert 1 <= cause_from_sip(value) <= 127
    assert 400 <= sip_from_cause(value) <= 699
    assert cause_text(value)
