"""Days of Kyiv as forms name them, in the fields `from` and `to`, both included."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from kobza.api.times import first_moment

FIRST_DAY: Final = date(1970, 1, 1)
LAST_DAY: Final = date(9000, 1, 1)


class Ends(NamedTuple):
    """The chosen days; an end that is absent or no day is None."""

    first: date | None
    last: date | None
    unread: frozenset[str]
    """Fields that hold something which is no day."""
    wrong: list[str]
    """Keys of the texts that say what is wrong, each once."""


def read_ends(sent: Mapping[str, str]) -> Ends:
    """Read both ends of a form. Whatever is sent gives some."""
    days = {name: day_of(sent.get(name, "").strip()) for name in ("from", "to")}
    unread = frozenset(name for name, day in days.items() if day is None and sent.get(name, "").strip())
    first, last = days["from"], days["to"]
    wrong = ["wrong_day"] if unread else []
    if first is not None and last is not None and first > last:
        wrong.append("wrong_interval")
    return Ends(first, last, unread, wrong)


def day_of(text: str) -> date | None:
    """Read `2026-04-20`; None for what is no day, or one that no call can have."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def first_ms(day: date) -> int:
    """Return the moment (ms) at which a day begins."""
    return first_moment(datetime.combine(day, time())) * 1000


def last_ms(day: date) -> int:
    """Return the last millisecond of a day."""
    return first_ms(day + timedelta(days=1)) - 1
