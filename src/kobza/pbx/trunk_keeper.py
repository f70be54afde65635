"""Keeps all trunks: those that register stay registered, and which of them can be used is known at any moment."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kobza.call.directory import Directory
from kobza.call.trunk import Trunk
from kobza.net.endpoint import SipEndpoint
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.kept_trunk import SERVICE_UNAVAILABLE, KeptTrunk
from kobza.pbx.trunk_lines import TrunkLines
from kobza.sip.invite import InviteDialog
from kobza.sip.location import NextHop
from kobza.sip.message import SipResponse
from kobza.sip.request import ClientRequest
from kobza.sip.ua import UserAgent
from kobza.store import Store, trunks
from kobza.store.errors import StoreAway
from kobza.store.trunks import TrunkState

log = logging.getLogger(__name__)

LONGEST_WAIT: Final = 60.0
"""Seconds between two looks at all trunks."""
RETRY_INTERVAL: Final = 2.0
"""Seconds until the next try after a fault, or when the store did not take what was to be written down."""
LEAVE_SECONDS: Final = 2.0
"""How long a stop waits for registrars to take our contacts away; then they run out by themselves."""

OTHER_WAY: Final = ("host", "port", "transport", "domain", "username", "password", "expires", "options_every")
"""Fields of a trunk that begin everything anew when they change."""
OTHER_ACCOUNT: Final = ("host", "port", "domain", "username")
"""Those of them that make it another contact at another account: the one before is taken away."""


class TrunkKeeper:
    """Looks after the trunks of the directory. Everything belongs into the loop's thread; the store has another one."""

    def __init__(
        self,
        *,
        ua: UserAgent,
        view: DirectoryView,
        store: Store,
        now: Callable[[], float],
        new_id: Callable[[], str],
        speed: float = 1.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`speed` is how many seconds of `now` pass in one of the wall, `chance` gives numbers from 0 to 1."""
        self._ua = ua
        self._endpoint: SipEndpoint | None = None
        self._view = view
        self.lines = TrunkLines()
        """How full the trunks are."""
        self._store = store
        self._now = now
        self._new_id = new_id
        self._speed = speed
        self._chance = chance
        self._kept: dict[str, KeptTrunk] = {}
        self._leaving: list[KeptTrunk] = []
        self._written: dict[str, TrunkState] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, endpoint: SipEndpoint) -> None:
        """Begin to look after the trunks, over sockets that are open."""
        self._endpoint = endpoint
        self._view.followers.append(self._follow)
        self._follow(self._view.snapshot)
        self._task = asyncio.create_task(self._run(), name="trunks")

    async def stop(self) -> None:
        """Take our contacts away, as far as registrars answer soon; look after nothing any more."""
        if self._task is None or self._endpoint is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._view.followers.remove(self._follow)
        now = self._now()
        for kept in self._kept.values():
            kept.stop(now)
        self._leaving += self._kept.values()
        self._kept, self._written = {}, {}
        self._endpoint.pump()
        self._endpoint = None
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                while any(kept.is_leaving for kept in self._leaving):
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            log.info("some registrars did not say that they took our contacts away")
        self._leaving.clear()

    # what others see

    def is_usable(self, trunk: Trunk) -> bool:
        """Tell whether a call may go out by a trunk with any hope; one that is not known yet has some."""
        kept = self._kept.get(trunk.trunk_id)
        return kept is None or kept.is_usable(self._now())

    def __iter__(self) -> Iterator[KeptTrunk]:
        """Every trunk of the directory."""
        return iter(self._kept.values())

    def suspect(self, name: str, hop: NextHop, *, out_of_service: bool) -> None:
        """Take that a call by a hop of a trunk failed: it is asked at once whether it is there.

        `out_of_service`: another hop of the same trunk is tried, and this one last for a while.
        """
        for kept in self._kept.values():
            if kept.trunk.name == name:
                kept.suspect(hop, self._now())
                if out_of_service:
                    self._view.hops.avoid(kept.trunk, hop)
                self._wake.set()

    def refused(self, dialog: InviteDialog, response: SipResponse) -> None:
        """Take that somebody has refused a call: a trunk's server may have said for how long it wants none.

        That counts for all trunks that lead to it.
        """
        if response.status == SERVICE_UNAVAILABLE and response.retry_after:
            for kept in self._kept.values():
                kept.rest(NextHop(dialog.flow.transport, dialog.flow.remote), response, self._now())
            self._wake.set()

    # what comes back

    def answered(self, request: ClientRequest, response: SipResponse) -> None:
        """Take the final response to a request; one that is none of a trunk's concerns nobody."""
        if isinstance(request.tag, KeptTrunk):
            request.tag.answered(request, response, self._now())
            self._wake.set()

    def failed(self, request: ClientRequest, status: int) -> None:
        """Take that a request gets no response."""
        if isinstance(request.tag, KeptTrunk):
            request.tag.failed(request, status, self._now())
            self._wake.set()

    # inside

    def _follow(self, snapshot: Directory) -> None:
        """Take over the trunks of a new directory; those that are as before go on."""
        now, endpoint = self._now(), self._endpoint
        if endpoint is None:
            return
        kept: dict[str, KeptTrunk] = {}
        for trunk in snapshot.trunks:
            before = self._kept.get(trunk.trunk_id)
            if before is not None and not _differ(trunk, before.trunk, OTHER_WAY):
                before.trunk = trunk
                before.hops_changed(now)
                kept[trunk.trunk_id] = before
                continue
            if before is not None and (trunk.expires is None or _differ(trunk, before.trunk, OTHER_ACCOUNT)):
                self._leave(before, now)
            kept[trunk.trunk_id] = KeptTrunk(
                trunk,
                ua=self._ua,
                endpoint=endpoint,
                hops=self._view.hops,
                call_id=self._new_id(),
                chance=self._chance,
                now=now,
            )
        for trunk_id in self._kept.keys() - kept.keys():
            self._leave(self._kept[trunk_id], now)
            self._written.pop(trunk_id, None)
        self._kept = kept
        self.lines.keep(snapshot.trunks)
        self._wake.set()

    def _leave(self, kept: KeptTrunk, now: float) -> None:
        kept.stop(now)
        self._leaving.append(kept)

    async def _run(self) -> None:
        while True:
            try:
                self._wake.clear()
                wait = self._work()
                if not await self._write():
                    wait = min(wait, RETRY_INTERVAL)
            except Exception:
                log.exception("the trunks could not be looked after")
                wait = RETRY_INTERVAL
                self._wake.clear()
                await asyncio.sleep(wait)
                continue
            try:
                async with asyncio.timeout(wait / self._speed):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _work(self) -> float:
        """Do what is due; return the seconds until there is more to do."""
        now = self._now()
        for kept in self._kept.values():
            kept.work(now)
        self._leaving = [kept for kept in self._leaving if kept.is_leaving]
        if self._endpoint is not None:
            self._endpoint.pump()
        deadlines = [kept.deadline for kept in self._kept.values() if kept.deadline is not None]
        return max(0.01, min([LONGEST_WAIT, *(deadline - now for deadline in deadlines)]))

    async def _write(self) -> bool:
        """Write down what has changed, and tell it; return whether the store took it."""
        now = self._now()
        found = {trunk_id: kept.state_at(now) for trunk_id, kept in self._kept.items()}
        changed = {trunk_id: state for trunk_id, state in found.items() if self._is_news(state)}
        if not changed:
            return True
        try:
            await asyncio.to_thread(self._store_states, changed)
        except StoreAway as error:
            log.error("how trunks do cannot be written down: %s", error)  # noqa: TRY400 - no fault of the code
            return False
        for trunk_id, state in changed.items():
            self._tell(found[trunk_id], self._kept.get(trunk_id))
            self._written[trunk_id] = state
        return True

    def _is_news(self, state: TrunkState) -> bool:
        before = self._written.get(state.trunk_id)
        return before is None or before._replace(changed_at=0) != state._replace(changed_at=0)

    def _store_states(self, changed: Mapping[str, TrunkState]) -> None:
        with self._store.write() as conn:
            trunks.set_states(conn, list(changed.values()))

    @staticmethod
    def _tell(state: TrunkState, kept: KeptTrunk | None) -> None:
        if kept is None or (state.state == "unknown" and not state.detail and state.registration != "registered"):
            return
        what = state.state if state.registration is None else f"{state.state}, {state.registration}"
        level = logging.WARNING if state.detail else logging.INFO
        log.log(level, "trunk %s: %s%s", kept.trunk.name, what, f" ({state.detail})" if state.detail else "")


def _differ(one: Trunk, other: Trunk, fields: tuple[str, ...]) -> bool:
    return any(getattr(one, name) != getattr(other, name) for name in fields)
