"""Finding the servers of a host by RFC 3263, against a real name server on loopback."""

from pathlib import Path

import pytest

from kobza.net.locator import MAX_ADDRESSES, MAX_SERVERS, RETRY, Locator, NotFound
from kobza.net.resolver import Resolver
from kobza.sip.flow import Transport
from kobza.sip.location import Location
from tests.support.name_server import NameServer

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
HOST = "example.net"


@pytest.fixture(autouse=True)
def two_servers(names: NameServer) -> None:
    names.say("a.example.net", "A", "192.0.2.1")
    names.say("b.example.net", "A", "192.0.2.2")
    names.say("b.example.net", "AAAA", "2001:db8::2")


def hops(location: Location) -> list[str]:
    return list(map(str, location.hops))


async def test_naptr_then_srv_then_addresses(names: NameServer) -> None:
    names.say(HOST, "A", "192.0.2.99")  # the domain's web server
    names.say(
        HOST,
        "NAPTR",
        '10 10 "s" "SIP+D2S" "" _sip._sctp.example.net.',
        '50 10 "s" "SIPS+D2T" "" _sips._tcp.example.net.',
        '60 10 "s" "SIP+D2U" "" _sip._udp.example.net.',
    )
    names.say("_sips._tcp.example.net", "SRV", "1 0 5071 a.example.net.", "2 0 5061 b.example.net.", ttl=30)
    names.say("_sip._udp.example.net", "SRV", "1 0 5060 a.example.net.")
    found = await names.locator().locate(HOST, None, None)
    assert hops(found) == ["192.0.2.1:5071 (TLS)", "192.0.2.2:5061 (TLS)", "[2001:db8::2]:5061 (TLS)"]
    assert (found.way, found.is_stale) == ("NAPTR, SRV _sips._tcp.example.net", False)
    assert 0 < found.lives <= 30
    fixed = await names.locator().locate(HOST, None, UDP)  # a transport that is fixed needs no NAPTR
    assert hops(fixed) == ["192.0.2.1:5060 (UDP)"]
    names.forget("_sips._tcp.example.net", "SRV")  # what NAPTR names does not exist: the next one
    assert hops(await names.locator().locate(HOST, None, None)) == ["192.0.2.1:5060 (UDP)"]


async def test_without_naptr_the_usual_srv_records(names: NameServer) -> None:
    names.say("_sips._tcp.example.net", "SRV", "1 0 5061 a.example.net.")
    assert hops(await names.locator().locate(HOST, None, None)) == ["192.0.2.1:5061 (TLS)"]
    names.say("_sip._tcp.example.net", "SRV", "1 0 5062 a.example.net.")
    found = await names.locator().locate(HOST, None, None)
    assert (hops(found), found.way) == (["192.0.2.1:5062 (TCP)"], "SRV _sip._tcp.example.net")
    assert hops(await names.locator().locate(HOST, None, TLS)) == ["192.0.2.1:5061 (TLS)"]


async def test_without_srv_the_addresses_at_the_usual_port(names: NameServer) -> None:
    for transport, expected in ((None, "5060 (UDP)"), (TCP, "5060 (TCP)"), (TLS, "5061 (TLS)")):
        found = await names.locator().locate("b.example.net", None, transport)
        assert hops(found) == [f"192.0.2.2:{expected}", f"[2001:db8::2]:{expected}"]
        assert found.way == "A and AAAA"


async def test_with_a_port_addresses_alone(names: NameServer) -> None:
    names.say("_sip._udp.a.example.net", "SRV", "1 0 5080 b.example.net.")
    found = await names.locator().locate("a.example.net", 5090, None)
    assert hops(found) == ["192.0.2.1:5090 (UDP)"]
    assert {kind for _, kind, _ in names.asked} == {"A", "AAAA"}


@pytest.mark.parametrize(
    ("host", "port", "transport", "expected"),
    [
        ("192.0.2.7", None, None, "192.0.2.7:5060 (UDP)"),
        ("192.0.2.7", 5090, TCP, "192.0.2.7:5090 (TCP)"),
        ("[2001:db8::7]", None, TLS, "[2001:db8::7]:5061 (TLS)"),
    ],
)
async def test_an_address_is_where_it_is(
    names: NameServer, host: str, port: int | None, transport: Transport | None, expected: str
) -> None:
    assert hops(await names.locator().locate(host, port, transport)) == [expected]
    assert names.asked == []


async def test_the_machines_own_table_comes_first(names: NameServer, tmp_path: Path) -> None:
    table = tmp_path / "hosts"
    table.write_text("192.0.2.50 a.example.net\n")
    locator = Locator(Resolver([names.address], hosts=table))
    assert hops(await locator.locate("a.example.net", None, None)) == ["192.0.2.50:5060 (UDP)"]
    assert names.asked == []


async def test_srv_records_that_lead_nowhere_do_not_mean_the_domain_itself(names: NameServer) -> None:
    names.say(HOST, "A", "192.0.2.99")
    for record in ("0 0 0 .", "1 0 5060 nobody.example.net."):
        names.say("_sip._udp.example.net", "SRV", record)
        with pytest.raises(NotFound, match=r"example\.net: its SRV records name no server that has an address"):
            await names.locator().locate(HOST, None, None)


async def test_a_name_that_has_nothing(names: NameServer) -> None:
    with pytest.raises(NotFound, match=r"nobody\.example has no NAPTR, SRV, A or AAAA record"):
        await names.locator().locate("nobody.example", None, None)
    with pytest.raises(NotFound, match=r"nobody\.example has no A or AAAA record"):
        await names.locator().locate("nobody.example", 5060, None)
    names.fall_silent()
    with pytest.raises(NotFound, match=r"other\.example: no name server answers"):
        await names.locator(answer_within=0.2, try_within=0.1).locate("other.example", None, None)


async def test_a_name_server_that_knows_no_naptr_hides_nobody(names: NameServer) -> None:
    names.say("_sip._udp.example.net", "SRV", "1 0 5060 a.example.net.", ttl=3000)
    naptr = b"\x00\x23\x00\x01"  # type and class at the end of the question
    names.manner = lambda answer: None if naptr in answer else answer
    found = await names.locator(answer_within=0.2, try_within=0.1).locate(HOST, None, None)
    assert hops(found) == ["192.0.2.1:5060 (UDP)"]
    assert found.lives <= RETRY


async def test_more_than_anybody_has_is_cut_off(names: NameServer) -> None:
    names.say("many.example.net", "A", *(f"192.0.2.{n}" for n in range(1, 60)))
    assert len((await names.locator().locate("many.example.net", 5060, None)).hops) == MAX_ADDRESSES
    records = [f"{n} 0 {5000 + n} a.example.net." for n in range(1, 60)]
    names.say("_sip._udp.example.net", "SRV", *records)
    found = await names.locator().locate(HOST, None, UDP)
    assert [hop.address[1] for hop in found.hops] == list(range(5001, 5001 + MAX_SERVERS))


async def test_a_target_that_is_an_address_is_taken_as_it_is_meant(names: NameServer) -> None:
    names.say("_sip._udp.example.net", "SRV", "1 0 5060 192.0.2.44.")
    assert hops(await names.locator().locate(HOST, None, UDP)) == ["192.0.2.44:5060 (UDP)"]
