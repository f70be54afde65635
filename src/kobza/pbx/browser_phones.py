"""Phones in browsers: sockets whose number the portal vouches for, so that nothing secret has to be in a page.

The portal knows by its session who a visitor is. It opens the socket, and as long as it lets the visitor in, what comes
over that socket is their number's: no password is asked for, and none exists (RFC 7118 7).
"""

from typing import Final

from kobza.net.endpoint import SipEndpoint
from kobza.net.websocket import TRY_AGAIN_LATER, MessageSocket
from kobza.sip.flow import Address, Flow

MAX_OF_NUMBER: Final = 20
"""Sockets of one number at a time: each is a page that is open somewhere."""


class BrowserPhones:
    """Who is at the other end of which flow. All calls belong into the loop's thread."""

    def __init__(self) -> None:
        self._owners: dict[Flow, str] = {}
        self._per_number: dict[str, int] = {}
        self._endpoint: SipEndpoint | None = None

    def start(self, endpoint: SipEndpoint) -> None:
        """Take sockets from now on."""
        self._endpoint = endpoint

    def owner_of(self, flow: Flow) -> str | None:
        """Return the number (E.164) that was vouched for; None: a password has to prove it."""
        return self._owners.get(flow) if flow.transport.is_web else None

    async def carry(self, socket: MessageSocket, *, number: str, local: Address, remote: Address, secure: bool) -> None:
        """Be a number's phone over a socket until it ends. Cancelled: its owner is let in no longer.

        `secure`: the socket is one of TLS, here or at a proxy before us.
        """
        if self._endpoint is None or self._per_number.get(number, 0) >= MAX_OF_NUMBER:
            await socket.close(TRY_AGAIN_LATER, "too many pages")
            return
        self._per_number[number] = self._per_number.get(number, 0) + 1
        owned: list[Flow] = []

        def opened(flow: Flow) -> None:
            owned.append(flow)
            self._owners[flow] = number

        try:
            await self._endpoint.carry(socket, local=local, remote=remote, secure=secure, opened=opened)
        finally:
            for flow in owned:
                del self._owners[flow]
            left = self._per_number[number] - 1
            if left:
                self._per_number[number] = left
            else:
                del self._per_number[number]
