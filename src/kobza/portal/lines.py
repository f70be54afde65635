"""What was read of a file that somebody uploaded: rows that say something, and what is wrong, line by line."""

import re
import unicodedata
from typing import Final, Generic, TypeVar

import msgspec

from kobza.call.errors import NumberError
from kobza.call.numbers import normalize

MOST_TEXT: Final = 200
"""Characters of a name or a department."""
MOST_FAULTS: Final = 1000
"""Faults that are told; all lines with one are counted."""
_BETWEEN: Final = re.compile(r":::|[;\n\r]")
"""What stands between the numbers of one cell."""
_UNSEEN: Final = re.compile(r"[\s\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\ufeff]+")

Row = TypeVar("Row")


class Fault(msgspec.Struct, array_like=True):
    """Something that is wrong with a line. `code` is the key of its text, behind `import_`."""

    line: int
    code: str
    value: str = ""


class LineFault(Exception):
    """What `Fault` says of the line that is being read."""

    def __init__(self, code: str, value: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.value = value[:100]


class ReadFile(msgspec.Struct, Generic[Row]):
    """A file: by number (E.164 or a short code) what it says of that."""

    rows: dict[str, Row] = {}
    faults: list[Fault] = []
    faulty: int = 0
    """Faults in all."""
    repeated: int = 0
    """Lines that say of a number what another line says too."""
    unreadable: str = ""
    """Why the file as a whole cannot be read: the key of the text, behind `import_`."""

    def blame(self, line: int, code: str, value: str = "") -> None:
        """Tell what is wrong with a line."""
        self.faulty += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(line, code, value[:100]))


def clean(text: str) -> str:
    """Return a text in one form, without what cannot be seen. Raises LineFault when it is too long."""
    cleaned = _UNSEEN.sub(" ", unicodedata.normalize("NFC", text).encode("utf-8", "replace").decode()).strip()
    if len(cleaned) > MOST_TEXT:
        raise LineFault("too_long", cleaned)
    return cleaned


def numbers_in(text: str) -> list[str]:
    """Return the numbers of a cell in their stored form. Raises LineFault for one that is none."""
    found = []
    for part in _BETWEEN.split(text):
        # A spreadsheet that was told not to take a number for a formula has a mark before it.
        written = part.strip().removeprefix("'").removeprefix("tel:").strip()
        if written:
            try:
                found.append(normalize(written))
            except NumberError:
                raise LineFault("bad_number", written) from None
    return found
