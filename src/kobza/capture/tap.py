"""A tap on the messages: they wait in it until somebody looks, and what finds no room is counted and gone.

So whoever reads slowly loses messages, and never holds up a call: for each message the call's way does no more than put
it here.
"""

import asyncio
from typing import Final

from kobza.capture.message import Seen

MAX_WAITING: Final = 20_000
"""Messages: those of a second of 1,000 calls."""
MAX_BYTES: Final = 16 * 2**20
BATCH: Final = 0.05
"""Seconds for which messages gather before they are looked at together."""


class Tap:
    """Waiting messages. Belongs into the loop's thread."""

    def __init__(self, most: int = MAX_WAITING, most_bytes: int = MAX_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: list[Seen] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self.taken = 0
        """Messages that passed it."""
        self.dropped = 0
        """Messages that found no room."""

    def take(self, seen: Seen) -> None:
        """Have a message wait, if there is room."""
        self.taken += 1
        if len(self._waiting) >= self._most or self._bytes > self._most_bytes:
            self.dropped += 1
            return
        self._waiting.append(seen)
        self._bytes += len(seen.data)
        if len(self._waiting) == 1:
            self._some.set()

    async def some(self) -> list[Seen]:
        """Wait for messages; return all that wait then."""
        await self._some.wait()
        await asyncio.sleep(BATCH)
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        self._some.clear()
        return waiting
