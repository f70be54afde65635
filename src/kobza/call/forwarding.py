"""Forwarding of a number: on which occasion its calls go where, and which refusal is which occasion."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from kobza.call.causes import NO_ANSWER, NO_USER_RESPONDING, RECOVERY_ON_TIMER, SUBSCRIBER_ABSENT, USER_BUSY
from kobza.values import Value

NO_ANSWER_SECONDS: Final = 20
"""For how long a number rings before its calls go on, unless it says otherwise: four rings, as carriers have it."""
MIN_SECONDS: Final = 5
MAX_SECONDS: Final = 120
"""Bounds of that time: one ring, and longer than any caller waits."""


class Occasion(StrEnum):
    """When a call goes elsewhere than to the phones of the number that was called."""

    ALWAYS = "always"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    """No device is registered, or none could be reached."""


class TimeOfDay(StrEnum):
    """Why a call goes elsewhere although nobody has asked for that at the moment."""

    CLOSED = "closed"
    """It is outside the working hours of the number."""


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Where the calls of a number go on each occasion: normalized numbers, None: nowhere."""

    always: str | None = None
    busy: str | None = None
    no_answer: str | None = None
    unreachable: str | None = None
    no_answer_after: int | None = None
    """Seconds of ringing before `no_answer`; None: NO_ANSWER_SECONDS."""

    def target(self, occasion: Occasion) -> str | None:
        """Return where calls go on an occasion."""
        found: str | None = getattr(self, occasion.value)
        return found

    @property
    def seconds(self) -> float | None:
        """How long the number's phones ring; None: as long as everybody's."""
        if self.no_answer is None:
            return None
        return float(NO_ANSWER_SECONDS if self.no_answer_after is None else self.no_answer_after)

    @property
    def is_on(self) -> bool:
        """Whether calls go elsewhere on any occasion."""
        return any(self.target(occasion) is not None for occasion in Occasion)


NO_FORWARDING: Final = Forwarding()
FIELDS: Final = tuple(each.name for each in fields(Forwarding))


class Diversion(Value, frozen=True):
    """One step of a call from a number to where that number's calls go: what RFC 5806 and 7044 tell of it."""

    number: str
    """Whose calls go on; E.164 or a short code."""
    occasion: Occasion | TimeOfDay
    private: bool = False
    """Whether the number is hidden from those whom it calls."""


def occasion_of(status: int, cause: int) -> Occasion | None:
    """Return which occasion a failure is (the best SIP status, its Q.850 cause); None: none, the caller hears of it.

    Who declines (603, cause 21) has answered the question whether to talk; a codec that does not fit, or a number that
    the far end does not know, will be no better elsewhere.
    """
    occasion = _BY_CAUSE.get(cause)
    if occasion is None and status >= 500 and status < 600:
        return Occasion.UNREACHABLE
    return occasion


_BY_CAUSE: Final = {
    USER_BUSY: Occasion.BUSY,
    NO_USER_RESPONDING: Occasion.NO_ANSWER,
    NO_ANSWER: Occasion.NO_ANSWER,
    SUBSCRIBER_ABSENT: Occasion.UNREACHABLE,
    RECOVERY_ON_TIMER: Occasion.UNREACHABLE,
}
