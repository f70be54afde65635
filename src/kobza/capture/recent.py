"""The last messages of calls, whole, in memory alone: for who asks right after a call what exactly was said."""

from collections import OrderedDict
from typing import Any, Final

from kobza.capture.message import Seen
from kobza.sip.flow import Flow

OVERHEAD: Final = 120
"""Bytes that keeping a message takes beside its own."""
OF_A_DIALOG: Final = 470
"""Bytes that keeping a dialog takes beside its messages and its Call-ID."""
_FIELDS: Final = 4
"""Of a message, which stand in the list of its dialog one after the other: each as an object takes twice as much."""
_DATA: Final = 3
"""Which of them is the message itself."""


class RecentMessages:
    """Messages by Call-ID, as many as some bytes hold; the dialogs that began first are forgotten first."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes; 0: nothing is kept."""
        self._most = most
        self._bytes = 0
        self._dialogs: OrderedDict[str, list[Any]] = OrderedDict()

    def note(self, call_id: str, at: float, sent: bool, flow: Flow, data: bytes) -> None:
        """Take a message of a dialog, with what `Seen` has of it."""
        known = self._dialogs.get(call_id)
        if known is None:
            known = self._dialogs[call_id] = []
            self._bytes += len(call_id) + OF_A_DIALOG
        known += (at, sent, flow, data)
        self._bytes += len(data) + OVERHEAD
        while self._bytes > self._most:
            name, forgotten = self._dialogs.popitem(last=False)
            self._bytes -= len(name) + OF_A_DIALOG + sum(len(each) + OVERHEAD for each in forgotten[_DATA::_FIELDS])

    def of(self, call_id: str) -> list[Seen]:
        """Return what is left of a dialog, in its order."""
        known = self._dialogs.get(call_id, ())
        return [Seen(*known[at : at + _FIELDS]) for at in range(0, len(known), _FIELDS)]
