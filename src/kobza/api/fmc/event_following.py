"""Following the call states of an enterprise behind a cursor, whatever form they are sent in."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from kobza.api.auth import HISTORY
from kobza.api.context import ApiContext, context_of
from kobza.api.event_streams import PAUSE
from kobza.api.gate import Caller
from kobza.api.problems import ApiError
from kobza.store import events
from kobza.store.events import Event

KEPT_MS: Final = 7 * 86_400_000
PAGE: Final = 100
"""States that are given in one piece: some 60 KB, as much as a connection holds for a client that is slow."""
FROM_THE_OLDEST: Final = 0
FROM_NOW: Final = None


@dataclass(frozen=True, slots=True)
class Begun:
    """Where it begins: the first piece."""

    cursor: int
    gap_after: int | None = None
    """The cursor asked for, when states behind it may be gone."""


@dataclass(frozen=True, slots=True)
class States:
    """The next states, in order; at least one."""

    events: list[Event]


@dataclass(frozen=True, slots=True)
class Beat:
    """Nothing for a while; the token is still good."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last piece: why there is no more."""

    reason: str
    revoked: bool
    """Whether it is the token that ended; else the server stops, and it is worth coming back."""


Piece = Begun | States | Beat | Ended


async def following(connection: HTTPConnection, caller: Caller, after: int | None) -> AsyncGenerator[Piece, None]:
    """Give the states behind a cursor for as long as the token is good and the server runs.

    `after` is 0 for all that are kept, None for those from now on. Nothing is read until the piece before was taken.
    Raises ApiError when there are too many streams, before the first piece.
    """
    context = context_of(connection)
    streams = context.event_streams
    loop = asyncio.get_running_loop()
    with streams.opened(caller.enterprise_id) as flag:
        begun = await _begin(context, caller.enterprise_id, after)
        yield begun
        cursor = begun.cursor
        beat_at = loop.time() + streams.heartbeat
        while not streams.stopping:
            flag.clear()  # before the look: what is committed after it sets the flag again
            looked_at = loop.time()
            page = await _page(context, caller.enterprise_id, cursor)
            if page:
                cursor = page[-1].cursor
                oldest = context.now_ms() - KEPT_MS
                if kept := [event for event in page if event.occurred_at >= oldest]:
                    yield States(kept)
            if loop.time() >= beat_at:
                if not await _still_admitted(connection, caller):
                    yield Ended("the token is not valid any more", revoked=True)
                    return
                yield Beat()
                beat_at = loop.time() + streams.heartbeat
            if len(page) < PAGE:
                await _woken(flag, min(streams.look_every, beat_at - loop.time()))
                await asyncio.sleep(looked_at + PAUSE - loop.time())
        yield Ended("the server stops", revoked=False)


async def newest(context: ApiContext, enterprise_id: str) -> int:
    """Return the cursor of the newest state, behind which what happens from now on comes."""
    return await context.read(lambda conn: events.last_cursor(conn, enterprise_id))


async def _woken(flag: asyncio.Event, seconds: float) -> None:
    """Wait until there may be something, or it is time to look anyway."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await flag.wait()


async def _page(context: ApiContext, enterprise_id: str, after: int) -> list[Event]:
    async with context.event_streams.reading:
        return await context.read(lambda conn: events.after(conn, enterprise_id, after, PAGE))


async def _begin(context: ApiContext, enterprise_id: str, after: int | None) -> Begun:
    """Find out whether all that followed a cursor is still there."""
    if after == FROM_THE_OLDEST:
        return Begun(FROM_THE_OLDEST)
    async with context.event_streams.reading:
        if after is FROM_NOW:
            return Begun(await newest(context, enterprise_id))
        at, last = await context.read(
            lambda conn: (events.moment_of(conn, enterprise_id, after), events.last_cursor(conn, enterprise_id))
        )
    if at is not None and at >= context.now_ms() - KEPT_MS:
        return Begun(after)
    # One that lies ahead of all is of a store that was replaced by an older copy: what comes would be left out.
    return Begun(after if after <= last else FROM_THE_OLDEST, gap_after=after)


async def _still_admitted(connection: HTTPConnection, caller: Caller) -> bool:
    try:
        return await context_of(connection).gate.still_admits(connection, caller, HISTORY.scope)
    except ApiError:  # the store has not answered for long: who is not known is not served
        return False
