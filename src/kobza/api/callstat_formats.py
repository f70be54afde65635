"""The three formats of the basic call information: CSV, JSON and XML, as pieces of text of many rows each.

Pure. Rows are those of `kobza.store.export.CallReader.callstat`: end and start (ms), calling number, duration (s),
called number, direction; and how the sides heard each other where that is asked for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from json.encoder import encode_basestring
from typing import Any, Final, Literal

from kobza.api.times import SECONDS, MinuteTexts
from kobza.call.numbers import national
from kobza.store.quality import read

Row = tuple[Any, ...]
Pages = Iterable[Sequence[Row]]
Person = Callable[[str], tuple[str, str]]
"""Returns the name and the department of a number."""
Extension = Literal["csv", "json", "xml"]

REMEMBERED: Final = 4096
"""Numbers kept in written form, with their names: an enterprise calls the same ones again and again. Some 1 MB."""
_BASE: Final = ("end_timestamp", "start_timestamp", "calling_number", "duration", "called_number")
_QUALITY: Final = ("calling_mos", "called_mos", "calling_lost", "called_lost", "not_heard")
_TIMES: Final = frozenset(_BASE[:2])


@dataclass(frozen=True, slots=True)
class Shown:
    """Which of the optional fields are asked for."""

    names: bool = False
    departments: bool = False
    ownership: bool = False
    direction: bool = False
    quality: bool = False

    def fields(self) -> tuple[str, ...]:
        """Return the names of the fields in the contract's order."""
        return (
            *_BASE,
            *(("calling_name", "called_name") if self.names else ()),
            *(("calling_department", "called_department") if self.departments else ()),
            *(("calling_ownership", "called_ownership") if self.ownership else ()),
            *(("direction",) if self.direction else ()),
            *(_QUALITY if self.quality else ()),
        )


@dataclass(frozen=True, slots=True)
class Style:
    """How a format writes: what stands around the rows and around the fields of one, and texts and numbers in it."""

    begin: str
    between: str
    end: str
    marks: Sequence[str]
    """Before each field, and after the last."""
    text: Callable[[str], str]
    number: Callable[[str], str]


_CSV_QUOTED: Final = re.compile(r'[",\r\n]')
_CSV_FORMULA: Final = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
"""What makes a spreadsheet run a cell as a formula (OWASP, CSV injection), the full-width forms included."""
_XML_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Everything outside the production Char of XML 1.0, 2.2."""
_XML_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def _encodable(text: str) -> str:
    """Replace what UTF-8 cannot hold: a lone surrogate must not break the answer off."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def csv_text(text: str) -> str:
    """Write a name as a CSV field (RFC 4180), with an apostrophe before what a spreadsheet would run as a formula."""
    text = _encodable(text)
    if _CSV_FORMULA.match(text):
        text = "'" + text
    if _CSV_QUOTED.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_number(number: str) -> str:
    """Write a number as a CSV field. Its leading plus runs no formula: a cell of digits stays what it is."""
    return csv_text(number) if not number.removeprefix("+").isdigit() else number


def xml_text(text: str) -> str:
    """Write a text as XML character data; a character that XML forbids is dropped."""
    return _XML_FORBIDDEN.sub("", text).translate(_XML_ESCAPED)


def json_text(text: str) -> str:
    """Write a text as a JSON string, Cyrillic as it is; a lone surrogate, which UTF-8 cannot hold, is replaced."""
    return encode_basestring(_encodable(text))


def _csv(fields: Sequence[str], *, bom: bool) -> Style:
    """RFC 4180: CRLF, a header row, quotes where needed. `bom`: with the mark that spreadsheets need for Cyrillic."""
    begin = ("\ufeff" if bom else "") + ",".join(fields) + "\r\n"
    marks = ["", *[","] * (len(fields) - 1), "\r\n"]
    return Style(begin, "", "", marks, csv_text, csv_number)


def _json(fields: Sequence[str]) -> Style:
    """`{"calls": [ … ]}`; `duration` is a number, ownership a boolean, all else are strings."""
    quote = ['"' if name in _TIMES else "" for name in fields]
    opening = [f'"{name}":{mark}' for name, mark in zip(fields, quote, strict=True)]
    between = [f"{closed},{opened}" for closed, opened in zip(quote[:-1], opening[1:], strict=True)]
    marks = ["{" + opening[0], *between, quote[-1] + "}"]
    return Style('{"calls":[\n', ",\n", "\n]}\n", marks, json_text, json_text)


def _xml(fields: Sequence[str]) -> Style:
    """`<calls><call><end_timestamp>…`, one element for each field."""
    between = [f"</{before}><{after}>" for before, after in pairwise(fields)]
    marks = [f"<call><{fields[0]}>", *between, f"</{fields[-1]}></call>\n"]
    return Style('<?xml version="1.0" encoding="UTF-8"?>\n<calls>\n', "", "</calls>\n", marks, xml_text, xml_text)


class _Parties(dict[str, tuple[str, str, str]]):
    """What is written of a number: itself, its name, its department; looked up once."""

    __slots__ = ("_person", "_style")

    def __init__(self, style: Style, person: Person | None) -> None:
        self._style = style
        self._person = person

    def __missing__(self, number: str) -> tuple[str, str, str]:
        name, department = ("", "") if self._person is None else self._person(number)
        style = self._style
        if len(self) >= REMEMBERED:
            self.clear()
        party = self[number] = (style.number(national(number)), style.text(name), style.text(department))
        return party


def _tails(shown: Shown, style: Style) -> dict[str, str]:
    """Return how a row ends, by the call's direction: that says whose the numbers are, as it was at the time."""
    tails = {}
    for direction in ("incoming", "outgoing", "local"):
        values = []
        if shown.ownership:
            values += ["false" if direction == other else "true" for other in ("incoming", "outgoing")]
        if shown.direction:
            values.append(style.text("incoming" if direction == "incoming" else "outgoing"))
        last = len(style.marks) - 1 - (len(_QUALITY) if shown.quality else 0)
        marks = style.marks[last - len(values) : last]
        tails[direction] = "".join(map(str.__add__, marks, values)) + ("" if shown.quality else style.marks[-1])
    return tails


def _quality(style: Style, unknown: str) -> Callable[[str | None, bool], str]:
    """Return what writes the quality of a call and the end of its row; `unknown` is written where nothing is known."""
    *marks, end = style.marks[-1 - len(_QUALITY) :]

    def written(text: str | None, answered: bool) -> str:
        values = [unknown] * len(_QUALITY)
        if text is not None:
            heard = read(text)
            legs = ((heard.caller, heard.called), (heard.called, heard.caller))
            numbers = [own.mos for own, _ in legs]
            numbers += [round(100 * own.missed / other.sent, 1) if other.sent else None for own, other in legs]
            values = [unknown if number is None else f"{number:g}" for number in numbers]
            silent = heard.not_heard(answered=answered)
            values.append(unknown if silent is None else style.text(silent))
        return "".join(map(str.__add__, marks, values)) + end

    return written


def callstat_pieces(
    extension: Extension, pages: Pages, shown: Shown, person: Person, *, bom: bool = False
) -> Iterator[str]:
    """Write the answer, a piece for each page. `person` is asked once for each number, and only if its name is shown.

    `bom` is for CSV only.
    """
    fields = shown.fields()
    style = _csv(fields, bom=bom) if extension == "csv" else _json(fields) if extension == "json" else _xml(fields)
    named = shown.names or shown.departments
    parties = _Parties(style, person if named else None)
    write = (_named_rows if named else _plain_rows)(shown, style, parties)
    if shown.quality:
        write = _with_quality(write, _quality(style, "null" if extension == "json" else ""))
    begin = style.begin
    for page in pages:
        yield begin + style.between.join(write(page))
        begin = style.between
    # Without any call the frame was not begun yet.
    yield (begin if begin is style.begin else "") + style.end


def _with_quality(
    write: Callable[[Sequence[Row]], list[str]], quality: Callable[[str | None, bool], str]
) -> Callable[[Sequence[Row]], list[str]]:
    """Return what writes rows with the quality of their calls behind everything else."""

    def rows(page: Sequence[Row]) -> list[str]:
        lines = write([row[:-1] for row in page])
        return [line + quality(row[-1], row[3] > 0) for line, row in zip(lines, page, strict=True)]

    return rows


def _plain_rows(shown: Shown, style: Style, parties: _Parties) -> Callable[[Sequence[Row]], list[str]]:
    """Return what writes rows without names. Everything it needs is local: a call for each row would cost a third."""
    minute, second, tails = MinuteTexts(), SECONDS, _tails(shown, style)
    m0, m1, m2, m3, m4 = style.marks[:5]

    def write(page: Sequence[Row]) -> list[str]:
        return [
            f"{m0}{minute[end // 60000]}{second[end // 1000 % 60]}"
            f"{m1}{minute[start // 60000]}{second[start // 1000 % 60]}"
            f"{m2}{parties[calling][0]}{m3}{duration}{m4}{parties[called][0]}{tails[direction]}"
            for end, start, calling, duration, called, direction in page
        ]

    return write


def _named_rows(shown: Shown, style: Style, parties: _Parties) -> Callable[[Sequence[Row]], list[str]]:
    """Return what writes rows with names, departments or both."""
    minute, second, tails = MinuteTexts(), SECONDS, _tails(shown, style)
    m0, m1, m2, m3, m4, before, between, *more = style.marks
    both = shown.names and shown.departments
    first = 1 if shown.names else 2
    before_second, between_second = more[:2] if both else ("", "")

    def line(row: Row) -> str:
        end, start, calling_number, duration, called_number, direction = row
        calling, called = parties[calling_number], parties[called_number]
        text = (
            f"{m0}{minute[end // 60000]}{second[end // 1000 % 60]}"
            f"{m1}{minute[start // 60000]}{second[start // 1000 % 60]}"
            f"{m2}{calling[0]}{m3}{duration}{m4}{called[0]}{before}{calling[first]}{between}{called[first]}"
        )
        if both:
            text += f"{before_second}{calling[2]}{between_second}{called[2]}"
        return text + tails[direction]

    return lambda page: list(map(line, page))
