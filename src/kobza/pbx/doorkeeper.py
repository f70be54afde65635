"""Keeps the door of SIP: what the store, the directory and the authenticator know goes there, new bans into the store.

A ban is in force at once and stored a moment later; what people change by `kobza bans` is taken over with the
directory, which its version tells of.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_network
from typing import Final

from kobza.call.directory import Directory
from kobza.defence.bans import Ban, BanList
from kobza.defence.door import Door, Rules
from kobza.defence.source import Network
from kobza.pbx.directory_view import DirectoryView
from kobza.sip.flow import Address, Flow
from kobza.store import Store, sip_bans
from kobza.store.errors import StoreAway

log = logging.getLogger(__name__)

SWEEP_INTERVAL: Final = 5.0
"""Seconds between two looks for flows that have proven nothing for too long."""
RETRY_INTERVAL: Final = 2.0
"""Seconds until the next try after the store did not answer."""


class Doorkeeper:
    """Looks after one door. Everything belongs into the loop's thread; the store has another one."""

    def __init__(
        self,
        rules: Rules,
        *,
        store: Store,
        view: DirectoryView,
        never: Sequence[Network],
        ban_for: float,
        is_ours: Callable[[str, str, float], bool],
        now: Callable[[], float],
    ) -> None:
        """`never` are networks that are neither limited nor banned, `ban_for` the seconds of a first ban (0: none)."""
        self.bans = BanList(ban_for)
        self.door = Door(rules, self.bans, is_ours=is_ours, flooded=self._flooded)
        self._store = store
        self._view = view
        self._never = tuple(never)
        self._now = now
        self._wake = asyncio.Event()
        self._is_changed = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, known: Iterable[Address]) -> None:
        """Load the bans and begin to look after them; `known` is where registered devices send from."""
        self._trust(self._view.snapshot)
        now = self._now()
        for remote in known:
            self.door.proved(remote, now)
        await self._read()
        self._view.followers.append(self._follow)
        self._task = asyncio.create_task(self._run(), name="door")

    async def stop(self) -> None:
        """Store what is not stored yet, and look after nothing any more."""
        if self._task is None:
            return
        self._view.followers.remove(self._follow)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        try:
            await self._write()
        except StoreAway as error:
            log.warning("bans are not stored: %s", error)

    def proved(self, flow: Flow, now: float, *, unlimited: bool = False) -> None:
        """Take that who is at a flow has a right password. `unlimited`: it is a trunk."""
        self.door.proved(flow.remote, now, unlimited=unlimited)

    def guessed(self, flow: Flow, user: str, now: float) -> None:
        """Take that who is at a flow has answered a challenge wrongly, in the name of a user."""
        ban = self.door.guessed(flow.remote, user, now)
        if ban is not None and ban.until is not None:
            minutes = (ban.until - now) / 60
            log.warning("%s is banned for %.0f min (no. %d): %s", ban.source, minutes, ban.times, ban.reason)
            self._wake.set()

    # inside

    @staticmethod
    def _flooded(source: str) -> None:
        log.warning("%s sends more SIP than a stranger may: what is beyond is dropped", source)

    def _follow(self, snapshot: Directory) -> None:
        self._trust(snapshot)
        self._is_changed = True
        self._wake.set()

    def _trust(self, snapshot: Directory) -> None:
        """Trust the trunks, by whatever address they are known."""
        networks = list(self._never)
        for trunk in snapshot.trunks:
            networks += trunk.networks
            networks += [ip_network(hop.address[0].partition("%")[0]) for hop in self._view.hops.all(trunk)]
        self.door.trust(networks)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(SWEEP_INTERVAL):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            try:
                self.door.sweep(self._now())
                await self._write()
                if self._is_changed:
                    self._is_changed = False
                    await self._read()
            except StoreAway as error:
                log.error("bans are neither stored nor read: %s", error)  # noqa: TRY400 - no fault of the code
                await self._try_again()
            except Exception:
                log.exception("the door could not be looked after")
                await self._try_again()

    async def _try_again(self) -> None:
        self._is_changed = True
        await asyncio.sleep(RETRY_INTERVAL)
        self._wake.set()

    async def _read(self) -> None:
        """Take the bans over. Who bans by hand means all that is there, proven or not."""
        bans = await asyncio.to_thread(self._load)
        self.bans.load(bans)
        now = self._now()
        self.door.expel({ban.source for ban in bans if ban.made_by and ban.holds(now)})

    async def _write(self) -> None:
        bans = self.bans.unwritten()
        if bans:
            await asyncio.to_thread(self._put, bans)
            self.bans.written(bans)

    def _put(self, bans: Sequence[Ban]) -> None:
        with self._store.write() as conn:
            sip_bans.put(conn, bans)
            sip_bans.forget(conn, self._now())

    def _load(self) -> list[Ban]:
        with self._store.read() as conn:
            return sip_bans.list_all(conn)
