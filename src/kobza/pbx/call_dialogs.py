"""Which SIP dialogs belong to which call, for who looks at messages: while it is on, and some time after its end."""

from collections import OrderedDict
from typing import Final, Protocol

from kobza.capture.drawing import CALLER, TRUNK

MAX_ENDED: Final = 5000
"""Ended calls of which it is remembered, some 3 MB; those that ended first are forgotten first."""


class Dialog(Protocol):
    """What is asked of a dialog."""

    @property
    def role(self) -> str:
        """ "uas": its phone called; else "uac"."""

    @property
    def sip_call_id(self) -> str:
        """Its Call-ID."""


class CallDialogs:
    """By Call-ID. Belongs into the loop's thread."""

    def __init__(self, most_ended: int = MAX_ENDED) -> None:
        self._most_ended = most_ended
        self._calls: dict[str, str] = {}
        self._dialogs: dict[str, tuple[str, ...]] = {}
        """By call: of each dialog who is at the other end, and its Call-ID, in turn."""
        self._ended: OrderedDict[str, None] = OrderedDict()

    def join(self, call_id: str, dialog: Dialog, trunk: str | None) -> None:
        """Note that a dialog is of a call now, and of no other. `trunk`: the name of the trunk that it goes over."""
        name = dialog.sip_call_id
        before = self._calls.get(name)
        if before is not None:
            dialogs = self._dialogs[before]
            at = 2 * dialogs[1::2].index(name)
            self._dialogs[before] = dialogs[:at] + dialogs[at + 2 :]
        self._calls[name] = call_id
        self._dialogs[call_id] = (*self._dialogs.get(call_id, ()), _lane(dialog, trunk), name)

    def end(self, call_id: str) -> None:
        """Note that a call has ended."""
        self._ended[call_id] = None
        while len(self._ended) > self._most_ended:
            forgotten, _ = self._ended.popitem(last=False)
            for name in self._dialogs.pop(forgotten, ())[1::2]:
                self._calls.pop(name, None)

    def call_of(self, sip_call_id: str) -> str | None:
        """Return the call that a dialog belongs to."""
        return self._calls.get(sip_call_id)

    def trunk_of(self, call_id: str, dialog: Dialog) -> str | None:
        """Return the name of the trunk that a dialog of a call goes over; None: a phone's."""
        name = dialog.sip_call_id
        lanes = (lane.removeprefix(f"{CALLER} ") for lane, each in self.of(call_id) if each == name)
        return next((lane.removeprefix(TRUNK) for lane in lanes if lane.startswith(TRUNK)), None)

    def of(self, call_id: str) -> list[tuple[str, str]]:
        """Return the dialogs of a call: who is at the other end (as `SipLadder.lanes` has it), and the Call-ID."""
        dialogs = self._dialogs.get(call_id, ())
        return [(dialogs[at], dialogs[at + 1]) for at in range(0, len(dialogs), 2)]


def _lane(dialog: Dialog, trunk: str | None) -> str:
    is_caller = dialog.role == "uas"
    if trunk is None:
        return CALLER if is_caller else "phone"
    return f"{CALLER} {TRUNK}{trunk}" if is_caller else f"{TRUNK}{trunk}"
