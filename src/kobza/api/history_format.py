"""The call history as JSON, as pieces of text of many calls each.

Pure. Rows are those of `kobza.store.export.CallReader.history`; one more than the limit tells of a next page.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any, Final

from kobza.api.callstat_formats import json_text
from kobza.api.times import MILLIS, SECONDS, MinuteTexts
from kobza.call.causes import cause_text
from kobza.call.numbers import national
from kobza.store import quality as heard
from kobza.store.export import Cursor

Row = tuple[Any, ...]

REMEMBERED: Final = 4096
"""Numbers kept in written form."""
_CALL_ID, _STARTED_AT, _ANSWERED_AT = 0, 3, 13
"""Where a row has them."""


def _value(value: int | str | None) -> str:
    """Write a value that is null in a call that has none."""
    return "null" if value is None else str(value) if isinstance(value, int) else json_text(value)


class _Numbers(dict[str | None, str]):
    """What is written of a number, made once."""

    __slots__ = ()

    def __missing__(self, number: str | None) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
        text = self[number] = "null" if number is None else json_text(national(number))
        return text


class _Outcomes(dict[tuple[Any, ...], tuple[str, str]]):
    """What is written of a cause, a SIP status and who released it: of each a few exist. Before and after record_id."""

    __slots__ = ("_language",)

    def __init__(self, language: str) -> None:
        self._language = language

    def __missing__(self, outcome: tuple[Any, ...]) -> tuple[str, str]:
        cause, sip_status, released_by = outcome
        words = "" if cause is None else cause_text(cause, self._language)
        text = self[outcome] = (
            _value(cause),
            f'"cause_text":{json_text(words)},"sip_status":{_value(sip_status)},"released_by":{_value(released_by)}',
        )
        return text


def history_pieces(
    pages: Iterable[Sequence[Row]], limit: int | None, language: str, *, quality: bool = False
) -> Iterator[str]:
    """Write `{"calls": [ … ], "next_cursor": …}`, a piece for each page, at most `limit` calls.

    `language` is that of the texts of causes: uk or en. `quality`: rows end with how the sides heard each other.
    """
    plain = _line(language)
    line = _with_quality(plain) if quality else plain
    begin, next_cursor = '{"calls":[\n', "null"
    count, last = 0, None
    for page in pages:
        shown = page if limit is None else page[: limit - count]
        count += len(shown)
        if shown:
            yield begin + ",\n".join(map(line, shown))
            begin, last = ",\n", shown[-1]
        if len(shown) < len(page) and last is not None:
            next_cursor = json_text(str(Cursor(last[_STARTED_AT], last[_CALL_ID])))
            break
    yield (begin if last is None else "") + f'\n],"next_cursor":{next_cursor}}}\n'


def _with_quality(line: Callable[[Row], str]) -> Callable[[Row], str]:
    """Return what writes one call and how its sides heard each other."""

    def written(row: Row) -> str:
        *call, text = row
        answered = call[_ANSWERED_AT] is not None
        quality = None if text is None else heard.read(text).document(answered=answered)
        return f'{line(tuple(call))[:-1]},"quality":{json.dumps(quality)}}}'

    return written


def _line(language: str) -> Callable[[Row], str]:
    """Return what writes one call, in the contract's order."""
    wall, utc, second, milli = MinuteTexts(), MinuteTexts(UTC, "T"), SECONDS, MILLIS
    numbers, outcomes = _Numbers(), _Outcomes(language)

    def line(row: Row) -> str:
        call_id, calling, called, started, ended, talk, ringing, direction, *others = row
        cause, record_id, sip_status, released_by, answered_number, answered, client_state = others
        cause_value, outcome = outcomes[cause, sip_status, released_by]
        answered_at = "null"
        if answered is not None:
            answered_at = f'"{utc[answered // 60000]}{second[answered // 1000 % 60]}{milli[answered % 1000]}"'
        return (
            f'{{"call_id":"{call_id}","calling_number":{numbers[calling]},"called_number":{numbers[called]},'
            f'"start_datetime":"{wall[started // 60000]}{second[started // 1000 % 60]}",'
            f'"end_datetime":"{wall[ended // 60000]}{second[ended // 1000 % 60]}",'
            f'"call_duration":{talk},"ringing":{ringing},"direction":"{direction}","cause":{cause_value},'
            f'"record_id":{_value(record_id)},{outcome},"answered_number":{numbers[answered_number]},'
            f'"started_at":"{utc[started // 60000]}{second[started // 1000 % 60]}{milli[started % 1000]}",'
            f'"answered_at":{answered_at},'
            f'"ended_at":"{utc[ended // 60000]}{second[ended // 1000 % 60]}{milli[ended % 1000]}",'
            f'"client_state":{_value(client_state)}}}'
        )

    return line
