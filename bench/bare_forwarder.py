"""The limit: the least that a Python process with uvloop can do to forward datagrams. `… CALLS FIRST_PORT FIRST_PHONE`.

No learning, no RTCP, no checks, one socket for each side. What comes from a call's first phone goes to its second one.
"""

import asyncio
import sys
from functools import partial

import uvloop


class Forwarder(asyncio.DatagramProtocol):
    def __init__(self, to: tuple[str, int]) -> None:
        self.to = to
        self.out: asyncio.DatagramTransport
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as uvloop has it
        self.transport = transport

    def datagram_received(self, data: bytes, _addr: tuple[str, int]) -> None:
        self.out.sendto(data, self.to)


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(calls: int, first_port: int, first_phone: int) -> None:
    loop = asyncio.get_running_loop()
    for call in range(calls):
        ends: list[Forwarder] = []
        for side in (0, 1):
            # What arrives on one side's port goes out of the other side's, to the other side's phone.
            to = ("127.0.0.1", first_phone + 2 * call + 1 - side)
            local = ("127.0.0.1", first_port + 2 * call + side)
            _, end = await loop.create_datagram_endpoint(partial(Forwarder, to), local_addr=local)
            ends.append(end)
        ends[0].out, ends[1].out = ends[1].transport, ends[0].transport
    say("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*(int(argument) for argument in sys.argv[1:4])))
