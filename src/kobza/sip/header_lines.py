"""The header of a message as raw lines: split once, found by key, sent on as they came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kobza.sip.errors import MalformedMessage
from kobza.sip.field_names import header_key, known_key
from kobza.sip.grammar import shorten, split_list, unfold

MAX_HEADERS = 256
"""Header lines in one message. A call through ten proxies has 40; the longest torture message (RFC 4475 longreq) 60."""


def split_keys(lines: list[str]) -> list[str] | None:
    """Keys of raw header lines; None when one begins with white space, and continues the one before it.

    MalformedMessage says which line is none.
    """
    if len(lines) > MAX_HEADERS:
        raise MalformedMessage(f"more than {MAX_HEADERS} header lines", "header", sip_status=513)
    keys: list[str] = []
    for line in lines:
        at = line.find(":")
        key = known_key(line[:at]) if at > 0 else None
        if key is None:
            if line[:1] in (" ", "\t"):
                return None
            name, colon, _ = line.partition(":")
            key = _uncommon_key(name, colon, len(keys) + 1)
        keys.append(key)
    return keys


def _uncommon_key(name: str, colon: str, number: int) -> str:
    if not colon:
        raise MalformedMessage(f"no colon: {shorten(name)}", f"header line {number}")
    try:
        return header_key(name)
    except MalformedMessage as error:
        raise MalformedMessage(error.what, f"header line {number}") from None


class HeaderLines:
    """Ordered header lines. Names are case-insensitive and compact forms equal long ones, in every method.

    A line stays as it came, white space, folding and bytes that are not UTF-8 included, until `set` replaces it. What
    `get` and `get_all` return may hold such bytes as surrogate escapes; typed values (`kobza.sip.message`) never do.
    """

    __slots__ = ("_keys", "_lines", "_typed")

    def __init__(self, keys: list[str], lines: list[str]) -> None:
        self._keys = keys
        self._lines = lines
        self._typed: dict[str, Any] = {}

    def get(self, name: str) -> str | None:
        """First value of a header, unfolded and stripped; None when absent. A comma list stays one text."""
        index = self._first(known_key(name) or header_key(name))
        return None if index < 0 else self._value(index)

    def get_all(self, name: str) -> list[str]:
        """Values of all lines of a header, in order."""
        key = known_key(name) or header_key(name)
        first = self._first(key)
        if first < 0:
            return []
        return [self._value(index) for index in range(first, len(self._keys)) if self._keys[index] == key]

    def tokens(self, name: str) -> list[str]:
        """Elements of a comma list over all its lines (Allow, Require, Supported), as written; [] when absent."""
        where = f"{name} header"
        return [element for value in self.get_all(name) if value for element in split_list(value, where)]

    def allows(self, method: str) -> bool | None:
        """Tell whether Allow names a method; None when there is no Allow: the sender says nothing about it."""
        lines = self.get_all("allow")
        return any(method in line for line in lines) if lines else None

    def items(self) -> list[tuple[str, str]]:
        """All headers as (name as written, value unfolded and stripped)."""
        return [(line.partition(":")[0].rstrip(" \t"), self._value(index)) for index, line in enumerate(self._lines)]

    def set(self, name: str, value: str) -> None:
        """Replace all lines of a header with one, at the place of the first; or add it."""
        key, line = _checked_line(name, value)
        self._typed.pop(key, None)
        if key not in self._keys:
            self._keys.append(key)
            self._lines.append(line)
            return
        first = self._keys.index(key)
        self._lines[first] = line
        if self._keys.count(key) > 1:
            kept = [i for i, found in enumerate(self._keys) if found != key or i == first]
            self._keys, self._lines = [self._keys[i] for i in kept], [self._lines[i] for i in kept]

    def add(self, name: str, value: str) -> None:
        """Add a line after all others."""
        key, line = _checked_line(name, value)
        self._typed.pop(key, None)
        self._keys.append(key)
        self._lines.append(line)

    def prepend(self, name: str, value: str) -> None:
        """Add a line before all others: a Via, a Route, a Record-Route."""
        key, line = _checked_line(name, value)
        self._typed.pop(key, None)
        self._keys.insert(0, key)
        self._lines.insert(0, line)

    def remove(self, name: str) -> None:
        """Take away all lines of a header; nothing happens when there is none."""
        key = header_key(name)
        self._typed.pop(key, None)
        if key in self._keys:
            kept = [i for i, found in enumerate(self._keys) if found != key]
            self._keys, self._lines = [self._keys[i] for i in kept], [self._lines[i] for i in kept]

    def lines_of(self, keys: Iterable[str]) -> list[tuple[str, str]]:
        """Raw lines as (key, line) of the headers with these keys, in the message's order; see `extend`."""
        wanted = frozenset(keys)
        return [(key, line) for key, line in zip(self._keys, self._lines, strict=True) if key in wanted]

    def extend(self, lines: Iterable[tuple[str, str]]) -> None:
        """Add raw lines of another message byte for byte."""
        for key, line in lines:
            if key in self._typed:
                del self._typed[key]
            self._keys.append(key)
            self._lines.append(line)

    def _replace_first(self, name: str, value: str | None) -> None:
        """Replace the first line of a header that is there, or take it away (None); its other lines stay."""
        key, line = _checked_line(name, value or "")
        self._typed.pop(key, None)
        index = self._keys.index(key)
        if value is None:
            del self._keys[index], self._lines[index]
        else:
            self._lines[index] = line

    def _first(self, key: str) -> int:
        """Index of the first line of a header, -1 without one. Compiled, `in` and `index` of a list cost more."""
        keys = self._keys
        for index in range(len(keys)):
            if keys[index] == key:
                return index
        return -1

    def _value(self, index: int) -> str:
        line = self._lines[index]
        value = line[line.find(":") + 1 :]
        if "\n" in value:
            value = unfold(value)
        return value.strip()


def _checked_line(name: str, value: str) -> tuple[str, str]:
    """Key and line of a header that we write. A line break in a value would forge headers: refused."""
    key = known_key(name) or header_key(name)
    if not value.isprintable():
        if "\r" in value or "\n" in value:
            raise MalformedMessage("line break in a value", f"{name} header")
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise MalformedMessage("value is not Unicode text", f"{name} header") from None
    return key, f"{name}: {value}"
