"""DTMF that the plane sends by itself, as RFC 4733 wants it: timestamps, marker, durations, three last packets."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.digits import GAP_STEPS, PAUSE_STEPS, STEP_SAMPLES, TONE_STEPS, steps
from kobza.media.plane import DigitPressed, MediaError, NoEvents, Seat, Side
from kobza.rtp.event import DIGITS, TelephoneEvent
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import PhoneEnd
from tests.media.planes import CALL, AnyRunning, StartPlane, running_plane
from tests.support.waiting import PATIENCE

EVENTS = 101


async def send(running: AnyRunning, target: Side, digits: str, call: str = CALL) -> None:
    """Have digits sent; return when they are out. Raises MediaError."""
    reply: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
    running.plane.digits(call, target=target, digits=digits, done=reply.set_result)
    result = await asyncio.wait_for(reply, PATIENCE)
    if isinstance(result, MediaError):
        raise result
    assert result == b""


def events_in(packets: list[RtpPacket]) -> list[list[tuple[RtpPacket, TelephoneEvent]]]:
    """The packets of each event, told apart by their timestamps."""
    found = [(packet, TelephoneEvent.parse(packet.payload)) for packet in packets if packet.payload_type == EVENTS]
    return [list(group) for _, group in itertools.groupby(found, key=lambda pair: pair[0].timestamp)]


@given(st.text(alphabet=DIGITS + ",", max_size=40))
def test_the_steps_of_any_digits(digits: str) -> None:
    plan = list(steps(digits))
    ends = [event for event in plan if event is not None and event.end]
    assert [event.digit for event in ends[::3]] == [digit for digit in digits if digit != ","]
    assert ends[::3] == ends[1::3] == ends[2::3]
    count = len(digits) - digits.count(",")
    assert len(plan) == count * (TONE_STEPS + GAP_STEPS) + digits.count(",") * PAUSE_STEPS
    assert all(event.duration == TONE_STEPS * STEP_SAMPLES for event in ends)


async def test_digits_between_two_voices_are_one_stream_with_them() -> None:
    async with running_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await running.connect(caller, callee)
            caller.talk()
            callee.talk()
            await callee.hear(10)
            await send(running, Side.CALLEE, "19")
            await callee.hear(10)
            caller.hush()
            packets = callee.packets
            assert not events_in(caller.packets)
    one, nine = events_in(packets)
    for digit, event in (("1", one), ("9", nine)):
        assert {report.digit for _, report in event} == {digit}
        assert [report.duration for _, report in event] == [160, 320, 480, 640, 800, 800, 800]
        assert [report.end for _, report in event] == [False] * 4 + [True] * 3
        assert [packet.marker for packet, _ in event] == [True] + [False] * 6
    assert len({packet.ssrc for packet in packets}) == 1
    sequences = [packet.sequence for packet in packets]
    assert sequences == [(sequences[0] + index) % 65536 for index in range(len(sequences))]
    speech = [packet for packet in packets if packet.payload_type == 8]
    order = [packet.timestamp for packet in packets]
    assert order == sorted(order)  # the voice goes on after the event, in time
    apart = (nine[0][0].timestamp - one[0][0].timestamp) / 8000
    assert 0.15 < apart < 0.5
    kinds = [kind for kind, _ in itertools.groupby(packet.payload_type for packet in packets)]
    assert kinds == [8, EVENTS, 8, EVENTS, 8]  # nothing is heard while a digit sounds, the voice between two of them
    after = speech[next(i for i, packet in enumerate(speech) if packet.timestamp > one[0][0].timestamp)]
    assert after.marker


async def test_digits_wait_for_those_before_them() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            await asyncio.gather(*(send(running, Side.CALLER, digits) for digits in ("12", ",3", "A")))
            heard = events_in(caller.packets)
            assert [event[0][1].digit for event in heard] == ["1", "2", "3", "A"]
            assert (heard[2][0][0].timestamp - heard[1][0][0].timestamp) / 8000 > 0.6  # the comma


async def test_digits_into_music() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            running.plane.play(CALL, target=Side.CALLEE, what="music")
            await callee.hear(5)
            await send(running, Side.CALLEE, "#")
            await callee.hear(5)
            kinds = [kind for kind, _ in itertools.groupby(packet.payload_type for packet in callee.packets)]
            assert kinds == [8, EVENTS, 8]
            order = [packet.timestamp for packet in callee.packets]
            assert order == sorted(order)


async def test_a_payload_type_of_the_phones_own() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            lines = ["a=rtpmap:110 telephone-event/8000"]
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("8 110", lines=lines)))
            caller.learn(
                await running.answer(Side.CALLEE, callee.sdp("8 120", lines=["a=rtpmap:120 telephone-event/8000"]))
            )
            await send(running, Side.CALLER, "5")
            await send(running, Side.CALLEE, "5")
            await asyncio.gather(caller.hear(0), callee.hear(0))
            assert {packet.payload_type for packet in caller.packets} == {110}
            assert {packet.payload_type for packet in callee.packets} == {120}


async def test_a_phone_that_takes_no_events(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("8")))
            for side in Side:  # the caller offered them, but they were not agreed on
                with pytest.raises(MediaError, match=r"not acceptable: .* no DTMF events"):
                    await send(running, side, "1")


async def test_a_codec_with_another_clock_has_no_digits(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            lines = ["a=rtpmap:96 opus/48000/2"]
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("96 101", lines=lines)))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("96 101", lines=lines)))
            with pytest.raises(MediaError, match="no DTMF events"):
                await send(running, Side.CALLEE, "1")


async def test_a_phone_that_holds_hears_no_digits() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            under_way = asyncio.create_task(send(running, Side.CALLEE, "1" * 20))
            await callee.hear(20)
            await running.reoffer(Side.CALLEE, callee.sdp(direction="sendonly"))
            with pytest.raises(MediaError, match="takes no more"):
                await under_way
            with pytest.raises(MediaError, match="wants to hear nothing"):
                await send(running, Side.CALLEE, "1")


async def test_the_end_of_the_call_is_the_end_of_its_digits() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            await running.connect(caller, callee, "other")
            under_way = asyncio.create_task(send(running, Side.CALLEE, "1" * 20))
            elsewhere = asyncio.create_task(send(running, Side.CALLEE, "2", "other"))
            await callee.hear(3)
            running.plane.release(CALL)
            with pytest.raises(MediaError, match="released"):
                await under_way
            await elsewhere
            with pytest.raises(MediaError, match="no such call"):
                await send(running, Side.CALLEE, "1")


async def test_digits_to_nowhere_are_not_sent() -> None:
    """The phone named no address and has not been heard yet."""
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            await running.answer(Side.CALLEE, callee.sdp(host="nowhere.example"))
            with pytest.raises(MediaError, match="takes no more"):
                await send(running, Side.CALLEE, "1")


def press(phone: PhoneEnd, digit: str, payload_type: int = EVENTS) -> None:
    """Send a digit as the phones do."""
    for event in (each for each in steps(digit) if each is not None):
        packet = RtpPacket(payload_type, phone.sequence, phone.timestamp, phone.ssrc, event.to_bytes())
        phone.sequence += 1
        phone.rtp.sendto(packet.to_bytes(), (phone.host, phone.to))
    phone.timestamp += 1600


@pytest.mark.parametrize("deaf", Side)
async def test_digits_to_a_phone_that_takes_them_in_info_alone_are_told(deaf: Side) -> None:
    """Whoever called: the other one has agreed on events with us, and its voice goes on."""
    async with running_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            formats = {deaf: "8", deaf.other: "8 101"}
            offer = await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(formats[Side.CALLER]), by_info=True)
            assert b"telephone-event" in callee.learn(offer)
            answer = await running.answer(Side.CALLEE, callee.sdp(formats[Side.CALLEE]), by_info=True)
            assert (b"telephone-event" in caller.learn(answer)) is (deaf is Side.CALLEE)
            await running.settle()
            hears, presses = (caller, callee) if deaf is Side.CALLER else (callee, caller)
            hears.send()  # where it is heard from is where it is
            await presses.hear(1)
            presses.send()
            for digit in "1*1":
                press(presses, digit)
            presses.send()
            assert [packet.payload_type for packet in await hears.hear(2)] == [8, 8]
            told = await running.events_of(DigitPressed, 3)
            assert told == [DigitPressed(CALL, deaf.other, digit) for digit in "1*1"]
            assert len(hears.packets) == 2
            await send(running, deaf.other, "5")  # the other way they are events, as ever
            with pytest.raises(NoEvents):
                await send(running, deaf, "5")


async def test_digits_are_told_in_a_mix_and_until_the_phone_takes_events() -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee, PhoneEnd(ssrc=3) as after:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("8"), by_info=True))
            running.plane.mix("mix", [Seat(CALL, Side.CALLER), Seat(CALL, Side.CALLEE)], [(CALL, Side.CALLEE)])
            await running.settle()
            callee.send()
            caller.send()
            press(caller, "7")
            assert await running.events_of(DigitPressed, 1) == [DigitPressed(CALL, Side.CALLER, "7")]
            running.plane.mix("mix", [])
            running.plane.leave(CALL, side=Side.CALLEE)
            after.learn(await running.offer(Side.CALLER, Side.CALLEE, None))
            await running.answer(Side.CALLEE, after.sdp(), by_info=True)
            await running.settle()
            after.send()
            await caller.hear(1)
            press(caller, "8")
            await after.wait(lambda: bool(events_in(after.packets)))
            assert len(await running.events_of(DigitPressed, 1)) == 1


async def test_a_plane_that_reads_no_digits_agrees_on_none_that_would_be_lost(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(), by_info=True)
            answer = await running.answer(Side.CALLEE, callee.sdp("8"), by_info=True)
            assert (b"telephone-event" in answer) is running.plane.reads_digits
