"""Bencode, in which commands to rtpengine and its replies are written. No I/O.

Numbers, strings of bytes, lists and dictionaries: `i42e`, `3:abc`, `l…e`, `d…e`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

MAX_DEPTH: Final = 32
"""Lists and dictionaries inside each other; the deepest reply has about ten."""
MAX_DIGITS: Final = 20
"""Of a number: 64 bits."""

Value = int | bytes | list["Value"] | dict[str, "Value"]
Encodable = int | str | bytes | Sequence["Encodable"] | Mapping[str, "Encodable"]


class MalformedBencode(ValueError):
    """The bytes are no bencode, or more than one value."""


def encode(value: Encodable) -> bytes:
    """Return a value in bencode. Keys keep their order: rtpengine wants none."""
    parts: list[bytes] = []
    _encode(value, parts)
    return b"".join(parts)


def _encode(value: Encodable, parts: list[bytes]) -> None:
    match value:
        case int():
            parts.append(b"i%de" % value)
        case str():
            _encode(value.encode(errors="surrogateescape"), parts)
        case bytes():
            parts.append(b"%d:" % len(value))
            parts.append(value)
        case Mapping():
            parts.append(b"d")
            for key, item in value.items():
                _encode(key, parts)
                _encode(item, parts)
            parts.append(b"e")
        case _:
            parts.append(b"l")
            for item in value:
                _encode(item, parts)
            parts.append(b"e")


def decode(data: bytes) -> Value:
    """Return the one value in `data`; raise MalformedBencode. Keys become texts, other strings stay bytes."""
    value, end = _decode(data, 0, MAX_DEPTH)
    if end != len(data):
        raise MalformedBencode(f"{len(data) - end} bytes behind the value")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        return _number(data, at + 1, b"e")
    if kind not in (b"l", b"d"):
        return _string(data, at)
    if not depth:
        raise MalformedBencode("nested too deeply")
    at += 1
    if kind == b"l":
        items: list[Value] = []
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at, depth - 1)
            items.append(item)
        return items, at + 1
    entries: dict[str, Value] = {}
    while data[at : at + 1] != b"e":
        key, at = _string(data, at)
        entries[key.decode(errors="surrogateescape")], at = _decode(data, at, depth - 1)
    return entries, at + 1


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    length, start = _number(data, at, b":")
    end = start + length
    if length < 0 or end > len(data):
        raise MalformedBencode(f"a string of {length} bytes at {at}, which are not there")
    return data[start:end], end


def _number(data: bytes, at: int, ended_by: bytes) -> tuple[int, int]:
    """Return the number that begins at a place, and the place behind what ends it."""
    end = data.find(ended_by, at, at + MAX_DIGITS + 2)
    digits = data[at:end] if end >= 0 else b""
    if not digits.removeprefix(b"-").isdigit():
        raise MalformedBencode(f"no number at {at}")
    return int(digits), end + 1
