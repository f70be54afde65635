"""Which recordings were heard a moment ago: a player asks for many parts of one, and that is one hearing."""

from collections import OrderedDict
from typing import Final

SAME_FOR: Final = 900.0
"""Seconds in which a recording that the same one asks for again is the same hearing."""
MOST: Final = 10_000
"""Hearings remembered. One that is forgotten early is noted once more."""


class RecentHearings:
    """Remembers who heard what, in memory and within a bound."""

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[str, ...], tuple[float, str]] = OrderedDict()

    def find(self, hearing: tuple[str, ...], now: float) -> str | None:
        """Return the entry of the audit that a hearing belongs to; None for a new one."""
        begun, audit_id = self._heard.get(hearing, (now - SAME_FOR, ""))
        return audit_id if now - begun < SAME_FOR else None

    def remember(self, hearing: tuple[str, ...], audit_id: str, now: float) -> None:
        """Remember that a hearing was noted."""
        self._heard[hearing] = now, audit_id
        self._heard.move_to_end(hearing)
        while len(self._heard) > MOST:
            self._heard.popitem(last=False)
