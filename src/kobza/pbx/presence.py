"""Presence: whether a number can be reached now, and since when (contract, `phonestatus`)."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from kobza.call.directory import Subscriber
from kobza.pbx.locations import Locations


class Status(StrEnum):
    """What `phonestatus` says of a number."""

    AVAILABLE = "available"
    BUSY = "busy"
    """Alerting or in a call."""
    UNAVAILABLE = "unavailable"
    """No device is registered."""


@dataclass(frozen=True, slots=True)
class PhoneStatus:
    """The presence of one number."""

    number: str
    """E.164."""
    status: Status
    dnd: bool
    devices: int
    """Registered devices."""
    since: float | None
    """Seconds: since when the status is what it is; None: since before the server started."""


@dataclass(slots=True)
class _Seen:
    """What was last said of a number, and for how long it can be said again."""

    status: PhoneStatus
    until: float
    """When something changes by itself: a device runs out, Do Not Disturb ends."""
    dnd: bool
    dnd_until: int | None


class Presence:
    """The statuses of all numbers; told of every call and registration, asked by the API.

    What was said of a number is the same object as long as nothing has changed: a listing of thousands of numbers is
    asked for again and again, and few of them change meanwhile.
    """

    def __init__(self, locations: Locations, now: Callable[[], float]) -> None:
        self._locations = locations
        self._now = now
        self._calls: dict[str, int] = {}
        self._last_calls: dict[str, float] = {}
        """When the last call of a number was over, one for each number that had any."""
        self._known: dict[str, tuple[Status, float | None]] = {}
        self._seen: dict[str, _Seen] = {}

    def is_busy(self, number: str) -> bool:
        """Tell whether a number is in a call, or alerting."""
        return number in self._calls

    def calls_of(self, number: str) -> int:
        """Return how many calls a number has, alerting or not."""
        return self._calls.get(number, 0)

    def idle_since(self, number: str) -> float:
        """Return when the last call of a number was over, in seconds; minus infinity: it had none so far."""
        return self._last_calls.get(number, -math.inf)

    def call_began(self, number: str) -> None:
        """Count a leg of a number."""
        self._calls[number] = self._calls.get(number, 0) + 1
        self.changed(number)

    def call_ended(self, number: str) -> None:
        """Count the end of a leg."""
        left = self._calls.get(number, 0) - 1
        if left > 0:
            self._calls[number] = left
        else:
            self._calls.pop(number, None)
            self._last_calls[number] = self._now()
        self.changed(number)

    def changed(self, number: str) -> None:
        """Look at a number whose devices or calls changed, and note the moment if its status is another one now."""
        now = self._now()
        self._seen.pop(number, None)
        status, since, _, _ = self._look(number, now)
        before = self._known.get(number)
        if before is None or before[0] is not status:
            self._known[number] = (status, now if since is None else since)

    def of(self, subscriber: Subscriber) -> PhoneStatus:
        """Return the status of a number now."""
        (status,) = self.of_all((subscriber,))
        return status

    def of_all(self, subscribers: Iterable[Subscriber]) -> list[PhoneStatus]:
        """Return the statuses of numbers now."""
        now = self._now()
        statuses = []
        seen_before = self._seen.get
        for subscriber in subscribers:
            seen = seen_before(subscriber.number)
            if (
                seen is None
                or seen.until <= now
                or seen.dnd is not subscriber.dnd
                or seen.dnd_until != subscriber.dnd_until
            ):
                seen = self._see(subscriber, now)
            statuses.append(seen.status)
        return statuses

    def _see(self, subscriber: Subscriber, now: float) -> _Seen:
        number = subscriber.number
        status, since, devices, until = self._look(number, now)
        before = self._known.get(number)
        if before is not None and before[0] is not status:  # nobody told us: the last device has run out
            before = self._known[number] = (status, since)
        dnd = subscriber.dnd_at(now)
        if dnd and subscriber.dnd_until is not None:
            until = min(until, subscriber.dnd_until / 1000)
        shown = PhoneStatus(number, status, dnd, devices, None if before is None else before[1])
        seen = self._seen[number] = _Seen(shown, until, subscriber.dnd, subscriber.dnd_until)
        return seen

    def _look(self, number: str, now: float) -> tuple[Status, float | None, int, float]:
        """Return status, since when if the devices tell it, how many there are, and when that changes by itself."""
        bindings = self._locations.all_of(number)
        ends = [binding.expires_at for binding in bindings if binding.expires_at > now]
        until = min(ends, default=math.inf)
        if number in self._calls:
            return Status.BUSY, None, len(ends), until
        if ends:
            return Status.AVAILABLE, None, len(ends), until
        ran_out = max((binding.expires_at for binding in bindings), default=None)
        return Status.UNAVAILABLE, ran_out, 0, until
