"""A call of the relay in a test's own loop, with sockets and phones but without a process."""

import asyncio
from contextlib import ExitStack

from kobza.media.messages import SideFlow
from kobza.media.packet_loop import PacketLoopName, packet_loop
from kobza.media.plane import Side
from kobza.media.port_pair import PortPair
from kobza.media.recorder import SpoolWriter
from kobza.media.relay_call import RelayCall
from kobza.media.relay_context import RelayContext
from tests.media.flows import flow_with
from tests.media.phone_end import HOST, PhoneEnd
from tests.support.ports import free_range
from tests.support.waiting import PATIENCE

CALLER, CALLEE = Side.CALLER, Side.CALLEE


class Stack(ExitStack):
    """Also says which loop moves the packets of the test."""

    loop_name: PacketLoopName = "python"


class Relayed:
    """A call in this process's loop, both ways, with a phone on each side and a second one that may move in."""

    def __init__(self, stack: Stack, *, open_sides: bool = True) -> None:
        self.ports = free_range(8)
        self.writer = SpoolWriter(asyncio.get_running_loop(), lambda _: None)
        loop = asyncio.get_running_loop()
        context = RelayContext(loop, packet_loop(loop, stack.loop_name), self.writer)
        self.call = RelayCall(context, "call")
        self.caller, self.callee = stack.enter_context(PhoneEnd()), stack.enter_context(PhoneEnd(ssrc=2))
        self.other = stack.enter_context(PhoneEnd(ssrc=3))
        self.caller.to, self.callee.to = self.ports[0], self.ports[2]
        self.other.to = self.callee.to
        if open_sides:
            self.call.open(CALLER, PortPair(HOST, self.ports[0]))
            self.call.open(CALLEE, PortPair(HOST, self.ports[2]))
            self.configure()

    def flow(self, phone: PhoneEnd, **fields: object) -> SideFlow:
        values: dict[str, object] = {
            "rtp": (HOST, phone.port),
            "rtcp": (HOST, phone.port + 1),
            "source": "relay",
            "tone_type": 8,
            "laws": {8: 8},
            "codecs": {8: 8},
            "watched": True,
        }
        return flow_with(**(values | fields))

    def configure(self, caller: SideFlow | None = None, callee: SideFlow | None = None) -> None:
        self.call.configure(caller or self.flow(self.caller), callee or self.flow(self.callee))

    @property
    def dropped(self) -> int:
        return sum(side.rtp.dropped for side in self.call.sides.values())

    async def until_dropped(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.dropped < count:  # noqa: ASYNC110 - nothing tells of what is dropped
                await asyncio.sleep(0.005)


async def running(stack: Stack, **options: bool) -> Relayed:
    made = Relayed(stack, **options)
    stack.callback(made.writer.stop, 10.0)
    stack.callback(made.call.release)
    return made


async def both_ways(relayed: Relayed, callee: PhoneEnd | None = None) -> None:
    """Let each phone hear the other, untouched; the callee speaks first, so that a new one is known."""
    callee = callee or relayed.callee
    for speaker, listener in ((callee, relayed.caller), (relayed.caller, callee)):
        sent = speaker.send()
        await listener.wait(lambda sent=sent, listener=listener: sent in listener.datagrams)  # type: ignore[misc]
