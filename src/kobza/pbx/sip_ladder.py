"""The SIP messages of each call, as a ladder for whoever asks later how it went: what was said when, and by whom.

Only what a first line says is kept, and codecs and hold of a session description, without addresses and numbers: a
call's page is seen by two enterprises, and by nobody's order may it show one what the other's phones are. It is written
some seconds after the end, with others.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from kobza.capture.reading import call_id_in, description_in, what_it_says
from kobza.capture.recent import RecentMessages
from kobza.capture.told import Said, ladder, said
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
        self._seen: OrderedDict[str, list[Any]] = OrderedDict()
        """When a message was, seconds since the epoch, and what it said (`Said`), in turn: half of what pairs take."""
        self._remembered = 0
        self._over: deque[tuple[float, str]] = deque()
        """When the ladders of ended calls are due."""

    def note(self, data: bytes, flow: Flow, sent: bool, at: float) -> None:
        """Take a message that came or goes; one of no call is forgotten at once."""
        text = data.decode("latin-1")  # as `Seen.text`
        call_id = call_id_in(text)
        if call_id is None or len(call_id) > MAX_CALL_ID:
            return
        known = self._seen.get(call_id)
        if known is None:
            if not text.startswith("INVITE "):
                return
            known = self._seen[call_id] = []
        if len(known) < 2 * MAX_MESSAGES:
            known += (at, said(sent, what_it_says(text), description_in(text, address=False)))
            self._remembered += 1
        if self._recent is not None:
            self._recent.note(call_id, at, sent, flow, data)
        while self._remembered > self._most:
            self._forget(next(iter(self._seen)))

    def over(self, call_id: str, now: float) -> None:
        """Take that a call has ended."""
        self._dialogs.end(call_id)
        self._over.append((now + LINGER, call_id))

    def write(self, now: float) -> None:
        """Write what is due; of a journal that takes nothing more it is lost: it is no part of the books."""
        entries: list[DetailStored] = []
        while self._over and self._over[0][0] <= now:
            _, call_id = self._over.popleft()
            told = ladder([(lane, self._forget(name)) for lane, name in self._dialogs.of(call_id)])
            if told is not None:
                entries.append(DetailStored(call_id, "sip_ladder", messages.written(told)))
        if entries:
            try:
                self._append(entries, [])
            except (JournalFull, JournalStopped) as error:
                log.warning("the messages of %d calls are not stored: %s", len(entries), error)

    def _forget(self, call_id: str) -> list[tuple[float, Said]]:
        """Return what is remembered of a dialog, and remember it no longer."""
        known = self._seen.pop(call_id, [])
        found = list(zip(known[::2], known[1::2], strict=True))
        self._remembered -= len(found)
        return found
