"""Running media planes for tests, with the calls that most tests need.

A test that speaks of the interface alone takes the fixture `start_plane` and runs on each plane; one that is about the
embedded plane uses `running_plane`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Generic, TypeVar

from kobza.media.embedded import EmbeddedPlane
from kobza.media.messages import Measure, Report, Traffic
from kobza.media.plane import (
    CallHeard,
    DigitPressed,
    DirectionName,
    MediaError,
    MediaEvent,
    MediaPlane,
    MediaPlaneLost,
    MediaTimedOut,
    RecordingClosed,
    Side,
    SideNotHeard,
)
from kobza.media.rtpengine.plane import RtpenginePlane
from tests.media.phone_end import HOST, PhoneEnd
from tests.support.ports import free_range
from tests.support.rtpengine import Rtpengine
from tests.support.waiting import PATIENCE

CALL = "call-1"
Event = TypeVar("Event", MediaTimedOut, MediaPlaneLost, RecordingClosed, CallHeard, SideNotHeard, DigitPressed)
AnyPlane = TypeVar("AnyPlane", bound=MediaPlane)


@asynccontextmanager
async def running_plane(
    *,
    ports: range | None = None,
    silence: float = 60.0,
    browser_hosts: tuple[str, ...] = (),
    host6: str | None = None,
    told: str = HOST,
    one_way_after: float = 10.0,
) -> AsyncIterator["RunningPlane"]:
    """Start a plane; stop it afterwards."""
    running = RunningPlane(
        free_range(40) if ports is None else ports,
        silence,
        browser_hosts,
        host6,
        told=told,
        one_way_after=one_way_after,
    )
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


async def obeyed(plane: MeasuredPlane) -> None:
    """Wait until the relay has carried out what it was told: it obeys in order and answers a Measure.

    Two of them, as the answer to one of the plane's own may be under way.
    """
    link = plane._link
    assert link is not None
    wanted = plane.measured + 2
    link.commands.send(Measure())
    link.commands.send(Measure())
    async with asyncio.timeout(10):
        while plane.measured < wanted:  # noqa: ASYNC110 - a plane tells nobody
            await asyncio.sleep(0.002)


class Running(ABC, Generic[AnyPlane]):
    """A plane whose answers can be awaited and whose events are kept."""

    makes_one_stream = True
    """Toward a phone, of what is relayed and what is played."""
    shuns_who_left = True
    """At once, when another phone is in its place."""

    def __init__(self, plane: AnyPlane) -> None:
        self.events: list[MediaEvent] = []
        self._told = asyncio.Event()
        self.plane = plane
        plane.on_event = self._event

    @abstractmethod
    async def settle(self) -> None:
        """Wait until the plane has carried out what it was told."""

    @property
    @abstractmethod
    def holds_ports(self) -> bool:
        """Whether a call holds a port."""

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

    async def events_of(self, kind: type[Event], count: int, seconds: float = PATIENCE) -> list[Event]:
        """Wait for so many events of a kind; return them."""
        async with asyncio.timeout(seconds):
            while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
                self._told.clear()
                await self._told.wait()
        return found

    async def connect(self, caller: PhoneEnd, callee: PhoneEnd, call: str = CALL) -> None:
        """Set up a call between two phones the ordinary way."""
        callee.learn(await self.offer(Side.CALLER, Side.CALLEE, caller.sdp(), call))
        caller.learn(await self.answer(Side.CALLEE, callee.sdp(), call))
        await self.settle()

    def record(self, spool: Path, call: str = CALL) -> None:
        """Record a call."""
        self.plane.record(call, record_id="record-1", spool=spool)

    async def ports_are_back(self, seconds: float = PATIENCE) -> None:
        """Wait until no call holds a port."""
        async with asyncio.timeout(seconds):
            # A call ends in its own time; there is nothing to wait for but the count.
            while self.holds_ports:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def offer(
        self, source: Side | None, target: Side, sdp: bytes | None, call: str = CALL, *, by_info: bool = False
    ) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.offer(call, source=source, target=target, sdp=sdp, by_info=by_info, done=reply.set_result)
        return _result(await reply)

    async def answer(self, source: Side, sdp: bytes, call: str = CALL, *, by_info: bool = False) -> bytes:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.answer(call, source=source, sdp=sdp, by_info=by_info, done=reply.set_result)
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


class RunningPlane(Running[MeasuredPlane]):
    """The embedded plane."""

    def __init__(
        self,
        ports: range,
        silence: float,
        browser_hosts: tuple[str, ...] = (),
        host6: str | None = None,
        *,
        told: str = HOST,
        one_way_after: float = 10.0,
    ) -> None:
        super().__init__(
            MeasuredPlane(
                host=told,
                bind=None if told == HOST else HOST,
                host6=host6,
                ports=ports,
                timeout=silence,
                one_way_after=one_way_after,
                browser_hosts=browser_hosts,
            )
        )

    @property
    def holds_ports(self) -> bool:
        """See Running."""
        return bool(self.plane.ports_used)

    async def settle(self) -> None:
        """See Running."""
        await obeyed(self.plane)


class LateRecorder(MeasuredPlane):
    """Starts its process for the first recording: most tests have none."""

    _begun = False

    async def start(self) -> None:
        """Wait for a recording."""
        if self._begun:
            await super().start()

    def receive(self, call_id: str, *, source: Side, sdp: bytes, done: Callable[[bytes | MediaError], None]) -> None:
        """Start, then receive."""
        if self._begun:
            super().receive(call_id, source=source, sdp=sdp, done=done)
            return
        self._begun = True

        def started(task: asyncio.Task[None]) -> None:
            task.result()
            super(LateRecorder, self).receive(call_id, source=source, sdp=sdp, done=done)

        asyncio.create_task(super().start()).add_done_callback(started)


class RunningRtpengine(Running[RtpenginePlane]):
    """The plane on rtpengines."""

    OWNER = "test-"
    makes_one_stream = False
    shuns_who_left = False

    def __init__(self, *engines: Rtpengine, silence: float = 60.0) -> None:
        self.recorder = LateRecorder(host=HOST, ports=free_range(40), timeout=silence)
        controls = [engine.control for engine in engines]
        super().__init__(RtpenginePlane(instances=controls, owner=self.OWNER, timeout=silence, recorder=self.recorder))

    @property
    def holds_ports(self) -> bool:
        """See Running."""
        return any(instance.keys for instance in self.plane._instances) or bool(self.plane._tasks)

    async def settle(self) -> None:
        """See Running."""
        async with asyncio.timeout(PATIENCE):
            while self.plane._tasks:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.002)
        if self.recorder.relay_pid is not None:
            await obeyed(self.recorder)


@asynccontextmanager
async def running_rtpengine_plane(*engines: Rtpengine, silence: float = 60.0) -> AsyncIterator[RunningRtpengine]:
    """Start a plane on rtpengines; stop it afterwards."""
    running = RunningRtpengine(*engines, silence=silence)
    await running.plane.start()
    try:
        yield running
    finally:
        await running.plane.stop()


AnyRunning = RunningPlane | RunningRtpengine
StartPlane = Callable[..., AbstractAsyncContextManager[AnyRunning]]
"""Starts a plane; `silence` is what MediaTimedOut takes, in seconds."""
