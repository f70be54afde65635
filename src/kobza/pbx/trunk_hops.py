"""Where the trunks are: the next hops of each (RFC 3263), kept up to date in the background, and whose an address is.

A call takes what is known when it comes and never waits for DNS.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple

from kobza.call.trunk import Inbound, Trunk
from kobza.net.addresses import is_address
from kobza.net.locator import NotFound, at_address
from kobza.sip.flow import Address, Transport
from kobza.sip.location import Location, NextHop

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""Names that are looked up at the same time."""
RETRY: Final = 10.0
"""Seconds until a name that leads nowhere is looked up again."""
MOST_TRIED: Final = 4
"""Hops of one trunk that one call tries: a caller waits for each that is silent."""
AVOIDED_FOR: Final = 30.0
"""Seconds for which calls try a hop last that was silent or out of service for one of them."""
LONGEST_REST: Final = 300.0
"""Seconds for which a server is left alone at most, whatever its Retry-After says: it may be well again sooner."""
KNOWN_HOSTS: Final = 4096
"""Hosts of which it is remembered whether a trunk's network has them; at the bound all are forgotten."""

Locate = Callable[[str, int | None, Transport | None], Awaitable[Location]]
"""Finds the servers of a host; raises NotFound. See `kobza.net.locator.Locator.locate`."""


class Place(NamedTuple):
    """What is looked up; trunks may have it in common."""

    host: str
    port: int | None
    transport: Transport | None


class TrunkHops:
    """The next hops of all trunks. Everything belongs into the loop's thread."""

    def __init__(self, locate: Locate, *, chance: Callable[[], float] = random.random) -> None:
        """`chance` gives numbers from 0 to 1."""
        self._locate = locate
        self._chance = chance
        self.on_change: Callable[[], None] = _nothing
        """Hears when a name leads elsewhere than before."""
        self._trunks: tuple[Trunk, ...] = ()
        self._found: dict[Place, Location] = {}
        self._problems: dict[Place, str] = {}
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._looked_up = asyncio.Condition()
        self._chosen: dict[str, NextHop] = {}
        self._routes: dict[str, tuple[str, ...]] = {}
        self._down: set[tuple[str, NextHop]] = set()
        self._avoided: dict[tuple[str, NextHop], float] = {}
        self._resting: dict[tuple[str, NextHop], float] = {}
        self._by_address: dict[tuple[Transport, Address], Trunk] = {}
        self._by_host: dict[tuple[Transport, str], Trunk] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, Trunk]] = []
        self._by_network: dict[str, Trunk | None] = {}

    def follow(self, trunks: Iterable[Trunk]) -> None:
        """Take over the trunks of a new directory; names that are new begin to be looked up, addresses are known."""
        self._trunks = tuple(trunks)
        places = {place_of(trunk) for trunk in self._trunks}
        for place in self._tasks.keys() - places:
            self._tasks.pop(place).cancel()
        for known in (self._found, self._problems):
            for place in known.keys() - places:
                del known[place]
        for place in places:
            if is_address(place.host):
                self._found[place] = at_address(*place)
            elif place not in self._tasks:
                self._tasks[place] = asyncio.create_task(self._look_after(place), name=f"lookup-{place.host}")
        self._arrange()

    async def settled(self, within: float) -> bool:
        """Wait until each name has been looked up once, for so many seconds at most; tell whether that is so."""
        try:
            async with asyncio.timeout(within), self._looked_up:
                await self._looked_up.wait_for(lambda: not self._pending)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Look nothing up any more."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what others see

    def all(self, trunk: Trunk) -> Sequence[NextHop]:
        """Return every hop of a trunk, the best first; none while its name is unknown. The order is always the same."""
        location = self._found.get(place_of(trunk))
        return () if location is None else location.hops

    def for_call(self, trunk: Trunk) -> Sequence[NextHop]:
        """Return the hops that one call tries, in order (RFC 3263 4.3): where we are registered, then by weight.

        Those that seem to be out of service come last, and before them those that want no calls for a while.
        """
        location = self._found.get(place_of(trunk))
        if location is None:
            return ()
        hops = list(location.in_turn(self._chance))
        if len(hops) > 1:
            chosen, now = self._chosen.get(trunk.trunk_id), asyncio.get_running_loop().time()
            hops.sort(key=lambda hop: (*self._troubles(trunk, hop, now), hop != chosen))
        return hops[:MOST_TRIED]

    def location_of(self, trunk: Trunk) -> Location | None:
        """Return where a trunk was found; None: it was not yet, or leads nowhere."""
        return self._found.get(place_of(trunk))

    def is_stale(self, trunk: Trunk) -> bool:
        """Tell whether a trunk is reached where its name led before, since no name server answers."""
        location = self.location_of(trunk)
        return location is not None and location.is_stale

    def problem_of(self, trunk: Trunk) -> str:
        """Say in words why a trunk leads nowhere; "" when it leads somewhere, or was not looked up yet."""
        return "" if place_of(trunk) in self._found else self._problems.get(place_of(trunk), "")

    def trunk_at(self, transport: Transport, remote: Address, own_port: int | None = None) -> Trunk | None:
        """Return the trunk that sends from an address; over connections the port says nothing: each has its own.

        A trunk on UDP sends what is too long for a datagram over TCP (RFC 3261 18.1.1). Its host may be that of phones
        as well, so what counts then is the port where it says that it is, `own_port`. None is a browser, whatever its
        address: an office may share one with its gateway.
        """
        if transport.is_web:
            return None
        if transport is Transport.UDP:
            found = self._by_address.get((transport, remote))
        else:
            found = self._by_host.get((transport, remote[0]))
            if found is None and transport is Transport.TCP and own_port is not None:
                found = self._by_address.get((Transport.UDP, (remote[0], own_port)))
        if found is None and self._networks:
            return self._trunk_of_network(remote[0])
        return found

    # what others have found

    def choose(self, trunk: Trunk, hop: NextHop, routes: tuple[str, ...] = ()) -> None:
        """Reach a trunk at one of its hops from now on, where we are registered, as long as it has it.

        `routes` is the way that calls by that hop are to take from there (RFC 3608).
        """
        self._chosen[trunk.trunk_id] = hop
        self._routes[trunk.trunk_id] = routes

    def routes(self, trunk: Trunk, hop: NextHop) -> tuple[str, ...]:
        """Return the way that calls by a hop take from there: what the registrar said where we are registered."""
        return self._routes.get(trunk.trunk_id, ()) if self._chosen.get(trunk.trunk_id) == hop else ()

    def mark(self, trunk: Trunk, hop: NextHop, *, down: bool) -> None:
        """Note whether a hop answers questions."""
        if down:
            self._down.add((trunk.trunk_id, hop))
        else:
            self._down.discard((trunk.trunk_id, hop))

    def avoid(self, trunk: Trunk, hop: NextHop) -> None:
        """Note that a hop was silent or out of service for a call."""
        self._avoided[trunk.trunk_id, hop] = asyncio.get_running_loop().time() + AVOIDED_FOR

    def rest(self, trunk: Trunk, hop: NextHop, seconds: float) -> None:
        """Note that a hop wants no calls for so many seconds (RFC 3261, 21.5.4)."""
        self._resting[trunk.trunk_id, hop] = asyncio.get_running_loop().time() + seconds

    def rests(self, trunk: Trunk) -> bool:
        """Tell whether every hop of a trunk wants no calls now."""
        if not self._resting:
            return False
        hops, now = self.all(trunk), asyncio.get_running_loop().time()
        return bool(hops) and all(self._rests(trunk, hop, now) for hop in hops)

    # inside

    @property
    def _pending(self) -> bool:
        return any(place not in self._found and place not in self._problems for place in self._tasks)

    def _rests(self, trunk: Trunk, hop: NextHop, now: float) -> bool:
        return self._resting.get((trunk.trunk_id, hop), 0.0) > now

    def _troubles(self, trunk: Trunk, hop: NextHop, now: float) -> tuple[bool, bool, bool]:
        """Return what speaks against a hop, the worst first."""
        key = (trunk.trunk_id, hop)
        return key in self._down, self._rests(trunk, hop, now), self._avoided.get(key, 0.0) > now

    async def _look_after(self, place: Place) -> None:
        """Look one name up, again and again."""
        while True:
            try:
                async with self._slots:
                    wait = self._take(place, await self._locate(*place))
            except NotFound as error:
                self._lose(place, str(error))
                wait = RETRY
            except Exception:
                log.exception("%s could not be looked up", place.host)
                self._lose(place, "it could not be looked up: a fault of the program")
                wait = RETRY
            async with self._looked_up:
                self._looked_up.notify_all()
            await asyncio.sleep(wait)

    def _take(self, place: Place, found: Location) -> float:
        """Take over where a name leads; return the seconds until it is to be looked up again.

        The same servers stay in the order that they had: a name server gives them in another one each time.
        """
        before = self._found.get(place)
        self._problems.pop(place, None)
        if found.is_stale and (before is None or not before.is_stale):
            log.warning("no name server answers for %s: it is reached where it was before", place.host)
        if before is not None and _unordered(before) == _unordered(found):
            self._found[place] = found._replace(servers=before.servers)
            return found.lives
        self._found[place] = found
        log.info("%s: %s, by %s", place.host, ", ".join(map(str, found.hops)), found.way)
        self._arrange()
        self.on_change()
        return found.lives

    def _lose(self, place: Place, problem: str) -> None:
        lost = self._found.pop(place, None) is not None
        if not lost and self._problems.get(place) == problem:
            return
        self._problems[place] = problem
        log.warning("trunk %s: %s", " and ".join(t.name for t in self._trunks if place_of(t) == place), problem)
        self._arrange()
        self.on_change()

    def _arrange(self) -> None:
        """Know whose each address is, and forget what was noted of hops that are gone."""
        by_trunk = {trunk.trunk_id: frozenset(self.all(trunk)) for trunk in self._trunks}
        self._chosen = {key: hop for key, hop in self._chosen.items() if hop in by_trunk.get(key, ())}
        self._routes = {key: routes for key, routes in self._routes.items() if key in self._chosen}
        self._down = {(key, hop) for key, hop in self._down if hop in by_trunk.get(key, ())}
        self._avoided, self._resting = (
            {(key, hop): until for (key, hop), until in noted.items() if hop in by_trunk.get(key, ())}
            for noted in (self._avoided, self._resting)
        )
        self._by_address, self._by_host = {}, {}
        open_trunks = [trunk for trunk in self._trunks if trunk.inbound is Inbound.ADDRESS]
        for trunk in open_trunks:
            for transport, address in self.all(trunk):
                self._by_address.setdefault((transport, address), trunk)
                if transport is not Transport.UDP:
                    self._by_host.setdefault((transport, address[0]), trunk)
        self._networks = [(network, trunk) for trunk in open_trunks for network in trunk.networks]
        self._by_network = {}

    def _trunk_of_network(self, host: str) -> Trunk | None:
        if host in self._by_network:
            return self._by_network[host]
        address = ip_address(host.partition("%")[0])
        found = next((trunk for network, trunk in self._networks if address in network), None)
        if len(self._by_network) >= KNOWN_HOSTS:
            self._by_network.clear()
        self._by_network[host] = found
        return found


def _unordered(location: Location) -> set[tuple[int, int, frozenset[NextHop]]]:
    return {(server.priority, server.weight, frozenset(server.hops)) for server in location.servers}


def place_of(trunk: Trunk) -> Place:
    """Return what is looked up for a trunk."""
    host = trunk.host.removeprefix("[").removesuffix("]")
    return Place(host, trunk.port, None if trunk.transport is None else Transport(trunk.transport))


def _nothing() -> None:
    """Tell nobody."""
