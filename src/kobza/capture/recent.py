"""The last messages of calls, whole, in memory alone: for who asks right after a call what exactly was said."""

from collections import OrderedDict
from typing import Any, Final

from kobza.capture.message import Seen
from kobza.sip.flow import Flow

OVERHEAD: Final = 140
"""Bytes that keeping a message takes beside its own."""
OF_A_PIECE: Final = 48
"""Bytes that keeping a piece of a message takes beside its own, beside that."""
OF_A_DIALOG: Final = 470
"""Bytes that keeping a dialog takes beside its messages and its Call-ID."""
PIECE: Final = 479
"""Bytes of a message that are kept as one object: what Python's own allocator has room for. Larger ones lie in the heap
of the C library, where messages of all lengths leave holes that nothing fits into: some 1 KB a call."""
_FIELDS: Final = 4
"""Of a message, which stand in the list of its dialog one after the other: each as an object takes twice as much."""


class RecentMessages:
    """Messages by Call-ID, as many as some bytes hold; the dialogs that began first are forgotten first."""

    def __init__(self, most: int) -> None:
        """`most` is in bytes; 0: nothing is kept."""
        self._most = most
        self._bytes = 0
        self._dialogs: OrderedDict[str, list[Any]] = OrderedDict()
        """What is kept of each dialog; the first is how many bytes that takes."""

    def note(self, call_id: str, at: float, sent: bool, flow: Flow, data: bytes) -> None:
        """Take a message of a dialog, with what `Seen` has of it."""
        known = self._dialogs.get(call_id)
        if known is None:
            taken = len(call_id) + OF_A_DIALOG
            known = self._dialogs[call_id] = [taken]
            self._bytes += taken
        length = len(data)
        if length <= PIECE:
            kept: tuple[bytes, ...] = (data,)
        elif length <= 2 * PIECE:
            kept = (data[:PIECE], data[PIECE:])
        else:
            kept = tuple([data[start : start + PIECE] for start in range(0, length, PIECE)])
        known += (at, sent, flow, kept)
        taken = length + len(kept) * OF_A_PIECE + OVERHEAD
        known[0] += taken
        self._bytes += taken
        while self._bytes > self._most:
            _, forgotten = self._dialogs.popitem(last=False)
            self._bytes -= forgotten[0]

    def of(self, call_id: str) -> list[Seen]:
        """Return what is left of a dialog, in its order."""
        known = self._dialogs.get(call_id, (0,))
        parts = zip(*(known[1 + field :: _FIELDS] for field in range(_FIELDS)), strict=True)
        return [Seen(at, sent, flow, b"".join(kept)) for at, sent, flow, kept in parts]
