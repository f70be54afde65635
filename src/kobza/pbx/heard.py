"""How the sides of a call heard each other, written down when the media plane knows it."""

import logging

from kobza.media.plane import CallHeard, Side, SideHeard
from kobza.pbx.books import BookKeeper
from kobza.pbx.journal import JournalFull, JournalStopped
from kobza.store import quality
from kobza.store.entries import DetailStored
from kobza.store.quality import HeardCall, HeardSide

log = logging.getLogger(__name__)


def write_heard(books: BookKeeper, event: CallHeard) -> None:
    """Store it beside the call's records. A journal that takes nothing more loses it: it is no part of the books."""
    text = quality.written(HeardCall(_side(event.sides[Side.CALLER]), _side(event.sides[Side.CALLEE])))
    try:
        books.append([DetailStored(event.call_id, "quality", text)], [])
    except (JournalFull, JournalStopped) as error:
        log.warning("how a call was heard is not stored: %s", error, extra={"call_id": event.call_id})


def _side(heard: SideHeard) -> HeardSide:
    return HeardSide(
        sent=heard.sent,
        lost=heard.lost,
        missed=heard.missed,
        jitter_ms=_ms(heard.jitter),
        round_trip_ms=_ms(heard.round_trip),
        mos=None if heard.mos is None else round(heard.mos, 2),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
