"""Contacts out of a file: a table with headings in Ukrainian or English, or vCards. Runs in the export process."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import vobject

from kobza.portal.lines import LineFault, ReadFile, clean, numbers_in
from kobza.portal.sheets import MOST_LINES, UnreadableFile, lines_of, text_of

AT_ONCE: Final = 20
"""Lines or cards that are read before other exports have their turn: a card takes 2 ms."""

_KINDS: Final[Sequence[tuple[str, re.Pattern[str]]]] = (
    ("", re.compile(r"type|label|fax|факс|тип")),
    ("number", re.compile(r"phone|mobile|\btel\b|telephone|number|телефон|номер|мобільн|\bмоб\b|\bтел\b")),
    ("last", re.compile(r"last name|family name|surname|прізвище")),
    ("first", re.compile(r"first name|given name")),
    ("middle", re.compile(r"middle name|additional name|по батькові")),
    ("department", re.compile(r"department|відділ|підрозділ|unit")),
    ("company", re.compile(r"company|organi[sz]ation|компані|організаці|фірма")),
    ("name", re.compile(r"^name$|full name|display name|^contact|піб|пib|^імя$|^контакт|^назва")),
)
"""What a column is by its heading: the first that fits; other columns are left alone."""
_APOSTROPHES: Final = str.maketrans("", "", "'’ʼ`")
_DROPPED: Final = re.compile(r"(?:[\w-]+\.)?(?:PHOTO|LOGO|SOUND|KEY)[;:]", re.IGNORECASE)
"""Lines of a card that may be long and say nothing of numbers and names."""


class ContactRow(msgspec.Struct, array_like=True):
    """What a line says of a number; an empty text says nothing."""

    line: int
    name: str
    department: str


Contacts = ReadFile[ContactRow]


def contact_pieces(content: bytes) -> Iterator[bytes]:
    """Return `Contacts` as JSON, after an empty piece for every few lines."""
    read = Contacts(rows={}, faults=[])
    steps = _cards(content, read) if b"BEGIN:VCARD" in content.upper().replace(b"\x00", b"") else _table(content, read)
    try:
        for count, _ in enumerate(steps):
            if count % AT_ONCE == 0:
                yield b""
    except UnreadableFile as error:
        read = Contacts(unreadable=error.code)
    if not read.unreadable and not read.rows and not read.faults:
        read.unreadable = "empty"
    yield msgspec.json.encode(read)


def _table(content: bytes, read: Contacts) -> Iterator[None]:
    lines = lines_of(content)
    _, headings = next(lines, (1, []))
    columns: dict[str, list[int]] = {}
    for at, heading in enumerate(headings):
        columns.setdefault(_kind(heading), []).append(at)
    if "number" not in columns:
        raise UnreadableFile("no_number_column")

    for line, cells in lines:
        texts = {
            kind: " ".join(cells[at] for at in places if at < len(cells) and cells[at])
            for kind, places in columns.items()
            if kind != "number"
        }
        numbers = "\n".join(cells[at] for at in columns["number"] if at < len(cells))
        _take(read, line, numbers, _name(texts), texts.get("department", ""))
        yield


def _name(texts: dict[str, str]) -> str:
    """Return a person's name, of one column or of its parts (a name beside a surname is the first one), or a firm's."""
    name = texts.get("name", "")
    if "last" in texts or "first" in texts:
        parts = (texts.get("last"), texts.get("first") or name, texts.get("middle"))
        name = " ".join(part for part in parts if part) or name
    return name or texts.get("company", "")


def _kind(heading: str) -> str:
    folded = heading.casefold().translate(_APOSTROPHES).strip()
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), "")


def _take(read: Contacts, line: int, numbers: str, name: str, department: str) -> None:
    """Note what a line says, or what is wrong with it."""
    try:
        name, department, found = clean(name), clean(department), numbers_in(numbers)
    except LineFault as fault:
        read.blame(line, fault.code, fault.value)
        return
    if not found:
        read.blame(line, "no_number", name)
    if not name and not department:
        read.blame(line, "no_name", ", ".join(found))
        return
    for number in found:
        before = read.rows.get(number)
        if before is not None:
            if (before.name, before.department) == (name, department):
                read.repeated += 1
                continue
            read.blame(before.line, "said_again", str(line))
        read.rows[number] = ContactRow(line, name, department)


def _cards(content: bytes, read: Contacts) -> Iterator[None]:
    for count, (line, text) in enumerate(_split(text_of(content)), 1):
        if count > MOST_LINES:
            raise UnreadableFile("too_many_lines")
        try:
            name, department, numbers = _card(text)
        except LineFault as fault:
            read.blame(line, fault.code, fault.value)
        else:
            _take(read, line, numbers, name, department)
        yield


def _split(text: str) -> Iterator[tuple[int, str]]:
    """Return each card with the number of its first line, without its pictures and sounds."""
    begin, kept, dropping = 0, list[str](), False
    for at, line in enumerate(text.splitlines(), 1):
        word = line.strip().upper()
        if word == "BEGIN:VCARD":
            if begin:  # the one before never ended: it is a card all the same, and told as one that is broken
                yield begin, "\n".join(kept)
            begin, kept, dropping = at, [], False
        if not begin:
            continue
        continued = line[:1] in (" ", "\t")
        dropping = dropping if continued else _DROPPED.match(line) is not None
        if not dropping:
            kept.append(line)
        if word == "END:VCARD":
            yield begin, "\n".join(kept)
            begin = 0
    if begin:
        yield begin, "\n".join(kept)


def _card(text: str) -> tuple[str, str, str]:
    """Return the name, the department and the numbers of a card. Raises LineFault for what is none."""
    try:
        card: Any = vobject.readOne(text)
        contents = card.contents
        organisation = contents["org"][0].value if "org" in contents else []
        named = contents["n"][0].value if "n" in contents else None
        full = contents["fn"][0].value if "fn" in contents else ""
        numbers = "\n".join(each.value for each in contents.get("tel", ()))
        if not full and named is not None:
            full = f"{_words(named.family)} {_words(named.given)}".strip()
        parts = [organisation] if isinstance(organisation, str) else [str(part) for part in organisation]
        return full or (parts[0] if parts else ""), parts[1] if len(parts) > 1 else "", numbers
    except Exception as error:  # the library raises whatever its parts do: AttributeError, UnicodeError, binascii.Error
        raise LineFault("broken_card", text.partition("\n")[0]) from error


def _words(value: Any) -> str:
    return value if isinstance(value, str) else " ".join(map(str, value))
