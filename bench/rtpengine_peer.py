"""rtpengine as the relay that calls are measured against: Debian's package, in userspace, a thread for packets."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

from bench.rows import Unavailable
from tests.support.rtpengine import MISSING, Rtpengine, program, running_rtpengine

Bencoded = int | str | bytes | list[str] | dict[str, "Bencoded"]
PATIENCE = 5.0


def bencode(value: Bencoded) -> bytes:
    """Write what a command is made of."""
    match value:
        case int():
            return b"i%de" % value
        case str():
            return bencode(value.encode())
        case bytes():
            return b"%d:%b" % (len(value), value)
        case list():
            return b"l%be" % b"".join(map(bencode, value))
        case dict():
            return b"d%be" % b"".join(bencode(key) + bencode(one) for key, one in value.items())


def sdp_in(answer: bytes) -> bytes:
    """Find the description in an answer, a bencoded dictionary; raise RuntimeError."""
    before, found, rest = answer.partition(b"3:sdp")
    if not found:
        raise RuntimeError(f"rtpengine answers {before!r}")
    length, _, text = rest.partition(b":")
    return text[: int(length)]


class Control(asyncio.DatagramProtocol):
    """The control socket (NG): a command, then its answer."""

    def __init__(self) -> None:
        self._cookies = itertools.count()
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as uvloop has it
        self.transport = transport

    def datagram_received(self, data: bytes, _addr: object) -> None:
        cookie, _, body = data.partition(b" ")
        waiting = self._waiting.pop(cookie, None)
        if waiting is not None:
            waiting.set_result(body)

    async def command(self, **fields: Bencoded) -> bytes:
        """Send a command; return what rtpengine answers."""
        cookie = str(next(self._cookies)).encode()
        waiting = self._waiting[cookie] = asyncio.get_running_loop().create_future()
        self.transport.sendto(
            cookie + b" " + bencode({name.replace("_", "-"): value for name, value in fields.items()})
        )
        return await asyncio.wait_for(waiting, PATIENCE)


@contextmanager
def rtpengine(ports: range, *, recorded: bool) -> Iterator[Rtpengine]:
    """Run it; with `recorded` it can write calls to disk. Raises Unavailable when it is not installed."""
    if program() is None:
        raise Unavailable(MISSING)
    options = ("--recording-method=pcap", "--recording-format=eth", "--recording-dir=.") if recorded else ()
    with running_rtpengine(ports, options=options) as engine:
        yield engine
