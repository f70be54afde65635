"""A table of numbers that is shown on a page and sent as a file: the same cells, written for people or for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from babel.dates import format_date
from babel.numbers import format_decimal, format_percent

from kobza.api.callstat_formats import csv_number
from kobza.portal.formats import duration_text, moment_text
from kobza.portal.texts import Say

Cell = str | int | float | date | timedelta | None
"""A float is a share of 1, a date perhaps one with a time of day; None is what there is none of."""


@dataclass(frozen=True, slots=True)
class Table:
    """Headings (in words) and rows."""

    headings: list[str]
    rows: list[list[Cell]]


def count_text(count: int, say: Say) -> str:
    """Write a count as people of a language do: `1,234`, `1 234`."""
    if 0 <= count < 1000:  # most of them, and the library takes 0.1 ms
        return str(count)
    text: str = format_decimal(count, locale=say.locale)
    return text


def share_text(share: float, say: Say) -> str:
    """Write a share: `87%`, `87 %`."""
    text: str = format_percent(share, locale=say.locale)
    return text


def shown(cell: Cell, say: Say) -> str:
    """Write a cell for people."""
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if isinstance(cell, timedelta):
        return duration_text(round(cell.total_seconds()), say)
    if isinstance(cell, datetime):
        return moment_text(int(cell.timestamp() * 1000), say)
    if isinstance(cell, date):
        text: str = format_date(cell, "EEE, d MMM y", locale=say.locale)
        return text
    return share_text(cell, say) if isinstance(cell, float) else count_text(cell, say)


def csv_lines(table: Table) -> Iterable[str]:
    """Write a table as CSV (RFC 4180), with the mark by which spreadsheets know UTF-8. Shares are percents."""
    yield "\ufeff" + _line(table.headings)
    for row in table.rows:
        yield _line([_plain(cell) for cell in row])


def _plain(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    if isinstance(cell, datetime):
        return f"{cell:%Y-%m-%d %H:%M:%S}"
    return f"{100 * cell:.1f}" if isinstance(cell, float) else str(cell)


def _line(cells: Sequence[str]) -> str:
    return ",".join(csv_number(cell) for cell in cells) + "\r\n"
