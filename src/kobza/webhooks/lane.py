"""One endpoint as the dispatcher keeps it: its queue, how much of what is owed it holds, how it is doing. No I/O."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from kobza.call.directory import Endpoint
from kobza.webhooks.backlog import Page
from kobza.webhooks.health import Health
from kobza.webhooks.queue import Delivery, EndpointQueue

MEANWHILE: Final = 1000
"""Deliveries that may arrive during one look into the store; with more the store is looked into again."""


class Mode(Enum):
    """Where the deliveries of an endpoint are."""

    LIVE = auto()
    """All that is pending is in memory."""
    BEHIND = auto()
    """More is pending than memory may hold: in memory are first deliveries of legs that may go now, and the store has
    the rest. So it is from the start until the first look into the store, too."""
    OFF = auto()
    """The endpoint is switched off or removed; what is owed waits in the store."""


class Lane:
    """One endpoint: what is owed to it and is in memory."""

    __slots__ = (
        "_meanwhile",
        "_missed",
        "_scanning",
        "_settled",
        "closing",
        "endpoint",
        "enterprise_id",
        "health",
        "mode",
        "poked",
        "queue",
        "settling",
    )

    def __init__(self, enterprise_id: str) -> None:
        self.enterprise_id = enterprise_id
        self.endpoint: Endpoint | None = None
        self.queue = EndpointQueue()
        self.mode = Mode.BEHIND
        self.health = Health()
        self.poked = False
        """Whether the store has to be looked into (again)."""
        self.closing = False
        """Whether the receiver wants no more, and the store does not know yet."""
        self.settling: dict[str, bool] = {}
        """Events whose last attempt is not committed yet: the store still shows what was before. True: they are to be
        tried again and are not in memory."""
        self._scanning = False
        self._missed = False
        self._meanwhile: list[Delivery] = []
        self._settled: dict[str, bool] = {}

    def begin_anew(self, endpoint: Endpoint) -> None:
        """Take over an endpoint that was set, changed or switched on: nothing is known of how it does."""
        self.endpoint = endpoint
        self.health = Health()
        self.fall_behind()

    def offer(self, delivery: Delivery, room: int) -> bool:
        """Take a delivery that has just been stored; return whether it may be there for the taking."""
        if self.mode is Mode.LIVE:
            if room > 0:
                self.queue.add(delivery)
                return True
            self.fall_behind()
            return False
        self.poked = True
        if self._scanning:
            if len(self._meanwhile) < MEANWHILE:
                self._meanwhile.append(delivery)
            else:
                self._missed = True
        return False

    def fall_behind(self) -> None:
        """Leave what is not under way to the store, which has it anyway."""
        self.mode = Mode.BEHIND
        self.poked = True
        self.queue.clear()

    def read_anew(self) -> None:
        """Forget what is in memory: something of it was erased in the store."""
        if self.mode is not Mode.OFF:
            self.fall_behind()
        self.queue.forget()

    def switch_off(self) -> None:
        """Send nothing more. When it is switched on again, nothing is held against it."""
        self.mode = Mode.OFF
        self.health = Health()
        self.queue.clear()

    def settle(self, delivery: Delivery, *, evicted: bool) -> None:
        """Note that an attempt has ended and its result is on its way into the store.

        `evicted`: there will be another attempt, and only the store keeps it in mind.
        """
        self.settling[delivery.event_id] = evicted
        if self._scanning:
            self._settled[delivery.event_id] = evicted

    def start_scan(self) -> None:
        """Note that the store is being looked into from now on."""
        self.poked = self._missed = False
        self._scanning = True
        self._meanwhile = []
        self._settled = dict(self.settling)

    def abandon_scan(self) -> None:
        """Note that the look into the store failed."""
        self._scanning = False
        self.poked = True
        self._meanwhile = []

    def finish_scan(self, page: Page) -> None:
        """Take over what the store had. It saw neither the attempts that ended nor the states that came meanwhile."""
        self._scanning = False
        meanwhile, self._meanwhile = self._meanwhile, []
        if self.endpoint is None:  # the first look of this process
            self.health = Health(page.failing_since)
        self.endpoint = page.endpoint
        if page.endpoint is None or not page.endpoint.active or self.closing:
            self.switch_off()
            return
        evicted = any(self._settled.get(delivery.event_id) for delivery in page.deliveries)
        if page.complete and not self._missed and not evicted:
            self.mode = Mode.LIVE
            self.poked = False
            self._add(page.deliveries)
            self._add(meanwhile)
            return
        self.mode = Mode.BEHIND
        self.poked = self.poked or self._missed or evicted
        firsts: dict[str, Delivery] = {}
        for delivery in page.deliveries:
            firsts.setdefault(delivery.call_control_id, delivery)
        self._add(firsts.values())

    def _add(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.event_id not in self._settled:
                self.queue.add(delivery)
