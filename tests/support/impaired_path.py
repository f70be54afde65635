"""A bad line to a server: a proxy of UDP that spoils what goes through it, in both directions."""

import asyncio
from contextlib import suppress
from typing import cast

from kobza.sip.flow import Address
from tests.support.impairment import Fate, Impairment


class ImpairedPath:
    """Each client has a socket of its own toward the server, so answers find their way back. `open` first."""

    def __init__(self, server: Address, impairment: Impairment, seed: object, *, local: Address | None = None) -> None:
        """`local`: from where the server is reached, for the one client that `expect` names: a line outside, say."""
        self.server = server
        self.fate = Fate(impairment, seed)
        self._local = local
        self._front: asyncio.DatagramTransport | None = None
        self._back: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: dict[Address, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.address: Address = ("", 0)
        """Where clients send to; known after `open`."""

    async def open(self) -> None:
        """Bind."""
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(lambda: _Front(self), local_addr=("127.0.0.1", 0))
        self.address = self._front.get_extra_info("sockname")

    async def expect(self, client: Address) -> None:
        """Open the way to a client before it has sent anything."""
        await self._meet(client)

    def close(self) -> None:
        """Carry no more."""
        for task in self._tasks:
            task.cancel()
        for transport in (self._front, *self._back.values()):
            if transport is not None:
                transport.close()
        self._front = None

    def came(self, data: bytes, client: Address) -> None:
        """Carry a datagram of a client."""
        if client in self._back:
            self._carry(self._back[client], data, None)
        elif client in self._opening:
            self._opening[client].append(data)
        else:
            self._opening[client] = [data]
            task = asyncio.create_task(self._meet(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def came_back(self, data: bytes, client: Address) -> None:
        """Carry a datagram of the server."""
        if self._front is not None:
            self._carry(self._front, data, client)

    async def _meet(self, client: Address) -> None:
        loop = asyncio.get_running_loop()
        local = self._local or ("127.0.0.1", 0)
        made = await loop.create_datagram_endpoint(
            lambda: _Back(self, client), local_addr=local, remote_addr=self.server
        )
        self._back[client] = made[0]
        for data in self._opening.pop(client, ()):
            self.came(data, client)

    def _carry(self, transport: asyncio.DatagramTransport, data: bytes, to: Address | None) -> None:
        for seconds in self.fate.next():
            asyncio.get_running_loop().call_later(seconds, _send, transport, data, to)


def _send(transport: asyncio.DatagramTransport, data: bytes, to: Address | None) -> None:
    if not transport.is_closing():
        with suppress(OSError):
            transport.sendto(data, to)


class _Front(asyncio.DatagramProtocol):
    def __init__(self, path: ImpairedPath) -> None:
        self._path = path

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._path.came(data, cast(Address, addr))


class _Back(asyncio.DatagramProtocol):
    def __init__(self, path: ImpairedPath, client: Address) -> None:
        self._path = path
        self._client = client

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self._path.came_back(data, self._client)

    def error_received(self, _error: Exception) -> None:
        """The server's port is closed: its matter."""
