"""The codecs of voices in a spool: each has a number there. Which of them are decoded is for `kobza.media.decoding`."""

from typing import Final

from kobza.rtp import opus
from kobza.rtp.g711 import Law
from kobza.sdp.codecs import Codec

MU: Final = int(Law.MU)
A: Final = int(Law.A)
G722: Final = 9
OPUS: Final = 111
OTHER: Final = 254
"""A codec without a number of its own."""
NO_CODEC: Final = 255
"""Marks a payload type that is no speech in a table of codecs; its packets are not recorded."""
NO_CODECS: Final = bytes([NO_CODEC]) * 128
"""By payload type: none is recorded."""

_NUMBERS: Final = {
    ("pcmu", 8000): MU,
    ("pcma", 8000): A,
    ("g722", 8000): G722,
    ("opus", 48000): OPUS,
    ("gsm", 8000): 3,
    ("g723", 8000): 4,
    ("lpc", 8000): 7,
    ("qcelp", 8000): 12,
    ("g728", 8000): 15,
    ("g729", 8000): 18,
    ("ilbc", 8000): 97,
    ("amr", 8000): 98,
    ("amr-wb", 16000): 99,
    ("evs", 16000): 100,
    ("speex", 8000): 101,
    ("speex", 16000): 102,
    ("g7221", 16000): 103,
    ("l16", 8000): 104,
    ("l16", 16000): 105,
    ("g726-32", 8000): 106,
    ("isac", 16000): 107,
    ("silk", 16000): 108,
}
"""By name and RTP clock. Spools are read by later releases: a number never changes its meaning."""
_NAMES: Final = {
    **{number: name.upper() for (name, _), number in _NUMBERS.items()},
    OPUS: "Opus",
    OTHER: "unknown",
}

NUMBERS: Final = frozenset(_NAMES)
"""What the codec of a packet in a spool may be."""

WIDE: Final = frozenset({G722, OPUS})
"""Those that carry more than a telephone's band, up to 7 kHz or more."""


def number_of(codec: Codec) -> int:
    """Return the number of a codec that carries speech."""
    return _NUMBERS.get((codec.name.lower(), codec.rate), OTHER)


def name_of(number: int) -> str:
    """Return what people call the codec of a number."""
    return _NAMES[number]


def units_of(number: int) -> int:
    """Return how many units of the RTP timestamp pass in a sample of 8,000 Hz."""
    return opus.CLOCK // 8000 if number == OPUS else 1


def samples_of(number: int, payload: bytes) -> int:
    """Return for how many samples of 8,000 Hz a payload sounds; of G.711, G.722 or Opus alone.

    An octet of G.722 holds two samples of 16,000 Hz (RFC 3551, section 4.5.2). Raises MalformedRtp.
    """
    return opus.samples_of(payload) // units_of(OPUS) if number == OPUS else len(payload)
