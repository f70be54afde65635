"""Presence: whether a number can be reached now, and since when (contract, `phonestatus`)."""

from collections.abc import Callable
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


class Presence:
    """The statuses of all numbers; told of every call and registration, asked by the API."""

    def __init__(self, locations: Locations, now: Callable[[], float]) -> None:
        self._locations = locations
        self._now = now
        self._calls: dict[str, int] = {}
        self._known: dict[str, tuple[Status, float | None]] = {}

    def is_busy(self, number: str) -> bool:
        """Tell whether a number is in a call, or alerting."""
        return number in self._calls

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
        self.changed(number)

    def changed(self, number: str) -> None:
        """Note the moment if a number's status is another one than before."""
        now = self._now()
        status = self._status(number, now)
        before = self._known.get(number)
        if before is None or before[0] is not status:
            self._known[number] = (status, now)

    def of(self, subscriber: Subscriber) -> PhoneStatus:
        """Return the status of a number now."""
        now = self._now()
        number = subscriber.number
        devices = len(self._locations.of(number, now))
        status = self._status(number, now)
        before = self._known.get(number)
        since = before[1] if before is not None and before[0] is status else None
        return PhoneStatus(number, status, subscriber.dnd_at(now), devices, since)

    def _status(self, number: str, now: float) -> Status:
        if number in self._calls:
            return Status.BUSY
        return Status.AVAILABLE if self._locations.of(number, now) else Status.UNAVAILABLE
