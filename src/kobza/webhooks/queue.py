"""What is held in memory for one endpoint: who is next, who waits, who is under way. Pure: no clock, no I/O.

Deliveries of one leg (`call_control_id`) go one after another in the order of their `sequence`; legs are independent.
So of two kinds those may go first that matter most: *live* deliveries, which come straight from a call and were never
tried. The others are the *backlog*: owed since an outage, or to be tried again. Each kind leaves some of the attempts
under way to the other, so both go on whatever the other has.
"""

import heapq
from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from kobza.store.entries import StateStored

KEPT: Final = 4
"""One kind may have all but this part (a quarter) of the attempts under way: the rest is kept for the other kind, by
the backlog at all times, because a call may get into its next state at any moment."""


@dataclass(slots=True)
class Delivery:
    """A call state owed to an endpoint. `due_at` is in seconds since the Unix epoch, 0 is at once."""

    event_id: str
    enterprise_id: str
    call_id: str
    call_control_id: str
    sequence: int
    body: bytes
    attempts: int = 0
    """Failed attempts so far."""
    due_at: float = 0.0
    attempts_before: int = 0
    """Attempts before the last replay: the schedule begins behind them."""
    occurred_at: float = 0.0
    """When the call got into this state, in seconds since the Unix epoch."""
    forgotten: bool = False
    """Whether the store may have erased it while it was under way: only the store knows whether it goes on."""

    @property
    def about(self) -> dict[str, str]:
        """The fields of a log line about this delivery."""
        return {
            "enterprise_id": self.enterprise_id,
            "call_id": self.call_id,
            "leg": self.call_control_id,
            "event_id": self.event_id,
        }

    @classmethod
    def of(cls, entry: StateStored) -> Self:
        """Return the delivery of a state that has just been stored."""
        state = entry.state
        return cls(
            event_id=state.event_id,
            enterprise_id=state.enterprise_id,
            call_id=state.call_id,
            call_control_id=state.call_control_id,
            sequence=state.sequence,
            body=entry.payload,
            occurred_at=state.at,
        )


class EndpointQueue:
    """The deliveries of one endpoint that are in memory."""

    __slots__ = ("_due", "_held", "_in_flight", "_legs", "_live", "_ready", "_ready_live", "_took_live")

    def __init__(self) -> None:
        self._legs: dict[str, list[Delivery]] = {}
        """Leg -> its deliveries by sequence, without the one under way."""
        self._in_flight: dict[str, Delivery] = {}
        """Leg -> the delivery that is under way."""
        self._ready_live: deque[str] = deque()
        """Legs whose first delivery is live and may go, in order of arrival; one may be stale, which take() sees."""
        self._ready: deque[str] = deque()
        """The same of the backlog."""
        self._due: list[tuple[float, str]] = []
        """Heap of when the first delivery of a leg may go (again); one may be stale, too."""
        self._held: set[str] = set()
        self._live: set[str] = set()
        """Those of `_held` that are live."""
        self._took_live = False

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, event_id: object) -> bool:
        return event_id in self._held

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return len(self._in_flight)

    @property
    def live(self) -> int:
        """How many are live."""
        return len(self._live)

    @property
    def backlog(self) -> int:
        """How many are not."""
        return len(self._held) - len(self._live)

    def has_leg(self, leg: str) -> bool:
        """Tell whether anything of a leg is held."""
        return leg in self._in_flight or leg in self._legs

    def add(self, delivery: Delivery, *, live: bool = False) -> None:
        """Take a delivery in; one that is held already is not taken twice."""
        if delivery.event_id in self._held:
            return
        self._held.add(delivery.event_id)
        if live:
            self._live.add(delivery.event_id)
        self._insert(delivery)

    def take(self, now: float, allowed: int) -> Delivery | None:
        """Return the next delivery that may go and count it as under way; None when there is none at this moment.

        `allowed` is how many may be under way. Of so few that none can be kept, the kinds have one in turn.
        """
        under_way = len(self._in_flight)
        if under_way >= allowed:
            return None
        while self._due and self._due[0][0] <= now:
            self._ready.append(heapq.heappop(self._due)[1])
        kept = allowed // KEPT or min(1, allowed - 1)
        live = sum(delivery.event_id in self._live for delivery in self._in_flight.values())
        waiting = self._first_of(self._ready, now)
        if self._first_of(self._ready_live, now) and (
            not waiting or (live < allowed - kept and not (allowed == 1 and self._took_live))
        ):
            return self._start(self._ready_live.popleft())
        if waiting and under_way - live < allowed - kept:
            return self._start(self._ready.popleft())
        return None

    def done(self, delivery: Delivery) -> None:
        """Forget a delivery that was under way; the next one of its leg may go."""
        self._land(delivery)
        self._held.discard(delivery.event_id)
        self._live.discard(delivery.event_id)
        self._offer(delivery.call_control_id)

    def retry(self, delivery: Delivery, due_at: float) -> None:
        """Keep a delivery that was under way for another attempt; its leg waits for it. It is not live any more."""
        self._land(delivery)
        self._live.discard(delivery.event_id)
        delivery.due_at = due_at
        self._insert(delivery)

    def age(self) -> None:
        """Count all that is live as the backlog from now on: the receiver does not work, so it waits like all else."""
        self._live.clear()
        self._ready += self._ready_live
        self._ready_live.clear()

    def next_due(self) -> float | None:
        """Return when the next of those that wait may go; None when nobody waits."""
        while self._due:
            due_at, leg = self._due[0]
            waiting = self._legs.get(leg)
            if waiting and leg not in self._in_flight and waiting[0].due_at == due_at:
                return due_at
            heapq.heappop(self._due)
        return None

    def drop(self, leg: str) -> None:
        """Forget what is held of a leg but for what is under way."""
        for delivery in self._legs.pop(leg, ()):
            self._held.discard(delivery.event_id)
            self._live.discard(delivery.event_id)

    def clear(self) -> None:
        """Forget all but those that are under way."""
        self._legs.clear()
        self._ready_live.clear()
        self._ready.clear()
        self._due.clear()
        self._held = {delivery.event_id for delivery in self._in_flight.values()}
        self._live &= self._held

    def forget(self) -> None:
        """Forget all; those that are under way are not kept when they fail."""
        self.clear()
        for delivery in self._in_flight.values():
            delivery.forgotten = True

    def __iter__(self) -> Iterator[Delivery]:
        """Go through those that are not under way."""
        for waiting in self._legs.values():
            yield from waiting

    def _first_of(self, legs: deque[str], now: float) -> bool:
        """Tell whether the first delivery of any of the legs may go; it is then that of the first leg."""
        while legs:
            waiting = self._legs.get(legs[0])
            if waiting and legs[0] not in self._in_flight and waiting[0].due_at <= now:
                return True
            legs.popleft()
        return False

    def _start(self, leg: str) -> Delivery:
        waiting = self._legs[leg]
        delivery = waiting.pop(0)
        if not waiting:
            del self._legs[leg]
        self._in_flight[leg] = delivery
        self._took_live = delivery.event_id in self._live
        return delivery

    def _land(self, delivery: Delivery) -> None:
        if self._in_flight.get(delivery.call_control_id) is delivery:
            del self._in_flight[delivery.call_control_id]

    def _insert(self, delivery: Delivery) -> None:
        insort(self._legs.setdefault(delivery.call_control_id, []), delivery, key=_sequence)
        self._offer(delivery.call_control_id)

    def _offer(self, leg: str) -> None:
        """Let the first delivery of a leg be found by take()."""
        waiting = self._legs.get(leg)
        if not waiting or leg in self._in_flight:
            return
        if waiting[0].due_at > 0:
            heapq.heappush(self._due, (waiting[0].due_at, leg))
        elif waiting[0].event_id in self._live:
            self._ready_live.append(leg)
        else:
            self._ready.append(leg)


def _sequence(delivery: Delivery) -> int:
    return delivery.sequence
