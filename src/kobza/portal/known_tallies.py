"""The counts that were made last, so that a file or a picture has the very numbers of the page that it was asked on."""

from collections import OrderedDict
from typing import Final

from kobza.api.exports.jobs import TallyJob
from kobza.portal.tally import Tally

KEPT: Final = 32
"""Counts that are kept: of 10 to 100 KB each."""
KEPT_FOR: Final = 60.0
"""Seconds: for so long calls that ended meanwhile, and persons that were erased, may not show."""


class KnownTallies:
    """Counts by the job that made them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[TallyJob, tuple[float, Tally]] = OrderedDict()

    def find(self, job: TallyJob, now: float) -> Tally | None:
        """Return what a job counted not long before a moment (s)."""
        found = self._kept.get(job)
        return found[1] if found is not None and 0 <= now - found[0] < KEPT_FOR else None

    def keep(self, job: TallyJob, tally: Tally, now: float) -> None:
        """Remember what a job counted, and forget the oldest."""
        self._kept[job] = (now, tally)
        self._kept.move_to_end(job)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
