"""Searching the history of calls: what the portal shows, and what it exports of it.

Text of SQL on the driver itself, because the export process has no SQLAlchemy (see `kobza.store.export`). No index
knows parts of numbers or names, so a search looks through a bounded number of calls at a time, in their order: a page
comes soon however rare what is sought, and says from where to look on.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Self

LOOKED: Final = 20_000
"""Calls looked through for one page: some 40 ms when none of them is what is sought."""
SORTED: Final = 25_000
"""Calls that are sorted by their length at most, which no index does: 50 to 100 ms."""
LAST_MOMENT: Final = 253_402_300_799_999
"""The end of the year 9999 (ms)."""
MIN_DIGITS: Final = 2
"""Digits that are looked for in numbers; a single one is in most of them."""

MIN_OWN_TEXT: Final = 2
"""Characters that are looked for in own texts."""

Order = Literal["newest", "oldest", "longest"]
Fetch = Callable[[str, tuple[Any, ...]], Sequence[Sequence[Any]]]
"""Runs a statement whose places are `?`."""


@dataclass(frozen=True, slots=True)
class CallSearch:
    """What is sought. None is any. All is compared with finished calls only."""

    enterprise_id: str
    text: str = ""
    """Part of a number, or words of a name or department in the address book, of any party; or a part of what the
    program that made the call wrote to it (`client_state`)."""
    party: str | None = None
    """A number (E.164) that takes part, whatever the text finds beside it."""
    from_ms: int = 0
    to_ms: int = LAST_MOMENT
    """The calls that began in [from_ms, to_ms]."""
    direction: str | None = None
    answered: bool | None = None
    cause: int | None = None
    """Q.850."""
    talk_from: int | None = None
    talk_below: int | None = None
    """Seconds of talk: at least the one, less than the other. An unanswered call has none."""
    recorded: bool | None = None
    order: Order = "newest"


class FoundCall(NamedTuple):
    """A finished call. Numbers are E.164 or short codes, moments milliseconds."""

    call_id: str
    calling_number: str
    called_number: str
    answered_number: str | None
    started_at: int
    ringing_at: int | None
    answered_at: int | None
    ended_at: int
    direction: str
    cause: int | None
    released_by: str | None
    record_id: str | None
    client_state: str | None
    """What the program that made the call wrote to it."""

    @property
    def talk_ms(self) -> int:
        """How long both talked, as it is sorted."""
        return 0 if self.answered_at is None else self.ended_at - self.answered_at


class Position(NamedTuple):
    """A place in what a search finds: right behind this call."""

    started_at: int
    talk_ms: int
    call_id: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one that a browser sends back. Raises ValueError when it is none of ours."""
        started_at, _, rest = text.partition("-")
        talk_ms, mark, call_id = rest.partition("-")
        if not (mark and 0 < len(call_id) <= 64 and _is_count(started_at) and _is_count(talk_ms)):
            raise ValueError(f"not a place: {text[:100]!r}")
        return cls(int(started_at), int(talk_ms), call_id)

    def __str__(self) -> str:
        return f"{self.started_at}-{self.talk_ms}-{self.call_id}"


class FoundPage(NamedTuple):
    """Calls in their order."""

    calls: list[FoundCall]
    after: Position | None
    """Where the next page begins; None: this was the last."""
    looked_to: int | None
    """When the bound ended the search before the page was full: the moment (ms) up to which calls were looked at."""


class Person(NamedTuple):
    """What the address book says of a number; empty for one that it does not know."""

    name: str
    department: str


class TooManyToSort(Exception):
    """More calls than are sorted by their length lie in the interval."""


class CallSearcher:
    """Searches over one connection, in the words of its database."""

    def __init__(self, fetch: Fetch, *, postgres: bool) -> None:
        self._fetch = fetch
        self._position = "strpos" if postgres else "instr"
        self._among = "(SELECT json_array_elements_text(CAST(? AS json)))" if postgres else _AMONG_SQLITE

    def page(self, search: CallSearch, after: Position | None, limit: int) -> FoundPage:
        """Return the calls behind a place, or the first ones, `limit` of them at most.

        Raises TooManyToSort for the longest of an interval with too many calls.
        """
        conditions, values = self._conditions(search)
        if conditions is None:
            return FoundPage([], None, None)
        if search.order == "longest":
            return self._longest(search, conditions, values, after, limit)
        return self._in_time(search, conditions, values, after, limit)

    def pages(self, search: CallSearch, limit: int) -> Iterator[list[FoundCall]]:
        """Return all that is found, at most `limit` calls at a time; an empty page when a look finds none."""
        after: Position | None = None
        while True:
            page = self.page(search, after, limit)
            yield page.calls
            if page.after is None:
                return
            after = page.after

    def people(self, enterprise_id: str, numbers: Iterable[str]) -> dict[str, Person]:
        """Return those of some numbers that the address book knows."""
        rows = self._fetch(
            f"SELECT number, name, department FROM address_book WHERE enterprise_id = ? AND number IN {self._among}",  # noqa: S608 - a constant
            (enterprise_id, json.dumps(sorted(set(numbers)))),
        )
        return {number: Person(name, department) for number, name, department in rows}

    def heard(self, call_ids: Iterable[str]) -> dict[str, str]:
        """Return how the sides of some calls that were found heard each other, as `kobza.store.quality` reads it."""
        rows = self._fetch(
            f"SELECT call_id, quality FROM call_details WHERE quality IS NOT NULL AND call_id IN {self._among}",  # noqa: S608 - a constant
            (json.dumps(sorted(call_ids)),),
        )
        return {row[0]: row[1] for row in rows}

    def _in_time(
        self, search: CallSearch, conditions: str, values: tuple[Any, ...], after: Position | None, limit: int
    ) -> FoundPage:
        down = search.order == "newest"
        beyond, within, order = ("<", ">=", " DESC") if down else (">", "<=", "")
        interval = "enterprise_id = ? AND started_at >= ? AND started_at <= ?"
        low, high = search.from_ms, search.to_ms
        place: tuple[Any, ...] = ()
        if after is not None:
            # The moment alone as well: the index begins the search there, and not at a pair.
            low, high = (low, min(high, after.started_at)) if down else (max(low, after.started_at), high)
            interval += f" AND (started_at, call_id) {beyond} (?, ?)"
            place = (after.started_at, after.call_id)
        ordered = f" ORDER BY started_at{order}, call_id{order} LIMIT "
        bound: Position | None = None
        if conditions:
            end = self._fetch(
                f"SELECT started_at, call_id FROM calls WHERE {interval}{ordered}1 OFFSET ?",  # noqa: S608 - constants
                (search.enterprise_id, low, high, *place, LOOKED - 1),
            )
            if end:
                bound = Position(end[0][0], 0, end[0][1])
                low, high = (bound.started_at, high) if down else (low, bound.started_at)
                interval += f" AND (started_at, call_id) {within} (?, ?)"
                place += (bound.started_at, bound.call_id)
        rows = self._fetch(
            f"SELECT {_COLUMNS} FROM calls WHERE {interval} AND ended_at IS NOT NULL{conditions}{ordered}?",  # noqa: S608
            (search.enterprise_id, low, high, *place, *values, limit + 1),
        )
        calls = [FoundCall._make(row) for row in rows[:limit]]
        if len(rows) > limit:
            return FoundPage(calls, _behind(calls[-1]), None)
        return FoundPage(calls, bound, None if bound is None else bound.started_at)

    def _longest(
        self, search: CallSearch, conditions: str, values: tuple[Any, ...], after: Position | None, limit: int
    ) -> FoundPage:
        interval = "enterprise_id = ? AND started_at >= ? AND started_at <= ?"
        bounds = (search.enterprise_id, search.from_ms, search.to_ms)
        more = f"SELECT 1 FROM calls WHERE {interval} ORDER BY started_at, call_id LIMIT 1 OFFSET ?"  # noqa: S608
        if self._fetch(more, (*bounds, SORTED)):
            raise TooManyToSort
        place: tuple[Any, ...] = ()
        if after is not None:
            conditions += f" AND ({_TALK_MS}, started_at, call_id) < (?, ?, ?)"
            place = (after.talk_ms, after.started_at, after.call_id)
        rows = self._fetch(
            f"SELECT {_COLUMNS} FROM calls WHERE {interval} AND ended_at IS NOT NULL{conditions} "  # noqa: S608
            f"ORDER BY {_TALK_MS} DESC, started_at DESC, call_id DESC LIMIT ?",
            (*bounds, *values, *place, limit + 1),
        )
        calls = [FoundCall._make(row) for row in rows[:limit]]
        return FoundPage(calls, _behind(calls[-1]) if len(rows) > limit else None, None)

    def _conditions(self, search: CallSearch) -> tuple[str | None, tuple[Any, ...]]:
        """Return what a call must be beside its time; None in place of a condition that no call can meet."""
        parts: list[str] = []
        values: list[Any] = []
        if search.text.strip():
            party, party_values = self._party(search)
            if not party:
                return None, ()
            parts.append(party)
            values += party_values
        if search.party is not None:
            parts.append("(calling_number = ? OR called_number = ? OR answered_number = ?)")
            values += (search.party,) * 3
        for column, value in (("direction", search.direction), ("cause", search.cause)):
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(value)
        for column, there in (("answered_at", search.answered), ("record_id", search.recorded)):
            if there is not None:
                parts.append(f"{column} IS {'NOT ' if there else ''}NULL")
        for comparison, seconds in ((">=", search.talk_from), ("<", search.talk_below)):
            if seconds is not None:
                parts.append(f"answered_at IS NOT NULL AND ended_at - answered_at {comparison} ?")
                values.append(seconds * 1000)
        return "".join(f" AND {part}" for part in parts), tuple(values)

    def _party(self, search: CallSearch) -> tuple[str, list[Any]]:
        """Return the condition that the text means a party of a call or is in its own text; empty when nothing can be.

        Own texts are compared in either case of Latin letters, which is all that both databases fold here.
        """
        known = self._meant(search.enterprise_id, search.text)
        digits = digits_of(search.text)
        ways, values = [], []
        for column in ("calling_number", "called_number", "answered_number"):
            if known:
                ways.append(f"{column} IN {self._among}")
                values.append(json.dumps(known))
            if digits:
                ways.append(f"{column} LIKE ?")
                values.append(f"%{digits}%")
        own = search.text.strip()
        if len(own) >= MIN_OWN_TEXT:
            ways.append(f"{self._position}(lower(client_state), lower(?)) > 0")
            values.append(own)
        return (f"({' OR '.join(ways)})" if ways else ""), values

    def _meant(self, enterprise_id: str, text: str) -> list[str]:
        """Return the numbers in whose names and departments all words of the text are, in either case of letters.

        Read whole: neither database folds the case of Cyrillic letters in the collation that the store has.
        """
        words = text.casefold().split()
        rows = self._fetch(
            "SELECT number, name, department FROM address_book WHERE enterprise_id = ?", (enterprise_id,)
        )
        found = []
        for number, name, department in rows:
            said = f"{name} {department}".casefold()
            if all(word in said for word in words):
                found.append(number)
        return found


def searcher(conn: Any) -> CallSearcher:
    """Return what searches over a connection of `Store.read`."""
    postgres = conn.dialect.name == "postgresql"
    mark = "%s" if postgres else "?"
    return CallSearcher(
        lambda query, values: conn.exec_driver_sql(query.replace("?", mark), values).fetchall(), postgres=postgres
    )


def digits_of(text: str) -> str:
    """Return the digits of a text that is part of a number as people write it; empty for any other text."""
    bare = "".join(text.split()).translate(_SEPARATORS)
    digits = bare.removeprefix("+")
    return digits if len(digits) >= MIN_DIGITS and digits.isascii() and digits.isdigit() else ""


def _behind(call: FoundCall) -> Position:
    return Position(call.started_at, call.talk_ms, call.call_id)


def _is_count(text: str) -> bool:
    return 0 < len(text) <= 15 and text.isascii() and text.isdigit()


_SEPARATORS: Final = str.maketrans("", "", "-\u2010\u2011\u2012\u2013./()")
_COLUMNS: Final = ", ".join(FoundCall._fields)
_TALK_MS: Final = "coalesce(ended_at - answered_at, 0)"
_AMONG_SQLITE: Final = "(SELECT value FROM json_each(?))"
