"""A side that is muted, and a side whose phone leaves while the call stays."""

import asyncio
from pathlib import Path

import pytest

from kobza.media.plane import MediaError, RecordingClosed, Side
from kobza.media.spool import header_of
from kobza.rtp.g711 import SILENCE, Law
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import PhoneEnd, heard
from tests.media.planes import CALL, StartPlane, running_plane
from tests.media.spools import packets_so_far
from tests.support.spectrum import dominant_tone, loudness


@pytest.mark.parametrize("law", Law)
async def test_mute_is_silence_in_a_stream_that_goes_on(law: Law, tmp_path: Path, start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0, law) as caller, PhoneEnd(1500.0, law, ssrc=2) as callee:
            formats = f"{int(law)} 101"
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp(formats)))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp(formats)))
            caller.talk()
            callee.talk()
            await asyncio.gather(caller.hear(5), callee.hear(5))
            running.plane.mute(CALL, source=Side.CALLER, on=True)
            running.record(tmp_path / "spool")
            await running.settle()
            callee.datagrams.clear()
            silent = await callee.hear(20)
            assert {bytes(packet.payload) for packet in silent} == {bytes([SILENCE[law]]) * 160}
            assert {packet.payload_type for packet in silent} == {int(law)}
            speech = dominant_tone(heard((await caller.hear(20))[10:]))
            assert speech is not None
            assert abs(speech - 1500) < 10
            running.plane.mute(CALL, source=Side.CALLER, on=False)
            await running.settle()
            await callee.hear(5)
            assert loudness(heard(await callee.hear(20))) > 0.05
            callee.hush()
            caller.hush()
            running.plane.mute("nobody", source=Side.CALLER, on=True)


async def test_what_a_muted_phone_sends_besides_speech(tmp_path: Path) -> None:
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2) as callee:
            await running.connect(caller, callee)
            running.plane.mute(CALL, source=Side.CALLER, on=True)
            running.record(tmp_path / "spool")
            await running.settle()
            caller.send(b"\x01\x0a\x00\xa0", payload_type=101)  # its own keys
            caller.send(b"comfort noise", payload_type=13)  # tells how loud it is there
            extended = RtpPacket(8, 7, 7, 1, b"\x55" * 80, extension=(1, b"abcd")).to_bytes()
            caller.rtp.sendto(extended, ("127.0.0.1", caller.to))
            padded = b"\xa0" + extended[1:12] + b"\x55" * 80 + b"\xff"  # damaged: more padding than there is
            caller.rtp.sendto(padded, ("127.0.0.1", caller.to))
            caller.send()
            keys, silence, last = await callee.hear(3)
            assert (keys.payload_type, keys.payload) == (101, b"\x01\x0a\x00\xa0")
            assert (silence.payload, silence.extension) == (bytes([SILENCE[Law.A]]) * 80, None)
            assert last.payload == bytes([SILENCE[Law.A]]) * 160
            running.plane.release(CALL)
            closed = await running.event(RecordingClosed)
    assert header_of(closed.spool).call_id == CALL
    assert packets_so_far(closed.spool) == 0


async def test_another_phone_in_the_place_of_one_that_left(start_plane: StartPlane) -> None:
    async with start_plane() as running:
        with PhoneEnd(1000.0) as kept, PhoneEnd(1500.0, ssrc=2) as gone, PhoneEnd(2000.0, ssrc=3) as new:
            await running.connect(kept, gone)
            kept.talk()
            gone.talk()
            await asyncio.gather(kept.hear(5), gone.hear(5))
            running.plane.leave(CALL, side=Side.CALLEE)
            running.plane.play(CALL, target=Side.CALLER, what="ringback")
            await running.settle()
            gone.datagrams.clear()
            if not running.shuns_who_left:
                gone.hush()
            await kept.hear(10)  # the old phone still talks, and nobody hears it
            offer = await running.offer(Side.CALLER, Side.CALLEE, None)
            assert new.learn(offer)
            assert b"m=audio" in offer
            assert b"RTP/AVP 8 0 101" in offer
            assert await running.answer(Side.CALLEE, new.sdp()) == b""
            running.plane.play(CALL, target=Side.CALLER, what="none")
            new.talk()
            await running.settle()
            await asyncio.gather(kept.hear(10), new.hear(5))
            kept.datagrams.clear()
            tone = dominant_tone(heard(await kept.hear(25)))
            assert tone is not None
            assert abs(tone - 2000) < 10
            assert gone.datagrams == []
            tone = dominant_tone(heard(await new.hear(25)))
            assert tone is not None
            assert abs(tone - 1000) < 10
            for phone in (kept, gone, new):
                phone.hush()
            running.plane.leave("nobody", side=Side.CALLEE)


async def test_the_new_phone_is_offered_first_what_the_one_that_stays_uses(start_plane: StartPlane) -> None:
    """Then what else that one has named, which it may be asked for; nothing is transcoded."""
    async with start_plane() as running:
        with PhoneEnd() as kept, PhoneEnd(ssrc=2) as gone:
            gone.learn(await running.offer(Side.CALLER, Side.CALLEE, kept.sdp("18 0 8")))
            kept.learn(await running.answer(Side.CALLEE, gone.sdp("0")))
            running.plane.leave(CALL, side=Side.CALLEE)
            assert b"RTP/AVP 0 18 8\r\n" in await running.offer(Side.CALLER, Side.CALLEE, None)
            with pytest.raises(MediaError, match="agreed on nothing"):
                await running.direct(Side.CALLEE, "sendonly")
