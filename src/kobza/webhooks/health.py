"""How an endpoint does: whether it may be tried now, since when it fails, whether it is beyond hope. Pure."""

from typing import Final, Literal

from kobza.webhooks.circuit import Circuit
from kobza.webhooks.outcome import Outcome

OFF_AFTER: Final = 72 * 3600.0
"""Seconds without a single attempt that was taken, after which an endpoint is switched off, unless configured."""

Change = Literal["works", "fails", "dead"]
"""What is worth a line in the log: it works again; it began to fail; it is only probed from now on."""
SwitchOff = Literal["gone", "failing"]
"""Why an endpoint was switched off: it answered 410; nothing was taken for too long."""


class Health:
    """What the attempts to one endpoint have come to. Moments are seconds since the Unix epoch."""

    __slots__ = ("_circuit", "failing_since", "stored")

    def __init__(self, failing_since: float | None = None) -> None:
        self._circuit = Circuit()
        self.failing_since = failing_since
        """When the first attempt failed since the last one that was taken; None: the last one was."""
        self.stored = failing_since
        """What the store has of that."""

    @property
    def failures(self) -> int:
        """Attempts that failed since the last one that was taken, in this process."""
        return self._circuit.failures

    @property
    def probed_at(self) -> float | None:
        """While nothing goes out: when the receiver is probed; None: what is due goes out."""
        return self._circuit.open_until

    def allowed(self, limit: int, now: float) -> int:
        """Return how many attempts may be under way: a receiver that fails is probed, not hammered."""
        return self._circuit.allowed(limit, now)

    def note(self, outcome: Outcome, now: float, jitter: float) -> Change | None:
        """Take what came of an attempt; return what it changed. `jitter` is a random number from -1 to 1."""
        if outcome.taken:
            worked = self.failures == 0
            self._circuit.succeeded()
            self.failing_since = None
            return None if worked else "works"
        first, closed = self.failures == 0, self.probed_at is None
        self._circuit.failed(now, jitter, dead=outcome.dead)
        if self.failing_since is None:
            self.failing_since = now
        if closed and self.probed_at is not None:
            return "dead"
        return "fails" if first else None

    def beyond_hope(self, now: float, off_after: float | None) -> bool:
        """Tell whether the endpoint has failed for so long that it is to be switched off; None: never."""
        return off_after is not None and self.failing_since is not None and now - self.failing_since >= off_after
