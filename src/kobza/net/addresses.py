"""Which of this machine's addresses a peer sees, and host names to addresses."""

import asyncio
import ipaddress
import socket
import time
from functools import lru_cache

from kobza.sip.flow import Address

WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def is_wildcard(host: str) -> bool:
    """Tell whether a socket bound to `host` listens on every address of the machine."""
    return host in WILDCARDS


def local_host_for(remote_host: str) -> str:
    """Return the local address that packets to `remote_host` (an IP address) leave from.

    Asks the routing table through an unsent UDP socket. Raises `OSError` when there is no route.
    """
    family = family_of(remote_host)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((remote_host, 9))
        return str(probe.getsockname()[0])


@lru_cache(maxsize=4096)
def told_host(outside: str | None, remote_host: str) -> str | None:
    """Return the address that a peer is told in the place of our own: `outside`, if the peer is on the internet.

    None for peers in private networks, who reach our own, for those of the other family, and without `outside`.
    """
    if outside is None or family_of(outside) != family_of(remote_host):
        return None
    return outside if ipaddress.ip_address(remote_host.partition("%")[0]).is_global else None


class LocalHosts:
    """`local_host_for` with a memory: two system calls for each peer once in `LIFETIME`, not for each datagram."""

    LIFETIME = 30.0
    """Seconds an answer is kept: the machine's address may change (DHCP, a laptop that moves)."""
    BOUND = 4096
    """Answers kept; at the bound all are forgotten, so made-up peers cost time and not memory."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._since = time.monotonic()

    def get(self, remote_host: str) -> str:
        """Return the local address for `remote_host`, the unspecified one when there is no route."""
        known = self._known.get(remote_host)
        now = time.monotonic()
        if known is not None and now - self._since < self.LIFETIME:
            return known
        if now - self._since >= self.LIFETIME or len(self._known) >= self.BOUND:
            self._known.clear()
            self._since = now
        try:
            local = local_host_for(remote_host)
        except OSError:
            return "::" if ":" in remote_host else "0.0.0.0"  # noqa: S104 - named, not bound to
        self._known[remote_host] = local
        return local


def family_of(host: str) -> socket.AddressFamily:
    """Return the address family of an IP address; a name counts as IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def is_address(host: str) -> bool:
    """Tell an IP address from a host name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def resolve(host: str, port: int) -> Address:
    """Return the first address of `host` with `port`, IPv4 preferred. Raises `OSError` for an unknown name."""
    host = host.removeprefix("[").removesuffix("]")
    if is_address(host):
        return host, port
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return str(found[0][4][0]), port
