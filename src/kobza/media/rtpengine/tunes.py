"""The tones that phones hear, as files that fit into a command: mp3, which rtpengine decodes for each codec."""

from functools import cache
from typing import Final

import lameenc

from kobza.media import tones
from kobza.media.plane import ToneName
from kobza.rtp.g711 import SAMPLE_RATE, Law, decode

_KBITS: Final = {"music": 16, "ringback": 8}
"""Per second: 32 KB for 16 s of music, which UDP carries in one datagram; 5 KB for ringback."""
_PAYLOADS: Final = {"music": tones.music, "ringback": tones.ringback}


@cache
def tune(name: ToneName) -> bytes:
    """Return a tone that is no "none"."""
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_channels(1)
    encoder.set_bit_rate(_KBITS[name])
    encoder.set_quality(2)
    sound = b"".join(decode(payload, Law.A) for payload in _PAYLOADS[name](Law.A))
    return bytes(encoder.encode(sound) + encoder.flush())
