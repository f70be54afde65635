"""Services of numbers out of a table that somebody uploaded. Runs in the export process."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from kobza.call.directory import MOST_CALLS
from kobza.call.hours_form import HoursError, week_of, week_text
from kobza.portal.lines import LineFault, ReadFile, clean, numbers_in
from kobza.portal.sheets import UnreadableFile, lines_of

AT_ONCE: Final = 100
"""Lines that are read before other exports have their turn."""
SWITCHES: Final = ("convergent", "api_fmc", "call_recording", "dnd", "hidden", "call_waiting")
"""Columns of yes and no, by what they switch: the packages, Do Not Disturb, hiding the number, call waiting."""
FORWARDS: Final = ("always", "busy", "no_answer", "unreachable")
"""Columns of numbers to which calls go, by the occasion; a word for no: nowhere."""
AS_COMPANY: Final = "company"
"""Says of working hours that a number has none of its own."""
_KINDS: Final[Sequence[tuple[str, re.Pattern[str]]]] = (
    ("week", re.compile(r"working hours|робочі години")),
    ("closed_to", re.compile(r"outside (the )?(working )?hours|поза (робочими )?годинами")),
    ("busy", re.compile(r"busy|зайнят")),
    ("no_answer", re.compile(r"no.?answer|(?:не|без) відповід")),
    ("unreachable", re.compile(r"unreachable|недоступн|недосяжн")),
    ("always", re.compile(r"always|завжди")),
    ("call_waiting", re.compile(r"waiting|очікуван")),
    ("max_calls", re.compile(r"at a time|simultaneous|одночасн")),
    ("hidden", re.compile(r"hide|hidden|прихов")),
    ("dnd", re.compile(r"dnd|disturb|турбувати")),
    ("convergent", re.compile(r"convergent|конвергент")),
    ("api_fmc", re.compile(r"api|fmc")),
    ("call_recording", re.compile(r"recording|запис")),
    ("number", re.compile(r"phone|number|телефон|номер|мобільн")),
    ("department", re.compile(r"department|відділ|підрозділ")),
    ("name", re.compile(r"name|піб|імя|назва")),
)
"""What a column is by its heading: the first that fits; other columns are left alone."""
_APOSTROPHES: Final = str.maketrans("", "", "'’ʼ`")
_WORDS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("yes", "y", "on", "true", "1", "+", "x", "так", "т", "увімкнено", "є"), True),
    **dict.fromkeys(("no", "n", "off", "false", "0", "-", "ні", "н", "вимкнено", "немає"), False),
}


class NumberRow(msgspec.Struct, array_like=True):
    """What a line says of a number; an empty text says nothing, nor does a switch that is not there."""

    line: int
    name: str
    department: str
    switches: dict[str, bool]
    forwards: dict[str, str] = {}
    """Normalized numbers by the occasion; "": nowhere."""
    max_calls: int = 0
    """How many calls at a time; 0: nothing is said, -1: any number."""
    week: str = ""
    """Of its working hours, or AS_COMPANY."""
    closed_to: str | None = None
    """Where calls go outside them; "": nowhere."""


Numbers = ReadFile[NumberRow]


def number_pieces(content: bytes) -> Iterator[bytes]:
    """Return `Numbers` as JSON, after an empty piece for every few lines."""
    read = Numbers(rows={}, faults=[])
    try:
        for count, _ in enumerate(_table(content, read)):
            if count % AT_ONCE == 0:
                yield b""
    except UnreadableFile as error:
        read = Numbers(unreadable=error.code)
    if not read.unreadable and not read.rows and not read.faults:
        read.unreadable = "empty"
    yield msgspec.json.encode(read)


def _table(content: bytes, read: Numbers) -> Iterator[None]:
    lines = lines_of(content)
    _, headings = next(lines, (1, []))
    columns: dict[str, int] = {}
    for at, heading in enumerate(headings):
        kind = _kind(heading)
        if kind:
            columns.setdefault(kind, at)
    if "number" not in columns:
        raise UnreadableFile("no_number_column")
    if len(columns) == 1:
        raise UnreadableFile("no_service_column")
    for line, cells in lines:
        texts = {kind: cells[at] if at < len(cells) else "" for kind, at in columns.items()}
        try:
            number, row = _row(line, texts)
        except LineFault as fault:
            read.blame(line, fault.code, fault.value)
        else:
            if (before := read.rows.get(number)) is not None:
                read.blame(before.line, "said_again", str(line))
            read.rows[number] = row
        yield


def _kind(heading: str) -> str:
    folded = heading.casefold().translate(_APOSTROPHES)
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), "")


def _row(line: int, texts: Mapping[str, str]) -> tuple[str, NumberRow]:
    """Return a number and what a line says of it. Raises LineFault."""
    numbers = numbers_in(texts["number"])
    if len(numbers) != 1:
        raise LineFault("no_number" if not numbers else "many_numbers", texts["number"])
    switches = {}
    for kind in SWITCHES:
        if word := texts.get(kind, "").casefold():
            if word not in _WORDS:
                raise LineFault("bad_switch", texts[kind])
            switches[kind] = _WORDS[word]
    name, department = clean(texts.get("name", "")), clean(texts.get("department", ""))
    forwards, most = _forwards(texts, numbers[0]), _most(texts.get("max_calls", ""))
    closed_to = _forwards(texts, numbers[0], ("closed_to",)).get("closed_to")
    week = _week(texts.get("week", ""))
    return numbers[0], NumberRow(line, name, department, switches, forwards, most, week, closed_to)


def _week(text: str) -> str:
    """Return the week that a line says. Raises LineFault."""
    if not text or _WORDS.get(text.casefold()) is False:
        return AS_COMPANY if text else ""
    try:
        return week_text(week_of(text))
    except HoursError:
        raise LineFault("bad_week", text) from None


def _most(text: str) -> int:
    """Return how many calls at a time a line allows. Raises LineFault."""
    if not text:
        return 0
    if _WORDS.get(text.casefold()) is False:
        return -1
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= MOST_CALLS):
        raise LineFault("bad_max_calls", text)
    return int(text)


def _forwards(texts: Mapping[str, str], own: str, kinds: Sequence[str] = FORWARDS) -> dict[str, str]:
    """Return where a line sends calls of a number. Raises LineFault."""
    forwards = {}
    for kind in kinds:
        if text := texts.get(kind, ""):
            found = [] if _WORDS.get(text.casefold()) is False else numbers_in(text)
            if len(found) > 1:
                raise LineFault("many_numbers", text)
            if own in found:
                raise LineFault("bad_forward", text)
            forwards[kind] = found[0] if found else ""
    return forwards
