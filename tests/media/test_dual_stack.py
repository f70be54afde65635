"""Addresses of ours: phones on IPv6 and IPv4 are told the one of their family, those beyond a NAT the one outside."""

import asyncio

import pytest

from kobza.media.plane import Side
from tests.media.phone_end import REPORT, PhoneEnd, heard
from tests.media.planes import CALL, running_plane
from tests.support.ports import has_ipv6
from tests.support.spectrum import dominant_tone

SIX, FOUR = "::1", "127.0.0.1"


@pytest.mark.parametrize("hosts", [(SIX, FOUR), (FOUR, SIX), (SIX, SIX)], ids=["6 to 4", "4 to 6", "6 to 6"])
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_each_has_its_own_family(hosts: tuple[str, str]) -> None:
    async with running_plane(host6=SIX) as running:
        with PhoneEnd(440.0, host=hosts[0]) as caller, PhoneEnd(660.0, ssrc=2, host=hosts[1]) as callee:
            offered = await running.offer(Side.CALLER, Side.CALLEE, caller.sdp())
            assert b"c=IN IP4 127.0.0.1" in offered
            if callee.host == SIX:
                offered = running.plane.offer_in("plain", CALL, target=Side.CALLEE, ipv6=True)
                assert b"c=IN IP6 ::1" in offered
            callee.learn(offered)
            answered = caller.learn(await running.answer(Side.CALLEE, callee.sdp()))
            families = {SIX: b"c=IN IP6 ::1", FOUR: b"c=IN IP4 127.0.0.1"}
            assert families[caller.host] in answered
            await running.settle()
            caller.talk()
            callee.talk()
            at_callee, at_caller = await asyncio.gather(callee.hear(25), caller.hear(25))
            assert dominant_tone(heard(at_callee)) == pytest.approx(440, abs=5)
            assert dominant_tone(heard(at_caller)) == pytest.approx(660, abs=5)
            caller.rtcp.sendto(REPORT, (caller.host, caller.to + 1))
            await callee.wait(lambda: callee.reports == [REPORT])
            nowhere = "::" if callee.host == SIX else "0.0.0.0"  # a hold of old phones names no address
            for sdp in (callee.sdp(host=nowhere), callee.sdp()):
                assert families[callee.host] in await running.reoffer(Side.CALLEE, sdp)
            assert families[callee.host] in await running.reoffer(Side.CALLEE, b"")  # our own later offer to it
            assert families[caller.host] in await running.reoffer(Side.CALLER, b"")
            await callee.hear(5)


async def test_behind_a_nat_phones_are_told_the_address_outside() -> None:
    """Nothing but the description has it: the ports are here, where the NAT leads to."""
    async with running_plane(told="198.51.100.7") as running:
        with PhoneEnd(440.0) as caller, PhoneEnd(660.0, ssrc=2) as callee:
            offered = callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp()))
            answered = caller.learn(await running.answer(Side.CALLEE, callee.sdp()))
            for description in (offered, answered):
                assert b"c=IN IP4 198.51.100.7\r\n" in description
                assert b"127.0.0.1" not in description
            await running.settle()
            caller.talk()
            callee.talk()
            await asyncio.gather(callee.hear(5), caller.hear(5))
