"""Calls between a browser and a phone through the plane: ICE, DTLS-SRTP, and what each hears."""

import asyncio
from pathlib import Path

import pytest

from kobza.media.encoder import encode
from kobza.media.plane import MediaError, RecordingClosed, Side
from tests.media.browser_end import BrowserEnd
from tests.media.phone_end import HOST, PhoneEnd, heard
from tests.media.planes import CALL, RunningPlane, running_plane
from tests.media.spools import decode_mp3, needs_mp3
from tests.media.test_digits import events_in, send
from tests.media.test_hold_and_tones import is_continuous, is_music
from tests.support.spectrum import Samples, dominant_tone, tone_share, tones_over_time
from tests.support.waiting import until

CALLER, CALLEE = Side.CALLER, Side.CALLEE
BROWSER_TONE, PHONE_TONE = 700.0, 1500.0


def is_tone(sound: Samples, frequency: float) -> bool:
    found = dominant_tone(sound)
    return found is not None and abs(found - frequency) < 5


async def hear_each_other(browser: BrowserEnd, phone: PhoneEnd) -> None:
    """Let both hear the other's tone for half a second."""
    at_browser, at_phone = await asyncio.gather(browser.hear(4000), phone.hear(25))
    assert is_tone(at_browser[2000:], PHONE_TONE)
    assert is_tone(heard(at_phone), BROWSER_TONE)


async def reoffer(running: RunningPlane, browser: BrowserEnd, direction: str) -> bytes:
    """Let the browser hold or resume, as its re-INVITE would."""
    answer = await running.reoffer(CALLER, await browser.offer(direction))
    await browser.take_answer(answer)
    await running.settle()
    return answer


@needs_mp3
async def test_a_browser_calls_a_phone(tmp_path: Path) -> None:
    async with running_plane(browser_hosts=(HOST,)) as running, BrowserEnd(BROWSER_TONE) as browser:
        with PhoneEnd(PHONE_TONE, ssrc=2) as phone:
            offer = phone.learn(await running.offer(CALLER, CALLEE, await browser.offer()))
            assert b"RTP/AVP" in offer
            assert not any(word in offer for word in (b"ice-", b"fingerprint", b"setup", b"candidate", b"mid:"))
            running.plane.play(CALL, target=CALLER, what="ringback")
            answer = await running.answer(CALLEE, phone.sdp())
            await browser.take_answer(answer)
            # Ringback comes as soon as there are keys, before the browser has sent a packet that a phone could hear.
            assert 425.0 in tones_over_time(await browser.hear(6000))
            running.record(tmp_path / "spool")
            running.plane.play(CALL, target=CALLER, what="none")
            phone.talk()
            await running.settle()
            await browser.hear(1600)
            await hear_each_other(browser, phone)
            assert is_continuous(phone.packets)

            await send(running, CALLEE, "5")
            assert [next(event.digit for _, event in group) for group in events_in(phone.packets)] == ["5"]

            assert b"a=sendonly" in await running.direct(CALLEE, "sendonly")
            await running.reanswer(CALLEE, phone.sdp(direction="recvonly"))
            answer = await reoffer(running, browser, "sendonly")
            assert b"a=recvonly" in answer
            assert b"UDP/TLS/RTP/SAVPF" in answer
            phone.datagrams.clear()
            assert is_music(await phone.hear(20))
            await reoffer(running, browser, "sendrecv")
            assert b"a=sendrecv" in await running.direct(CALLEE, "sendrecv")
            await running.reanswer(CALLEE, phone.sdp())
            await running.settle()
            phone.datagrams.clear()
            await browser.hear(1600)
            await hear_each_other(browser, phone)

            again = await running.reoffer(CALLEE, phone.sdp(direction="sendonly"))
            assert b"RTP/AVP" in again
            await running.settle()
            await browser.hear(1600)
            assert not is_tone(await browser.hear(3200), PHONE_TONE)
            running.plane.release(CALL)
            spool = (await running.event(RecordingClosed)).spool
    encode(spool, tmp_path / "mp3")
    left, right = decode_mp3(tmp_path / "mp3")
    assert tone_share(left, BROWSER_TONE) > 0.8
    assert tone_share(right, PHONE_TONE) > 0.8


async def test_a_browser_and_a_phone_ring_and_the_browser_answers() -> None:
    async with running_plane(browser_hosts=(HOST,)) as running, BrowserEnd(BROWSER_TONE) as browser:
        with PhoneEnd(PHONE_TONE) as caller, PhoneEnd(900.0) as other:
            plain = await running.offer(CALLER, CALLEE, caller.sdp())
            assert b"RTP/AVP 8 101" in other.learn(plain)
            for_browser = running.plane.offer_in("browser", CALL, target=CALLEE)
            assert b"UDP/TLS/RTP/SAVPF 8 101" in for_browser
            # The other phone has early media, and then is not the one that answers.
            caller.learn(await running.answer(CALLEE, other.sdp()))
            other.send()
            await caller.hear(1)
            answer = await running.answer(CALLEE, await browser.answer(for_browser))
            assert b"RTP/AVP 8" in answer
            caller.talk()
            await running.settle()
            await browser.hear(1600)
            await hear_each_other(browser, caller)
            # A later offer keeps to the browser's profile.
            later = await running.direct(CALLEE, "inactive")
            assert b"UDP/TLS/RTP/SAVPF" in later
            assert b"a=setup:passive" in later
            await running.reanswer(CALLEE, await browser.answer(later))
            resumed = await running.direct(CALLEE, "sendrecv")
            await running.reanswer(CALLEE, await browser.answer(resumed))
            await running.settle()
            await browser.hear(1600)
            await hear_each_other(browser, caller)
            # Its place is taken by a phone without any of it.
            running.plane.leave(CALL, side=CALLEE)
            other.learn(await running.offer(CALLER, CALLEE, None))
            await running.answer(CALLEE, other.sdp())
            caller.hush()
            await running.settle()
            await asyncio.sleep(0.2)  # the browser still sends: it is not the one who took its place
            other.datagrams.clear()
            sent: list[bytes] = []

            def arrived() -> bool:
                sent.append(caller.send()[12:])
                return any(data[12:] in sent for data in other.datagrams)

            await until(arrived, "a packet at the other phone")


async def test_browsers_are_refused_where_they_are_switched_off() -> None:
    async with running_plane() as running, BrowserEnd() as browser:
        with pytest.raises(MediaError, match=r"^not acceptable: UDP/TLS/RTP/SAVPF, which browsers speak"):
            await running.offer(CALLER, CALLEE, await browser.offer())
        with pytest.raises(MediaError, match="no such call"):
            running.plane.offer_in("browser", CALL, target=CALLEE)
        with PhoneEnd() as phone:
            await running.offer(CALLER, CALLEE, phone.sdp())
            with pytest.raises(MediaError, match="not available"):
                running.plane.offer_in("browser", CALL, target=CALLEE)
