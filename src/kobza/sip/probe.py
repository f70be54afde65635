"""Whether a peer is there: it is asked by OPTIONS from time to time (RFC 3261 11). Without I/O and clock."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

PATIENCE: Final = 4.0
"""Seconds for an answer: on UDP the question was sent four times by then (timer E: 0, 0.5, 1.5, 3.5 s)."""
RETRY: Final = 10.0
"""Seconds between two questions to a peer that is down, if it is not asked more often anyway."""
KNOWS_NO_OPTIONS: Final = frozenset({501, 505})
"""Statuses that do not mean that the server takes no calls."""


class Reach(StrEnum):
    """What is known of a peer."""

    UNKNOWN = "unknown"
    """It was not asked, or has not answered yet."""
    UP = "up"
    DOWN = "down"


class Probe:
    """Asks one peer each `every` seconds (0: never), and sooner while it is down.

    Any answer is a sign of life, also a refusal; only a 5xx says that it takes no calls. One question without an answer
    makes it down, one answer makes it up again: each question is sent several times by its transaction.
    """

    def __init__(self, every: float) -> None:
        self.every = every
        self.state = Reach.UNKNOWN
        self.detail = ""
        """Why it is down, in words."""
        self.deadline: float | None = None
        """When `handle_timer` wants to be called."""
        self._waits = False

    def start(self, now: float) -> None:
        """Begin to ask."""
        self.deadline = now if self.every else None

    def handle_timer(self, now: float) -> bool:
        """Do what is due; True: a question is to be sent now. Only the outcome of the newest one is to be told."""
        if self.deadline is None or now < self.deadline:
            return False
        if self._waits:
            self._is_down("no answer to OPTIONS", now)
            return False
        self._waits = True
        self.deadline = now + PATIENCE
        return True

    def answered(self, status: int, reason: str, now: float) -> None:
        """Take the final response; it may be late."""
        if status >= 500 and status not in KNOWS_NO_OPTIONS:
            self._is_down(f"it answers OPTIONS with {status} {reason}", now)
            return
        self._waits = False
        self.state = Reach.UP
        self.detail = ""
        self.deadline = now + self.every

    def failed(self, status: int, now: float) -> None:
        """Take that no response will come: 408 (long after it counts as down), 503 (it cannot be reached)."""
        if self._waits:
            self._is_down("no answer to OPTIONS" if status == 408 else "it cannot be reached", now)

    def suspect(self, now: float) -> None:
        """Take that a call was not answered: ask now."""
        if self.every and not self._waits:
            self.deadline = now

    def _is_down(self, detail: str, now: float) -> None:
        self._waits = False
        self.state = Reach.DOWN
        self.detail = detail
        self.deadline = now + min(self.every, RETRY)
