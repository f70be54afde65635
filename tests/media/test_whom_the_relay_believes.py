"""A stranger does not take a call over, however long its phone is silent; a phone that proves itself may move."""

import asyncio

import pytest
from msgspec.structs import replace

from kobza.media.messages import SideFlow
from tests.media.phone_end import HOST, PhoneEnd
from tests.media.relayed import CALLEE, Relayed, Stack, both_ways, running


def again(relayed: Relayed, exchange: int) -> SideFlow:
    """Return the callee's flow after another offer or answer of its phone that names the same address."""
    return relayed.flow(relayed.callee, exchange=exchange)


async def test_silence_proves_nothing(stack: Stack) -> None:
    relayed = await running(stack)
    await both_ways(relayed)
    side = relayed.call.sides[CALLEE]
    side.sweep(asyncio.get_running_loop().time())
    side.alive_at -= 3600
    for count in (1, 2, 3):
        relayed.other.send()
        await relayed.until_dropped(count)
    assert side.rtp.peer == (HOST, relayed.callee.port)
    await both_ways(relayed)
    assert relayed.other.datagrams == []


async def test_after_another_offer_or_answer_the_phone_may_have_moved(stack: Stack) -> None:
    """Behind its NAT it has another port, and begins a stream anew; its description names what it always named."""
    relayed = await running(stack)
    behind_nat = relayed.flow(relayed.callee, rtp=("127.0.0.9", 9))
    relayed.configure(callee=behind_nat)
    await both_ways(relayed)
    relayed.configure(callee=replace(behind_nat, exchange=1))
    await both_ways(relayed, relayed.other)
    assert relayed.dropped == 0
    # Once: then it is known again, and nobody else is believed.
    relayed.callee.send()
    await relayed.until_dropped(1)


async def test_a_phone_that_goes_on_is_not_learnt_anew(stack: Stack) -> None:
    """It refreshes its session and talks on: the first packet closes what the answer has opened."""
    relayed = await running(stack)
    await both_ways(relayed)
    relayed.configure(callee=again(relayed, 1))
    await both_ways(relayed)
    relayed.other.send()
    await relayed.until_dropped(1)
    assert relayed.call.sides[CALLEE].rtp.peer == (HOST, relayed.callee.port)


async def test_a_stranger_before_the_phone_is_put_right_by_the_named_address(stack: Stack) -> None:
    relayed = await running(stack)
    relayed.other.send()
    await relayed.caller.hear(1)
    assert relayed.call.sides[CALLEE].rtp.peer == (HOST, relayed.other.port)
    await both_ways(relayed)  # from where the description says it is
    relayed.other.send()
    await relayed.until_dropped(1)


@pytest.mark.parametrize("moves", [False, True], ids=["same port", "another port"])
async def test_a_stream_may_change_in_the_middle_of_a_call(stack: Stack, moves: bool) -> None:
    relayed = await running(stack)
    await both_ways(relayed)
    phone: PhoneEnd = relayed.callee
    if moves:  # the SSRC is its proof
        phone = relayed.other
        phone.ssrc, phone.sequence, phone.timestamp = 2, relayed.callee.sequence, relayed.callee.timestamp
        await both_ways(relayed, phone)
    # Another SSRC, numbers and timestamps, from where it is known: a phone that was transferred behind its PBX.
    phone.ssrc, phone.sequence, phone.timestamp = 4711, 60_000, 9
    await both_ways(relayed, phone)
    await both_ways(relayed, phone)
    side = relayed.call.sides[CALLEE]
    side.sweep(asyncio.get_running_loop().time())
    assert (relayed.dropped, side.quality.lost) == (0, 0)
    assert relayed.caller.packets[-1].ssrc == 4711
