"""The SIP messages of each call, as a ladder for whoever asks later how it went: what was said when, and by whom.

Only what a first line says is kept, and codecs and hold of a session description, without addresses and numbers: a
call's page is seen by two enterprises, and by nobody's order may it show one what the other's phones are. It is written
some seconds after the end, with others.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from kobza.capture.drawing import CALLER, TRUNK
from kobza.capture.reading import call_id_in, description_in, what_it_says
from kobza.pbx.books import BookKeeper
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.sip.invite import InviteDialog
from kobza.store import messages
from kobza.store.entries import DetailStored
from kobza.store.messages import Message, SipLadder

log = logging.getLogger(__name__)

MAX_REMEMBERED: Final = 400_000
"""Messages remembered, some 80 MB: those of 20,000 calls. Beyond, the dialogs that began first are forgotten."""
MAX_MESSAGES: Final = 200
"""Messages kept of one dialog: its beginning. An hour of holding and resuming has as many."""
LINGER: Final = 3.0
"""Seconds after the end of a call in which the last answers come."""


class _Seen(NamedTuple):
    at: float
    sent: bool
    what: str
    about: str


class _Over(NamedTuple):
    """A call that has ended and whose ladder is to be written."""

    due: float
    call_id: str
    dialogs: list[tuple[str, bytes]]
    """Who is at its other end, and its Call-ID."""


class SipLadders:
    """Remembers messages by Call-ID while calls are on. Belongs into the loop's thread."""

    def __init__(self, books: BookKeeper) -> None:
        self._books = books
        self._seen: OrderedDict[bytes, list[_Seen]] = OrderedDict()
        self._remembered = 0
        self._over: deque[_Over] = deque()

    def note(self, data: bytes, sent: bool, at: float) -> None:
        """Take a message that came or goes; one of no call is forgotten at once."""
        call_id = call_id_in(data)
        if call_id is None:
            return
        known = self._seen.get(call_id)
        if known is None:
            if not data.startswith(b"INVITE "):
                return
            known = self._seen[call_id] = []
        if len(known) < MAX_MESSAGES:
            known.append(_Seen(at, sent, what_it_says(data), description_in(data, address=False)))
            self._remembered += 1
        while self._remembered > MAX_REMEMBERED:
            self._forget(next(iter(self._seen)))

    def over(self, call_id: str, dialogs: Iterable[tuple[InviteDialog, str | None]], now: float) -> None:
        """Take that a call has ended. With its dialogs comes the name of the trunk at the other end, None: a phone."""
        named = [(_lane(dialog, trunk), dialog.sip_call_id.encode()) for dialog, trunk in dialogs]
        self._over.append(_Over(now + LINGER, call_id, named))

    def write(self, now: float) -> None:
        """Write what is due; of a journal that takes nothing more it is lost: it is no part of the books."""
        entries: list[DetailStored] = []
        while self._over and self._over[0].due <= now:
            over = self._over.popleft()
            ladder = self._ladder(over)
            if ladder is not None:
                entries.append(DetailStored(over.call_id, "sip_ladder", messages.written(ladder)))
        if entries:
            try:
                self._books.append(entries, [])
            except (JournalFull, JournalStopped) as error:
                log.warning("the messages of %d calls are not stored: %s", len(entries), error)

    def _forget(self, call_id: bytes) -> list[_Seen]:
        """Return what is remembered of a dialog, and remember it no longer."""
        found = self._seen.pop(call_id, [])
        self._remembered -= len(found)
        return found

    def _ladder(self, over: _Over) -> SipLadder | None:
        lanes: list[str] = []
        seen: list[tuple[_Seen, int]] = []
        for name, call_id in over.dialogs:
            found = self._forget(call_id)
            if found:
                seen += [(each, len(lanes)) for each in found]
                lanes.append(name)
        if not seen:
            return None
        seen.sort(key=lambda each: each[0].at)
        began = seen[0][0].at
        told = [Message(round((each.at - began) * 1000), lane, each.sent, each.what, each.about) for each, lane in seen]
        return SipLadder(round(began * 1000), lanes, told)


def _lane(dialog: InviteDialog, trunk: str | None) -> str:
    """Name who is at the other end of a dialog, as `SipLadder.lanes` has it."""
    is_caller = dialog.role == "uas"
    if trunk is None:
        return CALLER if is_caller else "phone"
    return f"{CALLER} {TRUNK}{trunk}" if is_caller else f"{TRUNK}{trunk}"
