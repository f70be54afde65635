"""Tables that people upload, as lines of texts: CSV in whatever form spreadsheets write it, and spreadsheets.

Runs in the export process: reading a spreadsheet takes a second of CPU.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Final

from python_calamine import CalamineError, CalamineWorkbook

MOST_LINES: Final = 5000
"""Lines of a table, or cards of a file."""
MOST_COLUMNS: Final = 200
MOST_UNPACKED: Final = 100 * 1024 * 1024
"""Bytes that a spreadsheet may be when it is unpacked: a small file can be made to unpack without end."""
_DELIMITERS: Final = ";,\t"
_ZIP: Final = b"PK\x03\x04"
"""What XLSX and ODS begin with."""
_OLD: Final = b"\xd0\xcf\x11\xe0"
"""What XLS begins with."""

Line = tuple[int, list[str]]
"""Its number in the file, from 1 on, and its cells."""


class UnreadableFile(Exception):
    """A file as a whole cannot be read; `code` is the key of the text that says why, behind `import_`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def lines_of(content: bytes) -> Iterator[Line]:
    """Return the lines of a table that are not empty. Raises UnreadableFile."""
    found = _sheet(content) if content.startswith((_ZIP, _OLD)) else _csv(text_of(content))
    count = 0
    for number, cells in found:
        if any(cells):
            count += 1
            if count > MOST_LINES + 1:  # and the heading
                raise UnreadableFile("too_many_lines")
            yield number, cells[:MOST_COLUMNS]


def text_of(content: bytes) -> str:
    """Decode a file of text: Unicode by its mark or as UTF-8, else what Windows writes Ukrainian in."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1251", "replace")


def _csv(text: str) -> Iterator[Line]:
    head = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    begin = 1
    try:
        for row in reader:
            yield begin, [cell.strip() for cell in row]
            begin = reader.line_num + 1
    except csv.Error:
        raise UnreadableFile("broken_table") from None


def _sheet(content: bytes) -> Iterator[Line]:
    if content.startswith(_ZIP):
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                unpacked = sum(entry.file_size for entry in packed.infolist())
        except (zipfile.BadZipFile, NotImplementedError, ValueError):
            raise UnreadableFile("broken_table") from None
        if unpacked > MOST_UNPACKED:
            raise UnreadableFile("too_large")
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            sheet = book.get_sheet_by_index(0)
            first = 1 + (sheet.start[0] if sheet.start is not None else 0)
            for at, row in enumerate(sheet.iter_rows()):
                yield first + at, [_cell(value) for value in row]
    except (CalamineError, IndexError, OSError):
        raise UnreadableFile("broken_table") from None


def _cell(value: object) -> str:
    """Write a cell: a number that a spreadsheet made of digits is those digits again."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
