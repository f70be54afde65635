from ipaddress import ip_address, ip_network

import pytest

from kobza.webhooks.address import AddressRefused, check_address, refusal, special_kind

REFUSED = {
    "0.0.0.0": "unspecified",
    "10.1.2.3": "private",
    "100.64.0.1": "private",
    "100.100.100.200": "private",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "metadata",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "reserved",
    "192.0.2.1": "reserved",
    "192.168.1.1": "private",
    "198.18.0.1": "private",
    "203.0.113.7": "reserved",
    "224.0.0.1": "multicast",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:169.254.169.254": "link-local",
    "::ffff:a00:1": "private",
    "::127.0.0.1": "reserved",
    "64:ff9b::7f00:1": "loopback",
    "64:ff9b::a9fe:a9fe": "link-local",
    "64:ff9b:1::1": "reserved",
    "100::1": "reserved",
    "2001::1": "reserved",
    "2001:db8::1": "reserved",
    "2002:7f00:1::": "reserved",
    "3fff::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fe80::1": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
    "4000::1": "reserved",
}
PUBLIC = [
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "192.0.1.1",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_addresses_that_are_not_public_are_refused(address: str, kind: str) -> None:
    assert special_kind(ip_address(address)) == kind
    with pytest.raises(AddressRefused, match=kind):
        check_address(address, ())


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_let_through(address: str) -> None:
    assert special_kind(ip_address(address)) is None
    check_address(address, ())


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("fe80::1%eth0", "fe80::/10"),
        ("fd00::5", "fd00::/8"),
    ],
)
def test_an_allowed_network_opens_what_is_in_it(address: str, allowed: str) -> None:
    check_address(address, [ip_network("192.168.0.0/16"), ip_network(allowed)])


def test_an_allowed_network_opens_nothing_else() -> None:
    with pytest.raises(AddressRefused):
        check_address("10.0.0.1", [ip_network("10.1.0.0/16"), ip_network("127.0.0.0/8")])


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("http://10.0.0.1/hooks", "10.0.0.1 is a private address, which webhook_allow does not list"),
        ("https://[::ffff:127.0.0.1]/", "127.0.0.1 is a loopback address, which webhook_allow does not list"),
        ("http://192.168.1.1:8080/", None),
        ("https://8.8.8.8/", None),
        ("https://crm.example.com/", None),
        ("https://localhost/", None),  # a name: looked at when it is used
    ],
)
def test_a_url_of_an_address_is_refused_before_it_is_used(url: str, refused: str | None) -> None:
    assert refusal(url, [ip_network("192.168.0.0/16")]) == refused
