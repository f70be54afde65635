"""Who is to be told of a change: in the order of the changes, a few at a time, so that calls do not wait for lamps."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

from kobza.sip.subscription import Subscription

log = logging.getLogger(__name__)

PIECE: Final = 16
"""Subscriptions told at a time: 1 to 2 ms of CPU."""
PAUSE: Final = 0.02
"""Seconds between two pieces: 800 subscriptions a second, for a tenth of a processor."""


class NotifyQueue:
    """Subscriptions that wait to be told; each is in it once, so there are never more than there are subscriptions."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: dict[Subscription, None] = {}
        self._next: asyncio.Handle | None = None
        self.pump: Callable[[], None] = _nothing
        """Sends what was written."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, subscriptions: Iterable[Subscription]) -> None:
        """Have subscriptions told what is new by then; the first of them as soon as the loop is free."""
        self._waiting.update(dict.fromkeys(subscriptions))
        if self._waiting and self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._send)

    def remove(self, subscription: Subscription) -> None:
        """Forget one that has ended."""
        self._waiting.pop(subscription, None)

    def stop(self) -> None:
        """Tell nobody any more."""
        self._waiting.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _send(self) -> None:
        self._next = None
        now = self._now()
        for subscription in list(islice(self._waiting, PIECE)):
            del self._waiting[subscription]
            try:
                subscription.changed(now)
            except Exception:
                log.exception("%r could not be told", subscription)
        self.pump()
        if self._waiting and self._next is None:
            self._next = asyncio.get_running_loop().call_later(PAUSE, self._send)


def _nothing() -> None:
    """Send nothing: nobody listens yet."""
