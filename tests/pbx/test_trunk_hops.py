"""Where the trunks are: looked up in the background with a real name server, never waited for by a call."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from kobza.call.trunk import Inbound, Trunk
from kobza.net import resolver
from kobza.pbx import trunk_hops
from kobza.pbx.trunk_hops import TrunkHops
from kobza.sip.flow import Transport
from tests.support.name_server import NameServer
from tests.support.waiting import PATIENCE

HERE = ("192.0.2.50", 5060)
NAMED = Trunk("1", "named", "carrier.example", None, transport=None)
SAME = Trunk("2", "same", "carrier.example", None, transport=None)
FIXED = Trunk("3", "fixed", "192.0.2.60", 5070, transport="TCP")
SRV = "_sip._udp.carrier.example"


@pytest.fixture
async def hops(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TrunkHops]:
    """Names live for a moment, so that each change is seen soon."""
    monkeypatch.setattr(trunk_hops, "RETRY", 0.05)
    monkeypatch.setattr(resolver, "LEAST_LIFE", 0.05)
    names.denial_ttl = 0
    names.say(SRV, "SRV", "1 0 5060 sbc.carrier.example.", ttl=0)
    names.say("sbc.carrier.example", "A", HERE[0], ttl=0)
    made = TrunkHops(names.locator(answer_within=0.3, try_within=0.2).locate, chance=lambda: 0.0)
    yield made
    await made.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a name server tells nobody
            await asyncio.sleep(0.01)


def found(hops: TrunkHops, trunk: Trunk = NAMED) -> list[str]:
    return [f"{hop.address[0]}:{hop.address[1]}" for hop in hops.all(trunk)]


async def test_trunks_by_address(hops: TrunkHops) -> None:
    hops.follow([NAMED, SAME, FIXED])
    assert hops.all(FIXED)  # an address needs no name server
    assert (hops.for_call(NAMED), hops.problem_of(NAMED), hops.location_of(NAMED)) == ((), "", None)
    assert await hops.settled(PATIENCE)
    assert hops.trunk_at(Transport.UDP, HERE) is NAMED  # of two trunks at one address the first counts
    assert hops.trunk_at(Transport.UDP, (HERE[0], 5061)) is None
    assert hops.trunk_at(Transport.TCP, HERE) is None
    assert hops.trunk_at(Transport.TCP, (HERE[0], 41_234), HERE[1]) is NAMED  # too long for a datagram
    assert hops.trunk_at(Transport.TCP, (HERE[0], 41_234), 5061) is None
    assert hops.trunk_at(Transport.TLS, (HERE[0], 41_234), HERE[1]) is None
    assert hops.trunk_at(Transport.WS, (HERE[0], 41_234), HERE[1]) is None
    assert hops.trunk_at(Transport.TCP, ("192.0.2.60", 41_234)) is FIXED  # the port is the connection's
    assert hops.trunk_at(Transport.UDP, ("192.0.2.60", 5070)) is None
    hops.follow([replace(NAMED, inbound=Inbound.NOTHING), SAME])
    assert hops.trunk_at(Transport.UDP, HERE) is SAME
    hops.follow([])
    assert hops.trunk_at(Transport.UDP, HERE) is None
    assert found(hops) == []


async def test_a_name_is_followed_wherever_it_leads(
    hops: TrunkHops, names: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    changes: list[list[str]] = []
    hops.on_change = lambda: changes.append(found(hops))
    hops.follow([NAMED])
    assert await hops.settled(PATIENCE)
    names.say("sbc.carrier.example", "A", "192.0.2.51", ttl=0)
    await until(lambda: found(hops) == ["192.0.2.51:5060"])
    assert hops.trunk_at(Transport.UDP, HERE) is None
    names.say("sbc.carrier.example", "A", "192.0.2.52", "192.0.2.51", ttl=0)
    await until(lambda: len(found(hops)) == 2)
    order = found(hops)
    for rotated in (("192.0.2.51", "192.0.2.52"), ("192.0.2.52", "192.0.2.51")):
        names.say("sbc.carrier.example", "A", *rotated, ttl=0)
        asked = len(names.asked)
        await until(lambda: len(names.asked) > asked + 20)  # noqa: B023 - called at once
        assert found(hops) == order  # the same servers: no change, in whatever order they are told
    names.forget(SRV, "SRV")
    await until(lambda: hops.problem_of(NAMED))
    assert hops.problem_of(NAMED) == "carrier.example has no NAPTR, SRV, A or AAAA record"
    assert changes == [["192.0.2.50:5060"], ["192.0.2.51:5060"], order, []]
    assert caplog.text.count("trunk named: carrier.example has no") == 1  # once, not at each try


async def test_while_dns_is_away_trunks_are_where_they_were(
    hops: TrunkHops, names: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    hops.follow([NAMED])
    assert await hops.settled(PATIENCE)
    assert not hops.is_stale(NAMED)
    names.fall_silent()
    await until(lambda: hops.is_stale(NAMED))
    assert found(hops) == ["192.0.2.50:5060"]
    assert hops.trunk_at(Transport.UDP, HERE) is NAMED
    assert "no name server answers for carrier.example: it is reached where it was before" in caplog.text
    names.manner = lambda answer: answer
    await until(lambda: not hops.is_stale(NAMED))


async def test_a_call_waits_for_no_name_server(hops: TrunkHops, names: NameServer) -> None:
    names.fall_silent()
    hops.follow([NAMED, FIXED])
    assert not await hops.settled(0.01)
    assert hops.for_call(NAMED) == ()
    assert hops.for_call(FIXED)
    await until(lambda: hops.problem_of(NAMED) == "carrier.example: no name server answers")
    assert await hops.settled(PATIENCE)


async def test_shares_by_weight_and_no_more_tries_than_a_caller_waits_for(hops: TrunkHops, names: NameServer) -> None:
    records = [f"{1 + n // 2} {10 * (n % 2)} {5060 + n} sbc.carrier.example." for n in range(8)]
    names.say(SRV, "SRV", *records, ttl=0)
    hops.follow([NAMED])
    assert await hops.settled(PATIENCE)
    assert [address[1] for _, address in hops.all(NAMED)] == [5061, 5060, 5063, 5062, 5065, 5064, 5067, 5066]
    assert [address[1] for _, address in hops.for_call(NAMED)] == [5060, 5061, 5062, 5063]
    hops._chance = lambda: 0.99
    assert [address[1] for _, address in hops.for_call(NAMED)] == [5061, 5060, 5063, 5062]


async def test_a_fault_of_ours_is_told_and_passes(
    hops: TrunkHops, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(hops, "_take", lambda _place, _found: 1 // 0)
        hops.follow([NAMED])
        await until(lambda: "carrier.example could not be looked up" in caplog.text)
        assert hops.problem_of(NAMED) == "it could not be looked up: a fault of the program"
    await until(lambda: found(hops) == ["192.0.2.50:5060"])
    caplog.set_level(logging.INFO)


async def test_a_server_that_wants_no_calls_is_tried_when_the_others_have_failed(
    hops: TrunkHops, names: NameServer
) -> None:
    names.say(SRV, "SRV", *(f"{n} 0 506{n} sbc.carrier.example." for n in range(4)), ttl=3600)
    names.say("sbc.carrier.example", "A", HERE[0], ttl=3600)
    hops.follow([NAMED, FIXED])
    await until(lambda: len(found(hops)) == 4)
    first, second, third, fourth = hops.all(NAMED)
    hops.rest(NAMED, first, 60)
    assert list(hops.for_call(NAMED)) == [second, third, fourth, first]
    hops.avoid(NAMED, second)  # it had no luck once
    hops.mark(NAMED, third, down=True)  # nobody answers there: to wait for it is worse
    assert list(hops.for_call(NAMED)) == [fourth, second, first, third]
    for hop in (second, third):
        hops.rest(NAMED, hop, 60)
    assert not hops.rests(NAMED)
    hops.rest(NAMED, fourth, 60)
    assert (hops.rests(NAMED), hops.rests(FIXED), hops.rests(SAME)) == (True, False, False)
    hops.rest(NAMED, fourth, 0)
    assert not hops.rests(NAMED)
    hops.follow([FIXED])  # and what is gone is forgotten
    assert not hops._resting
