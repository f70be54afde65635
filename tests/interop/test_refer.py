"""The transfer keys of phones: REFER, blind and to somebody the phone has asked before (RFC 3515, 3891)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kobza.phone.call import CallFailed, CallState
from kobza.phone.phone import SoftPhone
from kobza.phone.sound import Sound
from kobza.sip.flow import Transport
from tests.interop.baresip import baresip
from tests.interop.conftest import NUMBERS
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, leg_of, made
from tests.interop.test_control import story, talking
from tests.support.spectrum import needs_sox

A, B, C, D = NUMBERS
OUTSIDE = "0445550199"


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


@needs_sox()
async def test_a_real_phone_transfers_blindly(phones: Phones, ledger: Ledger, tmp_path: Path) -> None:
    site = phones.server.site
    c = await phones.at(C, 440, answer_after=0.1)
    b = await phones.at(B, 880, answer_after=0.3)
    async with baresip(tmp_path / "d", site.lines[D], site.sip, tone=660) as phone:
        await phone.command("dial", f"sip:{C}@{site.sip[0]}:{site.sip[1]}")
        await phone.event("CALL_ESTABLISHED")
        leg = await leg_of(phones, ledger, D)
        (call,) = c.calls
        await hears(call, 660)
        await phone.command("transfer", f"sip:{B}@{site.sip[0]}:{site.sip[1]}")
        await phone.event("CALL_CLOSED")
        await hears(call, 880)
        (other,) = b.calls
        await hears(other, 440)
        call.hang_up()
        await other.ended()
    states, row = await story(phones, ledger, leg, 3)
    assert states[leg][-1]["released_by"] == "caller"
    assert (row["calling_number"], row["called_number"], row["answered_number"]) == (D, C, B)
    assert {told[0]["state_owner"] for told in states.values()} == {B, C, D}


async def test_a_call_is_joined_to_another_one(phones: Phones, ledger: Ledger) -> None:
    """The outside calls D, D holds it and asks B, then puts the two together: one on UDP, two on TCP."""
    tcp: dict[str, Any] = {"transport": Transport.TCP, "answer_after": 0.1}
    b, d = await phones.at(B, 880, **tcp), await phones.at(D, 660, **tcp)
    site = phones.server.site
    bind = ("127.0.0.1", site.trunk_port)
    async with SoftPhone(OUTSIDE, site.sip, bind=bind, sound=Sound.tone(990)) as outside:
        call = outside.dial(D)
        await call.established()
        (first,) = d.calls
        await hears(first, 990)
        leg = await leg_of(phones, ledger, D)
        await first.hold()
        second = d.dial(B)
        await second.established()
        (asked,) = b.calls
        await hears(asked, 660)
        await first.transfer(B, joining=second)
        assert (await first.ended()).cause == (await second.ended()).cause == 16
        await hears(call, 880)
        await hears(asked, 990)
        assert asked.state is CallState.ESTABLISHED
        assert phones.server.status_of(D) == "available"
        assert phones.server.status_of(B) == "busy"
        asked.hang_up()
        await call.ended()
    states, row = await story(phones, ledger, leg, 2)
    assert (row["called_number"], row["answered_number"], row["cause"]) == (D, B, 16)
    assert row["released_by"] == "called"
    types = {told[0]["state_owner"]: [state["state_type"] for state in told] for told in states.values()}
    assert types == {D: ["alerting", "established", "finished"], B: ["established", "finished"]}
    asking = await ledger.call(D, B, owners=(D, B))
    asking.has(cause=16, status=200, released_by="caller")


async def test_one_who_was_asked_and_is_not_there_any_more(phones: Phones) -> None:
    b, d = await phones.at(B, 880, answer_after=0.1), await phones.at(D, 660, answer_after=0.1)
    c = await phones.at(C, 440)
    call, first = await talking(c, d, D)
    second = d.dial(B)
    await second.established()
    (asked,) = b.calls
    asked.hang_up()
    await second.ended()
    with pytest.raises(CallFailed, match="480"):
        await first.transfer(B, joining=second)
    await hears(call, 660)
    await hears(first, 440)
    call.hang_up()
    await first.ended()


async def test_one_who_rings_yet_is_called_for_the_other(phones: Phones, ledger: Ledger) -> None:
    """A phone on TLS is given by one on TCP to one on UDP."""
    b, d = await phones.at(B, 880), await phones.at(D, 660, answer_after=0.1, transport=Transport.TCP)
    c = await phones.at(C, 440, transport=Transport.TLS)
    call, first = await talking(c, d, D)
    second = d.dial(B)
    await second.ringing()
    await first.transfer(B, joining=second)
    await second.ended()
    await first.ended()
    await hears(call, 425)
    for each in list(b.calls):
        if each.peer == C:
            each.answer()
    await hears(call, 880)
    call.hang_up()
    asking = await ledger.call(D, B, owners=(D, B))
    asking.has(cause=31, status=487, released_by="caller")


async def test_transfers_that_cannot_be(phones: Phones) -> None:
    c, d = await phones.at(C, 440), await phones.at(D, 660, answer_after=0.1)
    site = phones.server.site
    call, first = await talking(c, d, D)
    for number, status in (("999999999999999", 484), ("sales", 484), (C, 484), (A, 480)):
        with pytest.raises(CallFailed, match=f"transfer: {status}"):
            await first.transfer(number)
    with pytest.raises(CallFailed, match="480"):
        await first.transfer(C, joining=first)
    call.hang_up()
    await first.ended()
    async with SoftPhone(OUTSIDE, site.sip, bind=("127.0.0.1", site.trunk_port)) as outside:
        stranger = outside.dial(D)
        await stranger.established()
        with pytest.raises(CallFailed, match="403"):
            await stranger.transfer(OUTSIDE)
        stranger.hang_up()
        await asyncio.sleep(0.1)
