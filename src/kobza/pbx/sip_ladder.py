"""The SIP messages of each call, as a ladder for whoever asks later how it went: what was said when, and by whom.

Only what a first line says is kept, and codecs and hold of a session description, without addresses and numbers: a
call's page is seen by two enterprises, and by nobody's order may it show one what the other's phones are. It is written
some seconds after the end, with others.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Final

from kobza.capture.reading import call_id_in, description_in, what_it_says
from kobza.capture.recent import RecentMessages
from kobza.pbx.call_dialogs import CallDialogs
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.sip.flow import Flow
from kobza.store import messages
from kobza.store.entries import DetailStored, StateStored

log = logging.getLogger(__name__)

Append = Callable[[Sequence[DetailStored], Sequence[StateStored]], None]

MAX_REMEMBERED: Final = 400_000
"""Messages remembered, some 35 MB: those of 20,000 calls. Beyond, the dialogs that began first are forgotten."""
MAX_MESSAGES: Final = 200
"""Messages kept of one dialog: its beginning. An hour of holding and resuming has as many."""
MAX_CALL_ID: Final = 256
"""Characters of a Call-ID: a stranger's may be as long as a datagram, and is kept as long as what is said under it."""
MAX_WAITING: Final = 64
"""Messages that wait to be looked at together: for one alone the code for that is in no cache of the processor."""
_MOST_NOTED: Final = messages.FIELDS * MAX_MESSAGES
"""Fields of one dialog."""
LINGER: Final = 3.0
"""Seconds after the end of a call in which the last answers come."""


class SipLadders:
    """Remembers messages by Call-ID while calls are on. Belongs into the loop's thread."""

    def __init__(
        self, append: Append, dialogs: CallDialogs, recent: RecentMessages | None, most: int = MAX_REMEMBERED
    ) -> None:
        """`append` writes into the books; `recent` gets the messages of calls, whole; None: nobody does."""
        self._most = most
        self._append = append
        self._dialogs = dialogs
        self._recent = recent
        self._waiting: list[tuple[bytes, Flow, bool, float]] = []
        self._seen: OrderedDict[str, messages.Noted] = OrderedDict()
        self._remembered = 0
        self._over: deque[tuple[float, str]] = deque()
        """When the ladders of ended calls are due."""

    def note(self, data: bytes, flow: Flow, sent: bool, at: float) -> None:
        """Take a message that came or goes, at a moment in seconds since the epoch. It is looked at with others."""
        self._waiting.append((data, flow, sent, at))
        if len(self._waiting) >= MAX_WAITING:
            self.catch_up()

    def catch_up(self) -> None:
        """Look at the messages that wait. One at which that fails is left out."""
        looked_at = 0
        try:
            for data, flow, sent, at in self._waiting:
                looked_at += 1
                self._look(data, flow, sent, at)
        finally:
            del self._waiting[:looked_at]

    def over(self, call_id: str, now: float) -> None:
        """Take that a call has ended."""
        self._dialogs.end(call_id)
        self._over.append((now + LINGER, call_id))

    def write(self, now: float) -> None:
        """Write what is due; of a journal that takes nothing more it is lost: it is no part of the books."""
        self.catch_up()
        entries: list[DetailStored] = []
        while self._over and self._over[0][0] <= now:
            _, call_id = self._over.popleft()
            dialogs = [(lane, noted) for lane, name in self._dialogs.of(call_id) if (noted := self._forget(name))]
            if dialogs:
                entries.append(DetailStored(call_id, "sip_ladder", messages.written(dialogs)))
        if entries:
            try:
                self._append(entries, [])
            except (JournalFull, JournalStopped) as error:
                log.warning("the messages of %d calls are not stored: %s", len(entries), error)

    def _look(self, data: bytes, flow: Flow, sent: bool, at: float) -> None:
        """Note a message; one of no call is forgotten at once."""
        text = data.decode("latin-1")  # as `Seen.text`
        call_id = call_id_in(text)
        if call_id is None or len(call_id) > MAX_CALL_ID:
            return
        moment = int(at * 1_000_000 + 0.5)
        noted = self._seen.get(call_id)
        if noted is None:
            if not text.startswith("INVITE "):
                return
            noted = self._seen[call_id] = [moment]
        if len(noted) < _MOST_NOTED:
            began: int = noted[0]
            noted += (moment - began, sent, what_it_says(text), description_in(text, address=False))
            self._remembered += 1
        if self._recent is not None:
            self._recent.note(call_id, at, sent, flow, data)
        while self._remembered > self._most:
            self._forget(next(iter(self._seen)))

    def _forget(self, call_id: str) -> messages.Noted:
        """Return what is remembered of a dialog, and remember it no longer."""
        noted = self._seen.pop(call_id, [])
        self._remembered -= len(noted) // messages.FIELDS
        return noted
