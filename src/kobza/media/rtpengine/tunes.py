"""The tones that phones hear, as files that fit into a command: mp3, which rtpengine decodes for each codec."""

from functools import lru_cache
from typing import Final

import lameenc

from kobza.media import sound_files, tones
from kobza.media.plane import SideSounds, ToneName
from kobza.media.ringback import USUAL
from kobza.rtp.g711 import SAMPLE_RATE, Law, decode

_KBITS: Final[dict[ToneName, int]] = {"music": 16, "ringback": 8}
"""Per second: 32 KB for 16 s of music, which UDP carries in one datagram; 5 KB for ringback."""
MOST_PACKETS: Final = 28 * 50
"""Of an enterprise's music: 28 s, as much as one datagram carries. So long it is heard before it begins anew."""
KEPT: Final = 64
"""Tunes in memory, some 50 KB each."""


@lru_cache(maxsize=KEPT)
def tune(name: ToneName, sounds: SideSounds) -> bytes:
    """Return a tone that is no "none", as a side hears it."""
    if name == "ringback":
        payloads = tones.ringback(Law.A, sounds.ringback or USUAL)
    else:
        own = sound_files.payloads(sounds.music, Law.A) if sounds.music else ()
        payloads = own[:MOST_PACKETS] or tones.music(Law.A)
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_channels(1)
    encoder.set_bit_rate(_KBITS[name])
    encoder.set_quality(2)
    sound = b"".join(decode(payload, Law.A) for payload in payloads)
    return bytes(encoder.encode(sound) + encoder.flush())


def make_usual() -> None:
    """Make what most calls need, so that none waits for it."""
    for name in _KBITS:
        tune(name, SideSounds())
