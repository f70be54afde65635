"""What a phone hears when it does not hear the other one: music, ringback, nothing; and the stream stays one stream."""

import asyncio
import itertools

import pytest

from kobza.media import tones
from kobza.media.plane import MediaError, Side
from kobza.rtp.g711 import Law, decode
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import PhoneEnd, heard
from tests.media.planes import CALL, AnyRunning, StartPlane
from tests.support.spectrum import dominant_tone, from_pcm16, loudness, tones_over_time

A_MINOR = [440.0, 523.25, 659.26, 523.25]
"""The first notes of the music."""


def is_music(packets: list[RtpPacket]) -> bool:
    """Tell whether the sound is one of the music's first notes."""
    frequency = dominant_tone(heard(packets))
    return frequency is not None and any(abs(frequency - note) < 12 for note in A_MINOR)


def is_continuous(packets: list[RtpPacket]) -> bool:
    """Tell whether a phone would take the packets for one stream: one SSRC, no step back, timestamps that go on."""
    sequences = [packet.sequence for packet in packets]
    steps = [(later.timestamp - earlier.timestamp) % 2**32 for earlier, later in itertools.pairwise(packets)]
    return (
        len({packet.ssrc for packet in packets}) == 1
        and sequences == [(sequences[0] + index) % 65536 for index in range(len(sequences))]
        and all(0 < step < 8000 for step in steps)
    )


@pytest.mark.parametrize("law", Law)
def test_ringback_is_a_second_of_425_hz_in_five(law: Law) -> None:
    sound = from_pcm16(b"".join(decode(payload, law) for payload in tones.ringback(law)))
    assert len(sound) == 5 * 8000
    assert tones_over_time(sound) == [425.0] * 5 + [None] * 20
    assert loudness(sound[8000:]) < 0.001


@pytest.mark.parametrize("law", Law)
def test_music_is_a_melody_that_never_stops(law: Law) -> None:
    sound = from_pcm16(b"".join(decode(payload, law) for payload in tones.music(law)))
    assert len(sound) == 16 * 8000
    notes = tones_over_time(sound, 0.5)
    assert None not in notes
    assert len({round(note) for note in notes if note is not None}) >= 8
    assert [note for note in notes[:4] if note is not None] == pytest.approx(A_MINOR, abs=4)
    # It is meant to be loud enough and never clipped, also where notes overlap and where the loop begins again.
    assert 0.05 < loudness(sound) < 0.2
    assert max(abs(sound)) < 0.9


async def talking(running: AnyRunning, caller: PhoneEnd, callee: PhoneEnd) -> None:
    await running.connect(caller, callee)
    caller.talk()
    callee.talk()
    await asyncio.gather(caller.hear(5), callee.hear(5))


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
async def test_hold_by_a_phone_plays_music_to_the_other_until_resume(direction: str, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            answer = await running.reoffer(Side.CALLER, caller.sdp(direction=direction))
            assert (b"a=recvonly" if direction == "sendonly" else b"a=inactive") in answer
            await running.settle()
            caller.datagrams.clear()
            callee.datagrams.clear()
            assert is_music(await callee.hear(20))
            assert caller.datagrams == []
            answer = await running.reoffer(Side.CALLER, caller.sdp())
            assert b"a=sendrecv" in answer
            await running.settle()
            await callee.hear(2)
            after = await callee.hear(25)
            assert dominant_tone(heard(after)) == pytest.approx(1000, abs=10)
            assert is_continuous(callee.packets) or not running.makes_one_stream
            assert dominant_tone(heard(await caller.hear(25))) == pytest.approx(1500, abs=10)


async def test_the_old_way_to_hold(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            await running.reoffer(Side.CALLEE, callee.sdp(host="0.0.0.0"))
            await running.settle()
            caller.datagrams.clear()
            assert is_music(await caller.hear(20))


async def test_a_phone_that_only_listens_holds_nobody(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            answer = await running.reoffer(Side.CALLER, caller.sdp(direction="recvonly"))
            assert b"a=sendonly" in answer
            await running.settle()
            callee.datagrams.clear()
            assert dominant_tone(heard(await caller.hear(25))) == pytest.approx(1500, abs=10)
            assert len(callee.datagrams) <= 1


async def test_hold_through_the_api(start_plane: StartPlane) -> None:
    """The owner's phone is told "inactive", the other one "sendonly": it hears music. First the phone has to agree."""
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            offer = await running.direct(Side.CALLER, "inactive")
            assert b"a=inactive\r\n" in offer
            assert b" 2 IN IP4" in offer.splitlines()[1]
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(1000, abs=10)
            await running.reanswer(Side.CALLER, caller.sdp(direction="inactive"))
            running.plane.play(CALL, target=Side.CALLEE, what="music")
            await running.direct(Side.CALLEE, "sendonly")
            await running.reanswer(Side.CALLEE, callee.sdp(direction="recvonly"))
            await running.settle()
            caller.datagrams.clear()
            callee.datagrams.clear()
            assert is_music(await callee.hear(20))
            assert caller.datagrams == []
            # A refresh by the phone while it is held does not take it off hold.
            assert b"a=inactive" in await running.reoffer(Side.CALLER, caller.sdp())
            await running.direct(Side.CALLER, "sendrecv")
            await running.reanswer(Side.CALLER, caller.sdp())
            running.plane.play(CALL, target=Side.CALLEE, what="none")
            await running.direct(Side.CALLEE, "sendrecv")
            await running.reanswer(Side.CALLEE, callee.sdp())
            await running.settle()
            await callee.hear(2)
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(1000, abs=10)
            assert dominant_tone(heard(await caller.hear(25))) == pytest.approx(1500, abs=10)


async def test_an_unusable_answer_to_a_direction_changes_nothing(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            await running.direct(Side.CALLER, "inactive")
            with pytest.raises(MediaError, match="malformed"):
                await running.reanswer(Side.CALLER, b"nonsense")
            await running.settle()
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(1000, abs=10)


@pytest.mark.parametrize("law", Law)
async def test_ringback_before_the_other_side_is_there(law: Law, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0, law) as caller, PhoneEnd(1500.0, law, ssrc=2) as callee:
            caller.learn(await running.offer(None, Side.CALLER, None))
            await running.answer(Side.CALLER, caller.sdp(f"{int(law)} 101"))
            running.plane.play(CALL, target=Side.CALLER, what="ringback")
            ring = await caller.hear(25)
            assert {packet.payload_type for packet in ring} == {int(law)}
            assert dominant_tone(heard(ring)) == pytest.approx(425, abs=10)
            assert ring[0].marker
            assert not any(packet.marker for packet in ring[1:])
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, None))
            await running.answer(Side.CALLEE, callee.sdp(f"{int(law)} 101"))
            running.plane.play(CALL, target=Side.CALLER, what="none")
            await running.settle()
            callee.talk()
            await caller.hear(2)
            assert dominant_tone(heard(await caller.hear(25))) == pytest.approx(1500, abs=10)
            if running.makes_one_stream:
                assert is_continuous(caller.packets)
                assert [packet.marker for packet in caller.packets].count(True) == 2


async def test_a_side_is_given_the_law_of_the_other_one(start_plane: StartPlane) -> None:
    """Click2dial: the originator has chosen A-law, the destination knows the other law alone. Tones follow."""
    async with start_plane() as running:
        with PhoneEnd(1000.0, Law.MU) as caller, PhoneEnd(1500.0, Law.MU, ssrc=2) as callee:
            caller.learn(await running.offer(None, Side.CALLER, None))
            await running.answer(Side.CALLER, caller.sdp("8 0 101"))
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, None))
            await running.answer(Side.CALLEE, callee.sdp("0 101"))
            offer = await running.align(Side.CALLER)
            assert b" RTP/AVP 0 101\r\n" in offer
            await running.reanswer(Side.CALLER, caller.sdp("0 101"))
            assert await running.align(Side.CALLER) == await running.align(Side.CALLEE) == b""
            running.plane.play(CALL, target=Side.CALLER, what="ringback")
            assert {packet.payload_type for packet in await caller.hear(5)} == {int(Law.MU)}
            running.plane.play(CALL, target=Side.CALLER, what="none")
            await running.settle()
            caller.talk()
            callee.talk()
            await caller.hear(2)
            assert dominant_tone(heard(await caller.hear(25))) == pytest.approx(1500, abs=10)
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(1000, abs=10)


async def test_no_tone_in_a_codec_that_is_not_ours(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller, PhoneEnd() as callee:
            opus = ["a=rtpmap:96 opus/48000/2"]
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("96", lines=opus)))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("96", lines=opus)))
            running.plane.play(CALL, target=Side.CALLER, what="music")
            await running.settle()
            await asyncio.sleep(0.1)
            assert caller.datagrams == []
            running.plane.play(CALL, target=Side.CALLER, what="none")
            await running.settle()
            sent = callee.send(payload_type=96)
            await caller.wait(lambda: caller.datagrams == [sent])


async def test_a_late_offer_in_a_call(start_plane: StartPlane) -> None:
    """A re-INVITE without a description: the plane offers what is agreed, the answer comes in the ACK."""
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            offer = await running.reoffer(Side.CALLEE, b"")
            assert b"RTP/AVP 8 101\r\n" in offer
            assert b"a=sendrecv" in offer
            with PhoneEnd(1200.0, ssrc=3) as moved:
                await running.reanswer(Side.CALLEE, moved.sdp("8"))
                await running.settle()
                assert dominant_tone(heard(await moved.hear(25))) == pytest.approx(1000, abs=10)


async def test_a_later_offer_without_the_codec_of_the_call_is_refused(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            await talking(running, caller, callee)
            with pytest.raises(MediaError, match="not acceptable"):
                await running.reoffer(Side.CALLER, caller.sdp("0"))
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(1000, abs=10)


async def test_nothing_can_be_changed_before_anything_is_agreed(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd() as caller:
            await running.offer(Side.CALLER, Side.CALLEE, caller.sdp())
            with pytest.raises(MediaError):
                await running.reoffer(Side.CALLER, caller.sdp())
            with pytest.raises(MediaError):
                await running.direct(Side.CALLEE, "inactive")
            with pytest.raises(MediaError):
                await running.answer(Side.CALLER, caller.sdp())
            with pytest.raises(MediaError):
                await running.align(Side.CALLEE)
            with pytest.raises(MediaError):
                await running.reanswer(Side.CALLER, caller.sdp())
