"""One-way audio: calls in which a side is not heard, noticed while they are on and remembered until they are told."""

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from kobza.call.phases import Phase
from kobza.media.plane import Side, SideNotHeard
from kobza.pbx.live_call import LiveCall, without

log = logging.getLogger(__name__)

MOST: Final = 1000
"""Calls that are over and whose silences wait for CallHeard, two seconds mostly; beyond, the oldest are forgotten."""
NONE: Final[Mapping[Side, float]] = MappingProxyType({})


class OneWayCalls:
    """Keeps who is not heard. `now` is the server's clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._over: OrderedDict[str, Mapping[Side, float]] = OrderedDict()
        self.noticed: dict[Side, int] = defaultdict(int)
        """How often each side was not heard."""

    def told(self, live: LiveCall, event: SideNotHeard) -> None:
        """Take what the media plane says of a side of a call that is on.

        While phones ring, nobody needs to be heard: what lasts is told again when they talk.
        """
        side, now = event.side, self._now()
        if not event.seconds:
            self._end(live, side, now)
        elif side not in live.not_heard and live.call.phase is Phase.TALKING:
            view = live.call.legs.get(live.caller_leg_id if side is Side.CALLER else live.callee_leg_id)
            since = now - event.seconds
            live.not_heard = {**live.not_heard, side: since if view is None else max(since, view.since)}
            self.noticed[side] += 1
            log.warning(
                "one-way audio: nothing is heard of the %s for %.0f s, while the other side is",
                side.value,
                event.seconds,
                extra=live.about,
            )

    def ended(self, live: LiveCall) -> None:
        """Note that a call is over."""
        now = self._now()
        for side in live.not_heard:
            self._end(live, side, now)
        if live.silences:
            self._over[live.call_id] = live.silences
            while len(self._over) > MOST:
                self._over.popitem(last=False)

    def take(self, call_id: str) -> Mapping[Side, float]:
        """Return for how many seconds the sides of a call that is over were not heard, and forget it."""
        return self._over.pop(call_id, NONE)

    def _end(self, live: LiveCall, side: Side, now: float) -> None:
        since = live.not_heard.get(side)
        if since is not None:
            live.not_heard = without(live.not_heard, side)
            live.silences = {**live.silences, side: live.silences.get(side, 0.0) + max(0.0, now - since)}
            if not live.ended:
                log.info("the %s is heard again", side.value, extra=live.about)
