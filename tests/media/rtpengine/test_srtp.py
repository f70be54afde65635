"""Phones with SRTP on rtpengine: one that calls is answered so, and nobody is offered it."""

import asyncio
from pathlib import Path

import pytest

from kobza.media.encoder import encode
from kobza.media.plane import MediaError, RecordingClosed, Side
from kobza.rtp.packet import RtpPacket
from kobza.sdp.sdes import SUITES
from tests.media.phone_end import PhoneEnd, heard
from tests.media.planes import CALL, running_rtpengine_plane
from tests.media.spools import decode_mp3, needs_mp3
from tests.media.test_srtp import SecretPhone
from tests.support.rtpengine import Rtpengine
from tests.support.spectrum import dominant_tone

CALLER, CALLEE = Side.CALLER, Side.CALLEE


async def are_heard(caller: SecretPhone, callee: PhoneEnd) -> None:
    """Let the caller say something, which the callee understands while it talks itself."""
    callee.datagrams.clear()
    for _ in range(25):
        caller.speak(1)
        await asyncio.sleep(0.02)
    await callee.wait(lambda: len(callee.packets) >= 20)
    assert dominant_tone(heard(callee.packets[-20:])) == pytest.approx(700, abs=5)


@needs_mp3
@pytest.mark.parametrize("suite", list(SUITES))
async def test_a_phone_calls_with_srtp(rtpengine: Rtpengine, suite: str, tmp_path: Path) -> None:
    async with running_rtpengine_plane(rtpengine) as running:
        with SecretPhone(700.0, suite) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            offer = callee.learn(await running.offer(CALLER, CALLEE, caller.said()))
            assert b" RTP/AVP " in offer
            assert b"crypto" not in offer
            answer = caller.learn(await running.answer(CALLEE, callee.sdp()))
            assert b" RTP/SAVP " in answer
            recorded = suite == next(iter(SUITES))
            if recorded:
                running.record(tmp_path / "spool")
            await running.settle()
            callee.talk()
            await are_heard(caller, callee)
            for direction in ("sendonly", "sendrecv"):  # a hold that is over: the key stays
                assert answer.split(b"inline:")[1] in await running.reoffer(CALLER, caller.said(direction))
            await running.settle()
            await are_heard(caller, callee)
            callee.hush()
            said = [RtpPacket.parse(data) for data in caller.understood()]
            assert dominant_tone(heard(said[-20:])) == pytest.approx(1500, abs=5)
            running.plane.release(CALL)
            if recorded:
                encode((await running.event(RecordingClosed)).spool, tmp_path / "mp3")
                left, right = decode_mp3(tmp_path / "mp3")
                assert dominant_tone(left) == pytest.approx(700, abs=5)
                assert dominant_tone(right) == pytest.approx(1500, abs=5)


async def test_what_it_cannot_do_is_refused(rtpengine: Rtpengine) -> None:
    first, other = list(SUITES)[:2]
    async with running_rtpengine_plane(rtpengine) as running:
        with SecretPhone(700.0, first) as secret, SecretPhone(800.0, other) as changed, PhoneEnd() as plain:
            await running.offer(CALLER, CALLEE, secret.said())
            with pytest.raises(MediaError, match="not acceptable: SRTP is not available here"):
                running.plane.offer_in("srtp", CALL, target=CALLEE)
            with pytest.raises(MediaError, match=r"not acceptable: .* which browsers speak, is not available here"):
                running.plane.offer_in("browser", CALL, target=CALLEE)
            await running.answer(CALLEE, plain.sdp())
            with pytest.raises(MediaError, match="not acceptable: SRTP is not available here"):
                await running.reoffer(CALLER, changed.said())
            with pytest.raises(MediaError, match="not acceptable: SRTP is not available here"):
                await running.reoffer(CALLEE, changed.said())
