"""SIP over WebSocket at the portal's own address: the way of the phone in the browser.

Who is signed in and has a number gets a socket that is this number's phone; nothing else is asked for, and no password
is in the page. So the page that opens it must be ours, and the socket goes when the session does (docs/adr/0029).
"""

import asyncio
import logging
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from kobza.api.ports import BrowserPhones
from kobza.api.problems import ApiError, problem, problem_of
from kobza.call.errors import KobzaError
from kobza.portal.access import Portal, find_signed_in, has_to_change
from kobza.store import StoreAway, numbers

log = logging.getLogger(__name__)

SUBPROTOCOL: Final = "sip"
LOOK_EVERY: Final = 5.0
"""Seconds between two looks whether the visitor is still signed in and has the number still."""
POLICY: Final = 1008
"""The close code (RFC 6455 7.4.1) for who is signed in no longer: do not come back like this."""


async def sip_socket(portal: Portal, websocket: WebSocket) -> None:
    """Be the phone of who is signed in, as long as they are."""
    try:
        phones = portal.context.browser_phones
        if phones is None:
            raise ApiError("unavailable", "This process carries no calls.", headers={"retry-after": "60"})
        _check_page(websocket)
        number = await _number(portal, websocket)
        if number is None:
            raise ApiError("forbidden", "Sign in to the portal as somebody who has a number.")
    except KobzaError as error:
        await websocket.send_denial_response(problem_of(error))
        return
    except StoreAway as error:
        log.error("%s at WebSocket %s", error, websocket.url.path)  # noqa: TRY400 - nothing that needs a trace
        await websocket.send_denial_response(problem(503, "unavailable", "The store does not answer."))
        return
    await websocket.accept(subprotocol=SUBPROTOCOL)
    await _carry(portal, phones, websocket, number)


async def _carry(portal: Portal, phones: BrowserPhones, websocket: WebSocket, number: str) -> None:
    socket = _Socket(websocket)
    client, server = websocket.client, websocket.scope.get("server")
    carrying = asyncio.create_task(
        phones.carry(
            socket,
            number=number,
            local=("127.0.0.1", 0) if server is None else (server[0], server[1] or 0),
            remote=("", 0) if client is None else (client.host, client.port),
            secure=websocket.url.scheme in ("wss", "https"),
        ),
        name="phone-in-browser",
    )
    watching = asyncio.create_task(_signed_out(portal, websocket, number), name="phone-in-browser-session")
    try:
        await asyncio.wait((carrying, watching), return_when=asyncio.FIRST_COMPLETED)
        if carrying.done():
            carrying.result()
            return
        watching.result()
    finally:
        carrying.cancel()
        watching.cancel()
        await asyncio.wait((carrying, watching))
    await socket.close(POLICY, "signed out")


async def _signed_out(portal: Portal, websocket: WebSocket, number: str) -> None:
    """Return when the visitor is signed in no longer, or the number is not theirs any more."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            if await _number(portal, websocket) != number:
                return
        except StoreAway:
            log.warning("the store does not answer; who is on the phone stays so")


async def _number(portal: Portal, connection: HTTPConnection) -> str | None:
    """Return the number of who is signed in, None for nobody and for somebody without one."""
    found = await find_signed_in(portal, connection)
    if found is None:
        return None
    session, user = found
    number, enterprise_id = user.number, user.enterprise_id
    if has_to_change(session, user) or number is None or enterprise_id is None:
        return None
    known = await portal.context.read(lambda conn: numbers.find(conn, enterprise_id, number))
    return None if known is None else number


def _check_page(connection: HTTPConnection) -> None:
    """Refuse what is no page of ours that speaks SIP.

    A browser sends the cookie of the session along for any page, so the page's origin is what tells them apart; a
    program has to say where it would be, too.
    """
    host = connection.headers.get("host", "").lower()
    origins = connection.headers.getlist("origin")
    if len(origins) != 1 or not host or urlsplit(origins[0]).netloc.lower() != host:
        raise ApiError("origin_not_allowed", "Only a page of the portal itself may open its phone.")
    if SUBPROTOCOL not in connection.scope.get("subprotocols", ()):
        raise ApiError("invalid_parameter", "This is SIP over WebSocket: name the subprotocol sip.")


class _Socket:
    """The socket as the phones' port wants it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes | None:
        message = await self._websocket.receive()
        if message["type"] != "websocket.receive":
            return None
        text = message.get("text")
        return message["bytes"] if text is None else str(text)

    async def send(self, message: str | bytes) -> None:
        try:
            if isinstance(message, str):
                await self._websocket.send_text(message)
            else:
                await self._websocket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            raise ConnectionResetError(str(error)) from error

    async def close(self, code: int, reason: str) -> None:
        if WebSocketState.DISCONNECTED in (self._websocket.client_state, self._websocket.application_state):
            return
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError, OSError):
            return
