"""Voices are mixed in the relay: who listens, whispers, joins, and how it is recorded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kobza.media.encoder import encode
from kobza.media.plane import MediaError, RecordingClosed, Seat, Side
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.g711 import Law
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import HOST, PhoneEnd, heard
from tests.media.planes import CALL, RunningPlane, running_plane
from tests.media.spools import decode_mp3, needs_mp3
from tests.media.test_srtp import SHA1_80, SecretPhone
from tests.support.spectrum import tone_share

GUEST = "guest-1"
CALLER, CALLEE = (CALL, Side.CALLER), (CALL, Side.CALLEE)
SEAT = (GUEST, Side.CALLEE)
TONES = {"caller": 440.0, "callee": 660.0, "guest": 1000.0}
ENOUGH = 40
"""Packets, 0.8 s, in which a tone shows."""


class Scene:
    """Two phones in a call, and a third one in a call whose other side is a seat."""

    def __init__(self, running: RunningPlane, stack: ExitStack, guest_law: Law = Law.A) -> None:
        self.running = running
        self.caller = stack.enter_context(PhoneEnd(TONES["caller"], ssrc=1))
        self.callee = stack.enter_context(PhoneEnd(TONES["callee"], ssrc=2))
        self.guest = stack.enter_context(PhoneEnd(TONES["guest"], guest_law, ssrc=3))

    async def begin(self) -> None:
        await self.running.connect(self.caller, self.callee)
        await seat(self.running, self.guest, GUEST)
        for phone in (self.caller, self.callee, self.guest):
            phone.talk()

    async def arrange(self, *heard_by: tuple[str, Side], joins: bool = False, noticing: bool = False) -> None:
        seats = [Seat(*CALLER), Seat(*CALLEE), Seat(*SEAT, None if joins else heard_by)]
        self.running.plane.mix("mix", seats, (CALLER, CALLEE) if noticing else ())
        await self.running.settle()

    async def listens(self) -> dict[str, set[str]]:
        """Return by phone whose tones it hears from now on."""
        phones = {"caller": self.caller, "callee": self.callee, "guest": self.guest}
        for phone in phones.values():
            await phone.hear(10)  # what was on its way
        packets = dict(
            zip(phones, await asyncio.gather(*(phone.hear(ENOUGH) for phone in phones.values())), strict=True)
        )
        return {name: {who for who, hertz in TONES.items() if has(found, hertz)} for name, found in packets.items()}


def has(packets: list[RtpPacket], hertz: float) -> bool:
    return tone_share(heard(packets), hertz) > 0.1


async def seat(running: RunningPlane, phone: PhoneEnd, call: str) -> None:
    """Set up a call between a phone and a seat, as click2dial does."""
    phone.learn(await running.offer(None, Side.CALLER, None, call))
    await running.answer(Side.CALLER, phone.sdp(f"{int(phone.law)} 101"), call)
    await take_seat(running, call)


async def take_seat(running: RunningPlane, call: str) -> None:
    """Let the called side of a call be a seat."""
    offer = await running.offer(Side.CALLER, Side.CALLEE, None, call)
    answer: asyncio.Future[bytes | MediaError] = asyncio.get_running_loop().create_future()
    running.plane.sit(call, side=Side.CALLEE, sdp=offer, done=answer.set_result)
    described = await answer
    assert isinstance(described, bytes)
    assert await running.answer(Side.CALLEE, described, call) == b""
    await running.settle()


@pytest.fixture
async def running() -> AsyncIterator[RunningPlane]:
    async with running_plane() as running:
        yield running


@needs_mp3
async def test_a_supervisor_listens_whispers_and_joins(running: RunningPlane, tmp_path: Path) -> None:
    with ExitStack() as stack:
        scene = Scene(running, stack, guest_law=Law.MU)
        await scene.begin()
        running.record(tmp_path / "spool")
        await scene.arrange()
        untouched = scene.caller.packets[-1].ssrc
        assert await scene.listens() == {"caller": {"callee"}, "callee": {"caller"}, "guest": {"caller", "callee"}}
        assert scene.caller.packets[-1].ssrc == untouched == 2  # the two hear each other as before, not a mix
        await scene.arrange(CALLEE)
        assert await scene.listens() == {
            "caller": {"callee"},
            "callee": {"caller", "guest"},
            "guest": {"caller", "callee"},
        }
        joined_at = asyncio.get_running_loop().time()
        await scene.arrange(joins=True)
        assert await scene.listens() == {
            "caller": {"callee", "guest"},
            "callee": {"caller", "guest"},
            "guest": {"caller", "callee"},
        }
        joined_for = asyncio.get_running_loop().time() - joined_at
        running.plane.release(GUEST)
        running.plane.mix("mix", ())
        scene.guest.hush()
        await scene.caller.hear(20)
        assert has(await scene.caller.hear(ENOUGH), TONES["callee"])
        running.plane.release(CALL)
        await running.ports_are_back()
        spool = (await running.event(RecordingClosed)).spool
    encode(spool, tmp_path / "mp3")
    left, right = decode_mp3(tmp_path / "mp3")
    # The caller is left, the called side and who joined right; a whisper is not recorded.
    assert tone_share(left, 440) > 0.95
    assert tone_share(right, 660) + tone_share(right, 1000) > 0.95
    shares = [tone_share(right[at : at + 1600], 1000) for at in range(0, len(right) - 1600, 1600)]
    assert sum(share > 0.2 for share in shares) * 0.2 == pytest.approx(joined_for, abs=0.5)


async def test_those_who_are_overheard_may_be_told(running: RunningPlane) -> None:
    with ExitStack() as stack:
        scene = Scene(running, stack)
        await scene.begin()
        await scene.arrange(noticing=True)
        caller, callee, guest = await asyncio.gather(
            *(phone.hear(ENOUGH) for phone in (scene.caller, scene.callee, scene.guest))
        )
        heard_of_it = [tone_share(heard(packets), 1400) for packets in (caller, callee, guest)]
        assert min(heard_of_it[:2]) > 0.03  # it sounds for a part of that time
        assert heard_of_it[2] < 0.003


async def test_a_phone_with_srtp_takes_part() -> None:
    async with running_plane(browser_hosts=(HOST,)) as running:
        with (
            PhoneEnd(440.0) as caller,
            PhoneEnd(660.0, ssrc=2) as callee,
            SecretPhone(1000.0, SHA1_80, ssrc=3) as guest,
        ):
            await running.connect(caller, callee)
            await running.offer(None, Side.CALLER, None, GUEST)
            guest.learn(running.plane.offer_in("srtp", GUEST, target=Side.CALLER))
            await running.answer(Side.CALLER, guest.said(), GUEST)
            await take_seat(running, GUEST)
            running.plane.mix("mix", [Seat(*CALLER), Seat(*CALLEE), Seat(*SEAT)])
            caller.talk()
            callee.talk()
            for _ in range(2 * ENOUGH):
                guest.speak(1)
                await asyncio.sleep(0.02)
            told = [RtpPacket.parse(data) for data in guest.understood()[-ENOUGH:]]
            assert {hertz for hertz in TONES.values() if has(told, hertz)} == {440.0, 660.0}
            assert has(caller.packets[-ENOUGH:], 1000.0)
            assert not has(guest.packets[-ENOUGH:], 440.0), "on the way nobody understands it"


async def test_keys_of_the_two_reach_each_other_through_the_mix(running: RunningPlane) -> None:
    with ExitStack() as stack:
        scene = Scene(running, stack)
        await scene.begin()
        await scene.arrange(joins=True)
        await scene.callee.hear(10)
        pressed = [TelephoneEvent(5, step > 5, 10, 160 * step) for step in range(1, 9)]
        at = scene.caller.timestamp
        scene.caller.hush()
        for event in pressed:
            scene.caller.timestamp = at
            scene.caller.send(event.to_bytes(), payload_type=101)
            await asyncio.sleep(0.02)
        await scene.callee.wait(lambda: sum(packet.payload_type == 101 for packet in scene.callee.packets) == 8)
        told = [packet for packet in scene.callee.packets if packet.payload_type == 101]
        assert [packet.payload for packet in told] == [event.to_bytes() for event in pressed]
        assert len({packet.timestamp for packet in told}) == 1, "one key is one event"
        await scene.callee.hear(10)
        packets = scene.callee.packets
        places = [packet.sequence for packet in packets[-30:]]
        assert places == list(range(places[0], places[0] + len(places))), "the stream goes on without a gap"
        assert not any(packet.payload_type == 101 for packet in scene.guest.packets)
