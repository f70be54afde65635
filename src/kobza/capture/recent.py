"""The last messages of calls, whole, in memory alone: for who asks right after a call what exactly was said."""

from collections import OrderedDict
from typing import Final

from kobza.capture.message import Seen

OVERHEAD: Final = 250
"""Bytes that keeping a message takes beside its own."""


class RecentMessages:
    """Messages by Call-ID, as many as some bytes hold; the dialogs that began first are forgotten first."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes; 0: nothing is kept."""
        self._most = most
        self._bytes = 0
        self._dialogs: OrderedDict[bytes, list[Seen]] = OrderedDict()

    def note(self, call_id: bytes, seen: Seen) -> None:
        """Take a message of a dialog."""
        known = self._dialogs.get(call_id)
        if known is None:
            known = self._dialogs[call_id] = []
        known.append(seen)
        self._bytes += len(seen.data) + OVERHEAD
        while self._bytes > self._most:
            _, forgotten = self._dialogs.popitem(last=False)
            self._bytes -= sum(len(each.data) + OVERHEAD for each in forgotten)

    def of(self, call_id: bytes) -> list[Seen]:
        """Return what is left of a dialog, in its order."""
        return self._dialogs.get(call_id, [])
