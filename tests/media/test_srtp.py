"""Phones with SRTP whose keys are in the descriptions: what is agreed upon, and calls with one through a real relay."""

import asyncio
import base64
import secrets

import pytest
from pylibsrtp import Policy, Session

from kobza.media.browser_end import BrowserAccess
from kobza.media.messages import SrtpKeys
from kobza.media.negotiation import CallMedia
from kobza.media.plane import MediaError, Side
from kobza.sdp.audio import Direction
from kobza.sdp.sdes import SUITES
from tests.media.phone_end import HOST, REPORT, PhoneEnd, heard
from tests.media.planes import CALL, running_plane
from tests.media.test_browser_negotiation import browser
from tests.media.test_negotiation import CALLEE, CALLER, OURS, line, offered, sdp
from tests.support.spectrum import dominant_tone

SHA1_80, SHA1_32, GCM = SUITES
PROFILES = {
    SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
}


def new_key(suite: str = SHA1_80) -> str:
    return base64.b64encode(secrets.token_bytes(SUITES[suite])).decode()


THEIRS, OTHER = new_key(), new_key()


def secured(said: bytes, key: str = THEIRS, suite: str = SHA1_80, tag: int = 4) -> bytes:
    """The same with SRTP."""
    return said.replace(b"RTP/AVP", b"RTP/SAVP") + f"a=crypto:{tag} {suite} inline:{key}\r\n".encode()


def call(*, available: bool = True) -> CallMedia:
    """A call whose ports are open; our keys are "key 1" and so on."""
    made: list[str] = []

    def numbered(suite: str) -> str:
        made.append(suite)
        return f"key {len(made)}"

    access = BrowserAccess((OURS,), "sha-256 00", lambda: ("name", "password"), numbered)
    media = CallMedia(OURS, 77, access if available else None)
    media.caller.port, media.callee.port = 20000, 20002
    return media


def test_a_phone_that_offers_srtp_is_answered_with_it_and_the_other_one_knows_nothing() -> None:
    media = call()
    offer = offered(media, secured(sdp()))
    assert line(offer, "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    assert not line(offer, "a=crypto")
    answer = media.answer(CALLEE, sdp())
    assert line(answer, "m=") == ["m=audio 20000 RTP/SAVP 8 0 101"]
    assert line(answer, "a=crypto") == [f"a=crypto:4 {SHA1_80} inline:key 1"]
    flow = media.flow(CALLER)
    assert flow.srtp == SrtpKeys(SHA1_80, THEIRS, "key 1")
    assert flow.rtp == ("192.0.2.1", 4000)
    assert media.flow(CALLEE).srtp is None


def test_our_key_stays_while_the_suite_does() -> None:
    media = call()
    offered(media, secured(sdp()))
    media.answer(CALLEE, sdp())
    again = media.reoffer(CALLER, secured(sdp(direction="sendonly"), OTHER, tag=9))
    assert line(again, "a=crypto") == [f"a=crypto:9 {SHA1_80} inline:key 1"]
    assert media.flow(CALLER).srtp == SrtpKeys(SHA1_80, OTHER, "key 1")
    changed = media.reoffer(CALLER, secured(sdp(), new_key(GCM), GCM))
    assert line(changed, "a=crypto") == [f"a=crypto:4 {GCM} inline:key 2"]
    later = media.direct(CALLER, Direction.SENDRECV)
    assert line(later, "m=") == ["m=audio 20000 RTP/SAVP 8 0 101"]
    with pytest.raises(MediaError, match=r"^not acceptable: RTP/AVP in the answer to an offer of RTP/SAVP$"):
        media.reanswer(CALLER, sdp())
    with pytest.raises(MediaError, match=r"^not acceptable: an answer with a suite of SRTP that was not offered$"):
        media.reanswer(CALLER, secured(sdp()))
    plain = media.reoffer(CALLER, sdp())
    assert line(plain, "m=") == ["m=audio 20000 RTP/AVP 8 0 101"]
    assert media.flow(CALLER).srtp is None


def test_three_kinds_of_phones_ring_and_each_may_answer() -> None:
    media = call()
    assert line(offered(media, sdp()), "m=") == ["m=audio 20002 RTP/AVP 8 0 101"]
    with pytest.raises(MediaError, match=r"^not acceptable: an answer with a suite of SRTP that was not offered$"):
        media.answer(CALLEE, secured(sdp()))
    offer = media.offer_in("srtp", CALLEE)
    assert line(offer, "m=") == ["m=audio 20002 RTP/SAVP 8 0 101"]
    assert line(offer, "a=crypto") == [f"a=crypto:1 {SHA1_80} inline:key 1"]
    assert b"SAVPF" in media.offer_in("browser", CALLEE)
    # What comes before the answer cannot be read, and must not be heard as noise.
    assert media.flow(CALLEE).srtp == SrtpKeys(SHA1_80, "", "key 1")
    media.answer(CALLEE, secured(sdp()))
    assert media.flow(CALLEE).srtp == SrtpKeys(SHA1_80, THEIRS, "key 1")
    media.answer(CALLEE, browser(setup="active"))
    assert media.flow(CALLEE).srtp is None
    assert media.flow(CALLEE).secure is not None
    media.answer(CALLEE, sdp())
    assert (media.flow(CALLEE).srtp, media.flow(CALLEE).secure) == (None, None)


def test_without_the_libraries_srtp_is_refused() -> None:
    media = call(available=False)
    with pytest.raises(MediaError, match=r"^not acceptable: SRTP is not available here$"):
        media.check_offer(CALLER, secured(sdp()))
    offered(media, sdp())
    with pytest.raises(MediaError, match=r"^not acceptable: SRTP is not available here$"):
        media.offer_in("srtp", CALLEE)


class SecretPhone(PhoneEnd):
    """A phone whose packets are SRTP."""

    def __init__(self, frequency: float, suite: str, ssrc: int = 1) -> None:
        super().__init__(frequency, ssrc=ssrc)
        self.suite, self.key = suite, new_key(suite)
        self.outgoing = self._session(self.key, Policy.SSRC_ANY_OUTBOUND)
        self.incoming: Session | None = None

    def _session(self, key: str, kind: int) -> Session:
        return Session(Policy(base64.b64decode(key), kind, srtp_profile=PROFILES[self.suite]))

    def said(self, direction: str = "sendrecv") -> bytes:
        return secured(self.sdp(direction=direction), self.key, self.suite, 1)

    def learn(self, sdp: bytes) -> bytes:
        (crypto,) = line(sdp, "a=crypto")
        self.incoming = self._session(crypto.split("inline:")[1], Policy.SSRC_ANY_INBOUND)
        return super().learn(sdp)

    def speak(self, count: int) -> None:
        for _ in range(count):
            self.rtp.sendto(self.outgoing.protect(self.made()), (HOST, self.to))

    def understood(self) -> list[bytes]:
        assert self.incoming is not None
        return [self.incoming.unprotect(data) for data in self.datagrams]


@pytest.mark.parametrize("suite", list(SUITES))
async def test_a_phone_with_srtp_and_one_without(suite: str) -> None:
    async with running_plane(browser_hosts=(HOST,)) as running:
        with SecretPhone(700.0, suite) as caller, PhoneEnd(1500.0, ssrc=2) as callee:
            callee.learn(await running.offer(CALLER, CALLEE, caller.said()))
            caller.learn(await running.answer(CALLEE, callee.sdp()))
            await running.settle()
            caller.speak(25)
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(700, abs=5)
            sent = [callee.send() for _ in range(25)]
            await caller.wait(lambda: len(caller.datagrams) == 25)
            assert not set(sent) & set(caller.datagrams)
            assert caller.understood() == sent
            # Reports have keys of the same origin, on the other port.
            caller.rtcp.sendto(caller.outgoing.protect_rtcp(REPORT), (HOST, caller.to + 1))
            await callee.wait(lambda: callee.reports == [REPORT])
            callee.rtcp.sendto(REPORT, (HOST, callee.to + 1))
            await caller.wait(lambda: len(caller.reports) == 1)
            assert caller.incoming is not None
            assert caller.incoming.unprotect_rtcp(caller.reports[0]) == REPORT

            # What is not protected, or comes twice, is not believed, and does not move the call.
            before = running.plane.traffic.dropped
            again = caller.outgoing.protect(caller.made())
            for data in (again, again, caller.made(), b"\x80"):
                caller.rtp.sendto(data, (HOST, caller.to))
            await callee.wait(lambda: len(callee.packets) == 26)
            async with asyncio.timeout(10):
                while running.plane.traffic.dropped < before + 3:
                    await asyncio.sleep(0.05)
                    await running.settle()
            assert len(callee.packets) == 26

            # Another phone without any of it comes in its place.
            running.plane.leave(CALL, side=Side.CALLER)
            with PhoneEnd(900.0, ssrc=3) as other:
                other.learn(await running.offer(CALLEE, CALLER, None))
                await running.answer(CALLER, other.sdp())
                await running.settle()
                other.send()
                await callee.wait(lambda: len(callee.packets) == 27)


async def test_a_phone_with_srtp_is_called_and_its_packets_overtake_its_answer() -> None:
    async with running_plane(browser_hosts=(HOST,)) as running:
        with PhoneEnd(1500.0) as caller, SecretPhone(700.0, SHA1_80, ssrc=2) as callee:
            await running.offer(CALLER, CALLEE, caller.sdp())
            callee.learn(running.plane.offer_in("srtp", CALL, target=CALLEE))
            running.plane.play(CALL, target=CALLER, what="none")
            await running.settle()
            callee.speak(3)
            await running.settle()
            caller.learn(await running.answer(CALLEE, callee.said()))
            await running.settle()
            callee.speak(20)
            packets = await caller.hear(20)
            assert len(caller.packets) == 20  # none of those that could not be read
            assert dominant_tone(heard(packets)) == pytest.approx(700, abs=5)
