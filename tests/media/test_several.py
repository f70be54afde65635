"""Several processes share the calls: each has its part, and one that dies takes only its own along."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from kobza.media.embedded import EmbeddedPlane
from kobza.media.messages import Traffic
from kobza.media.plane import MediaError, MediaEvent, MediaPlaneLost, Seat, Side
from kobza.media.several import SeveralPlanes, shares
from tests.media.phone_end import HOST, PhoneEnd
from tests.support.ports import free_range
from tests.support.waiting import PATIENCE


class Running:
    """Two processes as one plane."""

    def __init__(self, pairs: int = 20) -> None:
        self.events: list[MediaEvent] = []
        self.planes = [EmbeddedPlane(host=HOST, ports=part, timeout=60.0) for part in shares(free_range(2 * pairs), 2)]
        self.plane = SeveralPlanes(self.planes)
        self.plane.on_event = self.events.append

    async def offer(self, call: str, sdp: bytes, source: Side = Side.CALLER) -> bytes | MediaError:
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.offer(call, source=source, target=source.other, sdp=sdp, done=reply.set_result)
        return await reply

    async def connect(self, call: str, caller: PhoneEnd, callee: PhoneEnd) -> None:
        offer = await self.offer(call, caller.sdp())
        assert isinstance(offer, bytes), offer
        callee.learn(offer)
        reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
        self.plane.answer(call, source=Side.CALLEE, sdp=callee.sdp(), done=reply.set_result)
        answer = await reply
        assert isinstance(answer, bytes), answer
        caller.learn(answer)

    async def until(self, what: str, wanted: object) -> None:
        async with asyncio.timeout(PATIENCE):
            while getattr(self.plane, what) != wanted:  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.02)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    made = Running()
    await made.plane.start()
    yield made
    await made.plane.stop()


async def test_calls_are_shared_and_a_death_takes_its_own_alone(running: Running) -> None:
    with ExitStack() as stack:
        calls = {f"call-{n}": tuple(stack.enter_context(PhoneEnd(ssrc=2 * n + k)) for k in (0, 1)) for n in range(4)}
        for name, (caller, callee) in calls.items():
            await running.connect(name, caller, callee)
        assert [plane.calls for plane in running.planes] == [2, 2]
        assert [now.calls for now in running.plane.instances] == [2, 2]
        assert running.plane.ports_used == 8
        ports = [plane.ports_total for plane in running.planes]
        assert running.plane.ports_total == sum(ports) == 20

        async def talks(name: str) -> None:
            for speaker, listener in (calls[name], calls[name][::-1]):
                before = len(listener.datagrams)
                async with asyncio.timeout(PATIENCE):
                    while len(listener.datagrams) == before:
                        speaker.send()
                        await asyncio.sleep(0.02)

        for name in calls:
            await talks(name)
        first, second = (plane.relay_pids[""] for plane in running.planes)
        assert running.plane.relay_pids == {"1": first, "2": second}
        os.kill(first, signal.SIGKILL)
        await running.until("deaths", 1)
        assert running.plane.relay_pids["2"] == second
        [lost] = [event for event in running.events if isinstance(event, MediaPlaneLost)]
        assert len(lost.call_ids) == 2
        left = set(calls) - set(lost.call_ids)
        for name in left:
            await talks(name)
        # Of a call that was lost nothing is known, and the next ones go where there is a process.
        assert running.plane.is_ready
        reply: list[bytes | MediaError] = []
        running.plane.answer(lost.call_ids[0], source=Side.CALLEE, sdp=b"", done=reply.append)
        assert isinstance(reply[0], MediaError)
        async with asyncio.timeout(PATIENCE):
            while not running.planes[0].is_ready:  # noqa: ASYNC110  nothing tells of a restart
                await asyncio.sleep(0.02)
        again = lost.call_ids[0]
        await running.connect(again, *calls[again])
        assert [plane.calls for plane in running.planes] == [1, 2]
        await talks(again)
        for name in (*left, again):
            running.plane.release(name)
            running.plane.release(name)
        await running.until("ports_used", 0)
        assert running.plane.recordings == 0


async def test_calls_that_are_mixed_are_carried_together(running: Running) -> None:
    with ExitStack() as stack:
        phones = [stack.enter_context(PhoneEnd(ssrc=n)) for n in range(6)]
        await running.connect("host", *phones[:2])
        running.plane.beside("guest", "host")
        running.plane.beside("nobody", "unknown")
        await running.connect("guest", *phones[2:4])
        assert sorted(plane.calls for plane in running.planes) == [0, 2]
        await running.connect("stranger", *phones[4:])
        assert sorted(plane.calls for plane in running.planes) == [1, 2]
        running.plane.mix("mix", [Seat("host", Side.CALLER), Seat("guest", Side.CALLER)])
        running.plane.mix("mix", [])
        with pytest.raises(MediaError, match="cannot mix"):
            running.plane.mix("mix", [Seat("host", Side.CALLER), Seat("stranger", Side.CALLER)])


async def test_a_refused_call_is_forgotten() -> None:
    running = Running(pairs=4)
    await running.plane.start()
    try:
        with PhoneEnd() as phone:
            replies = [await running.offer(f"call-{n}", phone.sdp()) for n in range(3)]
            assert [isinstance(reply, bytes) for reply in replies] == [True, True, False]
            assert sorted(running.plane._calls) == ["call-0", "call-1"]
            malformed = await running.offer("call-3", b"nonsense")
            assert isinstance(malformed, MediaError)
            assert "call-3" not in running.plane._calls
    finally:
        await running.plane.stop()


async def test_with_one_that_does_not_start_none_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running()

    async def fails() -> None:
        raise MediaError("no")

    monkeypatch.setattr(running.planes[1], "start", fails)
    with pytest.raises(MediaError, match="no"):
        await running.plane.start()
    assert not running.plane.is_ready
    assert running.plane.trouble
    assert running.plane.relay_pids == {}


@pytest.mark.parametrize(
    ("ports", "count", "wanted"),
    [
        (range(20000, 21000), 1, [range(20000, 21000)]),
        (range(20000, 20020), 2, [range(20000, 20010), range(20010, 20020)]),
        (range(20001, 20020), 2, [range(20002, 20010), range(20010, 20020)]),
        (range(20000, 20022), 3, [range(20000, 20006), range(20006, 20014), range(20014, 20022)]),
    ],
)
def test_ports_are_split(ports: range, count: int, wanted: list[range]) -> None:
    assert shares(ports, count) == wanted


def test_too_few_ports_are_refused() -> None:
    with pytest.raises(ValueError, match="3 pairs of ports are too few for 2 processes"):
        shares(range(20000, 20007), 2)


def test_what_was_moved_is_added_up() -> None:
    one, another = Traffic(received=1, lag_total=0.5), Traffic(received=2, sent=3, lag_total=0.25)
    one.lag[2] = another.lag[2] = 1
    total = Traffic.sum_of([one, another])
    assert (total.received, total.sent, total.lag_total, total.lag[2]) == (3, 3, 0.75, 2)
    assert Traffic.sum_of([]) == Traffic()
