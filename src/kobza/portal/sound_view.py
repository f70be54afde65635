"""How well a side of a call heard the other one, in words and figures."""

from dataclasses import dataclass
from typing import Final, Literal

from kobza.portal.formats import decimal_text
from kobza.portal.texts import Say
from kobza.store.quality import HeardSide

GOOD: Final = 4.0
FAIR: Final = 3.6
"""Opinion scores from which most, and many, of those who listen are satisfied (ITU-T G.107, annex B)."""

Grade = Literal["good", "fair", "poor", "silent"]


@dataclass(frozen=True, slots=True)
class SoundView:
    """What a side heard."""

    grade: Grade
    detail: str


def sound_view(own: HeardSide, other: HeardSide, say: Say) -> SoundView:
    """Return what one side heard of the other."""
    if own.mos is None:
        return SoundView("silent", "")
    parts = [
        say("sound_mos", mos=decimal_text(own.mos, say)),
        say("sound_loss", loss=decimal_text(100 * own.missed / max(1, other.sent), say)),
    ]
    if own.jitter_ms is not None:
        parts.append(say("sound_jitter", ms=round(own.jitter_ms)))
    if own.round_trip_ms is not None:
        parts.append(say("sound_round_trip", ms=round(own.round_trip_ms)))
    grade: Grade = "good" if own.mos >= GOOD else "fair" if own.mos >= FAIR else "poor"
    return SoundView(grade, " · ".join(parts))
