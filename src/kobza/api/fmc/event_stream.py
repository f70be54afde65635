"""One live stream of call states, as Server-Sent Events (WHATWG HTML, section 9.2)."""

import random
import re
from contextlib import aclosing
from typing import Final

from starlette.requests import Request

from kobza.api.fmc.event_following import Beat, Begun, Ended, Piece, States, following
from kobza.api.gate import Caller
from kobza.api.streaming import Chunks, StreamedResponse
from kobza.store.events import Event

STREAM: Final = "text/event-stream"
JSON: Final = "application/json"
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


def stream_of(request: Request, caller: Caller, after: int | None) -> StreamedResponse:
    """Return the answer that goes on until the client leaves, the token ends or the server stops."""
    headers = {"vary": "Accept", "x-accel-buffering": "no"}  # the latter is nginx's, which would collect the states
    return StreamedResponse(lambda: _chunks(request, caller, after), content_type=STREAM, headers=headers)


async def _chunks(request: Request, caller: Caller, after: int | None) -> Chunks:
    """Give what is sent, piece by piece. Raises ApiError when there are too many streams, before the first piece."""
    async with aclosing(following(request, caller, after)) as pieces:
        async for piece in pieces:
            yield _written(piece)


def _written(piece: Piece) -> bytes:
    match piece:
        case Begun():
            return _opening(piece).encode()
        case States():
            return b"".join(map(_state, piece.events))
        case Beat():
            return b": \n\n"
        case Ended():
            return f": {piece.reason}\n\n".encode()


def _opening(begun: Begun) -> str:
    """Write the beginning. An id without data moves the client's Last-Event-ID and is no event: so one that broke off
    before the first state comes back to here, also when it asked for what happens from now on.
    """
    text = f"retry: {random.randint(*RETRY_MS)}\n\n"  # noqa: S311 - spreading
    if begun.gap_after is not None:
        gap = begun.gap_after
        return text + f': what followed {gap} may be gone\nevent: gap\ndata: {{"after":"{gap}"}}\n\n'
    return text + f"id: {begun.cursor}\n\n"


def _state(event: Event) -> bytes:
    """Write a state; the document is what was or would be posted, which has no line end."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.cursor, event.state_type.encode(), event.payload)
