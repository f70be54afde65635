"""The journal of call states: fetched page by page, or followed as a stream. Without I/O."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from kobza.client.account import Account
from kobza.client.effects import Emit, Head, Operation, Pause, Read, Request
from kobza.client.errors import BadRequest, TransportFailed
from kobza.client.exchange import exchange, fmc_request, opened
from kobza.client.fields import Fields, decode
from kobza.client.models import CallState, Event, read_call_state
from kobza.client.sse import EventStream

PAGE: Final = 1000
STREAM: Final = "text/event-stream"
SILENCE: Final = 50.0
"""Seconds without a byte after which a stream is taken for dead: three of the server's comments and some."""
NOW: Final = "now"
"""The cursor behind the newest state, for servers that know it."""
LIVE: Final = frozenset({"alerting", "established", "held", "resumed"})
"""States of a leg that is not over."""


def events(account: Account, after: str | None, *, follow: bool, poll: float) -> Operation[None]:
    """Emit the Events after a cursor. With `follow` it goes on for ever: a stream where the server has one, else asked
    every `poll` seconds.
    """
    cursor = after
    if follow:
        request = _request(account, cursor, {"accept": f"{STREAM}, application/json;q=0.5"})
        head = yield from opened(account, replace(request, silence=SILENCE))
        if head.headers.get("content-type", "").partition(";")[0].strip().lower() == STREAM:
            yield from _follow(account, cursor)
            return
        body = bytearray()
        while piece := (yield Read()):
            body += piece
        cursor, _ = yield from _emit_page(bytes(body), cursor)
    while True:
        answer = yield from exchange(account, _request(account, cursor, {}))
        cursor, more = yield from _emit_page(answer.body, cursor)
        if not more:
            if not follow:
                return
            yield Pause(poll)


def live_calls(account: Account) -> Operation[list[CallState]]:
    """Return the newest state of each leg that is not over, by reading the journal (7 days of it)."""
    legs: dict[str, CallState] = {}
    cursor: str | None = None
    more = True
    while more:
        answer = yield from exchange(account, _request(account, cursor, {}))
        states, following = _read_page(answer.body)
        more, cursor = following not in (None, cursor), following
        for state in states:
            if state.state_type in LIVE:
                legs[state.call_control_id] = state
            elif state.state_type == "finished":
                legs.pop(state.call_control_id, None)
    return list(legs.values())


def newest_cursor(account: Account) -> Operation[str | None]:
    """Return the cursor behind the newest state, to follow from now on. One that knows no `now` is read through."""
    try:
        answer = yield from exchange(account, _request(account, NOW, {}))
    except BadRequest:
        pass
    else:
        return _read_page(answer.body)[1]
    cursor: str | None = None
    while True:
        answer = yield from exchange(account, _request(account, cursor, {}))
        _, following = _read_page(answer.body)
        if following in (None, cursor):
            return cursor
        cursor = following


def _request(account: Account, cursor: str | None, headers: Mapping[str, str]) -> Request:
    return fmc_request(account, "GET", "/v1/events", ("after", cursor), ("limit", str(PAGE)), headers=headers)


def _emit_page(body: bytes, cursor: str | None) -> Operation[tuple[str | None, bool]]:
    """Emit a page; return the cursor behind it and whether there may be more at once.

    A page has one cursor, behind its last state: the states before that carry the one before the page.
    """
    states, following = _read_page(body)
    for position, state in enumerate(states, 1):
        yield Emit(Event(state, following if position == len(states) and following is not None else cursor))
    return (cursor if following is None else following), following not in (None, cursor)


def _read_page(body: bytes) -> tuple[list[CallState], str | None]:
    page: Any = decode(body, "the answer of events")
    fields = Fields(page, "the answer of events")
    states = [read_call_state(item, "an event") for item in fields.items("events")]
    return states, fields.text_or_none("next_cursor")


def _follow(account: Account, cursor: str | None) -> Operation[None]:
    """Read the stream that is open; each time it ends, open it again behind the last state.

    One that breaks again and again without a single byte, not even a comment, is given up.
    """
    lost = 0
    while True:
        stream = EventStream(last_id=cursor)
        try:
            while piece := (yield Read()):
                lost = 0
                events = stream.feed(piece)
                for event in events:
                    cursor = event.id
                    told = decode(event.data.encode(), "an event of the stream")
                    if isinstance(told, dict) and "state_type" in told:
                        yield Emit(Event(read_call_state(told, "an event of the stream"), cursor))
                cursor = stream.last_id  # also one without an event: where the stream began
        except TransportFailed:
            lost += 1
            if lost > account.retries.most:
                raise
        yield Pause(stream.retry if stream.retry is not None else account.retries.wait(max(1, lost)))
        yield from _reopen(account, cursor)


def _reopen(account: Account, cursor: str | None) -> Operation[Head]:
    headers = {"accept": STREAM}
    if cursor not in (None, NOW) and cursor.isascii() and cursor.isprintable():  # any other stands in `after` only
        headers["last-event-id"] = cursor
    head = yield from opened(account, replace(_request(account, cursor, headers), silence=SILENCE))
    return head
