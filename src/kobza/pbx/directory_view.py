"""The directory in memory: a snapshot that follows the store, and the addresses of the trunks.

Settings change in other processes too (`kobza number add` beside a running server), so the store's version is looked at
a few times a second. Whoever changes something here calls `refresh` and sees it at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from kobza.call.directory import Directory, Subscriber
from kobza.call.trunk import Inbound, Trunk
from kobza.net.addresses import is_address, resolve_all
from kobza.sip.flow import Address, Transport
from kobza.store import Store, StoreAway, directory, meta, numbers

log = logging.getLogger(__name__)

POLL_INTERVAL: Final = 0.25
"""Seconds between two looks at the version: a number added on the command line rings a moment later."""
RESOLVE_INTERVAL: Final = 60.0
"""Seconds after which the host names of trunks are looked up again: carriers move them, and DNS lives are minutes."""
RETRY_INTERVAL: Final = 2.0
"""Seconds until the next try after the store did not answer."""

KNOWN_HOSTS: Final = 4096
"""Hosts of which it is remembered whether a trunk's network has them; at the bound all are forgotten."""

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Returns every address of a host, at least one; raises OSError."""


class DirectoryView:
    """The newest snapshot. Everything is read in the loop's thread; the store is read in another one."""

    def __init__(self, store: Store, *, resolve_host: Resolve = resolve_all) -> None:
        self._store = store
        self._resolve = resolve_host
        self.snapshot = Directory()
        self.followers: list[Callable[[Directory], None]] = []
        """Hear of each new snapshot, and when addresses of trunks were looked up anew."""
        self._addresses: dict[str, Sequence[Address]] = {}
        self._chosen: dict[str, Address] = {}
        self._by_address: dict[tuple[str, Address], Trunk] = {}
        self._by_host: dict[tuple[str, str], Trunk] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, Trunk]] = []
        self._by_network: dict[str, Trunk | None] = {}
        self._resolved_at = 0.0
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the directory, then follow it. Raises what the store raises."""
        await self.refresh()
        self._task = asyncio.create_task(self._follow(), name="directory")

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def refresh_number(self, enterprise_id: str, number: str) -> None:
        """Take over the change of one number's settings that was just written.

        Only that number is read when nothing else changed: reading 10,000 costs 80 ms of CPU, and a CRM may set them
        all one after the other.
        """
        async with self._lock:
            version, subscriber = await asyncio.to_thread(self._load_number, enterprise_id, number)
            now = self.snapshot
            if subscriber is not None and number in now.subscribers and version == now.version + 1:
                subscribers = {**now.subscribers, number: subscriber}
                self.snapshot = replace(now, subscribers=subscribers, version=version)
        await self.refresh()

    async def refresh(self) -> None:
        """Load the directory if it changed."""
        async with self._lock:
            version = await asyncio.to_thread(self._store.directory_version)
            if version != self.snapshot.version:
                await self._take(await asyncio.to_thread(self._load))
            elif asyncio.get_running_loop().time() - self._resolved_at > RESOLVE_INTERVAL:
                await self._find_trunks(self.snapshot)
                self._tell()

    def trunk_at(self, transport: Transport, remote: Address) -> Trunk | None:
        """Return the trunk that sends from an address; over connections the port says nothing: each has its own.

        None is a browser, whatever its address: an office may share one with its gateway.
        """
        if transport.is_web:
            return None
        if transport is Transport.UDP:
            found = self._by_address.get((transport.value, remote))
        else:
            found = self._by_host.get((transport.value, remote[0]))
        if found is None and self._networks:
            return self._trunk_of_network(remote[0])
        return found

    def address_of(self, trunk: Trunk) -> Address | None:
        """Return where a trunk is reached; None while its host name is unknown."""
        chosen = self._chosen.get(trunk.trunk_id)
        if chosen is not None:
            return chosen
        addresses = self._addresses.get(trunk.trunk_id)
        return addresses[0] if addresses else None

    def addresses_of(self, trunk: Trunk) -> Sequence[Address]:
        """Return every address that a trunk's host has; none while its name is unknown."""
        return self._addresses.get(trunk.trunk_id, ())

    def choose(self, trunk: Trunk, address: Address) -> None:
        """Reach a trunk at one of its addresses from now on, as long as it has it."""
        self._chosen[trunk.trunk_id] = address

    def _load_number(self, enterprise_id: str, number: str) -> tuple[int, Subscriber | None]:
        with self._store.read() as conn:
            return meta.directory_version(conn), numbers.find(conn, enterprise_id, number)

    def _load(self) -> Directory:
        with self._store.read() as conn:
            return directory.load(conn)

    async def _take(self, snapshot: Directory) -> None:
        await self._find_trunks(snapshot)
        self.snapshot = snapshot
        self._tell()

    def _tell(self) -> None:
        for follower in self.followers:
            follower(self.snapshot)

    async def _find_trunks(self, snapshot: Directory) -> None:
        """Look up the trunks' addresses. One whose name is unknown now keeps the address it had."""
        addresses: dict[str, Sequence[Address]] = {}
        for trunk in snapshot.trunks:
            try:
                addresses[trunk.trunk_id] = await self._resolve(trunk.host, trunk.port)
            except OSError as error:
                log.warning("trunk %s: %s cannot be looked up: %s", trunk.name, trunk.host, error)
                known = self._addresses.get(trunk.trunk_id)
                if known is not None and not is_address(trunk.host):
                    addresses[trunk.trunk_id] = known
        self._addresses = addresses
        self._chosen = {
            trunk_id: chosen for trunk_id, chosen in self._chosen.items() if chosen in addresses.get(trunk_id, ())
        }
        self._by_address = {}
        self._by_host = {}
        open_trunks = [trunk for trunk in snapshot.trunks if trunk.inbound is Inbound.ADDRESS]
        for trunk in open_trunks:
            for address in addresses.get(trunk.trunk_id, ()):
                self._by_address.setdefault((trunk.transport, address), trunk)
                if trunk.transport != "UDP":
                    self._by_host.setdefault((trunk.transport, address[0]), trunk)
        self._networks = [(network, trunk) for trunk in open_trunks for network in trunk.networks]
        self._by_network = {}
        self._resolved_at = asyncio.get_running_loop().time()

    def _trunk_of_network(self, host: str) -> Trunk | None:
        if host in self._by_network:
            return self._by_network[host]
        address = ip_address(host.partition("%")[0])
        found = next((trunk for network, trunk in self._networks if address in network), None)
        if len(self._by_network) >= KNOWN_HOSTS:
            self._by_network.clear()
        self._by_network[host] = found
        return found

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_INTERVAL)
            try:
                await self.refresh()
            except StoreAway as error:
                log.error("the directory could not be read; calls go by the one from before: %s", error)  # noqa: TRY400
                await asyncio.sleep(RETRY_INTERVAL)
            except Exception:
                log.exception("the directory could not be read; calls go by the one from before")
                await asyncio.sleep(RETRY_INTERVAL)
