"""One-way audio: a side that should be heard and is not, through a real relay."""

import asyncio
from contextlib import ExitStack

from kobza.media.one_way import pauses
from kobza.media.plane import Side, SideNotHeard
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import HOST, REPORT, PhoneEnd
from tests.media.planes import CALL, RunningPlane, running_plane
from tests.support.waiting import PATIENCE

AFTER = 0.3


def told(running: RunningPlane) -> list[SideNotHeard]:
    return [event for event in running.events if isinstance(event, SideNotHeard)]


async def until_told(running: RunningPlane, count: int) -> SideNotHeard:
    async with asyncio.timeout(PATIENCE):
        while len(told(running)) < count:  # noqa: ASYNC110 - the plane tells one listener
            await asyncio.sleep(0.02)
    return told(running)[count - 1]


async def test_a_side_that_is_not_heard_is_told_until_it_is() -> None:
    """Four calls beside each other: in one nothing comes from the called side, in the others nobody is missed."""
    async with running_plane(one_way_after=AFTER) as running:
        with ExitStack() as stack:

            async def call(name: str) -> tuple[PhoneEnd, PhoneEnd]:
                caller, callee = (stack.enter_context(PhoneEnd(ssrc=ssrc)) for ssrc in (1, 2))
                await running.connect(caller, callee, name)
                return caller, callee

            for direction in ("sendonly", "inactive", "recvonly"):  # who holds need not be heard
                holder, held = await call(direction)
                holder.send()
                await held.hear(1)
                await running.reoffer(Side.CALLER, holder.sdp(direction=direction), direction)
                held.talk()
            talker, pausing = await call("pausing")  # nor who said that it keeps silent
            pausing.send(bytes(11), payload_type=13)
            await talker.hear(1)
            talker.talk()
            caller, callee = await call(CALL)
            caller.talk()
            callee.rtcp.sendto(REPORT, (HOST, callee.to + 1))  # it lives, but nobody hears a report
            first = await until_told(running, 1)
            assert (first.call_id, first.side) == (CALL, Side.CALLEE)
            assert AFTER <= first.seconds < PATIENCE
            again = await until_told(running, 2)  # who was told may not have believed it yet
            assert again.side is Side.CALLEE
            assert again.seconds > first.seconds
            callee.talk()
            async with asyncio.timeout(PATIENCE):
                while told(running)[-1].seconds:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)
    assert told(running)[-1] == SideNotHeard(CALL, Side.CALLEE, 0.0)
    assert {event.call_id for event in told(running)} == {CALL}


def test_what_a_phone_sends_that_keeps_silent_on_purpose() -> None:
    def sent(payload_type: int, payload: bytes) -> bytes:
        return RtpPacket(payload_type, 1, 2, 3, payload).to_bytes()

    assert pauses(sent(13, bytes(11)))  # comfort noise
    assert pauses(sent(18, b"ab"))  # the noise frame of G.729
    assert pauses(sent(111, b"x"))  # Opus without sound
    assert not pauses(sent(18, bytes(10)))
    assert not pauses(sent(8, bytes(160)))
