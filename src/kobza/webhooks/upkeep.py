"""What the dispatcher does every second: changes of the endpoints, replays, erasures; what the store is to remember."""

from kobza.webhooks.backlog import Backlog
from kobza.webhooks.lane import Mode
from kobza.webhooks.lanes import Lanes


class Upkeep:
    """Keeps the lanes up to date with what other parts and other processes did to the store."""

    def __init__(self, backlog: Backlog, lanes: Lanes) -> None:
        self._backlog = backlog
        self._lanes = lanes
        self._version: int | None = None
        self._erasures = 0
        self._replays = 0

    async def start(self) -> None:
        """Note what was before, and get a lane for each endpoint that is switched on."""
        self._erasures = await self._backlog.erasures()
        self._replays = await self._backlog.replays()
        for enterprise_id in await self._backlog.enterprises():
            self._lanes.of(enterprise_id).poked = True

    async def tick(self) -> None:
        """Take over what has changed. Raises what the store raises."""
        await self._save_health()
        await self._take_changes()
        await self._take_replays()
        for lane in self._lanes:  # deliveries may have become due
            lane.poked = lane.poked or lane.mode is Mode.BEHIND

    async def _take_changes(self) -> None:
        """See which endpoints were set, changed, switched on or removed since the last look, and what was erased."""
        changes = await self._backlog.changes_since(self._version)
        if changes.endpoints is None:
            return
        self._version, endpoints = changes.version, changes.endpoints
        if changes.erasures > self._erasures:
            self._erasures = changes.erasures
            for lane in self._lanes:
                lane.read_anew()
        for enterprise_id in (one.enterprise_id for one in endpoints.values() if one.active):
            self._lanes.of(enterprise_id)  # it may be owed something since before this process
        for lane in self._lanes:
            endpoint = endpoints.get(lane.enterprise_id)
            if endpoint is None or not endpoint.active or lane.closing:
                lane.switch_off()
            elif lane.mode is Mode.OFF or endpoint != lane.endpoint:
                lane.begin_anew(endpoint)

    async def _take_replays(self) -> None:
        """See whether more is owed than before: another process, such as a command, may have replayed something."""
        replays = await self._backlog.replays()
        if replays != self._replays:
            for lane in self._lanes:
                if lane.mode is not Mode.OFF:
                    lane.fall_behind()
        self._replays = replays

    async def _save_health(self) -> None:
        """Store since when which endpoint fails, so that a restart forgets nothing."""
        changed = {
            lane.enterprise_id: lane.health for lane in self._lanes if lane.health.failing_since != lane.health.stored
        }
        if changed:
            since = {enterprise_id: health.failing_since for enterprise_id, health in changed.items()}
            await self._backlog.note_failing(since)
            for enterprise_id, health in changed.items():
                health.stored = since[enterprise_id]
