"""What the media plane says by itself becomes an input of a call, or of what is remembered of it."""

import logging
from collections.abc import Callable
from typing import Final

from kobza.media.plane import (
    CallHeard,
    DigitPressed,
    MediaEvent,
    MediaPlaneLost,
    MediaTimedOut,
    RecordingClosed,
    SideNotHeard,
)
from kobza.pbx.books import BookKeeper
from kobza.pbx.heard import Hearings
from kobza.pbx.info_digits import InfoDigits
from kobza.pbx.live_call import Enter
from kobza.pbx.one_way import OneWayCalls
from kobza.pbx.partings import Partings
from kobza.pbx.recordings import Recordings
from kobza.pbx.running_calls import RunningCalls

log = logging.getLogger(__name__)


class MediaEvents:
    """Takes the events of the media plane. Of calls that are over by then only how they were heard counts."""

    def __init__(
        self,
        running: RunningCalls,
        books: BookKeeper,
        *,
        recordings: Recordings,
        partings: Partings,
        info: InfoDigits,
        enter: Enter,
        terminate: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        """`terminate` ends a call by its id, because something failed."""
        self.hearings: Final = Hearings(books)
        """How calls were heard that are over, for metrics."""
        self.one_way: Final = OneWayCalls(now)
        """Calls in which a side is not heard."""
        self._calls = running.by_id
        self._recordings = recordings
        self._partings = partings
        self._info = info
        self._enter = enter
        self._terminate = terminate
        self._now = now

    def take(self, event: MediaEvent) -> None:
        """Take one event."""
        match event:
            case MediaTimedOut(call_id, side):
                live = self._calls.get(call_id)
                if live is not None:
                    log.info("no media from the %s", side.value, extra=live.about)
                    call = live.call
                    self._enter(live, lambda: call.media_timed_out(side.value, self._now()))
            case MediaPlaneLost(call_ids):
                log.error("the media of %d calls is lost", len(call_ids))
                for call_id in call_ids:
                    self._terminate(call_id)
            case RecordingClosed():
                self._recordings.closed(event)
            case DigitPressed(call_id, presser, digit):
                live = self._calls.get(call_id)
                if live is not None:
                    self._info.pass_on(live, live.leg_at(presser.other), digit)
            case SideNotHeard(call_id):
                live = self._calls.get(call_id)
                if live is not None:
                    self.one_way.told(live, event)
            case CallHeard():
                heard = self.hearings.take(event, self.one_way.take(event.call_id))
                self._partings.heard(event.call_id, heard)
