"""The three formats of the basic call information: CSV, JSON and XML, as pieces of text of many rows each.

Pure. Rows are those of `kobza.store.calls.export_pages` for the same `Shown`: end and start (ms), calling number,
duration (s), called number; then, as asked, both names, both departments, both ownerships (bool), direction.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final

from kobza.api.times import WallClock
from kobza.call.numbers import national

Row = tuple[Any, ...]
Pages = Iterable[Sequence[Row]]
Text = Callable[[str], str]

ROWS_AT_ONCE: Final = 500
"""Rows joined to one piece: some 50 KB, so that memory stays flat and the cost of a piece disappears."""
REMEMBERED: Final = 4096
"""Numbers and names kept in written form: an enterprise calls the same ones again and again."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Which of the optional fields are asked for."""

    names: bool = False
    departments: bool = False
    ownership: bool = False
    direction: bool = False

    def fields(self) -> tuple[str, ...]:
        """Return the names of the fields in the contract's order."""
        return (
            "end_timestamp",
            "start_timestamp",
            "calling_number",
            "duration",
            "called_number",
            *(("calling_name", "called_name") if self.names else ()),
            *(("calling_department", "called_department") if self.departments else ()),
            *(("calling_ownership", "called_ownership") if self.ownership else ()),
            *(("direction",) if self.direction else ()),
        )


_CSV_QUOTED: Final = re.compile(r'[",\r\n]')
_CSV_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
"""What makes a spreadsheet run a cell as a formula (OWASP, CSV injection), the full-width forms included."""
_XML_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside the production Char of XML 1.0, 2.2."""
_XML_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def csv_text(text: str) -> str:
    """Write a name as a CSV field (RFC 4180), with an apostrophe before what a spreadsheet would run as a formula."""
    if _CSV_FORMULA.match(text):
        text = "'" + text
    if _CSV_QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def xml_text(text: str) -> str:
    """Write a text as XML character data; a character that XML forbids is dropped."""
    return _XML_FORBIDDEN.sub("", text).translate(_XML_ESCAPED)


def json_text(text: str) -> str:
    """Write a text as a JSON string, Cyrillic as it is; a lone surrogate, which UTF-8 cannot hold, is replaced."""
    return encode_basestring(text.encode("utf-8", "replace").decode() if not text.isascii() else text)


def csv_number(number: str) -> str:
    """Write a number as a CSV field. Its leading plus runs no formula: a cell of digits stays what it is."""
    return csv_text(number) if not number.removeprefix("+").isdigit() else number


def _writers(shown: Shown, text: Text) -> tuple[Callable[[Any], str], ...]:
    """Return what writes each of the optional fields."""
    texts = 2 * shown.names + 2 * shown.departments
    return (*(text,) * texts, *(_boolean,) * (2 * shown.ownership), *(str,) * shown.direction)


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _pieces(pages: Pages, line: Callable[[Row], str], separator: str = "") -> Iterator[str]:
    """Write rows and join them to pieces, the separator before each row but the first."""
    lead = ""
    for page in pages:
        for start in range(0, len(page), ROWS_AT_ONCE):
            yield lead + separator.join(map(line, page[start : start + ROWS_AT_ONCE]))
            lead = separator


def as_csv(pages: Pages, shown: Shown, *, bom: bool = False) -> Iterator[str]:
    """Write RFC 4180: CRLF, a header row, quotes where needed. `bom`: with the mark that spreadsheets need."""
    wall = WallClock().text
    number = lru_cache(REMEMBERED)(lambda stored: csv_number(national(stored)))
    writers = _writers(shown, lru_cache(REMEMBERED)(csv_text))

    def line(row: Row) -> str:
        base = f"{wall(row[0])},{wall(row[1])},{number(row[2])},{row[3]},{number(row[4])}"
        if writers:
            base += "," + ",".join([write(value) for write, value in zip(writers, row[5:], strict=True)])
        return base + "\r\n"

    yield ("\ufeff" if bom else "") + ",".join(shown.fields()) + "\r\n"
    yield from _pieces(pages, line)


def as_json(pages: Pages, shown: Shown) -> Iterator[str]:
    """Write `{"calls": [ … ]}`; `duration` is a number, ownership a boolean, all else are strings."""
    wall = WallClock().text
    number = lru_cache(REMEMBERED)(lambda stored: json_text(national(stored)))
    writers = _writers(shown, lru_cache(REMEMBERED)(json_text))
    if shown.direction:
        writers = (*writers[:-1], json_text)
    optional = "".join(f', "{name}": %s' for name in shown.fields()[5:])

    def line(row: Row) -> str:
        base = (
            f'{{"end_timestamp": "{wall(row[0])}", "start_timestamp": "{wall(row[1])}", '
            f'"calling_number": {number(row[2])}, "duration": {row[3]}, "called_number": {number(row[4])}'
        )
        if writers:
            base += optional % tuple([write(value) for write, value in zip(writers, row[5:], strict=True)])
        return base + "}"

    yield '{"calls": [\n'
    yield from _pieces(pages, line, ",\n")
    yield "\n]}\n"


def as_xml(pages: Pages, shown: Shown) -> Iterator[str]:
    """Write `<calls><call><end_timestamp>…`, one element for each field."""
    wall = WallClock().text
    number = lru_cache(REMEMBERED)(lambda stored: xml_text(national(stored)))
    writers = _writers(shown, lru_cache(REMEMBERED)(xml_text))
    optional = "".join(f"<{name}>%s</{name}>" for name in shown.fields()[5:])

    def line(row: Row) -> str:
        base = (
            f"<call><end_timestamp>{wall(row[0])}</end_timestamp><start_timestamp>{wall(row[1])}</start_timestamp>"
            f"<calling_number>{number(row[2])}</calling_number><duration>{row[3]}</duration>"
            f"<called_number>{number(row[4])}</called_number>"
        )
        if writers:
            base += optional % tuple([write(value) for write, value in zip(writers, row[5:], strict=True)])
        return base + "</call>\n"

    yield '<?xml version="1.0" encoding="UTF-8"?>\n<calls>\n'
    yield from _pieces(pages, line)
    yield "</calls>\n"
