"""How good a voice sounds that arrives like this: the E-model for telephone speech (ITU-T G.107), cut to what is known.

The default values of G.107 (handsets, a quiet room) give R = 93.2; what the network does lowers it: delay, and packets
that do not arrive or arrive too late to be played. So does the codec, by itself and by how it bears losses. All is said
on the scale of G.107, where G.711 at its best has 4.41: a voice of wide band (G.722, Opus) cannot score better there.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

BEST: Final = 93.2
"""R of a connection that does nothing to the voice (G.107, table 1)."""
NARROW_LOSS: Final = 95.0
"""The most that losses can take (G.107, formula 7-29)."""
SLOW_FROM: Final = 177.3
"""Milliseconds one way from which people fall into each other's words (Cole and Rosenbluth's fit of G.107)."""


class Impairment(NamedTuple):
    """What a codec does to a voice (G.113, appendix I)."""

    equipment: float
    """Ie: by itself, taken from R."""
    robustness: float
    """Bpl: how well it bears losses that are scattered."""


PLAIN: Final = Impairment(0, 4.3)
"""G.711 without concealment of losses, as the phone's own is not known; also of a codec that is not known here."""
CODECS: Final[Mapping[str, Impairment]] = MappingProxyType(
    {
        "pcmu": PLAIN,
        "pcma": PLAIN,
        "g722": PLAIN,  # better than G.711, which this scale cannot say; its concealment is as optional
        "opus": Impairment(0, 19),  # no value of the ITU for it: it conceals by itself, as G.729 does
        "g729": Impairment(11, 19),  # annex A, which is what phones have
        "g723": Impairment(15, 16.1),  # 6.3 kbit/s
        "g728": Impairment(7, 4.3),
        "g726-32": Impairment(7, 4.3),
        "gsm": Impairment(20, 10),
    }
)
"""By the name in an `rtpmap`, in small letters."""


def mos(loss: float, delay: float, jitter: float = 0.0, codec: str = "pcma") -> float:
    """Estimate the mean opinion score (1 to 4.5) of a voice.

    `loss` is the share of packets that did not arrive, 0 to 1; `delay` seconds one way, `jitter` (RFC 3550, section
    6.4.1) seconds, of which a phone holds back twice as much so that late packets still come in time. `codec` is named
    as in an `rtpmap`.
    """
    late = 1000 * (max(0.0, delay) + 2 * max(0.0, jitter))
    impaired = 0.024 * late + 0.11 * max(0.0, late - SLOW_FROM)
    lost = 100 * min(1.0, max(0.0, loss))
    equipment, robustness = CODECS.get(codec.lower(), PLAIN)
    equipment += (NARROW_LOSS - equipment) * lost / (lost + robustness)
    rating = BEST - impaired - equipment
    return _score(min(100.0, max(0.0, rating)))


def _score(rating: float) -> float:
    """Turn R into a score (G.107, annex B)."""
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
