"""The form of the statistics: days of Kyiv, both included, and perhaps one department."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import urlencode

from kobza.portal.kyiv_days import first_ms, last_ms, read_ends

MOST_DAYS: Final = 366
DEFAULT_DAYS: Final = 30
MAX_DEPARTMENT: Final = 200
"""Characters."""


@dataclass(frozen=True, slots=True)
class Span:
    """Some days that are offered, by the key of their name."""

    key: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class DaysForm:
    """The form as it was sent, or as it is meant: what it cannot be is as it is by default, and named in `wrong`."""

    first: date
    last: date
    department: str | None
    wrong: tuple[str, ...] = ()
    """Keys of the texts that say what is wrong."""

    @property
    def days(self) -> int:
        """How many days are chosen."""
        return (self.last - self.first).days + 1

    @property
    def from_ms(self) -> int:
        """The moment at which the first day begins."""
        return first_ms(self.first)

    @property
    def to_ms(self) -> int:
        """The last millisecond of the last day."""
        return last_ms(self.last)

    def query(self, span: Span | None = None) -> str:
        """Return the form as a query, with its own days or others."""
        first, last = (self.first, self.last) if span is None else (span.first, span.last)
        fields = {"from": first.isoformat(), "to": last.isoformat()}
        return urlencode(fields if self.department is None else {**fields, "department": self.department})


def spans(today: date) -> list[Span]:
    """Return the days that are offered by name."""
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    return [
        Span("today", today, today),
        Span("last_7_days", today - timedelta(days=6), today),
        Span("last_30_days", today - timedelta(days=DEFAULT_DAYS - 1), today),
        Span("this_month", month, today),
        Span("last_month", before.replace(day=1), before),
        Span("last_year", today - timedelta(days=364), today),
    ]


def read_days(sent: Mapping[str, str], today: date) -> DaysForm:
    """Read a form. Whatever is sent gives one; an end that is absent follows from the other."""
    first, last, _, wrong = read_ends(sent)
    if last is None:
        last = today if first is None else min(max(today, first), first + timedelta(days=MOST_DAYS - 1))
    if first is None:
        first = last - timedelta(days=DEFAULT_DAYS - 1)
    if (last - first).days >= MOST_DAYS:
        wrong.append("too_many_days")
    if wrong:
        first, last = today - timedelta(days=DEFAULT_DAYS - 1), today
    department = sent.get("department", "").strip()[:MAX_DEPARTMENT]
    return DaysForm(first, last, department or None, tuple(wrong))
