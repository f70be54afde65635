"""The last messages of calls, whole, in memory alone: for who asks right after a call what exactly was said."""

import mmap
from collections import OrderedDict
from typing import Any, Final

from kobza.capture.message import Seen
from kobza.sip.flow import Flow

OF_A_MESSAGE: Final = 150
"""Bytes that it takes to know of a message where it is, and when and how it passed."""
OF_A_DIALOG: Final = 500
"""Bytes that it takes to know of a dialog, beside its messages and its Call-ID."""
SHARE: Final = 4
"""Which part of the memory is for knowing what is where: a quarter."""
_FIELDS: Final = 5
"""Of a message, which stand in the list of its dialog one after the other: each as an object takes twice as much."""
_BEGINS: Final = 3
"""Which of them is where the message begins, counted from the first byte that was ever kept."""


class RecentMessages:
    """Messages by Call-ID, as many as some bytes hold; the oldest are forgotten first.

    They lie one behind the other in one piece of memory, over the oldest when it is full: as objects they would leave
    holes of all lengths in the heap, some 1 KB a call.
    """

    def __init__(self, most: int) -> None:
        """`most` is in bytes; 0: nothing is kept."""
        self._room = most - most // SHARE
        self._most_known = most // SHARE
        self._ring = mmap.mmap(-1, max(self._room, 1))  # memory is taken as it is written to
        self._written = 0
        """All bytes that were ever kept, and those that were left out where a message would not fit before the end."""
        self._forgets_at = 0
        """At how many of them, or later, the last message of the first dialog is gone."""
        self._known = 0
        """Bytes that it takes to know what is where."""
        self._dialogs: OrderedDict[str, list[Any]] = OrderedDict()
        """What is known of each dialog; that of which nothing was heard for longest is the first."""

    def note(self, call_id: str, at: float, sent: bool, flow: Flow, data: bytes) -> None:
        """Take a message of a dialog, with what `Seen` has of it; one that is longer than all there is is not kept."""
        length, room = len(data), self._room
        if length > room:
            return
        start = self._written % room
        if start + length > room:
            self._written += room - start
            start = 0
        self._ring[start : start + length] = data
        known = self._dialogs.get(call_id)
        if known is None:
            known = self._dialogs[call_id] = []
            self._known += OF_A_DIALOG + len(call_id)
        else:
            self._dialogs.move_to_end(call_id)
            first: int = known[_BEGINS]
            if first < self._written - room:  # it is gone
                del known[:_FIELDS]
                self._known -= OF_A_MESSAGE
        known += (at, sent, flow, self._written, length)
        self._known += OF_A_MESSAGE
        self._written += length
        if self._written > self._forgets_at or self._known > self._most_known:
            self._forget()

    def of(self, call_id: str) -> list[Seen]:
        """Return what is left of a dialog, in its order."""
        known = self._dialogs.get(call_id, ())
        oldest = self._written - self._room
        found = []
        for index in range(0, len(known), _FIELDS):
            at, sent, flow, begins, length = known[index : index + _FIELDS]
            if begins >= oldest:
                start = begins % self._room
                found.append(Seen(at, sent, flow, self._ring[start : start + length]))
        return found

    def _forget(self) -> None:
        """Forget dialogs of which nothing is left, and others while too much is known."""
        while self._dialogs:
            known = next(iter(self._dialogs.values()))
            last: int = known[_BEGINS - _FIELDS]
            self._forgets_at = last + self._room
            if self._written <= self._forgets_at and self._known <= self._most_known:
                break
            name, _ = self._dialogs.popitem(last=False)
            self._known -= OF_A_DIALOG + len(name) + OF_A_MESSAGE * (len(known) // _FIELDS)
