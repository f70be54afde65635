"""A running media plane for tests, with the calls that most tests need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from kobza.media.embedded import EmbeddedPlane
from kobza.media.messages import Measure, Report, Traffic
from kobza.media.plane import (
    CallHeard,
    DirectionName,
    MediaError,
    MediaEvent,
    MediaPlaneLost,
    MediaTimedOut,
    RecordingClosed,
    Side,
)
from tests.media.phone_end import HOST, PhoneEnd
from tests.support.ports import free_range
from tests.support.waiting import PATIENCE

CALL = "call-1"
Event = TypeVar("Event", MediaTimedOut, MediaPlaneLost, RecordingClosed, CallHeard)


@asynccontextmanager
async def running_plane(
    *,
    ports: range | None = None,
    silence: float = 60.0,
    browser_hosts: tuple[str, ...] = (),
    host6: str | None = None,
) -> AsyncIterator["RunningPlane"]:
    """Start a plane; stop it afterwards."""
    running = RunningPlane(free_range(40) if ports is None else ports, silence, browser_hosts, host6)
    await running.plane.start()
    try:
        yield running
    finally:
        await running.plane.stop()


def _result(reply: bytes | MediaError) -> bytes:
    if isinstance(reply, MediaError):
        raise reply
    return reply


class MeasuredPlane(EmbeddedPlane):
    """Counts how often the relay has said what it moved."""

    measured = 0

    def _reported(self, report: Report) -> None:
        super()._reported(report)
        self.measured += isinstance(report, Traffic)


class RunningPlane:
    """An EmbeddedPlane whose answers can be awaited and whose events are kept."""

    def __init__(
        self, ports: range, silence: float, browser_hosts: tuple[str, ...] = (), host6: str | None = None
    ) -> None:
        self.events: list[MediaEvent] = []
        self._told = asyncio.Event()
        self.plane = MeasuredPlane(
            host=HOST, host6=host6, ports=ports, timeout=silence, on_event=self._event, browser_hosts=browser_hosts
        )

    def _event(self, event: MediaEvent) -> None:
        self.events.append(event)
        self._told.set()

    async def event(self, kind: type[Event], seconds: float = PATIENCE) -> Event:
        """Wait for the first event of a kind."""
        async with asyncio.timeout(seconds):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self._told.clear()
                await self._told.wait()

    async def connect(self, caller: PhoneEnd, callee: PhoneEnd, call: str = CALL) -> None:
        """Set up a call between two phones the ordinary way."""
        callee.learn(await self.offer(Side.CALLER, Side.CALLEE, caller.sdp(), call))
        caller.learn(await self.answer(Side.CALLEE, callee.sdp(), call))
        await self.settle()

    async def settle(self) -> None:
        """Wait until the relay has carried out what it was told: it obeys in order and answers a Measure.

        Two of them, as the answer to one of the plane's own may be under way.
        """
        link = self.plane._link
        assert link is not None
        wanted = self.plane.measured + 2
        link.send(Measure())
        link.send(Measure())
        async with asyncio.timeout(10):
            while self.plane.measured < wanted:  # noqa: ASYNC110 - a plane tells nobody
                await asyncio.sleep(0.002)

    def record(self, spool: Path, call: str = CALL) -> None:
        """Record a call."""
        self.plane.record(call, record_id="record-1", spool=spool)

    async def ports_are_back(self, seconds: float = PATIENCE) -> None:
        """Wait until no call holds a port."""
        async with asyncio.timeout(seconds):
            # A call ends in its own time; there is nothing to wait for but the count.
            while self.plane.ports_used:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def offer(self, source: Side | None, target: Side, sdp: bytes | None, call: str = CALL) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.offer(call, source=source, target=target, sdp=sdp, done=reply.set_result)
        return _result(await reply)

    async def answer(self, source: Side, sdp: bytes, call: str = CALL) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.answer(call, source=source, sdp=sdp, done=reply.set_result)
        return _result(await reply)

    async def reoffer(self, source: Side, sdp: bytes, call: str = CALL) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.reoffer(call, source=source, sdp=sdp, done=reply.set_result)
        return _result(await reply)

    async def direct(self, target: Side, direction: DirectionName, call: str = CALL) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.direct(call, target=target, direction=direction, done=reply.set_result)
        return _result(await reply)

    async def align(self, target: Side, call: str = CALL) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.align(call, target=target, done=reply.set_result)
        return _result(await reply)

    async def reanswer(self, source: Side, sdp: bytes, call: str = CALL) -> None:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.reanswer(call, source=source, sdp=sdp, done=reply.set_result)
        assert _result(await reply) == b""
