"""Addresses of clients, as they are compared with networks and counted by."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import HTTPConnection

REMEMBERED: Final = 4096
"""Addresses whose parsed form is kept: parsing costs more than all the rest of a request's way through the gate."""


def client_address(request: HTTPConnection) -> str:
    """Return the address that a request comes from; empty when it comes over a unix socket."""
    return request.client.host if request.client is not None else ""


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


@lru_cache(maxsize=REMEMBERED)
def guessing_key(address: str) -> str:
    """Return what failures are counted by: an IPv4 address, or the /64 of an IPv6 address, which one host has whole."""
    parsed = parsed_address(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address if parsed is None else str(parsed)
