"""The peaks of the recordings that were looked at last."""

from collections import OrderedDict
from typing import Final

KEPT: Final = 200
"""Recordings whose peaks are kept: some 2 MB."""

Peaks = list[list[int]]


class KnownPeaks:
    """Peaks of both sides by the SHA-256 of the file."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Peaks] = OrderedDict()

    def find(self, sha256: str) -> Peaks | None:
        """Return the peaks of a file that is known."""
        if (found := self._kept.get(sha256)) is not None:
            self._kept.move_to_end(sha256)
        return found

    def keep(self, sha256: str, peaks: Peaks) -> None:
        """Remember the peaks of a file, and forget those that nobody asked for."""
        self._kept[sha256] = peaks
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
