"""The plane against a relay of our own words: orders of events that a real one shows only by chance."""

import asyncio
from pathlib import Path

import pytest

from kobza.media.command_writer import COMMANDS_HIGH, CommandWriter
from kobza.media.embedded import EmbeddedPlane
from kobza.media.frames import Frames
from kobza.media.messages import (
    Certified,
    Command,
    Configure,
    Open,
    Opened,
    OpenFailed,
    Record,
    RecordingStopped,
    Release,
    Reserve,
    Reserved,
    Take,
    TimedOut,
    decode_command,
)
from kobza.media.plane import MediaError, MediaEvent, MediaTimedOut, RecordingClosed, Side
from tests.media.phone_end import HOST
from tests.media.test_negotiation import sdp

CALLER, CALLEE = Side.CALLER, Side.CALLEE


class Link(asyncio.Transport):
    """Takes commands, as the socket does, and says nothing by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._sent: list[Command] = []
        self._frames = Frames()
        self.pid = 1
        self.waiting = 0
        self.commands = CommandWriter()
        self.commands.attach(self)

    @property
    def sent(self) -> list[Command]:
        self.commands.flush()
        return self._sent

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._sent += map(decode_command, self._frames.feed(bytes(data)))

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return False

    async def stop(self) -> None:
        pass

    async def reap(self) -> None:
        pass


class Plane:
    """A plane on such a link, what it answered and what it told."""

    def __init__(self, pairs: int) -> None:
        self.events: list[MediaEvent] = []
        self.replies: list[bytes | MediaError] = []
        self.plane = EmbeddedPlane(
            host=HOST, ports=range(20000, 20000 + 2 * pairs), timeout=60.0, on_event=self.events.append
        )
        self.link = Link()
        self.plane._link = self.link  # type: ignore[assignment]
        self.plane._carried.begin(self.link.commands)

    def offer(self, call: str = "call", source: Side | None = CALLER, target: Side = CALLEE) -> None:
        self.plane.offer(
            call, source=source, target=target, sdp=sdp() if source is not None else None, done=self.replies.append
        )

    def opens(self) -> list[Open]:
        return [command for command in self.link.sent if isinstance(command, Open)]

    @property
    def reasons(self) -> list[str]:
        return [reply.reason for reply in self.replies if isinstance(reply, MediaError)]


@pytest.fixture
async def plane() -> Plane:
    return Plane(3)


async def test_what_is_being_opened_is_not_asked_for_again(plane: Plane) -> None:
    plane.offer()
    plane.offer()
    (request,) = plane.opens()
    assert request.ports.keys() == {CALLER, CALLEE}
    assert plane.replies == []
    plane.plane._reported(Opened(request.request))
    assert len(plane.replies) == 2
    assert plane.reasons == []
    assert [type(command) for command in plane.link.sent[1:]] == [Configure]


async def test_only_the_side_that_is_missing_is_opened(plane: Plane) -> None:
    plane.offer(source=None, target=CALLER)
    (first,) = plane.opens()
    assert set(first.ports) == {CALLER}
    plane.plane.offer("call", source=CALLER, target=CALLEE, sdp=None, done=plane.replies.append)
    first, second = plane.opens()
    assert set(second.ports) == {CALLEE}
    plane.plane._reported(Opened(second.request))
    assert plane.replies == []  # the other one is still being opened
    plane.plane._reported(Opened(first.request))
    assert len(plane.replies) == 2


async def test_a_call_takes_ports_that_are_bound_and_waits_for_nobody() -> None:
    plane = Plane(64)
    (reserve,) = plane.link.sent
    assert isinstance(reserve, Reserve)
    assert len(reserve.ports) == 4
    assert plane.plane.ports_used == 0
    plane.plane._reported(Reserved(reserve.ports[:3], reserve.ports[3:]))
    plane.link.sent.clear()
    plane.offer("one")
    assert len(plane.replies) == 1
    assert [type(command) for command in plane.link.sent] == [Take, Reserve, Configure]
    assert plane.plane.ports_used == 2
    plane.offer("two")  # one is there, the other one is opened
    (request,) = plane.opens()
    assert len(request.ports) == 1
    assert len(plane.replies) == 1
    plane.plane._reported(Opened(request.request))
    assert len(plane.replies) == 2
    assert plane.reasons == []
    for call in ("one", "two"):
        plane.plane.release(call)
    assert plane.plane.ports_used == 0


async def test_half_of_what_a_call_needs_is_given_back(plane: Plane) -> None:
    plane.offer("one")
    plane.offer("two")
    assert plane.reasons == ["no free ports: calls hold 2 pairs of 3, the others rest for some seconds after theirs"]
    assert plane.plane.ports_used == 2
    # The call is unknown: nothing is to be released for it.
    plane.plane.release("two")
    assert not [command for command in plane.link.sent if isinstance(command, Release)]


async def test_a_call_that_ends_while_its_ports_are_opened(plane: Plane) -> None:
    plane.offer()
    plane.plane.release("call")
    assert plane.reasons == ["the call was released"]
    (request,) = plane.opens()
    plane.plane._reported(Opened(request.request))
    assert plane.plane.ports_used == 0


async def test_a_call_that_ends_while_its_ports_cannot_be_opened(plane: Plane) -> None:
    plane.offer()
    plane.plane.release("call")
    (request,) = plane.opens()
    plane.plane._reported(OpenFailed(request.request, request.ports[CALLEE], "Address already in use"))
    assert plane.plane.ports_used == 0
    assert len(plane.opens()) == 1


async def test_ports_of_a_part_are_kept_when_another_part_fails(plane: Plane) -> None:
    plane.plane._carried.ports.attempts = 2
    plane.offer(source=None, target=CALLER)
    (first,) = plane.opens()
    plane.plane._reported(Opened(first.request))
    plane.offer()
    for _ in range(2):
        request = plane.opens()[-1]
        plane.plane._reported(OpenFailed(request.request, request.ports[CALLEE], "Address already in use"))
    assert plane.reasons == ["no port could be bound"]
    assert plane.plane.ports_used == 1
    plane.plane.release("call")
    assert plane.plane.ports_used == 0


async def test_a_relay_that_is_behind_begins_no_call(plane: Plane) -> None:
    plane.link.waiting = COMMANDS_HIGH + 1
    plane.offer()
    assert plane.reasons == ["the relay is not ready"]
    assert plane.link.sent == []


async def test_what_is_told_of_a_call_that_ended_is_not_passed_on(plane: Plane) -> None:
    plane.offer()
    (request,) = plane.opens()
    plane.plane._reported(Opened(request.request))
    plane.plane._reported(TimedOut("call", CALLEE))
    plane.plane.record("call", record_id="r", spool=Path("/spool"))
    assert isinstance(plane.link.sent[-1], Record)
    plane.plane.release("call")
    plane.plane._reported(TimedOut("call", CALLEE))
    for _ in range(2):
        plane.plane._reported(RecordingStopped("call", "r", "/spool", "the disk is full"))
    assert plane.events == [MediaTimedOut("call", CALLEE), RecordingClosed("call", "r", Path("/spool"))]


async def test_between_two_relays_nothing_is_sent(plane: Plane) -> None:
    plane.offer()
    (request,) = plane.opens()
    plane.plane._reported(Opened(request.request))
    plane.plane._link = None
    plane.plane._carried.lost()
    plane.plane.play("call", target=CALLER, what="music")
    plane.plane.record("call", record_id="r", spool=Path("/spool"))
    plane.plane.release("call")
    plane.offer()
    assert plane.events == [RecordingClosed("call", "r", Path("/spool"))]
    assert plane.reasons == ["the relay is not ready"]
    assert len(plane.link.sent) == 2
    await asyncio.sleep(0)


async def test_stopping_ends_calls_and_gives_up_recordings(plane: Plane) -> None:
    plane.offer()
    (request,) = plane.opens()
    plane.plane._reported(Opened(request.request))
    plane.plane.record("call", record_id="r", spool=Path("/spool"))
    await plane.plane.stop()
    assert plane.events == [RecordingClosed("call", "r", Path("/spool"))]
    assert isinstance(plane.link.sent[-1], Release)


async def test_a_relay_that_cannot_serve_browsers_says_why(plane: Plane, caplog: pytest.LogCaptureFixture) -> None:
    plane.plane._reported(Certified("sha-256 01:02"))
    plane.plane._reported(Certified("", "the libraries are missing"))
    assert [record.getMessage() for record in caplog.records] == [
        "calls of browsers and of phones with SRTP are refused: the libraries are missing"
    ]
    plane.offer()
    plane.plane._reported(Opened(plane.opens()[0].request))
    with pytest.raises(MediaError, match=r"not available here"):
        plane.plane.offer_in("browser", "call", target=CALLEE)
