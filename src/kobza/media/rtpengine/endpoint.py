"""The UDP socket toward one rtpengine."""

import asyncio
import secrets
from collections.abc import Mapping

from kobza.media.rtpengine.bencode import Encodable
from kobza.media.rtpengine.ng import Answer, NgClient, NgError, NoReply, OnAnswer, Reply


class NgEndpoint(asyncio.DatagramProtocol):
    """Asks one instance. Use it between `open` and `close`."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._loop = asyncio.get_running_loop()
        self._client = NgClient(secrets.token_hex(4))
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Open the socket; raises OSError, for a name that is not known say."""
        transport, _ = await self._loop.create_datagram_endpoint(lambda: self, remote_addr=self._address)
        self._transport = transport

    def close(self) -> None:
        """Close it; who waits for a reply gets NoReply."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        self._client.fail("the plane was stopped")

    async def ask(self, command: Mapping[str, Encodable]) -> Reply:
        """Return the reply to a command; raise NgError."""
        answer: asyncio.Future[Answer] = self._loop.create_future()

        def answered(what: Answer) -> None:
            if not answer.done():
                answer.set_result(what)

        self.tell(command, answered)
        reply = await answer
        if isinstance(reply, NgError):
            raise reply
        return reply

    def tell(self, command: Mapping[str, Encodable], answered: OnAnswer = lambda _: None) -> None:
        """Send a command; `answered` is called with what comes of it. Raises NgError when it cannot be sent."""
        if self._transport is None:
            raise NoReply("the socket is closed")
        self._transport.sendto(self._client.ask(command, answered, self._loop.time()))
        self._arm()

    # the protocol of the socket

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """Take a reply."""
        self._client.take(data)

    def error_received(self, error: Exception) -> None:
        """Nobody listens there, or there is no way: what waits would wait in vain."""
        self._client.fail((error.strerror if isinstance(error, OSError) else None) or str(error))

    def _arm(self) -> None:
        if self._timer is None and (due := self._client.due) is not None:
            self._timer = self._loop.call_at(due, self._poll)

    def _poll(self) -> None:
        self._timer = None
        for datagram in self._client.poll(self._loop.time()):
            if self._transport is not None:
                self._transport.sendto(datagram)
        self._arm()
