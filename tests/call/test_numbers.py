"""Numbers: every usual spelling in, one form inside, national digits out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.errors import NumberError
from kobza.call.numbers import national, normalize


@pytest.mark.parametrize(
    "text",
    [
        "0671234567",
        "380671234567",
        "+380671234567",
        "00380671234567",
        "+38 (067) 123-45-67",
        " 067 123 45 67 ",
        "067.123.45.67",
        "(067)\u00a0123\u201345\u201367",
    ],
)
def test_every_usual_spelling_is_one_number(text: str) -> None:
    assert normalize(text) == "+380671234567"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+48 22 123 45 67", "+48221234567"),
        ("0048221234567", "+48221234567"),
        ("48221234567", "+48221234567"),
        ("16502530000", "+16502530000"),
        ("+44 (0) 20 7946 0000", "+442079460000"),
        ("0800123456", "+380800123456"),
        ("101", "101"),
        ("1-12", "112"),
        ("10", "10"),
        ("200300", "200300"),
    ],
)
def test_other_numbers(text: str, number: str) -> None:
    assert normalize(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "1",
        "+101",
        "2345678",
        "067123456",
        "04412345678",
        "0171234567",
        "06712345678901",
        "0 800 FLOWERS",
        "٠٦٧١٢٣٤٥٦٧",
        "++380671234567",
        "+38067123456³",
        "anonymous",
        "*67",
        "067#",
        "+380671234567;ext=1",
        "+999000000000",
        "4822123456789012",
        "+49000000",
        "0" * 41,
    ],
)
def test_what_cannot_be_dialled(text: str) -> None:
    with pytest.raises(NumberError) as caught:
        normalize(text)
    assert (caught.value.http_status, caught.value.sip_status) == (400, 484)


def test_another_region() -> None:
    assert normalize("22 123 45 67", "PL") == "+48221234567"


def test_national() -> None:
    assert national("+380671234567") == "0671234567"
    assert national("+48221234567") == "+48221234567"
    assert national("101") == "101"


@given(st.text(max_size=50))
def test_any_text_is_a_number_or_a_number_error(text: str) -> None:
    try:
        number = normalize(text)
    except NumberError:
        return
    assert normalize(number) == number
    assert normalize(national(number)) == number


@given(st.from_regex(r"\+?[0-9 ()-]{2,18}", fullmatch=True))
def test_what_is_written_can_be_read(text: str) -> None:
    try:
        number = normalize(text)
    except NumberError:
        return
    assert normalize(national(number)) == number
