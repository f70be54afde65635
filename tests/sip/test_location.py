"""Which servers a name stands for, and in what order: without any DNS."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.flow import Transport
from kobza.sip.location import Location, Naptr, NextHop, Server, Srv, by_weight, served, service_name, services


def hop(name: str) -> NextHop:
    return NextHop(Transport.UDP, (name, 5060))


def server(priority: int, weight: int, *names: str) -> Server:
    return Server(priority, weight, tuple(map(hop, names)))


def test_services_by_order_and_preference_without_what_sip_does_not_use() -> None:
    def record(
        order: int, preference: int, service: str, replacement: str, flags: str = "s", regexp: str = ""
    ) -> Naptr:
        return Naptr(order, preference, flags, service, regexp, replacement)

    assert services(
        [
            record(50, 50, "SIP+D2T", "_sip._tcp.example.net"),
            record(90, 1, "SIP+D2U", "_sip._udp.example.net", "S"),
            record(50, 40, "sips+d2t", "_sips._tcp.example.net"),
            record(50, 40, "SIPS+D2T", "_sips._tcp.example.net"),
            record(1, 1, "SIP+D2S", "_sip._sctp.example.net"),
            record(1, 1, "E2U+sip", "", "u", "!^.*$!sip:x@y!"),
            record(1, 1, "SIP+D2U", "example.net", "a"),
            record(1, 1, "SIP+D2U", "again.example.net", ""),
            record(1, 1, "SIP+D2U", "."),
            record(1, 1, "SIP+D2U", "x.example.net", "s", "!x!y!"),
        ]
    ) == [
        (Transport.TLS, "_sips._tcp.example.net"),
        (Transport.TCP, "_sip._tcp.example.net"),
        (Transport.UDP, "_sip._udp.example.net"),
    ]


def test_of_srv_records_the_best_that_name_a_server() -> None:
    records = [
        Srv(2, 0, 5060, "c"),
        Srv(1, 5, 5060, "b"),
        Srv(1, 9, 5060, "a"),
        Srv(0, 0, 0, "no-port"),
        Srv(0, 0, 9, "."),
    ]
    assert [record.target for record in served(records, 2)] == ["a", "b"]
    assert served([Srv(0, 0, 0, ".")], 9) == []


def test_a_weight_is_a_share() -> None:
    servers = [server(1, 60, "a"), server(1, 30, "b"), server(1, 0, "c"), server(1, 10, "d")]
    chances = [step / 1010 for step in range(1010)]
    first = Counter(by_weight(servers, lambda: chance)[0] for chance in chances)  # noqa: B023 - called at once
    assert [first[each] for each in servers] == [600, 300, 10, 100]  # RFC 2782: one in a hundred and one has no weight


def test_without_weights_all_are_alike() -> None:
    servers = [server(1, 0, "a"), server(1, 0, "b")]
    assert [by_weight(servers, lambda: chance)[0] for chance in (0.0, 0.49)] == [servers[0]] * 2  # noqa: B023
    assert [by_weight(servers, lambda: chance)[0] for chance in (0.5, 1.0)] == [servers[1]] * 2  # noqa: B023


@given(
    st.lists(st.builds(server, st.integers(0, 3), st.integers(0, 65_535)), max_size=12),
    st.lists(st.floats(0, 1), min_size=1),
)
def test_none_is_lost_and_priorities_come_in_order(servers: list[Server], chances: list[float]) -> None:
    ordered = by_weight(servers, itertools.cycle(chances).__next__)
    assert Counter(ordered) == Counter(servers)
    assert [each.priority for each in ordered] == sorted(each.priority for each in servers)


def test_hops_of_a_location_always_in_one_order_and_once() -> None:
    servers = (server(2, 0, "d"), server(1, 1, "a", "b"), server(1, 9, "c", "a"))
    location = Location(servers, "SRV", 60)
    assert location.hops == tuple(map(hop, "cabd"))
    assert location._replace(servers=servers[::-1]).hops == location.hops
    assert location.in_turn(lambda: 0.0) == tuple(map(hop, "abcd"))
    assert location.in_turn(lambda: 0.9) == tuple(map(hop, "cabd"))


def test_a_hop_in_words() -> None:
    assert str(NextHop(Transport.TLS, ("2001:db8::1", 5061))) == "[2001:db8::1]:5061 (TLS)"


def test_weights_that_add_up_to_less_than_was_drawn() -> None:
    servers = [server(1, 1, "a"), server(1, 1, "b")]
    assert Counter(by_weight(servers, lambda: 1.0)) == Counter(servers)


def test_the_name_of_srv_records() -> None:
    assert service_name(Transport.TCP, "carrier.example") == "_sip._tcp.carrier.example"
    assert service_name(Transport.TLS, "carrier.example") == "_sips._tcp.carrier.example"
