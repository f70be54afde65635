"""Which servers a host name stands for, and in what order they are tried (RFC 3263, RFC 2782). Without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from kobza.sip.flow import Address, Transport, host_text

SERVICES: Final = {"SIP+D2U": Transport.UDP, "SIP+D2T": Transport.TCP, "SIPS+D2T": Transport.TLS}
"""What NAPTR calls the transports (RFC 3263, section 4.1). A host has no scheme: where a carrier would rather have TLS,
TLS is spoken."""
SERVICE_NAMES: Final = {Transport.UDP: "_sip._udp", Transport.TCP: "_sip._tcp", Transport.TLS: "_sips._tcp"}
"""What stands before a host in the name of its SRV records, in the order in which they are asked for without NAPTR."""
TERMINAL: Final = "s"
"""Flag of a NAPTR record whose replacement has SRV records, the only kind that SIP uses."""


class NextHop(NamedTuple):
    """Where a request is sent (RFC 3263, section 4)."""

    transport: Transport
    address: Address

    def __str__(self) -> str:
        host, port = self.address
        return f"{host_text(host)}:{port} ({self.transport.value})"


class Naptr(NamedTuple):
    """A NAPTR record (RFC 3403, section 4)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


class Srv(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Server(NamedTuple):
    """One server with all addresses that it has."""

    priority: int
    """Those with the smallest are tried first."""
    weight: int
    """Its share among those of one priority."""
    hops: tuple[NextHop, ...]
    """At least one."""


class Location(NamedTuple):
    """Where a name leads."""

    servers: tuple[Server, ...]
    """At least one."""
    way: str
    """By which records it was found, for people."""
    lives: float
    """Seconds after which it is to be looked up again."""
    is_stale: bool = False
    """No name server answered: it is what was known before, and its time is over."""

    @property
    def hops(self) -> tuple[NextHop, ...]:
        """Every hop, the best first; always in the same order for the same servers, so that one can be kept."""
        ordered = sorted(self.servers, key=lambda server: (server.priority, -server.weight))
        return tuple(dict.fromkeys(hop for server in ordered for hop in server.hops))

    def in_turn(self, chance: Callable[[], float]) -> tuple[NextHop, ...]:
        """Return every hop in the order in which one request tries them; `chance` gives numbers from 0 to 1."""
        return tuple(dict.fromkeys(hop for server in by_weight(self.servers, chance) for hop in server.hops))


def service_name(transport: Transport, host: str) -> str:
    """Return the name of the SRV records of a host (RFC 3263, section 4.1)."""
    return f"{SERVICE_NAMES[transport]}.{host}"


def services(records: Iterable[Naptr]) -> list[tuple[Transport, str]]:
    """Return the transports that NAPTR records offer and that are spoken here, each with the name of its SRV records.

    The best comes first. What SIP does not use (other flags, a regular expression) is passed over.
    """
    usable = [
        record
        for record in records
        if record.flags.lower() == TERMINAL and not record.regexp and record.replacement.strip(".")
    ]
    usable.sort(key=lambda record: (record.order, record.preference))
    found = [(SERVICES.get(record.service.upper()), record.replacement) for record in usable]
    return list(dict.fromkeys((transport, name) for transport, name in found if transport is not None))


def served(records: Iterable[Srv], most: int) -> list[Srv]:
    """Return the `most` best SRV records that name a server; a target of "." says that there is none (RFC 2782)."""
    named = [record for record in records if record.target.strip(".") and record.port]
    return sorted(named, key=lambda record: (record.priority, -record.weight))[:most]


def by_weight(servers: Iterable[Server], chance: Callable[[], float]) -> list[Server]:
    """Order servers as one client is to try them (RFC 2782, "Usage rules"): by priority, then by chance and weight."""
    left = sorted(servers, key=lambda server: (server.priority, server.weight > 0))
    ordered: list[Server] = []
    while left:
        alike = [server for server in left if server.priority == left[0].priority]
        chosen = _drawn(alike, chance()) if len(alike) > 1 else alike[0]
        left.remove(chosen)
        ordered.append(chosen)
    return ordered


def _drawn(servers: Sequence[Server], chance: float) -> Server:
    """Draw one; those without weight stand first, and are drawn with a very small chance beside others."""
    total = sum(server.weight for server in servers)
    if not total:
        return servers[min(int(chance * len(servers)), len(servers) - 1)]
    ticket, running = int(chance * (total + 1)), 0
    for server in servers:
        running += server.weight
        if running >= ticket:
            return server
    return servers[-1]
