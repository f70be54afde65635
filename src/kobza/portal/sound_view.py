"""How well a side of a call heard the other one, and how its voice came to us, in words and figures."""

from dataclasses import dataclass
from typing import Final, Literal

from kobza.call.heard import HeardSide
from kobza.portal.formats import decimal_text
from kobza.portal.texts import Say

GOOD: Final = 4.0
FAIR: Final = 3.6
"""Opinion scores from which most, and many, of those who listen are satisfied (ITU-T G.107, annex B)."""

Grade = Literal["good", "fair", "poor", "silent"]


@dataclass(frozen=True, slots=True)
class SoundView:
    """What a side heard, or what was heard of it here."""

    grade: Grade
    detail: str


def sound_view(own: HeardSide, other: HeardSide, say: Say) -> SoundView:
    """Return what one side heard of the other."""
    if own.mos is None:
        return SoundView("silent", "")
    parts = _figures(own.mos, own.missed / max(1, other.sent), own.jitter_ms, say)
    if own.round_trip_ms is not None:
        parts.append(say("sound_round_trip", ms=round(own.round_trip_ms)))
    return SoundView(_grade(own.mos), " · ".join(parts))


def voice_view(own: HeardSide, say: Say) -> SoundView | None:
    """Return how the voice of one side came to us; None when that is not known, or nothing came."""
    if own.arrival_mos is None:
        return None
    parts = _figures(own.arrival_mos, own.lost / max(1, own.sent), own.arrival_jitter_ms, say)
    if own.codec:
        parts.append(own.codec)
    return SoundView(_grade(own.arrival_mos), " · ".join(parts))


def _figures(mos: float, loss: float, jitter_ms: float | None, say: Say) -> list[str]:
    parts = [say("sound_mos", mos=decimal_text(mos, say)), say("sound_loss", loss=decimal_text(100 * loss, say))]
    if jitter_ms is not None:
        parts.append(say("sound_jitter", ms=round(jitter_ms)))
    return parts


def _grade(mos: float) -> Grade:
    return "good" if mos >= GOOD else "fair" if mos >= FAIR else "poor"
