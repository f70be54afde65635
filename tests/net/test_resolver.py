"""A DNS client with a memory, against a real name server on loopback."""

import asyncio
import random
from pathlib import Path

import dns.rcode
import pytest

from kobza.net import resolver as module
from kobza.net.resolver import (
    LEAST_LIFE,
    LONGEST_DENIAL,
    LONGEST_LIFE,
    MAX_RECORDS,
    STALE_FOR,
    LookupFailed,
    RecordType,
    Resolver,
)
from kobza.sip.location import Naptr, Srv
from tests.support.name_server import NameServer
from tests.support.ports import free_port

SOON = {"answer_within": 0.3, "try_within": 0.1}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_records_of_each_kind(names: NameServer) -> None:
    names.say("example.net", "NAPTR", '10 20 "s" "SIP+D2U" "" _sip._udp.example.net.')
    names.say("_sip._udp.example.net", "SRV", "1 2 5060 sbc.example.net.")
    names.say("sbc.example.net", "A", "192.0.2.1", "192.0.2.2")
    names.say("sbc.example.net", "AAAA", "2001:db8::1")
    asked = names.resolver()
    assert (await asked.ask("Example.NET.", "NAPTR")).records == (
        Naptr(10, 20, "s", "SIP+D2U", "", "_sip._udp.example.net"),
    )
    assert (await asked.ask("_sip._udp.example.net", "SRV")).records == (Srv(1, 2, 5060, "sbc.example.net"),)
    assert sorted((await asked.ask("sbc.example.net", "A")).records) == ["192.0.2.1", "192.0.2.2"]
    assert (await asked.ask("sbc.example.net", "AAAA")).records == ("2001:db8::1",)


async def test_an_answer_lives_as_long_as_it_says_within_bounds(names: NameServer) -> None:
    clock = Clock()
    asked = names.resolver(clock=clock)
    for name, ttl, lives in (("a", 300, 300.0), ("b", 0, LEAST_LIFE), ("c", 1_000_000, LONGEST_LIFE)):
        names.say(f"{name}.example", "A", "192.0.2.1", ttl=ttl)
        assert await asked.ask(f"{name}.example", "A") == (("192.0.2.1",), lives, False)
    clock.now += 299
    assert (await asked.ask("A.example", "A")).lives == 1
    assert len(names.asked) == 3
    names.say("a.example", "A", "192.0.2.9", ttl=60)
    clock.now += 1
    assert await asked.ask("a.example", "A") == (("192.0.2.9",), 60, False)


async def test_what_does_not_exist_is_remembered_for_a_while(names: NameServer) -> None:
    clock = Clock()
    asked = names.resolver(clock=clock)
    names.denial_ttl = 30
    names.say("sbc.example.net", "A", "192.0.2.1")
    assert await asked.ask("sbc.example.net", "AAAA") == ((), 30, False)  # it has others
    assert await asked.ask("nobody.example.net", "A") == ((), 30, False)
    names.say("nobody.example.net", "A", "192.0.2.7")
    assert (await asked.ask("nobody.example.net", "A")).records == ()
    clock.now += 30
    assert (await asked.ask("nobody.example.net", "A")).records == ("192.0.2.7",)
    names.denial_ttl = 86_400
    assert (await asked.ask("nowhere.example.net", "A")).lives == LONGEST_DENIAL


async def test_aliases_are_followed_and_circles_are_not(names: NameServer) -> None:
    names.say("sip.example.net", "CNAME", "edge.example.org.", ttl=20)
    names.say("edge.example.org", "CNAME", "host.example.org.")
    names.say("host.example.org", "A", "192.0.2.1", ttl=300)
    names.say("one.example.net", "CNAME", "two.example.net.")
    names.say("two.example.net", "CNAME", "one.example.net.")
    asked = names.resolver(**SOON)
    assert await asked.ask("sip.example.net", "A") == (("192.0.2.1",), 20, False)
    try:
        assert (await asked.ask("one.example.net", "A")).records == ()
    except LookupFailed as error:
        assert str(error)  # noqa: PT017 - either is right: it ends, and nothing is found


async def test_a_long_answer_comes_over_tcp_and_is_read_up_to_a_bound(names: NameServer) -> None:
    names.say("_sip._udp.huge.example", "SRV", *(f"1 1 5060 s{n}.example." for n in range(300)))
    answer = await names.resolver(try_within=5.0).ask("_sip._udp.huge.example", "SRV")
    assert len(answer.records) == MAX_RECORDS
    assert [transport for _, _, transport in names.asked] == ["udp", "tcp"]


async def test_what_was_known_goes_on_while_no_name_server_answers(names: NameServer) -> None:
    clock = Clock()
    names.say("sbc.example.net", "A", "192.0.2.1", ttl=60)
    asked = names.resolver(clock=clock, **SOON)
    await asked.ask("sbc.example.net", "A")
    await asked.ask("sbc.example.net", "AAAA")
    clock.now += 3600
    names.fall_silent()
    assert await asked.ask("sbc.example.net", "A") == (("192.0.2.1",), LEAST_LIFE, True)
    with pytest.raises(LookupFailed, match="no name server answers"):  # that there was none is no knowledge to keep
        await asked.ask("sbc.example.net", "AAAA")
    assert asked.failures == 2
    clock.now += STALE_FOR
    with pytest.raises(LookupFailed):
        await asked.ask("sbc.example.net", "A")


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.FORMERR])
async def test_a_name_server_that_will_not_say(names: NameServer, rcode: dns.rcode.Rcode) -> None:
    names.rcode = rcode
    with pytest.raises(LookupFailed, match="no name server gives an answer"):
        await names.resolver(**SOON).ask("sbc.example.net", "A")


async def test_a_name_server_that_is_not_there() -> None:
    with pytest.raises(LookupFailed):
        await Resolver([("127.0.0.1", free_port())], **SOON).ask("sbc.example.net", "A")  # type: ignore[arg-type] # floats


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".example", ".".join(["label"] * 60), "\udcff.example"])
async def test_what_is_no_name_is_an_error_in_words(names: NameServer, name: str) -> None:
    try:
        assert (await names.resolver(**SOON).ask(name, "A")).records == ()
    except LookupFailed as error:
        assert str(error)  # noqa: PT017 - the root is a name, and has no address


async def test_broken_answers_are_no_answers(names: NameServer) -> None:
    """Each answer is spoiled in another way, by chance; what comes out is an answer or `LookupFailed`."""
    chance = random.Random(2782)

    def spoil(answer: bytes) -> bytes:
        data = bytearray(answer[: chance.randrange(2, len(answer) + 1)])
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(2, len(data)) if len(data) > 2 else 0] = chance.randrange(256)
        return bytes(data)

    names.manner = spoil
    kinds: tuple[RecordType, ...] = ("NAPTR", "SRV", "A", "AAAA")
    for n in range(40):
        names.say(f"n{n}.example", "NAPTR", '10 20 "s" "SIP+D2U" "" _sip._udp.example.net.')
        names.say(f"n{n}.example", "SRV", "1 2 5060 sbc.example.net.")
        names.say(f"n{n}.example", "A", "192.0.2.1")
        names.say(f"n{n}.example", "AAAA", "2001:db8::1")
    asked = names.resolver(**SOON)
    questions = [asked.ask(f"n{n}.example", kinds[n % 4]) for n in range(40)]
    found = await asyncio.gather(*questions, return_exceptions=True)
    assert all(isinstance(each, LookupFailed | tuple) for each in found), found
    assert asked.failures > 0


async def test_memory_is_bounded(names: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWERS", 2)
    asked = names.resolver()
    for name in ("a", "b", "c", "c", "a"):
        await asked.ask(f"{name}.example", "A")
    assert [name[0] for name, _, _ in names.asked] == ["a", "b", "c", "a"]
    assert len(asked._kept) == 2


def test_the_hosts_of_the_machine(tmp_path: Path) -> None:
    table = tmp_path / "hosts"
    table.write_text("# a comment\n::1 localhost sbc\nnonsense sbc\n192.0.2.1\tSBC.example.net sbc # ours\n\n")
    resolver = Resolver(hosts=table)
    assert resolver.host_addresses("sbc") == ["192.0.2.1", "::1"]
    assert resolver.host_addresses("sbc.Example.net.") == ["192.0.2.1"]
    assert resolver.host_addresses("ours") == []
    assert Resolver(hosts=tmp_path / "none").host_addresses("sbc") == []
