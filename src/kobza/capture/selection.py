"""Which messages a capture wants: those of a call, of a number, or all."""

import re
from collections.abc import Callable, Collection
from typing import Final

from kobza.call.numbers import national
from kobza.capture.message import Seen
from kobza.capture.reading import call_id_in

REMEMBERED: Final = 10_000
"""Dialogs that are known to be wanted; at the bound all are forgotten, and found again by their next message."""


class Selection:
    """What is wanted. Messages are looked at a moment after they passed: then it is known which call they belong to."""

    def __init__(
        self,
        *,
        number: str | None,
        call_id: str | None,
        call_of: Callable[[str], str | None],
        numbers_in: Callable[[str], Collection[str]],
    ) -> None:
        """`number` is E.164 or a short code; with neither it nor a call all is wanted.

        `call_of` gives the call that a Call-ID belongs to, `numbers_in` who takes part in a call that is on.
        """
        self._number = number
        self._call_id = call_id
        self._call_of = call_of
        self._numbers_in = numbers_in
        self._names = None if number is None else _addresses_of(number)
        self._wanted: set[str] = set()

    def wants(self, seen: Seen) -> bool:
        """Tell whether a message is wanted."""
        if self._number is None and self._call_id is None:
            return True
        dialog = call_id_in(seen.text)
        if dialog is None:
            return False
        if dialog in self._wanted:
            return True
        if not self._begins_to(dialog, seen.data):
            return False
        if len(self._wanted) >= REMEMBERED:
            self._wanted.clear()
        self._wanted.add(dialog)
        return True

    def _begins_to(self, dialog: str, data: bytes) -> bool:
        call_id = self._call_of(dialog)
        if self._names is None:
            return call_id is not None and call_id == self._call_id
        if call_id is not None and self._number in self._numbers_in(call_id):
            return True  # also where the message itself hides or does not name the number
        end = data.find(b"\r\n\r\n")
        return self._names.search(data, 0, end if end >= 0 else len(data)) is not None


def _addresses_of(number: str) -> re.Pattern[bytes]:
    """Return what finds a number in an address of a header, however it is written."""
    written = {number, number.removeprefix("+"), national(number)}
    users = b"|".join(re.escape(each.encode()) for each in sorted(written))
    return re.compile(rb"(?:\bsips?:|\btel:)(?:" + users + rb")(?=[@;>?,:\s]|$)", re.IGNORECASE)
