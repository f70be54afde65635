"""Who sees the messages of the sockets: the ladders of calls always, taps while somebody wants them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from kobza.capture.message import Seen
from kobza.capture.recent import RecentMessages
from kobza.capture.selection import Selection
from kobza.capture.tap import Tap
from kobza.net.endpoint import SipEndpoint
from kobza.pbx.call_dialogs import CallDialogs
from kobza.pbx.live_call import LiveCall
from kobza.pbx.sip_ladder import SipLadders
from kobza.sip.flow import Flow

MAX_TAPS: Final = 5
"""At a time: each costs every message something."""


@dataclass(slots=True)
class Exported:
    """What became of the messages that go to a collector; all only grow."""

    sent: int = 0
    refused: int = 0
    """By the way to the collector: it is full, or nobody is there."""
    _tap: Tap | None = None
    _before: int = 0

    @property
    def dropped(self) -> int:
        """Messages that did not get there, as far as that is known here."""
        return self.refused + self._before + (0 if self._tap is None else self._tap.dropped)

    @contextmanager
    def through(self, tap: Tap) -> Iterator[None]:
        """Count what a tap drops too."""
        self._tap = tap
        try:
            yield
        finally:
            self._before += tap.dropped
            self._tap = None


class TooManyTaps(Exception):
    """So many look at the messages that no more may."""


class SipWatch:
    """Gives messages to who wants them. Belongs into the loop's thread."""

    def __init__(
        self,
        endpoint: SipEndpoint,
        ladders: SipLadders,
        dialogs: CallDialogs,
        recent: RecentMessages,
        live: Callable[[str], LiveCall | None],
    ) -> None:
        """`live` returns a call that is on."""
        self._endpoint = endpoint
        self._ladders = ladders
        self._dialogs = dialogs
        self._recent = recent
        self._live = live
        self._taps: list[Tap] = []
        self.exported = Exported()
        """What went to a collector, for metrics."""
        endpoint.watch = ladders.note

    @contextmanager
    def tap(self) -> Iterator[Tap]:
        """Have all messages from now on wait in a tap. Raises TooManyTaps."""
        if len(self._taps) >= MAX_TAPS:
            raise TooManyTaps(f"{MAX_TAPS} captures and exports run already")
        tap = Tap()
        self._taps.append(tap)
        self._endpoint.watch = self._note
        try:
            yield tap
        finally:
            self._taps.remove(tap)
            if not self._taps:  # a message costs no more than before
                self._endpoint.watch = self._ladders.note

    def selection(self, *, number: str | None, call_id: str | None) -> Selection:
        """Return what picks the messages of a number (E.164 or a short code) or of a call; without either all."""
        return Selection(number=number, call_id=call_id, call_of=self._dialogs.call_of, numbers_in=self._numbers_in)

    def first_leg(self, sip_call_id: str) -> str:
        """Return the Call-ID of the first leg of the call that a dialog belongs to; its own where there is none."""
        call_id = self._dialogs.call_of(sip_call_id)
        dialogs = () if call_id is None else self._dialogs.of(call_id)
        return dialogs[0][1] if dialogs else sip_call_id

    def knows(self, call_id: str) -> bool:
        """Tell whether a call is on."""
        return self._live(call_id) is not None

    def recent(self, call_id: str) -> list[tuple[str, list[Seen]]]:
        """Return what is still in memory of a call: of each dialog who is at the other end, and its messages."""
        self._ladders.catch_up()
        return [(lane, self._recent.of(name)) for lane, name in self._dialogs.of(call_id)]

    def _note(self, data: bytes, flow: Flow, sent: bool, at: float) -> None:
        self._ladders.note(data, flow, sent, at)
        seen = Seen(at, sent, flow, data)
        for tap in self._taps:
            tap.take(seen)

    def _numbers_in(self, call_id: str) -> set[str]:
        live = self._live(call_id)
        return set() if live is None else {party.number for _, party, _ in live.parties()}
