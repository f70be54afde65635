"""Finds the servers of a SIP host by DNS (RFC 3263, section 4): NAPTR, then SRV, then addresses."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kobza.net.addresses import is_address
from kobza.net.resolver import Answer, LookupFailed, RecordType, Resolver
from kobza.sip.flow import Transport
from kobza.sip.location import SERVICE_NAMES, Location, NextHop, Server, Srv, served, service_name, services

MAX_SERVERS: Final = 16
"""SRV records of a name that are used, the best of them."""
MAX_ADDRESSES: Final = 8
"""Addresses of one server that are used."""
RETRY: Final = 30.0
"""Seconds until a name is looked up again for which some question had no answer."""
FOR_EVER: Final = 86_400.0
"""What an address lives: it is never looked up."""


class NotFound(Exception):
    """A host leads nowhere. The text says why, in words."""


@dataclass
class _Search:
    """What one search has come to know."""

    lives: list[float] = field(default_factory=list)
    is_stale: bool = False
    failure: str = ""
    names_servers: bool = False
    """There are SRV records: the addresses of the name itself are not those of its servers."""


class Locator:
    """Finds servers. It is patient: who cannot wait asks in the background and goes on with what was found before."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def locate(self, host: str, port: int | None, transport: Transport | None) -> Location:
        """Return where a host is.

        `port` None: its SRV records say; `transport` None: its NAPTR records say, or else which SRV records it has;
        with a port, or for an address, it is UDP. A question that nobody answers counts as one that has none, so that a
        name server that knows no NAPTR hides nobody; it is then looked up again soon. Raises NotFound.
        """
        host = host.removeprefix("[").removesuffix("]")
        spoken = transport or Transport.UDP
        if is_address(host):
            return at_address(host, port, transport)
        if listed := self._resolver.host_addresses(host):
            hops = _hops(listed, spoken, port)
            return Location((Server(0, 0, hops),), "the hosts of this machine", RETRY)
        search = _Search()
        if port is None and (found := await self._by_services(host, transport, search)):
            return found
        if search.names_servers:
            raise NotFound(f"{host}: {search.failure or 'its SRV records name no server that has an address'}")
        if hops := _hops(await self._addresses(host, search), spoken, port):
            return self._location((Server(0, 0, hops),), "A and AAAA", search)
        if search.failure:
            raise NotFound(f"{host}: {search.failure}")
        raise NotFound(f"{host} has no {'A or AAAA' if port is not None else 'NAPTR, SRV, A or AAAA'} record")

    async def _by_services(self, host: str, transport: Transport | None, search: _Search) -> Location | None:
        """Look for SRV records: those that NAPTR names, the best ones that exist; else those by their usual names."""
        if transport is None:
            offered = services((await self._ask(host, "NAPTR", search)).records)
            for spoken, name in offered:
                if servers := await self._servers(name, spoken, search):
                    return self._location(servers, f"NAPTR, SRV {name}", search)
        usual = [transport] if transport is not None else list(SERVICE_NAMES)
        names = [service_name(each, host) for each in usual]
        answers = await asyncio.gather(*(self._ask(name, "SRV", search) for name in names))
        for spoken, name, answer in zip(usual, names, answers, strict=True):
            if servers := await self._servers_of(answer.records, spoken, search):
                return self._location(servers, f"SRV {name}", search)
        return None

    async def _servers(self, name: str, transport: Transport, search: _Search) -> tuple[Server, ...]:
        return await self._servers_of((await self._ask(name, "SRV", search)).records, transport, search)

    async def _servers_of(self, records: Sequence[Srv], transport: Transport, search: _Search) -> tuple[Server, ...]:
        search.names_servers |= bool(records)
        best = served(records, MAX_SERVERS)
        found = await asyncio.gather(*(self._addresses(record.target, search) for record in best))
        return tuple(
            Server(record.priority, record.weight, hops)
            for record, addresses in zip(best, found, strict=True)
            if (hops := _hops(addresses, transport, record.port))
        )

    async def _addresses(self, host: str, search: _Search) -> list[str]:
        if is_address(host):  # no target of an SRV record may be one, and some are
            return [host]
        four, six = await asyncio.gather(self._ask(host, "A", search), self._ask(host, "AAAA", search))
        return [*four.records, *six.records]

    async def _ask(self, name: str, kind: RecordType, search: _Search) -> Answer:
        try:
            answer = await self._resolver.ask(name, kind)
        except LookupFailed as error:
            search.failure = str(error)
            answer = Answer((), RETRY)
        search.lives.append(answer.lives)
        search.is_stale |= answer.is_stale
        return answer

    @staticmethod
    def _location(servers: tuple[Server, ...], way: str, search: _Search) -> Location:
        return Location(servers, way, min(search.lives), search.is_stale)


def at_address(host: str, port: int | None, transport: Transport | None) -> Location:
    """Return where an IP address is: there (RFC 3263, section 4.2)."""
    return Location((Server(0, 0, _hops([host], transport or Transport.UDP, port)),), "its address", FOR_EVER)


def _hops(addresses: Sequence[str], transport: Transport, port: int | None) -> tuple[NextHop, ...]:
    """Return the hops at addresses, IPv4 first."""
    ordered = sorted(dict.fromkeys(addresses), key=lambda address: ":" in address)
    return tuple(NextHop(transport, (each, port or transport.default_port)) for each in ordered[:MAX_ADDRESSES])
