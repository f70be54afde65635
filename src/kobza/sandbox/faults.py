"""Faults on the way of call states to their receiver: what they are, and which one the next delivery meets."""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from kobza.call.errors import Fault as Whose
from kobza.call.errors import KobzaError

MAX_FAULTS: Final = 100
"""Faults that wait at a time."""


class Kind(StrEnum):
    """What happens to a delivery."""

    DELAY = "delay"
    """It arrives later."""
    DUPLICATE = "duplicate"
    """It arrives twice."""
    ERROR = "error"
    """The server is told a failure, 500 unless another status is asked for, and tries again."""
    TIMEOUT = "timeout"
    """The server gets no answer, and tries again."""
    DISCONNECT = "disconnect"
    """The connection breaks before an answer, and the server tries again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault for the next deliveries."""

    kind: Kind
    next: int = 1
    """How many deliveries it strikes; a delivery that is tried again is one more."""
    seconds: float = 10
    """Of the sandbox's clock; for a delay."""
    status: int = 500
    """For an error."""
    delivered: bool = False
    """For an error, a time-out, a broken connection: the receiver gets the state all the same, and once more later."""
    state: str | None = None
    """Only states of this type."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as it was asked for."""
        asked: dict[str, Any] = {"fault": self.kind.value, "next": self.next}
        if self.kind is Kind.DELAY:
            asked["seconds"] = self.seconds
        if self.kind is Kind.ERROR:
            asked["status"] = self.status
        if self.kind not in (Kind.DELAY, Kind.DUPLICATE):
            asked["delivered"] = self.delivered
        return asked if self.state is None else {**asked, "state": self.state}


class TooManyFaults(KobzaError):
    """As many faults wait as may."""

    code = "too_many_faults"
    http_status = 429
    fault = Whose.CALLER


@dataclass(slots=True)
class _Waiting:
    fault: Fault
    numbers: frozenset[str]
    """Only states between these, as they are written in states; none: all."""
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.fault.next


class Faults:
    """The faults that wait, in order: a delivery meets the first one that is for it."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def add(self, faults: Collection[Fault], numbers: Collection[str] = ()) -> None:
        """Let faults wait, for states between two numbers or for all. Raises TooManyFaults, and none waits."""
        if len(self._waiting) + len(faults) > MAX_FAULTS:
            raise TooManyFaults(f"{MAX_FAULTS} faults wait, as many as may: DELETE /sandbox/faults ends them.")
        self._waiting += [_Waiting(fault, frozenset(numbers)) for fault in faults]

    def drop(self, numbers: Collection[str]) -> None:
        """Forget what is left of faults for states of any of these numbers."""
        self._waiting = [one for one in self._waiting if not one.numbers & frozenset(numbers)]

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()

    def take(self, state: dict[str, Any]) -> Fault | None:
        """Return the fault that a delivery of a state meets."""
        between = frozenset((str(state.get("state_owner")), str(state.get("phone_number"))))
        for one in self._waiting:
            if one.numbers and not between <= one.numbers:
                continue
            if one.fault.state is not None and one.fault.state != state.get("state_type"):
                continue
            one.left -= 1
            if not one.left:
                self._waiting.remove(one)
            return one.fault
        return None

    def listed(self) -> list[dict[str, Any]]:
        """Return those that wait, with how many deliveries are left and for whose states."""
        return [{**one.fault.as_dict(), "left": one.left, "numbers": sorted(one.numbers)} for one in self._waiting]
