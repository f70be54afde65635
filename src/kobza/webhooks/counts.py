"""What the attempts to deliver came to, in numbers."""

from collections import defaultdict
from typing import Final, Literal

from kobza.measures import Histogram
from kobza.webhooks.health import SwitchOff
from kobza.webhooks.outcome import Outcome

Result = Literal["delivered", "retried", "given_up", "gone"]
"""Of one attempt: taken; to be tried again; tried often enough; the receiver wants no more (410)."""

ATTEMPT_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds of one POST."""
DELAY_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0, 3600.0)
"""Seconds from the moment of a state until it is taken."""
NO_ANSWER: Final = "none"
_FAILURES: Final = (NO_ANSWER, "3xx", "4xx", "5xx")
_KNOWN: Final[tuple[tuple[Result, str], ...]] = (
    ("delivered", "2xx"),
    *(("retried", status) for status in _FAILURES),
    *(("given_up", status) for status in _FAILURES),
    ("gone", "4xx"),
)
"""There from the start: Prometheus sees the growth of a counter only when it has seen it before."""


class DeliveryCounts:
    """The counters of one dispatcher. They only grow."""

    def __init__(self) -> None:
        self.attempts: defaultdict[tuple[Result, str], int] = defaultdict(int)
        """The second is the class of the answer's status (2xx), or NO_ANSWER."""
        for known in _KNOWN:
            self.attempts[known] = 0
        self.switched_off: defaultdict[SwitchOff, int] = defaultdict(int)
        """Endpoints that were switched off, by reason."""
        self.attempt_seconds = Histogram(ATTEMPT_BOUNDS)
        self.delay_seconds = Histogram(DELAY_BOUNDS)
        """Of the deliveries that were taken, whenever that was."""

    def count(self, outcome: Outcome, result: Result, delay: float) -> None:
        """Count an attempt; `delay` is the age (seconds) of its state."""
        status = outcome.status_code
        self.attempts[result, NO_ANSWER if status is None else f"{status // 100}xx"] += 1
        self.attempt_seconds.observe(outcome.duration_ms / 1000)
        if result == "delivered":
            self.delay_seconds.observe(max(0.0, delay))
