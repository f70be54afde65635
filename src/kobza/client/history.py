"""The calls of an interval: call history (section 3) and basic call information (section 2). Without I/O."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from kobza.client.account import Account
from kobza.client.effects import Emit, Operation, Request
from kobza.client.errors import AnswerNotUnderstood
from kobza.client.exchange import exchange, fmc_request
from kobza.client.fields import decode_fields
from kobza.client.models import HistoryCall, read_history_call, read_statistics_row
from kobza.client.spans import HISTORY_SPAN, STATISTICS_SPAN, Seam, spans
from kobza.client.wall import first_second, last_second, to_wall, write_wall

PAGE_SIZE: Final = 1000
MAX_PAGE_SIZE: Final = 5000
STATISTICS: Final = "/api/cdr/v1/callstat.json"


class _Calls(msgspec.Struct):
    """An answer with its rows still encoded: as values they would take ten times the memory."""

    calls: list[msgspec.Raw]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls are wanted. Kobza heeds it; of a server that does not, the client drops the others."""

    number: str | None = None
    direction: str | None = None
    quality: bool = False
    """Not which: with how the sides heard each other."""

    def __post_init__(self) -> None:
        if self.direction not in (None, "incoming", "outgoing", "local"):
            raise ValueError("direction must be incoming, outgoing or local")

    def passes(self, call: HistoryCall) -> bool:
        """Tell whether a call is wanted."""
        if self.direction not in (None, call.direction):
            return False
        numbers = (call.calling_number, call.called_number, call.answered_number or "")
        return self.number is None or plain_number(self.number) in map(plain_number, numbers)


_SEPARATORS: Final = re.compile(r"[\s\-./()]")


def plain_number(text: str) -> str:
    """Bring the usual spellings of a number to one: national digits for Ukraine, `+…` for others (section 1)."""
    number = _SEPARATORS.sub("", text)
    if number.startswith("00"):
        number = "+" + number[2:]
    bare = number.removeprefix("+")
    if bare.startswith("380") and len(bare) == 12:
        return "0" + bare[3:]
    return number


def calls(
    account: Account, from_: datetime, to: datetime | None, wanted: Filter, page_size: int = PAGE_SIZE
) -> Operation[None]:
    """Emit the HistoryCalls that began in an interval, oldest first."""
    if not 1 <= page_size <= MAX_PAGE_SIZE:
        raise ValueError(f"page_size must be 1 to {MAX_PAGE_SIZE}")
    to = account.now() if to is None else to
    first, last = first_second(from_), last_second(to)
    seam = Seam()
    for span in spans(to_wall(from_), to_wall(to), HISTORY_SPAN):
        cursor: str | None = None
        while True:
            request = fmc_request(
                account,
                "GET",
                "/v1/callhistory",
                ("from", write_wall(span.first)),
                ("to", write_wall(span.last)),
                ("number", wanted.number),
                ("direction", wanted.direction),
                ("quality", "on" if wanted.quality else None),
                ("limit", str(page_size)),
                ("cursor", cursor),
            )
            answer = yield from exchange(account, request)
            page = _read_calls(answer.body, "callhistory")
            for raw in page.calls:
                fields = decode_fields(raw, "a call of callhistory")
                call = read_history_call(fields)
                # Where the moment is known it says more than a wall time of the hour that autumn repeats.
                exact = fields.has("started_at")
                in_time = not exact or first <= call.started_at.timestamp() < last + 1
                asked_for = in_time and (exact or wanted.passes(call))
                if asked_for and seam.is_new(span, to_wall(call.started_at), call.call_id):
                    yield Emit(call)
            if page.next_cursor is None:
                break
            if page.next_cursor == cursor:
                raise AnswerNotUnderstood("callhistory gives the same next_cursor again")
            cursor = page.next_cursor
        seam.next_part()


def call_statistics(
    account: Account,
    from_: datetime,
    to: datetime | None,
    *,
    names: bool = False,
    departments: bool = False,
    ownership: bool = False,
    direction: bool = False,
    quality: bool = False,
) -> Operation[None]:
    """Emit the StatisticsRows of an interval, oldest first."""
    now = account.now()
    until_now = to is None or to_wall(to) >= to_wall(now)
    end = to_wall(now) if to is None or until_now else to_wall(to)
    switches = {
        "names": names,
        "departments": departments,
        "ownership": ownership,
        "direction": direction,
        "quality": quality,
    }
    seam = Seam()
    for span in spans(to_wall(from_), end, STATISTICS_SPAN):
        query = [("from", write_wall(span.first))]
        # A `to` that is in the future by the server's clock would be refused; without one it means now.
        if not (span.is_last and until_now):
            query.append(("to", write_wall(span.last)))
        query += [(name, "on") for name, on in switches.items() if on]
        headers = {"accept": "application/json"}
        request = Request("GET", STATISTICS, tuple(query), headers, token_in_query=True)
        answer = yield from exchange(account, request)
        for raw in _read_calls(answer.body, "callstat.json").calls:
            row = read_statistics_row(decode_fields(raw, "a call of callstat.json"))
            if seam.is_new(span, row.started_at, row):
                yield Emit(row)
        seam.next_part()


def _read_calls(body: bytes, what: str) -> _Calls:
    try:
        return msgspec.json.decode(body, type=_Calls)
    except (msgspec.MsgspecError, RecursionError):
        raise AnswerNotUnderstood(f'{what} is not {{"calls": [ … ]}}') from None
