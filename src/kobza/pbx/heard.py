"""How the sides of a call heard each other: counted, and written down when the media plane knows it."""

import logging
from collections.abc import Mapping
from typing import Final, Literal

from kobza.call.heard import HeardCall, HeardSide
from kobza.measures import Histogram
from kobza.media.messages import TELLING
from kobza.media.plane import CallHeard, Side, SideHeard
from kobza.pbx.books import BookKeeper
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.store import quality
from kobza.store.entries import DetailStored

log = logging.getLogger(__name__)

Way = Literal["received", "sent"]
"""From a phone to us; from the other phone through us to this one, all the way."""

MOS_BOUNDS: Final = (1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3, 4.5)
"""Opinion scores at which users' satisfaction changes its name (G.107, annex B), and between."""
LOSS_BOUNDS: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of packets: beyond 0.01 an ear without concealment hears it, beyond 0.05 words are lost."""
JITTER_BOUNDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Seconds. A phone's buffer usually takes 40 to 60 ms."""
ROUND_TRIP_BOUNDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Seconds to a phone and back."""


class WayQuality:
    """How the voices of all calls fared one way, a value for each leg."""

    def __init__(self) -> None:
        self.mos = Histogram(MOS_BOUNDS)
        self.loss = Histogram(LOSS_BOUNDS)
        self.jitter = Histogram(JITTER_BOUNDS)

    def observe(self, mos: float, loss: float, jitter: float | None) -> None:
        """Count a leg on which something came this way; `jitter` in seconds, None when it is not known."""
        self.mos.observe(mos)
        self.loss.observe(min(1.0, max(0.0, loss)))
        if jitter is not None:
            self.jitter.observe(jitter)


class Hearings:
    """Counts and writes down how calls were heard."""

    def __init__(self, books: BookKeeper) -> None:
        self._books = books
        self.ways: Final[dict[Way, WayQuality]] = {"received": WayQuality(), "sent": WayQuality()}
        self.round_trip = Histogram(ROUND_TRIP_BOUNDS)

    def take(self, event: CallHeard, silences: Mapping[Side, float]) -> HeardCall | None:
        """Count and store how a call was heard; return it, None when too little came to say anything.

        `silences` are the seconds in which a side was not heard. A journal that takes nothing more loses it: it is no
        part of the books.
        """
        caller, callee = event.sides[Side.CALLER], event.sides[Side.CALLEE]
        if caller.sent + callee.sent < TELLING:
            return None
        self._count(caller, callee)
        self._count(callee, caller)
        heard = HeardCall(_side(caller, silences.get(Side.CALLER, 0.0)), _side(callee, silences.get(Side.CALLEE, 0.0)))
        try:
            self._books.append([DetailStored(event.call_id, "quality", quality.written(heard))], [])
        except (JournalFull, JournalStopped) as error:
            log.warning("how a call was heard is not stored: %s", error, extra={"call_id": event.call_id})
        return heard

    def _count(self, own: SideHeard, other: SideHeard) -> None:
        if own.arrival_mos is not None:
            self.ways["received"].observe(own.arrival_mos, own.lost / max(1, own.sent), own.arrival_jitter)
        if own.mos is not None:
            self.ways["sent"].observe(own.mos, own.missed / max(1, other.sent), own.jitter)
        if own.round_trip is not None:
            self.round_trip.observe(own.round_trip)


def _side(heard: SideHeard, silence: float) -> HeardSide:
    return HeardSide(
        sent=heard.sent,
        lost=heard.lost,
        missed=heard.missed,
        jitter_ms=_ms(heard.jitter),
        round_trip_ms=_ms(heard.round_trip),
        mos=_score(heard.mos),
        arrival_jitter_ms=_ms(heard.arrival_jitter),
        arrival_mos=_score(heard.arrival_mos),
        codec=heard.codec,
        silent_s=round(silence, 1),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _score(mos: float | None) -> float | None:
    return None if mos is None else round(mos, 2)
