"""One live stream of call states, as Server-Sent Events (WHATWG HTML, section 9.2)."""

import asyncio
import random
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from kobza.api.auth import HISTORY
from kobza.api.context import ApiContext, context_of
from kobza.api.event_streams import PAUSE
from kobza.api.gate import Caller
from kobza.api.problems import ApiError
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.store import events
from kobza.store.events import Event

STREAM: Final = "text/event-stream"
JSON: Final = "application/json"
KEPT_MS: Final = 7 * 86_400_000
PAGE: Final = 100
"""States that are sent in one piece: some 60 KB, as much as a connection holds for a client that is slow."""
RETRY_MS: Final = (1000, 3000)
"""What clients are told to wait before they come back: by chance in between, so that not all come at once."""
MAX_ACCEPT: Final = 1000
"""Characters of the header Accept that are looked at."""
_RANGE: Final = re.compile(r"\s*([^\s;,]+)\s*(?:;(.*))?", re.DOTALL)
_WEIGHT: Final = re.compile(r"\s*[qQ]\s*=\s*([01](?:\.[0-9]{0,3})?)\s*")


def wants_stream(accept: str | None) -> bool:
    """Tell whether a header Accept names the stream, and does not prefer JSON (RFC 9110, section 12.5.1).

    It must be named: everybody who takes anything gets the pages that were always there.
    """
    weights: dict[str, float] = {}
    for item in (accept or "")[:MAX_ACCEPT].split(","):
        match = _RANGE.fullmatch(item)
        if match is not None:
            found = [weight[1] for part in (match[2] or "").split(";") if (weight := _WEIGHT.fullmatch(part))]
            weights[match[1].lower()] = float(found[0]) if found else 1.0
    stream = weights.get(STREAM, 0.0)
    return stream > 0 and stream >= weights.get(JSON, 0.0)


@dataclass(frozen=True, slots=True)
class _Begin:
    """Where a stream begins."""

    after: int
    gap: bool
    """Whether states behind the client's cursor may be gone."""


def stream_of(request: Request, caller: Caller, after: int) -> StreamedResponse:
    """Return the answer that goes on until the client leaves, the token ends or the server stops."""
    headers = {"vary": "Accept", "x-accel-buffering": "no"}  # the latter is nginx's, which would collect the states
    return StreamedResponse(lambda: _chunks(request, caller, after), content_type=STREAM, headers=headers)


async def _chunks(request: Request, caller: Caller, after: int) -> Chunks:
    """Give what is sent, piece by piece. Raises ApiError when there are too many streams, before the first piece."""
    context = context_of(request)
    streams = context.event_streams
    loop = asyncio.get_running_loop()
    with streams.opened(caller.enterprise_id) as flag:
        begin = await _begin(context, caller.enterprise_id, after)
        yield _opening(after, begin)
        after = begin.after
        beat_at = loop.time() + streams.heartbeat
        while not streams.stopping:
            flag.clear()  # before the look: what is committed after it sets the flag again
            looked_at = loop.time()
            page = await _page(context, caller.enterprise_id, after)
            if page:
                after = page[-1].cursor
                if piece := _written(page, context.now_ms() - KEPT_MS):
                    yield piece
            if loop.time() >= beat_at:
                if not await _still_admitted(request, caller):
                    yield b": the token is not valid any more\n\n"
                    return
                yield b": \n\n"
                beat_at = loop.time() + streams.heartbeat
            if len(page) < PAGE:
                await _woken(flag, min(streams.look_every, beat_at - loop.time()))
                await asyncio.sleep(looked_at + PAUSE - loop.time())
        yield b": the server stops\n\n"


async def _woken(flag: asyncio.Event, seconds: float) -> None:
    """Wait until there may be something, or it is time to look anyway."""
    with suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await flag.wait()


async def _page(context: ApiContext, enterprise_id: str, after: int) -> list[Event]:
    async with context.event_streams.reading:
        return await context.read(lambda conn: events.after(conn, enterprise_id, after, PAGE))


async def _begin(context: ApiContext, enterprise_id: str, after: int) -> _Begin:
    """Find out whether all that followed a cursor is still there."""
    if after == 0:
        return _Begin(0, gap=False)
    async with context.event_streams.reading:
        at, last = await context.read(
            lambda conn: (events.moment_of(conn, enterprise_id, after), events.last_cursor(conn, enterprise_id))
        )
    if at is not None and at >= context.now_ms() - KEPT_MS:
        return _Begin(after, gap=False)
    # One that lies ahead of all is of a store that was replaced by an older copy: what comes would be left out.
    return _Begin(after if after <= last else 0, gap=True)


def _opening(after: int, begin: _Begin) -> bytes:
    piece = f"retry: {random.randint(*RETRY_MS)}\n\n"  # noqa: S311 - spreading
    if begin.gap:
        piece += f': what followed {after} may be gone\nevent: gap\ndata: {{"after":"{after}"}}\n\n'
    return piece.encode()


def _written(page: list[Event], oldest: int) -> bytes:
    """Write states; the document of each is what was or would be posted, which has no line end."""
    return b"".join(
        b"id: %d\nevent: %s\ndata: %s\n\n" % (event.cursor, event.state_type.encode(), event.payload)
        for event in page
        if event.occurred_at >= oldest
    )


async def _still_admitted(request: Request, caller: Caller) -> bool:
    try:
        return await context_of(request).gate.still_admits(request, caller, HISTORY.scope)
    except ApiError:  # the store has not answered for long: who is not known is not served
        return False
