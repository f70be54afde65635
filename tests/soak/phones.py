"""Softphones over every transport, which may also leave without a word."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from kobza.net.tls import Certificate, CertificateFiles, Tls
from kobza.net.websocket import SUBPROTOCOL
from kobza.net.websocket_server import LibrarySocket
from kobza.phone.call import Answering, Ending, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sip.flow import Address, Flow, Transport
from tests.interop.sipp import Line
from tests.support import authority

TRANSPORTS: Final = (Transport.UDP, Transport.TCP, Transport.UDP, Transport.TLS)
"""In turn: half of the phones are on UDP, as in the field."""
TONES: Final = (425, 525, 625, 725, 825)
Decide = Callable[[str, PhoneCall], Answering]
"""Says what the phone of a number does with a call."""


class SoakPhone(SoftPhone):
    """A phone of a number."""

    async def vanish(self) -> None:
        """Leave the network: no BYE, no REGISTER, nothing."""
        if self.registration is not None:
            self.registration._forget_timer()
        self._closing = True
        await self._endpoint.close()
        for call in list(self.calls):
            call.end(Ending("me", text="left the network"))


class WebPhone(SoakPhone):
    """A phone over WebSocket, as a browser's library is one. It only calls: who calls a browser offers it WebRTC."""

    _connection: ClientConnection | None = None
    _carrying: asyncio.Task[None] | None = None

    async def _open(self, remote: Address) -> Flow:
        """Open the socket."""
        url = f"ws://{remote[0]}:{remote[1]}"
        self._connection = await connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None)
        local = self._connection.local_address
        opened: asyncio.Future[Flow] = asyncio.get_running_loop().create_future()
        self._carrying = asyncio.create_task(
            self._endpoint.carry(
                LibrarySocket(self._connection),
                local=(local[0], local[1]),
                remote=remote,
                secure=False,
                opened=opened.set_result,
            )
        )
        return await opened

    async def close(self, within: float = 3.0) -> None:
        """Close the socket too."""
        await super().close(within)
        await self._end()

    async def vanish(self) -> None:
        """Break the socket."""
        if self._connection is not None:
            self._connection.transport.abort()
        await super().vanish()
        await self._end()

    async def _end(self) -> None:
        if self._connection is not None and self._carrying is not None:
            await self._connection.close()
            await self._carrying


class Shop:
    """Makes phones for the lines of a site."""

    def __init__(self, ports: dict[Transport, Address], folder: Path, decide: Decide) -> None:
        """`ports`: where the server is reached by each transport."""
        self.ports = ports
        self._decide = decide
        folder.mkdir(parents=True, exist_ok=True)
        self._certificate = CertificateFiles(*authority.files(folder))
        self._made = 0

    def phone(self, line: Line, transport: Transport, *, bind: Address | None = None) -> SoakPhone:
        """Make a phone; it is not on yet."""
        self._made += 1
        kind = WebPhone if transport is Transport.WS else SoakPhone
        secure = Tls(Certificate(self._certificate), authority.trusting()) if transport is Transport.TLS else None
        phone = kind(
            line.number,
            self.ports[transport],
            password=line.password or None,
            transport=transport,
            bind=bind,
            sound=Sound.tone(TONES[self._made % len(TONES)]),
            expires=120,
            tls=secure,
        )
        phone.answering = lambda call: self._decide(line.number, call)
        return phone
