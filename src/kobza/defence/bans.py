"""Who is banned, until when and why. In memory; what changes is handed out to be stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

GROWTH: Final = 6
"""By how many times a ban is longer than the one before of the same source: 10 minutes, an hour, 6 hours, …"""
LONGEST: Final = 7 * 86_400.0
"""Seconds of the longest ban that nobody set by hand: an address has another owner some day."""
REMEMBERED_FOR: Final = 7 * 86_400.0
"""Seconds after its end for which a ban makes the next one longer."""
MOST: Final = 10_000
"""Bans held; at the bound the one that was made first goes."""
BY_ITSELF: Final = ""
"""Who made a ban that nobody made by hand."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A ban of a source (see `source_of`). Moments are seconds."""

    source: str
    reason: str
    made_by: str
    """A user of the machine; `BY_ITSELF`."""
    made_at: float
    until: float | None
    """None: until somebody lifts it."""
    times: int = 1
    """How many of this source came one soon after the other, this one included."""

    def holds(self, now: float) -> bool:
        """Tell whether it is in force."""
        return self.until is None or self.until > now

    def forgotten(self, now: float) -> bool:
        """Tell whether it was over so long ago that it counts no more."""
        return self.until is not None and self.until + REMEMBERED_FOR <= now


class BanList:
    """All bans by their source. `first` is how long the first one of a source is, in seconds; 0: none is made."""

    def __init__(self, first: float) -> None:
        self._first = first
        self._bans: dict[str, Ban] = {}
        self._unwritten: dict[str, Ban] = {}

    def load(self, bans: Iterable[Ban]) -> None:
        """Take over what the store has; what it was not given yet stays."""
        self._bans = {ban.source: ban for ban in bans} | self._unwritten

    def holds(self, source: str, now: float) -> bool:
        """Tell whether a source is banned."""
        ban = self._bans.get(source)
        return ban is not None and ban.holds(now)

    def impose(self, source: str, reason: str, now: float, *, lenient: bool) -> Ban | None:
        """Ban a source, `lenient`: for the first time again; None when it is banned already, or bans are off."""
        before = self._bans.get(source)
        if not self._first or (before is not None and before.holds(now)):
            return None
        times = 1 if before is None or before.forgotten(now) else before.times + 1
        seconds = self._first if lenient else min(self._first * GROWTH ** min(times - 1, 10), LONGEST)
        ban = Ban(source, reason, BY_ITSELF, now, now + seconds, times)
        self._bans.pop(source, None)
        self._bans[source] = self._unwritten[source] = ban
        if len(self._bans) > MOST:
            del self._bans[next(iter(self._bans))]
        return ban

    def unwritten(self) -> list[Ban]:
        """Return what is to be stored, until `written` says that it is."""
        return list(self._unwritten.values())

    def written(self, bans: Iterable[Ban]) -> None:
        """Take that bans are stored."""
        for ban in bans:
            if self._unwritten.get(ban.source) is ban:
                del self._unwritten[ban.source]

    def in_force(self, now: float) -> int:
        """Count those that hold."""
        return sum(ban.holds(now) for ban in self._bans.values())
