"""Byte ranges of a file (RFC 9110, section 14) and its conditional requests. Pure."""

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(r"[Bb]ytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*")


class ByteRange(NamedTuple):
    """The bytes from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.last - self.first + 1


class RangeNotSatisfiableError(ValueError):
    """The range lies behind the end."""


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range asked for, cut to the size; None when the whole is to be sent.

    A header that is malformed, or that asks for several ranges, is ignored as RFC 9110 14.2 allows. Raises
    RangeNotSatisfiableError for a range behind the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None or (not match[1] and not match[2]):
        return None
    if not match[1]:
        suffix = int(match[2])
        if suffix == 0 or size == 0:
            raise RangeNotSatisfiableError
        return ByteRange(max(0, size - suffix), size - 1)
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiableError
    return ByteRange(first, min(last, size - 1))


def matches_etag(header: str | None, etag: str) -> bool:
    """Tell whether If-None-Match names the entity tag (weak comparison) or is `*`."""
    if header is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or tags == ["*"]
