"""The installation as the operator's page shows it: the sources of the metrics, and the doctor, in one view."""

import asyncio
import logging
import math
import platform
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from kobza import BUILD
from kobza.app.doctor.examination import Examination
from kobza.app.doctor.findings import Finding
from kobza.call.trunk import Trunk
from kobza.config.loading import Loaded
from kobza.net.addresses import is_address
from kobza.observe import readiness
from kobza.observe.recent import Recent
from kobza.observe.sources import Sources
from kobza.portal.system_port import (
    BackupMade,
    Examined,
    Found,
    PartNow,
    QueueNow,
    SystemNow,
    TrunkNow,
    Versions,
)
from kobza.sip.flow import host_text
from kobza.store import StoreError, backup_notes, enterprises
from kobza.store.deliveries import Owed
from kobza.store.migrations import HEAD

log = logging.getLogger(__name__)

ASKED_EVERY: Final = 60.0
"""Seconds for which what the store says of backups and enterprises is good."""


class SystemWatch:
    """Looks at one running server. Everything but the doctor and the store is read in the loop's thread."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._sources: Sources | None = None
        self._recent: Recent | None = None
        self._started_at = 0.0
        self._examination: asyncio.Task[list[Finding]] | None = None
        self._examined: Examined | None = None
        self._told: tuple[float, str, int, list[BackupMade]] | None = None

    def start(self, sources: Sources) -> None:
        """Begin to look at the parts of a server that runs."""
        self._sources, self._recent, self._started_at = sources, Recent(sources), sources.now()
        self._recent.start()

    async def stop(self) -> None:
        """Look no more; a doctor at work is not waited for."""
        if self._recent is not None:
            await self._recent.stop()
        if self._examination is not None:
            self._examination.cancel()

    @property
    def examining(self) -> bool:
        """Whether the doctor is at work."""
        return self._examination is not None and not self._examination.done()

    @property
    def examined(self) -> Examined | None:
        """What the doctor found last."""
        return self._examined

    def examine(self) -> None:
        """Have the doctor look, in a thread: it waits for others most of its time."""
        if self.examining:
            return
        self._examination = asyncio.create_task(asyncio.to_thread(Examination(self._loaded).findings), name="doctor")
        self._examination.add_done_callback(self._found)

    def _found(self, task: "asyncio.Task[list[Finding]]") -> None:
        if task.cancelled() or self._sources is None:
            return
        if (error := task.exception()) is not None:
            log.error("the doctor failed", exc_info=error)
            found = [Found("doctor", "bad", f"it failed: {error}", "see the log")]
        else:
            found = [Found(each.check, str(each.state), each.found, each.advice) for each in task.result()]
        order = ("bad", "look", "good")
        self._examined = Examined(self._sources.now(), sorted(found, key=lambda each: order.index(each.state)))

    async def now(self) -> SystemNow:
        """Return how the installation is."""
        of, recent = self._sources, self._recent
        if of is None or recent is None:
            raise RuntimeError("the server has not started yet")
        await of.ask_store()
        parts = [PartNow(each.name, each.reason) for each in await readiness.look(of)]
        store, count, backups = await self._ask(of)
        disk = await asyncio.to_thread(shutil.disk_usage, self._loaded.settings.data)
        meter, lag = of.books.meter, recent.lag
        return SystemNow(
            started_at=self._started_at,
            parts=parts,
            trunks=_trunks(of),
            enterprises=count,
            numbers=len(of.view.snapshot.subscribers),
            registered=of.locations.numbers,
            calls=sum(meter.active.values()),
            talking=sum(meter.talking.values()),
            calls_per_second=recent.calls_per_second,
            lag=of.lag.seconds.bounds[-1] if lag == math.inf else lag,
            lag_beyond=lag == math.inf,
            journal=QueueNow(of.journal.waiting, of.journal.oldest_age),
            owed=None if of.stored is None else _queue(of, of.stored.owed),
            held_back=None if of.stored is None else _queue(of, of.stored.waiting),
            spools=of.recordings.spools_waiting,
            bucket=QueueNow(of.uploads.waiting, of.uploads.oldest_age) if of.uploads.wanted else None,
            bucket_up=of.uploads.up is not False,
            media_up=of.plane.is_ready,
            media_parts=[each.is_up for each in of.plane.instances],
            media_deaths=of.plane.deaths,
            ports_used=of.plane.ports_used,
            ports=of.plane.ports_total,
            bans=of.door.bans.in_force(of.now()),
            dropped=sum(of.door.dropped.values()),
            disk_free=disk.free,
            disk_total=disk.total,
            room=int(of.space.space),
            backups=backups,
            versions=Versions(version("kobza"), str(BUILD), platform.python_version(), store, HEAD),
        )

    async def _ask(self, of: Sources) -> tuple[str, int, list[BackupMade]]:
        """Return what the store is, how many enterprises it has, and its backups; what was known while it is away."""
        moment = asyncio.get_running_loop().time()
        if self._told is None or moment >= self._told[0]:

            def read() -> tuple[str, int, list[BackupMade]]:
                with of.store.read() as conn:
                    made = [BackupMade(*_fields(each)) for each in backup_notes.list_all(conn)]
                    return of.store.backend.described(), len(enterprises.list_all(conn)), made

            try:
                self._told = (moment + ASKED_EVERY, *await asyncio.to_thread(read))
            except StoreError as error:
                log.warning("the store does not tell the system page what it has: %s", error)
        return ("", 0, []) if self._told is None else self._told[1:]


def _fields(note: backup_notes.BackupNote) -> tuple[int, str, int, bool]:
    return note.made_at, note.path, note.size, note.with_recordings


def _queue(of: Sources, owed: Owed) -> QueueNow:
    oldest = 0.0 if owed.oldest_at is None else max(0.0, of.now() - owed.oldest_at / 1000)
    return QueueNow(owed.deliveries, oldest)


def _named(trunk: Trunk) -> str:
    """Return where a trunk is as it was configured."""
    port = "" if trunk.port is None else f":{trunk.port}"
    return f"{host_text(trunk.host)}{port}" + ("" if trunk.transport is None else f" ({trunk.transport})")


def _found(of: Sources, trunk: Trunk) -> Sequence[str]:
    """Return where a trunk's name leads; nothing for an address, which leads to itself."""
    location = of.view.hops.location_of(trunk)
    return () if location is None or is_address(trunk.host) else [str(hop) for hop in location.hops]


def _trunks(of: Sources) -> list[TrunkNow]:
    now, used = of.now(), of.books.meter.on_trunks
    found = []
    for kept in of.keeper:
        trunk, state = kept.trunk, kept.state_at(now)
        found.append(
            TrunkNow(
                name=trunk.name,
                address=_named(trunk),
                found=_found(of, trunk),
                reach=state.state,
                registration=state.registration,
                usable=kept.is_usable(now),
                detail=state.detail,
                incoming=used.get((trunk.name, "incoming"), 0),
                outgoing=used.get((trunk.name, "outgoing"), 0),
                capacity=trunk.capacity,
            )
        )
    return found
