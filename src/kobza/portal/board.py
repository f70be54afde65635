"""The live board: each number with what it does now, kept fresh by Server-Sent Events."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.event_streams import PAUSE
from kobza.api.ports import LiveCall, PhoneStatus
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.call.directory import Subscriber
from kobza.call.routing import SEVERAL
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
AT_ONCE: Final = 200
"""Numbers looked at between two turns of the loop: a millisecond."""
LINES_AT_ONCE: Final = 20
"""Lines written between two turns of the loop: a millisecond."""


@dataclass(frozen=True, slots=True)
class LegView:
    """One leg that is in a call now."""

    call_control_id: str
    other: PartyView
    direction: str
    state: str
    since: str
    since_ms: int
    recording: str | None
    """on, paused or stopped; None: there is none."""
    may_supervise: bool
    """Whether who looks may hear it by a phone of their own."""
    not_heard: bool
    """Nothing comes from the phone: one-way audio."""
    hears_nothing: bool
    """Nothing comes from the other side."""


@dataclass(frozen=True, slots=True)
class NumberNow:
    """One number of the enterprise and what it does."""

    key: str
    """The number (E.164), by which the page knows its line."""
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
    """Who there is, as the store says: the numbers in the order of the board, and how they are called."""

    subscribers: list[Subscriber]
    owners: dict[str, PartyView]


class BoardRows:
    """The lines of one board. One that has not changed is not made anew: of thousands few change at a time."""

    def __init__(self, portal: Portal, visitor: Visitor, say: Say) -> None:
        self._portal = portal
        self._visitor = visitor
        self._say = say
        self._office = Office([], {})
        self._people: dict[str, Person] = {}
        self._asked: set[str] = set()
        """Numbers whose names were looked for; of those without one `_people` has nothing."""
        self._idle: dict[str, tuple[PhoneStatus | None, NumberNow]] = {}
        """Numbers that are in no call: what was last said of the phone, and the line."""

    async def read(self) -> None:
        """Read who there is and the names of all that they talk with, as far as the visitor may see them."""
        say, visitor = self._say, self._visitor
        others = self._others()

        def read(conn: Any) -> tuple[Office, dict[str, Person], set[str]]:
            only = visitor.only_number
            found = numbers.load(conn, visitor.enterprise_id, None if only is None else (only,))
            named = others | {subscriber.number for subscriber in found}
            people = searcher(conn).people(visitor.enterprise_id, named)
            found.sort(key=lambda each: (each.department, each.name, each.number))
            return Office(found, {each.number: party_view(each.number, people, say) for each in found}), people, named

        office, self._people, self._asked = await self._portal.context.read(read)
        if office != self._office:
            self._office, self._idle = office, {}

    async def meet(self) -> None:
        """Read the names of those that are in a call now and were not at the last reading."""
        strangers = self._others() - self._asked
        if not strangers:
            return
        enterprise_id = self._visitor.enterprise_id
        self._people |= await self._portal.context.read(lambda conn: searcher(conn).people(enterprise_id, strangers))
        self._asked |= strangers

    def _others(self) -> set[str]:
        legs = self._portal.context.commands.live_calls(self._visitor.enterprise_id)
        return {leg.phone_number for leg in legs}

    async def now(self) -> list[NumberNow]:
        """Return the numbers as they are: those in a call first, the longest first, then by department and name."""
        commands, enterprise_id = self._portal.context.commands, self._visitor.enterprise_id
        by_number = {phone.number: phone for phone in commands.phone_status(enterprise_id, None)}
        of_number: dict[str, list[LiveCall]] = {}
        for leg in sorted(commands.live_calls(enterprise_id), key=lambda leg: leg.since):
            of_number.setdefault(leg.number, []).append(leg)
        talking, idle = [], []
        for count, subscriber in enumerate(self._office.subscribers):
            if count % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)  # calls go first
            phone = by_number.get(subscriber.number)
            if own := of_number.get(subscriber.number):
                talking.append((own[0].since, self._row(subscriber, phone, own)))
                self._idle.pop(subscriber.number, None)
                continue
            known = self._idle.get(subscriber.number)
            if known is None or known[0] is not phone:  # of what has not changed the very same object is told
                known = self._idle[subscriber.number] = (phone, self._row(subscriber, phone, []))
            idle.append(known[1])
        talking.sort(key=lambda each: each[0])
        return [row for _, row in talking] + idle

    def _row(self, subscriber: Subscriber, phone: PhoneStatus | None, own: list[LiveCall]) -> NumberNow:
        since = None if phone is None or own else phone.since
        can_mix = self._portal.context.commands.can_mix
        return NumberNow(
            key=subscriber.number,
            owner=self._office.owners[subscriber.number],
            status="unavailable" if phone is None else phone.status,
            dnd=phone is not None and phone.dnd,
            since="" if since is None else clock_text(int(since * 1000)),
            legs=[_leg(leg, self._people, self._say, self._visitor, can_mix=can_mix) for leg in own],
            may_control=self._visitor.may_act_on(subscriber.number),
        )


def _leg(leg: LiveCall, people: Mapping[str, Person], say: Say, visitor: Visitor, *, can_mix: bool) -> LegView:
    since_ms = int(leg.since * 1000)
    return LegView(
        call_control_id=leg.call_control_id,
        other=party_view(leg.phone_number, people, say),
        direction=leg.direction,
        state=str(leg.state),
        since=clock_text(since_ms, seconds=True),
        since_ms=since_ms,
        recording=leg.recording,
        may_supervise=can_mix
        and leg.state != "alerting"
        and visitor.may_supervise
        and visitor.own_number not in (leg.number, leg.phone_number)
        and leg.phone_number != SEVERAL,
        not_heard=leg.not_heard,
        hears_nothing=leg.hears_nothing,
    )


async def board(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The board alone: what the script asks for when it has no stream."""
    return portal.pages.answer(await board_html(portal, request, visitor))


async def board_html(portal: Portal, request: Request, visitor: Visitor) -> Markup:
    """Return the lines of the board as they are now."""
    rows = BoardRows(portal, visitor, say_in(page_language(request)))
    await rows.read()
    return await _whole(portal, request, visitor, await rows.now())


async def _whole(portal: Portal, request: Request, visitor: Visitor, rows: Sequence[NumberNow]) -> Markup:
    """Return all lines; some at a time, as calls go first."""
    pieces = []
    for at in range(0, max(1, len(rows)), LINES_AT_ONCE):
        some = rows[at : at + LINES_AT_ONCE]
        pieces.append(portal.pages.part(request, "board.html", board=some, csrf=visitor.csrf))
        await asyncio.sleep(0)
    return Markup("").join(pieces)


async def _lines(portal: Portal, request: Request, visitor: Visitor, rows: Sequence[NumberNow]) -> dict[str, str]:
    """Return the line of each number, in pieces too."""
    lines = {}
    for count, row in enumerate(rows):
        if count % LINES_AT_ONCE == LINES_AT_ONCE - 1:
            await asyncio.sleep(0)
        lines[row.key] = str(portal.pages.part(request, "board.html", board=(row,), csrf=visitor.csrf))
    return lines


async def board_stream(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The board whenever it changes, for as long as the sign-in is good. Raises ApiError with too many streams."""
    return StreamedResponse(
        lambda: _boards(portal, request, visitor),
        content_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _boards(portal: Portal, request: Request, visitor: Visitor) -> Chunks:
    """Tell the whole board first, then the lines that have changed and, when it has, their order."""
    streams = portal.context.event_streams
    loop = asyncio.get_running_loop()
    board = BoardRows(portal, visitor, say_in(page_language(request)))
    shown: dict[str, NumberNow] | None = None
    order: list[str] = []
    read_at = beat_at = 0.0
    with streams.opened(visitor.enterprise_id) as flag:
        while not streams.stopping:
            looked_at = loop.time()
            flag.clear()  # before the look: what is committed after it sets the flag again
            if looked_at >= read_at:
                await board.read()
                read_at = looked_at + READ_EVERY
            else:
                await board.meet()
            rows = {row.key: row for row in await board.now()}
            if shown is None:
                whole = await _whole(portal, request, visitor, list(rows.values()))
                yield b"event: board\n" + b"".join(b"data: %s\n" % line for line in whole.encode().splitlines()) + b"\n"
            else:
                changed = [row for key, row in rows.items() if shown.get(key) != row]
                if changed or order != list(rows):
                    lines = await _lines(portal, request, visitor, changed)
                    told = {"lines": lines, "order": None if order == list(rows) else list(rows)}
                    yield b"event: lines\ndata: " + msgspec.json.encode(told) + b"\n\n"
            shown, order = rows, list(rows)
            if looked_at >= beat_at:
                if not await still_here(portal, request, visitor):
                    return
                yield b": \n\n"
                beat_at = looked_at + streams.heartbeat
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await flag.wait()
            await asyncio.sleep(max(0.0, looked_at + PAUSE - loop.time()))
