"""One live stream of call states, over a WebSocket (RFC 6455): for whom a stream over HTTP is a burden."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from kobza.api.auth import HISTORY, RequireToken
from kobza.api.fmc.cursors import asked_position
from kobza.api.fmc.event_following import Beat, Begun, Ended, Piece, States, following
from kobza.api.problems import ApiError, problem, problem_of
from kobza.api.query import Query
from kobza.call.errors import KobzaError
from kobza.store.errors import StoreAway
from kobza.store.events import Event

logger = logging.getLogger(__name__)

RESTARTS: Final = 1012
"""Close codes (RFC 6455, section 7.4.1, and IANA's registry): the server stops, come back."""
POLICY: Final = 1008
"""The token has ended: do not come back with it."""
UNWANTED: Final = 1003
"""The client sent a message."""
BROKEN: Final = 1011
"""Something went wrong here."""


@dataclass(frozen=True, slots=True)
class _Close:
    code: int
    reason: str


async def follow_events(websocket: WebSocket) -> None:
    """Follow call states: let the client in, send what comes, close with a code and a reason."""
    try:
        caller = await RequireToken(HISTORY)(websocket)
        _check_origin(websocket)
        pieces = following(websocket, caller, asked_position(Query(websocket)))
        async with aclosing(pieces):
            first = await anext(pieces)
            await websocket.accept()
            close = await _carry(websocket, first, pieces)
        if close is not None:
            await websocket.close(close.code, close.reason)
    except KobzaError as error:
        await websocket.send_denial_response(problem_of(error))
    except StoreAway as error:
        logger.error("%s at WebSocket %s", error, websocket.url.path)  # noqa: TRY400 - nothing that needs a trace
        await websocket.send_denial_response(problem(503, "unavailable", "The store does not answer."))
    except WebSocketDisconnect:
        return


async def _carry(websocket: WebSocket, first: Piece, pieces: AsyncGenerator[Piece, None]) -> _Close | None:
    """Send until there is no more; return how to close, None when the client has."""
    leaving = asyncio.create_task(_left(websocket))
    sending = asyncio.create_task(_send_all(websocket, first, pieces))
    try:
        await asyncio.wait((leaving, sending), return_when=asyncio.FIRST_COMPLETED)
        return leaving.result() if leaving.done() else sending.result()
    except WebSocketDisconnect:
        return None
    except Exception:
        logger.exception("a WebSocket of call states broke")
        return _Close(BROKEN, "something went wrong here; the log knows more")
    finally:
        leaving.cancel()
        sending.cancel()
        await asyncio.wait((leaving, sending))


async def _left(websocket: WebSocket) -> _Close | None:
    """Return when the client has gone away, or sends what nobody asked for."""
    message = await websocket.receive()
    return None if message["type"] == "websocket.disconnect" else _Close(UNWANTED, "this stream takes no messages")


async def _send_all(websocket: WebSocket, first: Piece, pieces: AsyncGenerator[Piece, None]) -> _Close:
    for text in _written(first):
        await websocket.send_text(text)
    async for piece in pieces:
        if isinstance(piece, Ended):
            return _Close(POLICY if piece.revoked else RESTARTS, piece.reason)
        for text in _written(piece):
            await websocket.send_text(text)
    raise RuntimeError("the states ended without a reason")


def _written(piece: Piece) -> Iterator[str]:
    """Give the messages of a piece. Each has a cursor to go on behind; pings are the connection's affair."""
    match piece:
        case Begun(cursor, None):
            yield f'{{"cursor":"{cursor}"}}'
        case Begun(cursor, gap_after):
            yield f'{{"cursor":"{cursor}","gap":{{"after":"{gap_after}"}}}}'
        case States(found):
            yield from map(_state, found)
        case Beat() | Ended():
            return


def _state(event: Event) -> str:
    """Write a state; the document is what was or would be posted."""
    return f'{{"cursor":"{event.cursor}","event":{event.payload.decode()}}}'


def _check_origin(connection: HTTPConnection) -> None:
    """Refuse pages of other sites: a browser names the page's origin and would connect to anybody for it.

    Programs name none. A page of this very host is let in.
    """
    for origin in connection.headers.getlist("origin"):
        if urlsplit(origin).netloc.lower() != connection.headers.get("host", "").lower():
            raise ApiError("origin_not_allowed", "A page of another site may not follow the call states.")
