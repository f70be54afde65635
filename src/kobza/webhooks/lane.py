"""One endpoint as the dispatcher keeps it: its queue, how much of what is owed it holds, how it is doing. No I/O."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from kobza.call.directory import Endpoint
from kobza.webhooks.backlog import Page
from kobza.webhooks.health import Health
from kobza.webhooks.queue import Delivery, EndpointQueue
from kobza.webhooks.whole_legs import WholeLegs

MEANWHILE: Final = 1000
"""Deliveries that may arrive during one look into the store; with more the store is looked into again."""


class Mode(Enum):
    """Where the deliveries of an endpoint are."""

    LIVE = auto()
    """All that is pending is in memory."""
    BEHIND = auto()
    """More is pending than memory may hold. In memory are first deliveries of legs that may go now, and all of the legs
    that are known to be whole: those of calls that are on. The store has the rest. So it is from the start until the
    first look into the store, too."""
    OFF = auto()
    """The endpoint is switched off or removed; what is owed waits in the store."""


class Lane:
    """One endpoint: what is owed to it and is in memory."""

    __slots__ = (
        "_meanwhile",
        "_missed",
        "_overtaken",
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
        "whole",
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
        self.whole = WholeLegs()
        """While it is behind: the legs that need not wait for the backlog."""
        self._scanning = False
        self._missed = False
        self._overtaken = False
        """Whether what a look into the store brings is out of date before it is there."""
        self._meanwhile: list[Delivery] = []
        self._settled: dict[str, bool] = {}

    @property
    def held(self) -> int:
        """How many deliveries are in memory."""
        return len(self.queue) + self.whole.asked

    @property
    def idle(self) -> bool:
        """Whether nothing is in memory, nor on its way there from the store."""
        return not self.held and not self._scanning

    def begin_anew(self, endpoint: Endpoint) -> None:
        """Take over an endpoint that was set, changed or switched on: nothing is known of how it does."""
        self.endpoint = endpoint
        self.health = Health()
        self.fall_behind()

    def offer(self, delivery: Delivery, room: int) -> None:
        """Take over a delivery that has just been stored. Without room, it is left to the store.

        `room` is how many more may be in memory.
        """
        if self._scanning:
            if len(self._meanwhile) < MEANWHILE:
                self._meanwhile.append(delivery)
            else:
                self._missed = True
        if self.mode is Mode.LIVE:
            if room > 0:
                self.queue.add(delivery, live=self.health.probed_at is None)
                return
            self.fall_behind()
        if not self._goes_ahead(delivery, room):
            self.poked = True

    def answer(self, question: Delivery, head: int | None, room: int) -> None:
        """Take over from the store which sequence is the first one pending in the leg of a delivery asked about.

        Only if it is that one, it goes ahead, and what has followed in its leg meanwhile.
        """
        deliveries = self.whole.answered(question)
        if head == question.sequence and len(deliveries) <= room and self.health.probed_at is None:
            for delivery in deliveries:
                self._add_live(delivery)
        elif deliveries:
            self.poked = True

    def recheck(self) -> None:
        """Have the store looked into, because it may owe more than it did."""
        if self.mode is Mode.OFF:
            self.poked = self._overtaken = True
        else:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Leave what is not under way to the store, which has it anyway."""
        self.mode = Mode.BEHIND
        self.poked = self._overtaken = True
        self._clear()

    def die(self) -> None:
        """Note that the receiver is dead: what comes from calls is owed like all else until it works again."""
        if self.mode is Mode.BEHIND:
            self.fall_behind()
        else:
            self.queue.age()

    def read_anew(self) -> None:
        """Forget what is in memory: something of it was erased in the store."""
        if self.mode is not Mode.OFF:
            self.fall_behind()
        self.queue.forget()

    def switch_off(self) -> None:
        """Send nothing more. When it is switched on again, nothing is held against it."""
        self.mode = Mode.OFF
        self.health = Health()
        self._overtaken = True
        self._clear()

    def settle(self, delivery: Delivery, *, evicted: bool) -> None:
        """Note that an attempt has ended and its result is on its way into the store.

        `evicted`: there will be another attempt, and only the store keeps it in mind.
        """
        self.settling[delivery.event_id] = evicted
        if self._scanning:
            self._settled[delivery.event_id] = evicted
        if evicted:  # what follows in its leg must not overtake it
            self.whole.discard(delivery.call_control_id)
            self.queue.drop(delivery.call_control_id)

    def settled(self, delivery: Delivery) -> None:
        """Note that the result is stored. The next one of the leg may go; if it is not in memory, the store has it."""
        self.settling.pop(delivery.event_id, None)
        if self.mode is Mode.BEHIND and delivery.call_control_id not in self.whole:
            self.poked = True

    def start_scan(self) -> None:
        """Note that the store is being looked into from now on."""
        self.poked = self._missed = self._overtaken = False
        self._scanning = True
        self._meanwhile = []
        self._settled = dict(self.settling)

    def abandon_scan(self) -> None:
        """Note that the look into the store failed."""
        self._scanning = False
        self.poked = True
        self._meanwhile = []

    def finish_scan(self, page: Page) -> None:
        """Take over what the store had. It saw neither the attempts that ended nor the states that came meanwhile.

        What may be older than an erasure, a replay or a change of the endpoint is left, and the store read again.
        """
        self._scanning = False
        meanwhile, self._meanwhile = self._meanwhile, []
        if self._overtaken:
            self.poked = True
            return
        if self.endpoint is None:  # the first look of this process
            self.health = Health(page.failing_since)
        self.endpoint = page.endpoint
        if page.endpoint is None or not page.endpoint.active or self.closing:
            self.switch_off()
            return
        evicted = any(self._settled.values())
        if page.complete and not self._missed and not evicted:
            self.mode = Mode.LIVE
            self.poked = False
            self.whole.clear()
            self._add(page.deliveries)
            self._add(meanwhile, live=self.health.probed_at is None)
            return
        self.mode = Mode.BEHIND
        self.poked = self.poked or self._missed or evicted
        firsts: dict[str, Delivery] = {}
        for delivery in page.deliveries:
            firsts.setdefault(delivery.call_control_id, delivery)
        self._add(delivery for leg, delivery in firsts.items() if not self.whole.is_asked(leg))

    def _goes_ahead(self, delivery: Delivery, room: int) -> bool:
        """Take a delivery into memory beside the backlog, or ask for it; return False when it is left to the store.

        Order is promised within a leg alone. So a delivery may go ahead of the backlog when nothing is pending of its
        leg that is not in memory, too: when the leg has just begun, when it is known to be whole, or when the store
        says so.
        """
        leg = delivery.call_control_id
        if delivery.event_id in self.queue or delivery.event_id in self.settling:
            return True  # a look into the store was faster
        if self.mode is not Mode.BEHIND or self.endpoint is None or self.health.probed_at is not None:
            return False
        if room <= 0:
            self.whole.discard(leg)
            return False
        if leg in self.whole or delivery.sequence == 1:
            self._add_live(delivery)
            return True
        return not self.queue.has_leg(leg) and self.whole.ask(delivery)

    def _add_live(self, delivery: Delivery) -> None:
        self.queue.add(delivery, live=True)
        self.whole.add(delivery.call_control_id)

    def _clear(self) -> None:
        for event_id in self.settling:  # what waits for another attempt is from now on in the store alone
            if event_id in self.queue:
                self.settling[event_id] = True
                if self._scanning:
                    self._settled[event_id] = True
        self.queue.clear()
        self.whole.clear()

    def _add(self, deliveries: Iterable[Delivery], *, live: bool = False) -> None:
        for delivery in deliveries:
            if delivery.event_id not in self._settled:
                self.queue.add(delivery, live=live)
