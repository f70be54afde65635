"""How good a voice sounds that arrives like this: the E-model for telephone speech (ITU-T G.107), cut to what is known.

The default values of G.107 (handsets, a quiet room) give R = 93.2; what the network does lowers it: delay, and packets
that do not arrive or arrive too late to be played.
"""

from typing import Final

BEST: Final = 93.2
"""R of a connection that does nothing to the voice (G.107, table 1)."""
ROBUSTNESS: Final = 4.3
"""Bpl of G.711 without concealment of losses (G.113, appendix I): the phones' own is not known."""
NARROW_LOSS: Final = 95.0
"""The most that losses can take (G.107, formula 7-29)."""
SLOW_FROM: Final = 177.3
"""Milliseconds one way from which people fall into each other's words (Cole and Rosenbluth's fit of G.107)."""


def mos(loss: float, delay: float, jitter: float = 0.0) -> float:
    """Estimate the mean opinion score (1 to 4.5) of a voice.

    `loss` is the share of packets that did not arrive, 0 to 1; `delay` seconds one way, `jitter` (RFC 3550, section
    6.4.1) seconds, of which a phone holds back twice as much so that late packets still come in time.
    """
    late = 1000 * (max(0.0, delay) + 2 * max(0.0, jitter))
    impaired = 0.024 * late + 0.11 * max(0.0, late - SLOW_FROM)
    lost = 100 * min(1.0, max(0.0, loss))
    rating = BEST - impaired - NARROW_LOSS * lost / (lost + ROBUSTNESS)
    return _score(min(100.0, max(0.0, rating)))


def _score(rating: float) -> float:
    """Turn R into a score (G.107, annex B)."""
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
