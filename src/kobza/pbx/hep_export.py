"""Sends a copy of each SIP message to a collector such as Homer, by HEP3 over UDP or TCP."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

from kobza.capture.hep import HepEncoder
from kobza.capture.masking import masked
from kobza.capture.message import Seen
from kobza.capture.reading import call_id_in
from kobza.capture.tap import Tap
from kobza.net.addresses import family_of, resolve
from kobza.pbx.sip_watch import SipWatch

log = logging.getLogger(__name__)

LOOKUP_EVERY: Final = 60.0
"""Seconds after which the collector's name is looked up again (UDP); over TCP that is done for each connection."""
RETRY_DELAYS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until the next try after one that failed; the last goes on."""
CONNECT_SECONDS: Final = 10.0
MAX_UNSENT: Final = 4 * 2**20
"""Bytes that may wait in a TCP connection; what comes beyond is dropped: the collector is too slow."""
AT_ONCE: Final = 50
"""Messages written in one turn of the loop."""


class Line(Protocol):
    """A way to the collector."""

    gone: "asyncio.Task[bytes] | None"
    """Done when the way is broken; None: that is never known."""

    def send(self, packet: bytes) -> bool:
        """Send a packet; False when it found no room. Raises OSError when the way is broken."""
        ...


class HepExport:
    """The export. What the collector does not take is lost and counted; calls notice nothing of it."""

    def __init__(self, watch: SipWatch, *, transport: str, host: str, port: int, agent: int, key: str = "") -> None:
        """`transport` is "udp" or "tcp", `host` a name or an address."""
        self._watch = watch
        self._transport = transport
        self._host, self._port = host, port
        self._encoder = HepEncoder(agent, key)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a collector that cannot be reached is tried again and again."""
        self._task = asyncio.create_task(self._run(), name="hep")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        with self._watch.tap() as tap, self._watch.exported.through(tap):
            while True:
                try:
                    async with self._line() as line:
                        failures = 0
                        await self._send_all(tap, line)
                        continue
                except OSError as error:
                    log.warning("SIP messages cannot be sent to %s: %s", self, error or type(error).__name__)
                except Exception:
                    log.exception("SIP messages were not sent to %s", self)
                await asyncio.sleep(RETRY_DELAYS[min(failures, len(RETRY_DELAYS) - 1)])
                failures += 1

    async def _send_all(self, tap: Tap, line: Line) -> None:
        """Send what passes; over UDP for a while, as the collector may get another address. Raises OSError."""
        counts = self._watch.exported
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOKUP_EVERY if self._transport == "udp" else None
        while until is None or loop.time() < until:
            messages = await _some(tap, line)
            try:
                while messages:
                    seen = messages.pop()
                    if line.send(self._encoder.packet(seen, masked(seen.data), self._correlation(seen))):
                        counts.sent += 1
                    else:
                        counts.refused += 1
                    if len(messages) % AT_ONCE == 0:
                        await asyncio.sleep(0)  # calls have their turn
            except Exception:
                counts.refused += len(messages) + 1
                raise

    def _correlation(self, seen: Seen) -> str:
        """Return the Call-ID of the first leg of a call, as collectors want it of all others; "" without one."""
        dialog = call_id_in(seen.text)
        return "" if dialog is None else self._watch.first_leg(dialog).encode("latin-1").decode("utf-8", "replace")

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Line]:
        async with asyncio.timeout(CONNECT_SECONDS):
            address = await resolve(self._host, self._port)
            if self._transport == "tcp":
                reader, writer = await asyncio.open_connection(*address)
        if self._transport == "udp":
            with socket.socket(family_of(address[0]), socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(address)
                yield _Datagrams(sock)
            return
        gone = asyncio.create_task(reader.read(1), name="hep's connection")  # a collector says nothing
        try:
            yield _Stream(writer, gone)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            writer.close()

    def __str__(self) -> str:
        return f"{self._transport}:{self._host}:{self._port}"


async def _some(tap: Tap, line: Line) -> list[Seen]:
    """Wait for messages, the last one first. Raises ConnectionResetError when the way breaks before there are any."""
    if line.gone is None:
        return (await tap.some())[::-1]
    some = asyncio.create_task(tap.some(), name="hep's messages")
    try:
        await asyncio.wait((some, line.gone), return_when=asyncio.FIRST_COMPLETED)
        if not some.done():
            raise ConnectionResetError("the collector has closed the connection")
        return some.result()[::-1]
    finally:
        some.cancel()


class _Datagrams:
    def __init__(self, sock: socket.socket) -> None:
        self.gone: asyncio.Task[bytes] | None = None
        self._sock = sock

    def send(self, packet: bytes) -> bool:
        """Send one; nobody at the other end is as much as a full buffer: the next may find somebody."""
        try:
            self._sock.send(packet)
        except (BlockingIOError, ConnectionRefusedError):
            return False
        return True


class _Stream:
    def __init__(self, writer: asyncio.StreamWriter, gone: "asyncio.Task[bytes]") -> None:
        self._writer = writer
        self.gone: asyncio.Task[bytes] | None = gone

    def send(self, packet: bytes) -> bool:
        """Send one. Raises ConnectionResetError."""
        if self._writer.is_closing():
            raise ConnectionResetError("the collector has closed the connection")
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT:
            return False
        self._writer.write(packet)
        return True
