"""What a sender is counted by."""

import pytest

from kobza.config.settings import LOOPBACK
from kobza.defence.source import is_in, source_of


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
    assert is_in("127.0.0.9", LOOPBACK)
    assert is_in("::ffff:127.0.0.9", LOOPBACK)
    assert is_in("::1", LOOPBACK)
    assert not is_in("192.0.2.1", LOOPBACK)
    assert not is_in("localhost", LOOPBACK)
