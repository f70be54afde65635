"""The API acts on calls of real phones: click2dial with all its ends, clear, hold."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kobza.net.tls import Certificate, CertificateFiles, Tls
from kobza.phone.call import CallState, PhoneCall
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sip.flow import Transport
from tests.interop.conftest import MEDIA_TIMEOUT, NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.support import authority
from tests.support.waiting import PATIENCE

A, B, C, D = NUMBERS


class Phones:
    """Softphones at the served Kobza, made as a test asks for them."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self.server = server
        self._stack = stack

    async def at(self, number: str, tone: int, **options: Any) -> SoftPhone:
        """Register a phone that plays a tone. One on TLS can call, and is called only with SRTP, which it has not."""
        site = self.server.site
        server = site.sip
        if options.get("transport") is Transport.TLS:
            server = (site.sip[0], site.tls_port)
            folder = Path(self._stack.enter_context(TemporaryDirectory()))
            own = Certificate(CertificateFiles(*authority.files(folder)))
            options["tls"] = Tls(own, authority.trusting())
        sound = Sound.tone(tone)
        phone = SoftPhone(number, server, password=site.lines[number].password, sound=sound, **options)
        return await self._stack.enter_async_context(phone)

    async def pair(self, **options: Any) -> tuple[SoftPhone, SoftPhone]:
        """Return the phones of C and D."""
        return await self.at(C, 440), await self.at(D, 660, **options)

    async def control(self, leg: str, action: str, expect: int = 200) -> Any:
        """Ask for an action on a leg without holding up the phones."""
        body = {"call_control_id": leg, "action": action}
        return await asyncio.to_thread(self.server.post, "/v1/callcontrol", body, expect)

    async def originate(self, originator: str, destination: str, expect: int = 200, **options: Any) -> Any:
        """Ask for a call without holding up the phones."""
        body = {"originator": originator, "destination": destination, **options}
        return await asyncio.to_thread(self.server.post, "/v1/originate", body, expect)


@asynccontextmanager
async def made(server: Server) -> AsyncIterator[Phones]:
    async with AsyncExitStack() as stack:
        yield Phones(server, stack)


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


async def hears(call: PhoneCall, *tones: int | None, within: float = PATIENCE) -> None:
    """Wait until a phone hears one of these tones (None: something that is no tone)."""
    heard: list[int | None] = []
    async with asyncio.timeout(within):
        while True:
            heard.append(tone := call.heard_tone())
            if any(tone is None if wanted is None else tone and abs(tone - wanted) <= 5 for wanted in tones):
                return
            await asyncio.sleep(0.1)


async def leg_of(phones: Phones, ledger: Ledger, number: str, state: str = "established") -> str:
    """Return the leg of a number's running call, from the states that the integrator got."""
    sink = ledger._sink.sink
    for _ in range(600):
        mine = [each for each in sink.states if each["state_owner"] == number]
        if mine and mine[-1]["state_type"] == state:
            return str(mine[-1]["call_control_id"])
        await asyncio.sleep(0.05)
    raise AssertionError(f"{number} is not {state}: {sink.states[-3:]}")


async def test_an_established_call_is_held_resumed_and_cleared(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair(answer_after=0.2)
    call = c.dial(D)
    await call.established()
    (other,) = d.calls
    await hears(call, 660)
    await hears(other, 440)
    leg = await leg_of(phones, ledger, C)
    held = await phones.control(leg, "hold")
    assert (held["call_control_id"], held["action"], held["state"]) == (leg, "hold", "held")
    await other_hears_music(other)
    again = await phones.control(leg, "hold", expect=409)
    assert again["code"] == "wrong_state"
    resumed = await phones.control(leg, "unhold")
    assert resumed["state"] == "established"
    await hears(other, 440)
    await hears(call, 660)
    await phones.control(leg, "clear")
    assert (await call.ended()).by == "peer"
    assert (await other.ended()).by == "peer"
    outcome = await ledger.call(C, D, owners=(C, D))
    outcome.has(cause=16, status=200, released_by="api")
    await phones.control(leg, "clear", expect=404)


async def other_hears_music(call: PhoneCall) -> None:
    """The melody changes its note twice a second: what is heard is the other phone's tone no more."""
    await asyncio.sleep(1.0)
    packets = call.voice.packets_heard
    tones = set()
    for _ in range(12):
        tones.add(call.heard_tone())
        await asyncio.sleep(0.1)
    assert call.voice.packets_heard - packets > 30  # it is sent something
    assert 440 not in tones or len(tones) > 1, tones


async def test_a_phone_that_holds_gives_the_other_music(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair(answer_after=0.1)
    call = c.dial(D)
    await call.established()
    (other,) = d.calls
    await hears(other, 440)
    await call.hold()
    await other_hears_music(other)
    assert not other.held_by_peer  # the music comes from here: its phone need not know
    await call.resume()
    await hears(other, 440)
    await hears(call, 660)
    call.hang_up()
    await other.ended()
    outcome = await ledger.call(C, D, owners=(C, D))
    outcome.has(cause=16, status=200, released_by="caller")


async def test_a_ringing_call_is_cleared(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair()
    call = c.dial(D)
    ringing = await d.incoming()
    await call.ringing()
    leg = await leg_of(phones, ledger, D, "alerting")
    refused = await phones.control(leg, "hold", expect=409)
    assert refused["code"] == "wrong_state"
    await phones.control(leg, "clear")
    ended = await call.ended()
    assert (ended.status, ended.cause) == (603, 21)
    assert (await ringing.ended()).by == "peer"
    outcome = await ledger.call(C, D, owners=(C, D))
    outcome.has(cause=21, status=603, released_by="api")


async def test_click2dial_in_vain(phones: Phones, ledger: Ledger) -> None:
    answer = await phones.originate(C, D, expect=409)
    assert answer["code"] == "originator_unreachable"
    c = await phones.at(C, 440)
    async with SoftPhone(D, phones.server.site.sip, password=phones.server.site.lines[D].password, reject=486):
        originated = await phones.originate(C, D)
        ringing = await c.incoming()
        busy = await phones.originate(C, D, expect=409)
        assert busy["code"] == "originator_busy"
        ringing.answer()
        ended = await ringing.ended()
        assert ended.by == "peer"
        outcome = await ledger.call(C, D, owners=(C,))
        outcome.has(cause=17, status=486, released_by="called")
        assert outcome.row["call_id"] == originated["call_id"]
        assert outcome.types(C) == ["alerting", "finished"]


async def test_click2dial_is_cleared_before_anybody_answers(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair()
    originated = await phones.originate(C, D)
    ringing = await c.incoming()
    await phones.control(originated["call_control_id"], "clear")
    await ringing.ended()
    outcome = await ledger.call(C, D, owners=(C,))
    outcome.has(cause=21, status=603, released_by="api")
    assert not [call for call in d.calls if call.state is not CallState.ENDED]


async def test_dead_media_ends_the_call(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair(answer_after=0.1)
    call = c.dial(D)
    await call.established()
    (other,) = d.calls
    await hears(call, 660)
    other.voice.sends = False  # as if its network had gone
    ended = await call.ended(MEDIA_TIMEOUT + 10)
    assert ended.by == "peer"
    outcome = await ledger.call(C, D, owners=(C, D))
    outcome.has(cause=41, status=200, released_by="network")
    assert outcome.talk_seconds >= MEDIA_TIMEOUT
