"""What came of one attempt to deliver a call state."""

from dataclasses import dataclass
from typing import Final

from kobza.webhooks.exchange import Exchange

GONE: Final = 410
BUSY: Final = frozenset({408, 425, 429})
"""Statuses of a receiver that cannot take anything now."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `started_at` is in seconds since the Unix epoch."""

    started_at: float
    duration_ms: int
    url: str
    address: str | None = None
    """The address that was connected to, if it came to that."""
    status_code: int | None = None
    error: str | None = None
    """Why it is a failure, in words; None when the state was taken."""
    response: str | None = None
    """The beginning of the answer's body."""
    retry_after: float | None = None
    """The seconds that the receiver asks to wait."""
    exchange: Exchange | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken the state (any 2xx)."""
        return self.error is None

    @property
    def dead(self) -> bool:
        """Whether the failure says that the receiver does not work, not that it minds this one state."""
        return not self.taken and (self.status_code is None or self.status_code >= 500 or self.status_code in BUSY)

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more states, ever."""
        return self.status_code == GONE


def status_words(status: int) -> str | None:
    """Return why a status is a failure; None for one that is none."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"the receiver redirects (HTTP {status}), and a call state is never sent elsewhere"
    if status == GONE:
        return "the receiver wants no more call states (HTTP 410)"
    return f"the receiver answered HTTP {status}"
