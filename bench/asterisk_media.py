"""Calls through Asterisk whose audio the bench's generator makes: SIP of the fewest words, spoken by both phones."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from bench.asterisk_peer import HOST, ROOT, asterisk
from bench.relay import description, port_in
from kobza.sip.flow import Address
from tests.support.ports import free_port

RECORDED = "9"
"""The first digit of numbers whose calls Asterisk records (bench/asterisk/extensions.conf)."""
PATIENCE = 20.0


class Phone(asyncio.DatagramProtocol):
    """A UAC or a UAS on one socket: `calls` has the media port of each call and what Asterisk says for it."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = iter(ports)
        self.transport: asyncio.DatagramTransport
        self.heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        """Call-ID and final answer, for a UAC."""
        self.taken: dict[str, tuple[int, int]] = {}
        """By called number: our media port and Asterisk's, for a UAS."""

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as uvloop has it
        self.transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        first = data.split(b" ", 2)
        if first[0] == b"SIP/2.0":
            if first[1] >= b"200":
                self.heard.put_nowait((value_of(data, "call-id"), data))
        elif first[0] == b"INVITE":
            self._ring(data, source)
        elif first[0] != b"ACK":
            self.transport.sendto(response(data, b"", self._contact()), source)

    def _ring(self, data: bytes, source: tuple[str, int]) -> None:
        number = data.split(b" ", 2)[1].partition(b"@")[0].partition(b":")[2].decode()
        if number not in self.taken:
            self.taken[number] = next(self._ports), port_in(data)
        self.transport.sendto(response(data, description(self.taken[number][0]), self._contact()), source)

    def _contact(self) -> str:
        host, port = self.transport.get_extra_info("sockname")
        return f"<sip:{host}:{port}>"

    async def call(self, number: str, media_port: int, to: Address) -> int:
        """Call a number; return Asterisk's media port."""
        host, port = self.transport.get_extra_info("sockname")
        body = description(media_port)

        def request(method: str, to_tag: str, body: bytes) -> bytes:
            head = (
                f"{method} sip:{number}@{to[0]}:{to[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n"
                f"From: <sip:bench@{host}>;tag={number}\r\nTo: <sip:{number}@{to[0]}>{to_tag}\r\n"
                f"Call-ID: {number}\r\nCSeq: 1 {method}\r\nContact: {self._contact()}\r\n"
            )
            if body:
                head += "Content-Type: application/sdp\r\n"
            return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

        self.transport.sendto(request("INVITE", "", body), to)
        async with asyncio.timeout(PATIENCE):
            call_id, answer = await self.heard.get()
        if call_id != number or not answer.startswith(b"SIP/2.0 200"):
            raise RuntimeError(f"Asterisk answers a call to {number} with {answer[:60]!r}")
        _, _, tag = value_of(answer, "to").partition(";tag=")
        self.transport.sendto(request("ACK", f";tag={tag}", b""), to)
        return port_in(answer)


def value_of(message: bytes, name: str) -> str:
    """Return the first header of a name."""
    for line in message.decode(errors="replace").splitlines():
        if line.lower().startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    raise RuntimeError(f"a message of Asterisk has no {name}")


def response(request: bytes, body: bytes, contact: str) -> bytes:
    """Return a 200 to a request."""
    kept = [
        line if not line.lower().startswith("to:") or ";tag=" in line else f"{line};tag=phone"
        for line in request.decode(errors="replace").partition("\r\n\r\n")[0].split("\r\n")[1:]
        if line.lower().startswith(("via:", "from:", "to:", "call-id:", "cseq:", "record-route:"))
    ]
    if body:
        kept += [f"Contact: {contact}", "Content-Type: application/sdp"]
    head = "\r\n".join(("SIP/2.0 200 OK", *kept, f"Content-Length: {len(body)}"))
    return f"{head}\r\n\r\n".encode() + body


@asynccontextmanager
async def asterisk_calls(
    phones: Sequence[tuple[int, int]], *, recorded: bool
) -> AsyncIterator[tuple[list[int], list[tuple[int, int]]]]:
    """Set up a call between each two media ports; give Asterisk's process, and pairs of a phone's port and its own."""
    loop = asyncio.get_running_loop()
    sip, called = free_port(), free_port()
    async with asterisk(sip, called) as (process, server):
        ends = []
        try:
            for port, ports in ((0, []), (called, [callee for _, callee in phones])):
                end = await loop.create_datagram_endpoint(
                    lambda ports=ports: Phone(ports),  # type: ignore[misc]  # mypy knows no default of a lambda
                    local_addr=(HOST, port),
                    family=socket.AF_INET,
                )
                ends.append(end)
            (_, caller), (_, callee) = ends
            pairs: list[tuple[int, int]] = []
            for count, (from_port, _) in enumerate(phones):
                number = f"{RECORDED if recorded else '1'}{count:06d}"
                pairs.append((from_port, await caller.call(number, from_port, server)))
                pairs.append(callee.taken[number])
            yield [process.pid], pairs
        finally:
            for transport, _ in ends:
                transport.close()
            shutil.rmtree(ROOT / "var/spool/kobza-bench/monitor", ignore_errors=True)
