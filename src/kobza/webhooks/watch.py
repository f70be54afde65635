"""Who watches each attempt to deliver: the traces. Usually nobody does."""

from collections.abc import Mapping
from typing import Protocol

from kobza.webhooks.counts import Result
from kobza.webhooks.outcome import Outcome
from kobza.webhooks.queue import Delivery


class DeliveryWatch(Protocol):
    """Is told of every attempt; nothing may be raised."""

    def headers(self, delivery: Delivery) -> Mapping[str, str]:
        """Return what the POST has beside its usual headers; `delivery.attempts` are those made before it."""
        ...

    def attempted(self, delivery: Delivery, outcome: Outcome, result: Result) -> None:
        """Hear what an attempt came to; `delivery.attempts` counts it."""
        ...
