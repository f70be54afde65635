"""What two phones say at once: the server has read both before it acts on the first."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kobza.phone.call import CallFailed
from tests.interop.outcome import Ledger
from tests.interop.server import Server
from tests.interop.test_commands import Phones, hears, leg_of, made
from tests.interop.test_control import B, D, story


@pytest.fixture
async def phones(kobza_server: Server) -> AsyncIterator[Phones]:
    async with made(kobza_server) as phones:
        yield phones


async def test_one_hangs_up_and_the_other_holds(phones: Phones, ledger: Ledger) -> None:
    c, d = await phones.pair(answer_after=0.1)
    for _ in range(3):  # on a busy machine the server may have been quick enough
        call = c.dial(D)
        await call.established()
        other = d.calls[-1]
        leg = await leg_of(phones, ledger, D)
        call.hang_up()  # and in the same turn of the loop
        with pytest.raises(CallFailed):
            await other.hold()
        assert (await other.ended()).cause == 16
        states, row = await story(phones, ledger, leg, 2)
        assert [state[-1]["cause"] for state in states.values()] == [16, 16]
        assert row["cause"] == 16
    phones.server.assert_no_errors()


@pytest.mark.parametrize("holds_first", [True, False])
async def test_one_joins_two_calls_and_whom_it_asked_holds(phones: Phones, holds_first: bool) -> None:
    c, d = await phones.pair(answer_after=0.1)
    b = await phones.at(B, 880, answer_after=0.1)
    call = c.dial(D)
    await call.established()
    (first,) = d.calls
    await hears(first, 440)
    await first.hold()
    second = d.dial(B)
    await second.established()
    (asked,) = b.calls
    await hears(asked, 660)
    both = [asked.hold(), first.transfer(B, joining=second)]
    outcomes = await asyncio.gather(*(both if holds_first else reversed(both)), return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, CallFailed) for outcome in outcomes)
    await first.ended()
    await second.ended()
    if asked.held_by_me:
        await asked.resume()
    await hears(call, 880)
    await hears(asked, 440)
    asked.hang_up()
    await call.ended()
    phones.server.assert_no_errors()
