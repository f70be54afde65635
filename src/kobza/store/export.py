"""Calls in bulk, for exports: a hot path, on the driver itself and without SQLAlchemy, which costs two to eight times
as much for a row (decision 6 of the architecture).

Pages are found by key, each in a read of its own that is over before its rows are written: however slowly a client
reads, no snapshot is held, so the write-ahead log stays short (ADR 0010).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from kobza.store import driver
from kobza.store.place import Place
from kobza.store.scan import CallScanner
from kobza.store.search import CallSearcher

PAGE = 500
"""Rows read at once: half a millisecond, and at most some 300 KB when they are written with all fields."""
SCANNED = 5000
"""Calls looked through at once for those of one number or direction: some 1 ms when none is."""
CACHE_KIB = 2 * 1024
"""Page cache of the reader: an index is walked once, so nothing is gained by more."""

Row = tuple[Any, ...]
Pages = Iterator[list[Row]]

_ROUNDED_UP = "({end} - {start} + 999) / 1000"
_TALK = (
    "CASE WHEN answered_at IS NULL THEN 0 WHEN ended_at <= answered_at THEN 1 ELSE "
    + _ROUNDED_UP.format(start="answered_at", end="ended_at")
    + " END"
)
"""Seconds rounded up; an answered call lasts one or more (`kobza.call.durations.talk_seconds`)."""
_RINGING = (
    "CASE WHEN ringing_at IS NULL OR coalesce(answered_at, ended_at) <= ringing_at THEN 0 ELSE "
    + _ROUNDED_UP.format(start="ringing_at", end="coalesce(answered_at, ended_at)")
    + " END"
)
"""The same of `kobza.call.durations.ringing_seconds`."""

CALLSTAT = (
    f"SELECT ended_at, start_at, calling_number, {_TALK}, called_number, direction{{more}} FROM calls "  # noqa: S608 - constants
    "WHERE enterprise_id = ? AND start_at >= ? AND start_at <= ? AND convergent AND ended_at IS NOT NULL "
    "ORDER BY start_at, {tie} LIMIT ?"
)

HISTORY = (
    f"SELECT call_id, calling_number, called_number, started_at, ended_at, {_TALK}, {_RINGING}, direction, "  # noqa: S608
    "cause, record_id, sip_status, released_by, answered_number, answered_at, client_state{more} FROM calls "
    "WHERE enterprise_id = ? AND started_at >= ? AND (started_at, call_id) > (?, ?) AND started_at <= ? "
    "AND ended_at IS NOT NULL"
)
_QUALITY = ", (SELECT quality FROM call_details WHERE call_details.call_id = calls.call_id)"
"""How the sides heard each other, which is kept apart: only for who asks, see ADR 34."""
_IN_ORDER = " ORDER BY started_at, call_id LIMIT ?"
_OF_NUMBER = " AND (calling_number = ? OR called_number = ? OR answered_number = ?)"
_OF_DIRECTION = " AND direction = ?"
_UP_TO = " AND (started_at, call_id) <= (?, ?)"

SCAN_END = (
    "SELECT started_at, call_id FROM calls WHERE enterprise_id = ? AND started_at >= ? "
    "AND (started_at, call_id) > (?, ?) AND started_at <= ? ORDER BY started_at, call_id LIMIT 1 OFFSET ?"
)

PERSON = "SELECT name, department FROM address_book WHERE enterprise_id = ? AND number = ?"

BOOK = "SELECT number, name, department FROM address_book WHERE enterprise_id = ? ORDER BY number"


class Cursor(NamedTuple):
    """A place in the history: after the call that began at a moment (ms) and has this id."""

    started_at: int
    call_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one that a client sends back. Raises ValueError when it is none of ours."""
        started_at, mark, call_id = text.partition("-")
        if not (mark and call_id and started_at.isascii() and started_at.isdigit() and len(started_at) <= 15):
            raise ValueError(f"not a cursor: {text!r}")
        return cls(int(started_at), call_id)

    def __str__(self) -> str:
        return f"{self.started_at}-{self.call_id}"


class CallReader:
    """Reads calls of any enterprise over one connection in autocommit mode, for one thread.

    Several of its iterators may be under way at a time.
    """

    pages_at_once = 1
    """How many times PAGE calls of the basic call information are read at once."""
    postgres = False
    tie = "rowid"
    """What puts calls of one moment in order, so that an export repeats itself: what their index has behind it here."""

    def __init__(self, connection: Any, mark: str = "?") -> None:
        self._connection = connection
        self._mark = mark

    @classmethod
    def open(cls, place: Place) -> "CallReader":
        """Open the store at a place. Raises StoreMissing, or what the driver raises."""
        if isinstance(place, Path):
            connection = driver.connect(place)
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA query_only = ON")
            return cls(connection)
        from kobza.store.export_postgres import PostgresCallReader  # the driver is for those who need it

        return PostgresCallReader.connect(place)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @classmethod
    def callstat_query(cls, *, quality: bool = False) -> str:
        """Return what is asked for a page of `callstat`."""
        return CALLSTAT.format(more=_QUALITY if quality else "", tie=cls.tie)

    def callstat(self, enterprise_id: str, from_ms: int, to_ms: int, *, quality: bool = False) -> Pages:
        """Return the finished calls of "Convergent" numbers with their start in [from_ms, to_ms], oldest first.

        The start of an answered call is the answer, of another the attempt. A row: end, start (ms), calling number,
        duration (s), called number (E.164), direction (incoming, outgoing, local); with `quality` also how the sides
        heard each other, as `kobza.store.quality` reads it, or None.
        """
        query = self.callstat_query(quality=quality)
        start, size = from_ms, PAGE * self.pages_at_once
        while True:
            rows = self._fetch(query, (enterprise_id, start, to_ms, size))
            if len(rows) < size:
                if rows:
                    yield rows
                return
            # The next page begins with the last start, because more calls may have it: those are left for then.
            last = rows[-1][1]
            while rows and rows[-1][1] == last:
                rows.pop()
            if rows:
                yield rows
                start, size = last, PAGE * self.pages_at_once
            else:
                size *= 2  # a whole page of one millisecond

    def history(
        self,
        enterprise_id: str,
        from_ms: int,
        to_ms: int,
        *,
        number: str | None = None,
        direction: str | None = None,
        after: Cursor | None = None,
        limit: int | None = None,
        quality: bool = False,
    ) -> Pages:
        """Return the finished calls that began in [from_ms, to_ms], oldest first, `limit` of them at most.

        `number` (E.164) is the calling, called or answered one; `after` is where the page before ended. A row: id,
        calling and called number, start and end (ms), talk and ringing (s), direction, cause, record id, SIP status,
        who released it, number that answered, answer (ms), client state; with `quality` also how the sides heard each
        other, as `kobza.store.quality` reads it, or None.
        """
        query = HISTORY.replace("{more}", _QUALITY if quality else "")
        chosen: tuple[str, ...] = ()
        if number is not None:
            query += _OF_NUMBER
            chosen = (number, number, number)
        if direction is not None:
            query += _OF_DIRECTION
            chosen = (*chosen, direction)
        at = Cursor(from_ms, "") if after is None or after.started_at < from_ms else after
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            begin = (enterprise_id, at.started_at, *at)
            # What is sought may be rare: without a bound one read would look through all of the interval.
            scan = self._fetch(SCAN_END, (*begin, to_ms, SCANNED - 1)) if chosen else []
            bound = Cursor(*scan[0]) if scan else None
            if bound is None:
                rows = self._fetch(query + _IN_ORDER, (*begin, to_ms, *chosen, size))
            else:  # the moment alone as well: the index ends the search there, and not at a pair
                rows = self._fetch(query + _UP_TO + _IN_ORDER, (*begin, bound.started_at, *chosen, *bound, size))
            if rows:
                yield rows
                left = None if left is None else left - len(rows)
            if len(rows) == size:
                at = Cursor(rows[-1][3], rows[-1][0])
            elif bound is not None:
                at = bound
            else:
                return

    def searcher(self) -> CallSearcher:
        """Return what searches over this connection."""
        return CallSearcher(self._fetch, postgres=self.postgres)

    def scanner(self) -> CallScanner:
        """Return what reads all calls of an interval over this connection."""
        return CallScanner(self._fetch)

    def person(self, enterprise_id: str, number: str) -> tuple[str, str]:
        """Return the name and the department that the address book has for a number; empty ones for none."""
        for name, department in self._fetch(PERSON, (enterprise_id, number)):
            return name, department
        return "", ""

    def book(self, enterprise_id: str) -> list[Row]:
        """Return the number, name and department of all that an address book has, by number."""
        return self._fetch(BOOK, (enterprise_id,))

    def _fetch(self, query: str, parameters: tuple[Any, ...]) -> list[Row]:
        rows: list[Row] = self._connection.execute(query.replace("?", self._mark), parameters).fetchall()
        return rows
