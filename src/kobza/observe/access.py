"""Who may read the metrics: clients from some networks."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from starlette.requests import Request

from kobza.api.addresses import client_address
from kobza.api.problems import ApiError
from kobza.defence.source import parsed_address

Network = IPv4Network | IPv6Network

PASSED_ON: Final = ("x-forwarded-for", "forwarded")


def check(request: Request, allowed: Sequence[Network], *, proxies: bool) -> None:
    """Raise ApiError 403 unless the client is in one of the networks.

    `proxies`: there are proxies that are believed about the address of the client. Without any, a request that was
    passed on is refused: its connection comes from a proxy, perhaps on this machine, and not from who asks.
    """
    if not proxies and any(name in request.headers for name in PASSED_ON):
        raise ApiError("address_not_allowed", "The metrics are not for clients behind a proxy that is not trusted.")
    address = client_address(request)
    parsed = parsed_address(address)
    if parsed is None or not any(parsed in network for network in allowed):
        raise ApiError(
            "address_not_allowed", f"The metrics may not be read from {address or 'here'}: see metrics_allow."
        )
