"""Which addresses a webhook may connect to: public ones, and those of the networks that the configuration allows.

`kobza.webhooks.connecting` makes the check for every connection, on the very address that it is about to connect to.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_V4: Final = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private"),  # carrier-grade NAT; also where a cloud keeps its metadata
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),  # a public address by range, but a cloud's host agent
        ("169.254.0.0/16", "link-local"),  # 169.254.169.254 is the metadata of most clouds
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "private"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
"""IANA's special-purpose registry (RFC 6890), listed here: the standard library's copy changes with its version."""

_SPECIAL_V6: Final = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # Teredo and others that carry an address inside
        ("2001:db8::/32", "reserved"),
        ("2002::/16", "reserved"),  # 6to4 carries an IPv4 address
        ("3fff::/20", "reserved"),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class AddressRefused(OSError):
    """A connection to an address that webhooks may not go to."""

    def __init__(self, address: str, kind: str) -> None:
        super().__init__(f"{address} is a {kind} address, which webhook_allow does not list")


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for (mapped or NAT64), else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def special_kind(address: Address) -> str | None:
    """Return what makes an address no public one, such as "private"; None for a public one."""
    address = plain(address)
    special = _SPECIAL_V4 if isinstance(address, IPv4Address) else _SPECIAL_V6
    for network, kind in special:
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
        return "reserved"
    return None


def check_address(text: str, allowed: Sequence[Network]) -> None:
    """Raise AddressRefused unless the address is public or in one of the allowed networks."""
    address = plain(ip_address(text.partition("%")[0]))  # an IPv6 address may name its interface after a %
    kind = special_kind(address)
    if kind is not None and not any(address in network for network in allowed):
        raise AddressRefused(str(address), kind)


def refusal(url: str, allowed: Sequence[Network]) -> str | None:
    """Say why nothing would ever be posted to a URL whose host is an address.

    None when it would, and for a name, which may mean another address tomorrow: that is looked at when it is used.
    """
    try:
        check_address(urlsplit(url).hostname or "", allowed)
    except AddressRefused as error:
        return str(error)
    except ValueError:  # a name
        pass
    return None
