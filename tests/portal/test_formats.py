from datetime import date

import pytest

from kobza.api.languages import Language
from kobza.portal.formats import clock_text, day_text, decimal_text, duration_text, moment_text, phone_text, size_text
from kobza.portal.texts import say_in

EVENING = 1_776_713_975_120
"""2026-04-20 22:39:35.120 in Kyiv."""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min")],
)
def test_durations_for_people(seconds: int, text: str) -> None:
    assert duration_text(seconds, say_in("en")) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+380671234567", "067 123 4567"),
        ("+4930123456", "+49 30 123456"),
        ("112", "112"),
        ("anonymous", "Прихований номер"),
        ("+0", "+0"),
    ],
)
def test_numbers_for_people(number: str, text: str) -> None:
    assert phone_text(number, say_in("uk")) == text


@pytest.mark.parametrize(
    ("language", "moment"), [("uk", "20 квітня 2026\N{NARROW NO-BREAK SPACE}р., 22:39"), ("en", "20 April 2026, 22:39")]
)
def test_moments_for_people(language: Language, moment: str) -> None:
    assert moment_text(EVENING, say_in(language)) == moment
    assert (clock_text(EVENING), clock_text(EVENING, seconds=True)) == ("22:39", "22:39:35")


@pytest.mark.parametrize(
    ("day", "english", "ukrainian"),
    [
        (date(2026, 4, 20), "Today", "Сьогодні"),
        (date(2026, 4, 19), "Yesterday", "Учора"),
        (date(2026, 4, 5), "Sunday, 5 April", "Неділя, 5 квітня"),
        (date(2025, 12, 31), "Wednesday, 31 December 2025", "Середа, 31 грудня 2025"),
    ],
)
def test_days_for_people(day: date, english: str, ukrainian: str) -> None:
    today = date(2026, 4, 20)
    assert day_text(day, today, say_in("en")) == english
    assert day_text(day, today, say_in("uk")) == ukrainian


def test_sizes_and_decimals() -> None:
    english, ukrainian = say_in("en"), say_in("uk")
    assert [size_text(size, english) for size in (0, 412_000, 3_450_000, 77_540_000_000)] == [
        "0.0 kB",
        "412.0 kB",
        "3.4 MB",
        "77.5 GB",
    ]
    assert size_text(77_540_000_000, ukrainian) == "77,5 ГБ"
    assert decimal_text(1234.5, english) == "1,234.5"
