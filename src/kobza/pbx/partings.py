"""The ends of calls that wait a moment for what the media plane knows of them, so that `finished` can say it.

Only ends wait that somebody is told the quality of, and never for long: the rest of the server has forgotten the call
by then, only its books stay open. See decision 50.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec.structs import replace

from kobza.call.events import CallEnded, CallFact
from kobza.call.heard import HeardCall
from kobza.pbx.live_call import LiveCall

PATIENCE: Final = 0.05
"""Seconds for which the end of a call waits: the media process answers in one, and in ten when it is busy."""

Write = Callable[[LiveCall, Sequence[CallFact]], None]


class Partings:
    """Holds the last facts of calls. `write` stores them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: dict[str, tuple[LiveCall, Sequence[CallFact], asyncio.TimerHandle]] = {}

    def wait(self, live: LiveCall, facts: Sequence[CallFact]) -> None:
        """Keep the last facts of a call until it is known how it was heard, or for PATIENCE."""
        timer = asyncio.get_running_loop().call_later(PATIENCE, self.heard, live.call_id, None)
        self._waiting[live.call_id] = (live, facts, timer)

    def __contains__(self, call_id: str) -> bool:
        """Tell whether the end of a call is kept."""
        return call_id in self._waiting

    def heard(self, call_id: str, heard: HeardCall | None) -> None:
        """Write the end of a call, if it waits, with how it was heard."""
        waiting = self._waiting.pop(call_id, None)
        if waiting is None:
            return
        live, facts, timer = waiting
        timer.cancel()
        last = facts[-1]
        if heard is not None and isinstance(last, CallEnded):
            facts = [*facts[:-1], replace(last, heard=heard)]
        self._write(live, facts)

    def flush(self) -> None:
        """Write all ends that wait."""
        for call_id in list(self._waiting):
            self.heard(call_id, None)
