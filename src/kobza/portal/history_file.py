"""All that a search of the history finds, as CSV or XLSX. Made in the export process, so that calls do not notice."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Final

import xlsxwriter

from kobza.api.callstat_formats import csv_number
from kobza.api.exports.jobs import FileKind
from kobza.api.languages import Language
from kobza.call.durations import ringing_seconds, talk_seconds
from kobza.call.heard import HeardSide
from kobza.call.numbers import national
from kobza.call.routing import ANONYMOUS
from kobza.portal.call_rows import NOBODY, numbers_of, outcome_text
from kobza.portal.formats import wall_moment
from kobza.portal.texts import Say, say_in
from kobza.store.export import CallReader
from kobza.store.quality import read
from kobza.store.search import CallSearch, FoundCall, Person

Cell = str | int | float | datetime | timedelta

CONTENT_TYPES: Final[dict[FileKind, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
PAGE: Final = 500
"""Calls read at once."""
SORTED_PAGE: Final = 5000
"""The same of calls by their length: each page sorts them all anew."""
XLSX_ROWS: Final = 50_000
"""Calls in an XLSX at most: some 10 s of CPU. It can be sent only when it is whole, and its last step keeps other
exports waiting for a second; CSV costs a fifth, comes as it is made and has no bound."""
_FIRST_DAY: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a spreadsheet's moments have no zone
"""From which a spreadsheet counts days."""
_DAY: Final = timedelta(days=1)
_COLUMNS: Final = (
    ("begun", 18),
    ("direction", 12),
    ("from", 16),
    ("caller_name", 24),
    ("caller_department", 18),
    ("to", 16),
    ("called_name", 24),
    ("called_department", 18),
    ("answered_number", 16),
    ("talk", 10),
    ("rang_for", 10),
    ("outcome", 30),
    ("recording", 12),
    ("own_text", 24),
    ("call_id", 34),
    ("mos_at_caller", 10),
    ("loss_at_caller", 10),
    ("jitter_at_caller", 10),
    ("mos_at_called", 10),
    ("loss_at_called", 10),
    ("jitter_at_called", 10),
    ("one_way", 30),
)
"""Keys of the headings, and how wide the columns are. More go to the end: people's own sheets count these."""
_UNKNOWN: Final[list[Cell]] = [""] * 7
"""In the columns of how both heard each other."""


def file_pieces(reader: CallReader, search: CallSearch, kind: FileKind, language: Language) -> Iterator[str | bytes]:
    """Return the file, piece by piece; an empty one lets other exports go on."""
    say = say_in(language)
    rows = _rows(reader, search, say)
    return _csv_pieces(rows, say) if kind == "csv" else _xlsx_pieces(rows, say)


def _rows(reader: CallReader, search: CallSearch, say: Say) -> Iterator[list[list[Cell]]]:
    """Return the cells of calls, those of a page at a time."""
    searcher = reader.searcher()
    for page in searcher.pages(search, SORTED_PAGE if search.order == "longest" else PAGE):
        people = searcher.people(search.enterprise_id, numbers_of(page)) if page else {}
        heard = searcher.heard(call.call_id for call in page) if page else {}
        yield [_cells(call, people, say) + _heard_cells(heard.get(call.call_id), call, say) for call in page]


def _cells(call: FoundCall, people: dict[str, Person], say: Say) -> list[Cell]:
    caller = people.get(call.calling_number, NOBODY)
    called = people.get(call.called_number, NOBODY)
    answered = call.answered_at is not None
    return [
        wall_moment(call.started_at).replace(tzinfo=None, microsecond=0),
        say(call.direction),
        _number(call.calling_number, say),
        caller.name,
        caller.department,
        _number(call.called_number, say),
        called.name,
        called.department,
        _number(call.answered_number, say) if answered and call.answered_number else "",
        timedelta(seconds=talk_seconds(call.answered_at, call.ended_at)),
        timedelta(seconds=ringing_seconds(call.ringing_at, call.answered_at, call.ended_at)),
        say("answered") if answered else outcome_text(call.cause, call.released_by, say),
        say("yes" if call.record_id is not None else "no"),
        call.client_state or "",
        call.call_id,
    ]


def _heard_cells(text: str | None, call: FoundCall, say: Say) -> list[Cell]:
    """Write what each side heard of the other, as the call's page does, and whether one was not heard."""
    if text is None:
        return _UNKNOWN
    heard = read(text)
    not_heard = heard.not_heard(answered=call.answered_at is not None)
    return [
        *_side_cells(heard.caller, heard.called),
        *_side_cells(heard.called, heard.caller),
        "" if not_heard is None else say(f"not_heard_{not_heard}"),
    ]


def _side_cells(own: HeardSide, other: HeardSide) -> list[Cell]:
    """Write the opinion score, the losses (percent) and the jitter (ms) of what a side heard."""
    if own.mos is None:
        return ["", "", ""]
    jitter = "" if own.jitter_ms is None else round(own.jitter_ms)
    return [round(own.mos, 1), round(100 * own.missed / max(1, other.sent), 1), jitter]


def _number(number: str, say: Say) -> str:
    """Write a number without the gaps that people read by: a spreadsheet compares."""
    return say("hidden_number") if number == ANONYMOUS else national(number)


def _csv_pieces(pages: Iterator[list[list[Cell]]], say: Say) -> Iterator[str]:
    """Write CSV (RFC 4180), with the mark by which spreadsheets know UTF-8."""
    yield "\ufeff" + _csv_line([say(key) for key, _ in _COLUMNS])
    for page in pages:
        yield "".join(map(_csv_line, page))


def _csv_line(cells: Sequence[Cell]) -> str:
    return ",".join(csv_number(str(cell)) for cell in cells) + "\r\n"


def _xlsx_pieces(pages: Iterator[list[list[Cell]]], say: Say) -> Iterator[bytes]:
    file = BytesIO()
    # Rows go to a temporary file as they come: a hundred thousand in memory would be 200 MB.
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    sheet = book.add_worksheet(say("history"))
    heading = book.add_format({"bold": True, "bottom": 1})
    moment, duration, decimal = (
        book.add_format({"num_format": form}) for form in ("yyyy-mm-dd hh:mm:ss", "[h]:mm:ss", "0.0")
    )
    for column, (_, width) in enumerate(_COLUMNS):
        sheet.set_column(column, column, width)
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, [say(key) for key, _ in _COLUMNS], heading)
    line = 1
    for page in pages:
        for row in page[: XLSX_ROWS + 1 - line]:
            for column, cell in enumerate(row):
                if isinstance(cell, timedelta):
                    sheet.write_number(line, column, cell / _DAY, duration)
                elif isinstance(cell, datetime):
                    sheet.write_number(line, column, (cell - _FIRST_DAY) / _DAY, moment)
                elif isinstance(cell, float):
                    sheet.write_number(line, column, cell, decimal)
                elif isinstance(cell, int):
                    sheet.write_number(line, column, cell)
                elif cell:
                    sheet.write_string(line, column, cell)  # never a formula
            line += 1
        yield b""
        if line > XLSX_ROWS:
            sheet.write_string(line, 0, say("file_is_cut", count=XLSX_ROWS))
            break
    sheet.autofilter(0, 0, max(1, line - 1), len(_COLUMNS) - 1)
    book.close()
    yield file.getvalue()
