"""Finished calls of an interval, all of them and in their order: what statistics are counted from.

Text of SQL on the driver itself, as in `kobza.store.search`: the export process reads it, a page in a read of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from kobza.store.search import Fetch

PAGE: Final = 2000
"""Calls read at once: with the counting some 10 ms, after which other exports have their turn."""


class ScannedCall(NamedTuple):
    """A finished call. Numbers are E.164 or short codes, moments milliseconds."""

    started_at: int
    call_id: str
    ringing_at: int | None
    answered_at: int | None
    ended_at: int
    direction: str
    calling_number: str
    called_number: str
    answered_number: str | None


_COLUMNS: Final = ", ".join(ScannedCall._fields)
_SCAN: Final = (
    f"SELECT {_COLUMNS} FROM calls WHERE enterprise_id = ? AND started_at >= ? AND (started_at, call_id) > (?, ?) "  # noqa: S608 - constants
    "AND started_at <= ? AND ended_at IS NOT NULL ORDER BY started_at, call_id LIMIT ?"
)
_DEPARTMENT: Final = "SELECT number FROM address_book WHERE enterprise_id = ? AND department = ?"


class CallScanner:
    """Reads calls over one connection."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def between(self, enterprise_id: str, from_ms: int, to_ms: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Return the finished calls that began in [from_ms, to_ms], oldest first, page by page.

        Rows are plain tuples in the order of `ScannedCall`: with a million of them a name costs a second.
        """
        at, call_id = from_ms, ""
        while True:
            rows = self._fetch(_SCAN, (enterprise_id, at, at, call_id, to_ms, PAGE))
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            at, call_id = rows[-1][0], rows[-1][1]

    def of_department(self, enterprise_id: str, department: str) -> frozenset[str]:
        """Return the numbers that the address book has in a department."""
        return frozenset(row[0] for row in self._fetch(_DEPARTMENT, (enterprise_id, department)))
