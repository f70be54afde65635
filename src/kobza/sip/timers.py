"""Durations of RFC 3261 table 4 and RFC 6026, and the queue of what is due when. Seconds everywhere."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil
from typing import Final, Protocol

COMPACT_ABOVE: Final = 1024
"""Stopped timers that may stay in the heap whatever its size, some 200 KB: to compact a small heap more often costs
more than they do."""


@dataclass(frozen=True, slots=True)
class Timers:
    """The base values (RFC 3261 17.1.1.1, 17.1.2.2); all timers follow from them."""

    t1: float = 0.5
    """Estimate of the round trip; first retransmission interval (timers A, E, G)."""
    t2: float = 4.0
    """Longest retransmission interval of timers E and G."""
    t4: float = 5.0
    """How long a message stays in the network (timers I, K)."""
    trying: float = 0.2
    """How long an INVITE may stay without any response (17.2.1)."""
    beat: float = 0.0
    """Timers that only forget a transaction wait for the next multiple of this: one wake-up then does it for many
    calls, where each had five of its own. 0: for nothing."""

    @property
    def timeout(self) -> float:
        """64*T1: timers B, F, H, J, L, M, and D, which must be at least 32 s on UDP (17.1.1.2)."""
        return 64 * self.t1

    def at_speed(self, speed: float) -> Timers:
        """Return the same durations on the wall, for a clock of which `speed` seconds pass there in one.

        The network is as fast as it is: a sandbox that plays ten minutes in ten seconds must not send everything again
        because no answer came within 8 ms.
        """
        return Timers(self.t1 * speed, self.t2 * speed, self.t4 * speed, self.trying * speed, self.beat * speed)

    def on_the_beat(self, moment: float) -> float:
        """Return the first moment from this one on at which transactions are forgotten."""
        return ceil(moment / self.beat) * self.beat if self.beat else moment


class TimerOwner(Protocol):
    """Who is told that a timer fired."""

    def timer_fired(self, kind: int, now: float) -> None:
        """`kind` is what the owner started it with."""


class Timer:
    """One started timer. It holds its owner only until it fires or is stopped, so that nobody lives on in the queue."""

    __slots__ = ("kind", "owner", "shared")

    def __init__(self, owner: TimerOwner, kind: int, shared: bool) -> None:
        self.owner: TimerOwner | None = owner
        self.kind = kind
        self.shared = shared
        """It is not in the heap itself, see `TimerQueue.share`."""


class _Shared:
    """What is due at one moment, as one entry of the heap."""

    __slots__ = ("deadline", "queue", "timers")

    def __init__(self, queue: TimerQueue, deadline: float) -> None:
        self.queue = queue
        self.deadline = deadline
        self.timers: deque[Timer] = deque()

    def timer_fired(self, kind: int, now: float) -> None:  # noqa: ARG002 - it has one
        self.queue.fire_shared(self, now)


class TimerQueue:
    """Timers in order of their deadlines: one heap, stopped ones are dropped when they come up.

    Most timers are stopped long before they are due (timer B of every answered INVITE), so when more than half of the
    heap is stopped it is rebuilt: its size stays within twice the live timers, at constant cost for each. Those that
    forget transactions live for half a minute, ten thousands of them under load: they share entries, so that the heap
    stays small enough for the processor's caches.
    """

    __slots__ = ("_heap", "_order", "_shared", "_sharing", "_stopped")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = 0  # ties fire in the order they were started, and timers need no comparison
        self._stopped = 0
        self._shared: dict[float, _Shared] = {}
        self._sharing = 0
        """Timers that run and share an entry."""

    def __len__(self) -> int:
        """Timers that run."""
        return len(self._heap) - self._stopped - len(self._shared) + self._sharing

    @property
    def heap_size(self) -> int:
        """Entries held, stopped ones included."""
        return len(self._heap)

    def start(self, deadline: float, owner: TimerOwner, kind: int) -> Timer:
        """Have `owner.timer_fired(kind, now)` called at `deadline`."""
        timer = Timer(owner, kind, False)
        self._order += 1
        heappush(self._heap, (deadline, self._order, timer))
        return timer

    def share(self, deadline: float, owner: TimerOwner, kind: int) -> Timer:
        """Do as `start`, for one of many that are due at the same moment (`Timers.on_the_beat`)."""
        timer = Timer(owner, kind, True)
        self._put(deadline, timer)
        self._sharing += 1
        return timer

    def _put(self, deadline: float, timer: Timer) -> None:
        shared = self._shared.get(deadline)
        if shared is None:
            shared = self._shared[deadline] = _Shared(self, deadline)
            self.start(deadline, shared, 0)
        shared.timers.append(timer)

    def stop(self, timer: Timer | None) -> None:
        """Stop a timer; nothing happens for None and for one that fired or was stopped."""
        if timer is None or timer.owner is None:
            return
        timer.owner = None
        if timer.shared:
            self._sharing -= 1
            return
        self._stopped += 1
        if self._stopped > COMPACT_ABOVE and self._stopped * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].owner is not None]
            heapify(self._heap)
            self._stopped = 0

    def next_deadline(self) -> float | None:
        """When the next timer is due; None when none runs."""
        heap = self._heap
        while heap:
            if heap[0][2].owner is not None:
                return heap[0][0]
            heappop(heap)
            self._stopped -= 1
        return None

    def fire_due(self, now: float) -> None:
        """Call the owners of all timers due at `now`, earliest first; those they start meanwhile count too."""
        while self._heap and self._heap[0][0] <= now:
            timer = heappop(self._heap)[2]
            owner = timer.owner
            if owner is None:
                self._stopped -= 1
                continue
            timer.owner = None
            owner.timer_fired(timer.kind, now)

    def fire_shared(self, shared: _Shared, now: float) -> None:
        """Call the owners of timers that share an entry; those behind one that fails, the next time."""
        del self._shared[shared.deadline]
        timers = shared.timers
        try:
            while timers:
                timer = timers.popleft()
                owner = timer.owner
                if owner is not None:
                    timer.owner = None
                    self._sharing -= 1
                    owner.timer_fired(timer.kind, now)
        finally:
            for timer in timers:
                self._put(shared.deadline, timer)
