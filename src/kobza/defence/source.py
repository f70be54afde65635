"""What a sender is counted and banned by: an IPv4 address, or the /64 of an IPv6 address, which one host has whole."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

REMEMBERED: Final = 4096
"""Addresses whose parsed form is kept: parsing costs more than all the rest that is done with one."""

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=REMEMBERED)
def parsed_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address to compare with networks: without a zone, IPv4 also when it is mapped into IPv6; or None."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def source_of(host: str) -> str:
    """Return what the sender at an address is counted by; what is no address is counted by itself."""
    return _source_of_v6(host) if ":" in host else host


@lru_cache(maxsize=REMEMBERED)
def _source_of_v6(host: str) -> str:
    parsed = parsed_address(host)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return host if parsed is None else str(parsed)


class Networks:
    """Some networks, to be asked about addresses never seen before: IPv4 is compared without an address being made."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.listed = tuple(networks)
        of_v4 = [network for network in self.listed if isinstance(network, IPv4Network)]
        self._of_v4 = [(int(network.netmask), int(network.network_address)) for network in of_v4]

    def __contains__(self, host: str) -> bool:
        """Tell whether an address is in one of them; what is no address is not."""
        parts = host.split(".")
        if len(parts) != 4 or ":" in host:
            parsed = parsed_address(host)
            return parsed is not None and any(parsed in network for network in self.listed)
        try:
            a, b, c, d = map(int, parts)
        except ValueError:
            return False
        number = a << 24 | b << 16 | c << 8 | d
        return any(number & mask == network for mask, network in self._of_v4)
