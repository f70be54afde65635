"""The live board: each number with what it does now, kept fresh by Server-Sent Events."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.event_streams import PAUSE
from kobza.api.ports import LiveCall
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.call.directory import Subscriber
from kobza.portal.access import Portal, Visitor, still_here
from kobza.portal.call_rows import PartyView, party_view
from kobza.portal.formats import clock_text
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.store import numbers
from kobza.store.search import Person, searcher

LOOK_EVERY: Final = 1.0
"""Seconds after which memory is looked into unasked: a phone that registers or goes tells no call state."""
READ_EVERY: Final = 5.0
"""Seconds after which the names and numbers are read anew."""


@dataclass(frozen=True, slots=True)
class LegView:
    """One leg that is in a call now."""

    call_control_id: str
    other: PartyView
    direction: str
    state: str
    since: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class NumberNow:
    """One number of the enterprise and what it does."""

    owner: PartyView
    status: str
    dnd: bool
    since: str
    """Empty while it is in a call, and when it is not known."""
    legs: list[LegView]
    may_control: bool
    """Whether who looks may act on its calls."""


@dataclass(frozen=True, slots=True)
class Office:
    """Who there is, as the store says."""

    subscribers: list[Subscriber]
    people: dict[str, Person]


def board_rows(portal: Portal, visitor: Visitor, office: Office, say: Say) -> list[NumberNow]:
    """Return the numbers as they are now: those in a call first, the longest first, then by department and name."""
    commands = portal.context.commands
    phones = commands.phone_status(visitor.enterprise_id, None)
    legs = commands.live_calls(visitor.enterprise_id)
    by_number = {phone.number: phone for phone in phones}
    of_number: dict[str, list[LiveCall]] = {}
    for leg in sorted(legs, key=lambda leg: leg.since):
        of_number.setdefault(leg.number, []).append(leg)
    rows = []
    for subscriber in office.subscribers:
        own = of_number.get(subscriber.number, [])
        phone = by_number.get(subscriber.number)
        since = None if phone is None or own else phone.since
        row = NumberNow(
            owner=party_view(subscriber.number, office.people, say),
            status="unavailable" if phone is None else phone.status,
            dnd=phone is not None and phone.dnd,
            since="" if since is None else clock_text(int(since * 1000)),
            legs=[_leg(leg, office.people, say) for leg in own],
            may_control=visitor.may_act_on(subscriber.number),
        )
        order = (own[0].since if own else float("inf"), subscriber.department, subscriber.name, subscriber.number)
        rows.append((order, row))
    return [row for _, row in sorted(rows, key=lambda each: each[0])]


def _leg(leg: LiveCall, people: Mapping[str, Person], say: Say) -> LegView:
    since_ms = int(leg.since * 1000)
    return LegView(
        call_control_id=leg.call_control_id,
        other=party_view(leg.phone_number, people, say),
        direction=leg.direction,
        state=str(leg.state),
        since=clock_text(since_ms, seconds=True),
        since_ms=since_ms,
    )


async def read_office(portal: Portal, visitor: Visitor) -> Office:
    """Read the numbers that a visitor may see and the names of all that they talk with."""
    legs = portal.context.commands.live_calls(visitor.enterprise_id)

    def read(conn: Any) -> Office:
        only = visitor.only_number
        subscribers = numbers.load(conn, visitor.enterprise_id, None if only is None else (only,))
        named = {subscriber.number for subscriber in subscribers} | {leg.phone_number for leg in legs}
        return Office(subscribers, searcher(conn).people(visitor.enterprise_id, named))

    return await portal.context.read(read)


async def board(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The board alone: what the script asks for when it has no stream."""
    office = await read_office(portal, visitor)
    return _page(portal, request, visitor, board_rows(portal, visitor, office, say_in(page_language(request))))


def _page(portal: Portal, request: Request, visitor: Visitor, rows: list[NumberNow]) -> Response:
    return portal.pages.page(request, "board.html", csrf=visitor.csrf, board=rows)


async def board_stream(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The board whenever it changes, for as long as the sign-in is good. Raises ApiError with too many streams."""
    return StreamedResponse(
        lambda: _boards(portal, request, visitor),
        content_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _boards(portal: Portal, request: Request, visitor: Visitor) -> Chunks:
    streams = portal.context.event_streams
    loop = asyncio.get_running_loop()
    say = say_in(page_language(request))
    shown: list[NumberNow] | None = None
    office = Office([], {})
    read_at = beat_at = 0.0
    with streams.opened(visitor.enterprise_id) as flag:
        while not streams.stopping:
            looked_at = loop.time()
            if flag.is_set() or looked_at >= read_at:
                flag.clear()  # before the look: what is committed after it sets the flag again
                office, read_at = await read_office(portal, visitor), looked_at + READ_EVERY
            rows = board_rows(portal, visitor, office, say)
            if rows != shown:  # to write the page costs far more than to see that nothing has changed
                shown = rows
                lines = bytes(_page(portal, request, visitor, rows).body).splitlines()
                yield b"event: board\n" + b"".join(b"data: %s\n" % line for line in lines) + b"\n"
            if looked_at >= beat_at:
                if not await still_here(portal, request, visitor):
                    return
                yield b": \n\n"
                beat_at = looked_at + streams.heartbeat
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await flag.wait()
            await asyncio.sleep(max(0.0, looked_at + PAUSE - loop.time()))
