"""The three formats of the basic call information: CSV, JSON and XML, as pieces of text made row by row.

Pure. A row is a `CallRow`; which fields it shows is a `Shown`. No row is ever held longer than it takes to write it.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Final, NamedTuple

from kobza.api.times import WallClock
from kobza.call.durations import talk_seconds
from kobza.call.numbers import national


class CallRow(NamedTuple):
    """One finished call of the enterprise: moments in ms UTC, numbers as stored, names "" when unknown."""

    ended_ms: int
    started_ms: int
    """When the attempt was made."""
    answered_ms: int | None
    calling_number: str
    called_number: str
    calling_name: str
    called_name: str
    calling_department: str
    called_department: str
    calling_own: bool
    called_own: bool
    direction: str
    """incoming, outgoing or local."""


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

Text = Callable[[str], str]


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


def _cells(rows: Iterable[CallRow], shown: Shown, number: Text, text: Text, yes: str, no: str) -> Iterator[list[str]]:
    """Yield the fields of each row, written."""
    clock = WallClock()
    wall = clock.text
    for row in rows:
        answered = row.answered_ms
        cells = [
            wall(row.ended_ms),
            wall(row.started_ms if answered is None else answered),
            number(national(row.calling_number)),
            str(talk_seconds(answered, row.ended_ms)),
            number(national(row.called_number)),
        ]
        if shown.names:
            cells += (text(row.calling_name), text(row.called_name))
        if shown.departments:
            cells += (text(row.calling_department), text(row.called_department))
        if shown.ownership:
            cells += (yes if row.calling_own else no, yes if row.called_own else no)
        if shown.direction:
            cells.append("incoming" if row.direction == "incoming" else "outgoing")
        yield cells


def as_csv(rows: Iterable[CallRow], shown: Shown, *, bom: bool = False) -> Iterator[str]:
    """Write RFC 4180: CRLF, a header row, quotes where needed. `bom`: with the mark that spreadsheets need."""
    yield ("\ufeff" if bom else "") + ",".join(shown.fields()) + "\r\n"
    join = ",".join
    for cells in _cells(rows, shown, csv_number, csv_text, "true", "false"):
        yield join(cells) + "\r\n"


def as_json(rows: Iterable[CallRow], shown: Shown) -> Iterator[str]:
    """Write `{"calls": [ … ]}`; `duration` is a number, ownership a boolean, all else are strings."""
    before = [
        f'{", " if place else ""}"{name}": '
        + ('"' if name in ("end_timestamp", "start_timestamp", "direction") else "")
        for place, name in enumerate(shown.fields())
    ]
    after = ['"' if piece.endswith('"') else "" for piece in before]
    template = "{{" + "".join(f"{head}{{}}{tail}" for head, tail in zip(before, after, strict=True)) + "}}"
    line = template.format
    yield '{"calls": ['
    separator = "\n"
    for cells in _cells(rows, shown, json_text, json_text, "true", "false"):
        yield separator + line(*cells)
        separator = ",\n"
    yield "\n]}\n"


def as_xml(rows: Iterable[CallRow], shown: Shown) -> Iterator[str]:
    """Write `<calls><call><end_timestamp>…`, one element for each field."""
    template = "<call>" + "".join(f"<{name}>{{}}</{name}>" for name in shown.fields()) + "</call>\n"
    line = template.format
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<calls>\n'
    for cells in _cells(rows, shown, xml_text, xml_text, "true", "false"):
        yield line(*cells)
    yield "</calls>\n"
