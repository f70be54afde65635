"""The address book as people: entries with the same name and department are one person with several numbers."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from kobza.store.address_book import Entry
from kobza.store.search import digits_of

_ALPHABET: Final = str.maketrans({"ґ": "г\uffff", "є": "е\uffff", "і": "и\uffff", "ї": "и\uffff\uffff", "ё": "е\ufffe"})
"""Letters that the Ukrainian alphabet has elsewhere than Unicode: right behind another one."""
_APOSTROPHES: Final = str.maketrans(dict.fromkeys("’ʼ`", "'"))


@dataclass(slots=True)
class Contact:
    """A person or a firm. `own` are those of its numbers that are the enterprise's."""

    name: str
    department: str
    numbers: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)


def version_of(one: Contact | None) -> str:
    """Return what a form keeps of a contact as it was shown, so that one that is stale is noticed; empty: nobody."""
    if one is None:
        return ""
    said = "\0".join((one.name, one.department, *sorted(one.numbers)))
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def contacts_of(entries: Iterable[Entry], own: Collection[str]) -> list[Contact]:
    """Return people in the order of the alphabet; numbers without a name are each one of their own, at the end."""
    people: dict[tuple[str, str, str], Contact] = {}
    for entry in entries:
        key = (entry.name, entry.department, "" if entry.name else entry.number)
        person = people.setdefault(key, Contact(entry.name, entry.department))
        person.numbers.append(entry.number)
        if entry.number in own:
            person.own.append(entry.number)
    return sorted(
        people.values(), key=lambda one: (not one.name, in_order(one.name), in_order(one.department), one.numbers)
    )


def in_order(text: str) -> str:
    """Return what a text is sorted by in Ukrainian."""
    return text.casefold().translate(_ALPHABET)


def found(contacts: Iterable[Contact], text: str, department: str, kind: str) -> list[Contact]:
    """Return those that a search means: all words in name and department, or a part of a number.

    `kind` is `own` (those with a number of the enterprise), `outside` or empty.
    """
    words, digits = text.casefold().translate(_APOSTROPHES).split(), digits_of(text)
    chosen = []
    for one in contacts:
        said = f"{one.name} {one.department}".casefold().translate(_APOSTROPHES)
        meant = all(word in said for word in words) or (digits and any(digits in number for number in one.numbers))
        if (
            meant
            and (not department or one.department == department)
            and (not kind or (kind == "own") == bool(one.own))
        ):
            chosen.append(one)
    return chosen


def doubles(contacts: Sequence[Contact]) -> list[list[Contact]]:
    """Return groups that are probably one person each: the same words in the name, whatever their order and case."""
    groups: dict[tuple[str, ...], list[Contact]] = {}
    for one in contacts:
        if one.name:
            words = sorted(one.name.casefold().translate(_APOSTROPHES).replace(".", " ").split())
            groups.setdefault(tuple(words), []).append(one)
    return [group for group in groups.values() if len(group) > 1]
