"""What a sender is counted by."""

from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.config.settings import LOOPBACK
from kobza.defence.source import Networks, source_of


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_senders_are_counted_by_address_or_by_network_of_64_bits(address: str, key: str) -> None:
    assert source_of(address) == key


def test_an_address_is_in_a_network_however_it_is_written() -> None:
    networks = Networks(LOOPBACK)
    for host in ("127.0.0.9", "::ffff:127.0.0.9", "::1"):
        assert host in networks
    for host in ("192.0.2.1", "localhost", "a.b.c.d", "", "2001:db8::1", "::ffff:192.0.2.1"):
        assert host not in networks
    assert "192.0.2.1" not in Networks()


@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(0, 32))
def test_networks_of_ipv4_are_as_the_library_has_them(address: IPv4Address, other: IPv4Address, bits: int) -> None:
    network = ip_network((other, bits), strict=False)
    assert (str(address) in Networks([network])) is (address in network)
