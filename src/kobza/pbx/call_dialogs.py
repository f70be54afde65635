"""Which SIP dialogs belong to which call, for who looks at messages: while it is on, and some time after its end."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from kobza.capture.drawing import CALLER, TRUNK
from kobza.sip.invite import InviteDialog

MAX_ENDED: Final = 5000
"""Ended calls of which it is remembered, some 2 MB; those that ended first are forgotten first."""


class CallDialogs:
    """By Call-ID, as bytes of messages have it. Belongs into the loop's thread."""

    def __init__(self) -> None:
        self._calls: dict[bytes, str] = {}
        self._dialogs: dict[str, list[tuple[str, bytes]]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def join(self, call_id: str, dialog: InviteDialog, trunk: str | None) -> None:
        """Note that a dialog is of a call now, and of no other. `trunk`: the name of the trunk that it goes over."""
        name = dialog.sip_call_id.encode()
        before = self._calls.get(name)
        if before is not None:
            self._dialogs[before] = [each for each in self._dialogs[before] if each[1] != name]
        self._calls[name] = call_id
        self._dialogs.setdefault(call_id, []).append((_lane(dialog, trunk), name))

    def end(self, call_id: str) -> None:
        """Note that a call has ended."""
        self._ended[call_id] = None
        while len(self._ended) > MAX_ENDED:
            forgotten, _ = self._ended.popitem(last=False)
            for _, name in self._dialogs.pop(forgotten, ()):
                self._calls.pop(name, None)

    def call_of(self, sip_call_id: bytes) -> str | None:
        """Return the call that a dialog belongs to."""
        return self._calls.get(sip_call_id)

    def trunk_of(self, call_id: str, dialog: InviteDialog) -> str | None:
        """Return the name of the trunk that a dialog of a call goes over; None: a phone's."""
        name = dialog.sip_call_id.encode()
        lanes = (lane.removeprefix(f"{CALLER} ") for lane, each in self.of(call_id) if each == name)
        return next((lane.removeprefix(TRUNK) for lane in lanes if lane.startswith(TRUNK)), None)

    def of(self, call_id: str) -> Sequence[tuple[str, bytes]]:
        """Return the dialogs of a call: who is at the other end (as `SipLadder.lanes` has it), and the Call-ID."""
        return self._dialogs.get(call_id, ())


def _lane(dialog: InviteDialog, trunk: str | None) -> str:
    is_caller = dialog.role == "uas"
    if trunk is None:
        return CALLER if is_caller else "phone"
    return f"{CALLER} {TRUNK}{trunk}" if is_caller else f"{TRUNK}{trunk}"
