"""Results of attempts on their way into the store: kept until the journal takes them, in their order."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from kobza.store.entries import AttemptStored, DeliveryOutcome, Entry
from kobza.webhooks.exchange import encode
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery

UNSAVED: Final = 10_000
"""Results that wait for the journal. With more, no new attempt is started: a crash would repeat them all."""

PATIENCE: Final = 0.025
"""Seconds that a result may wait to be written with what else comes: nobody hears of it, and a commit of its own would
cost as much as the attempt. A crash meanwhile repeats the attempt."""

logger = logging.getLogger(__name__)


class Journal(Protocol):
    """What the dispatcher needs of `kobza.pbx.journal.Journal`."""

    def append(
        self, entries: Sequence[Entry], then: Callable[[], None] | None = None, *, patience: float = 0.0
    ) -> None:
        """Store entries in one commit, after so many seconds at most; `then` is called in the loop's thread afterwards.

        Raises when it is full.
        """
        ...


class Results:
    """What waits for the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._unsaved: deque[tuple[AttemptStored, Callable[[], None]]] = deque()

    def __len__(self) -> int:
        return len(self._unsaved)

    @property
    def too_many(self) -> bool:
        """Whether so many wait that nothing more may be tried."""
        return len(self._unsaved) >= UNSAVED

    def save(self, entry: AttemptStored, then: Callable[[], None]) -> None:
        """Store a result; `then` is called once it is stored."""
        self._unsaved.append((entry, then))
        if len(self._unsaved) == 1:  # else the journal is in trouble, and the next tick tries again
            self.flush()

    def flush(self) -> None:
        """Hand results to the journal; stop at the first one that it does not take."""
        while self._unsaved:
            entry, then = self._unsaved[0]
            try:
                self._journal.append([entry], then, patience=PATIENCE)
            except Exception as error:  # noqa: BLE001 - full or stopped: the results are kept, the rest goes on
                logger.warning("%d results of webhooks wait for the journal: %s", len(self._unsaved), error)
                return
            self._unsaved.popleft()


def entry_of(delivery: Delivery, outcome: Outcome, result: DeliveryOutcome, retry_at: float | None) -> AttemptStored:
    """Return what is stored of the last attempt of a delivery."""
    return AttemptStored(
        call_id=delivery.call_id,
        call_control_id=delivery.call_control_id,
        sequence=delivery.sequence,
        attempt=delivery.attempts,
        started_at=outcome.started_at,
        duration_ms=outcome.duration_ms,
        outcome=result,
        retry_at=retry_at,
        url=outcome.url,
        address=outcome.address,
        status_code=outcome.status_code,
        error=outcome.error,
        response=outcome.response,
        exchange=None if outcome.exchange is None else encode(outcome.exchange),
    )
