"""How long an Opus packet sounds (RFC 6716, section 3): its first byte says it. Nothing is decoded here."""

from typing import Final

from kobza.rtp.errors import MalformedRtp

CLOCK: Final = 48_000
"""Units of the RTP timestamp in a second, whatever the sound's bandwidth is (RFC 7587, section 4.1)."""
MAX_SAMPLES: Final = 5760
"""Of a packet: 120 ms."""

_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)


def samples_of(payload: bytes) -> int:
    """Return for how many units of CLOCK a packet sounds; raise MalformedRtp for what is no Opus packet."""
    if not payload:
        raise MalformedRtp("an Opus packet has one byte at least")
    configuration, code = payload[0] >> 3, payload[0] & 3
    if configuration < 12:
        frame = _SILK[configuration & 3]
    elif configuration < 16:
        frame = _HYBRID[configuration & 1]
    else:
        frame = _CELT[configuration & 3]
    if code < 3:
        frames = (1, 2, 2)[code]
    elif len(payload) < 2:
        raise MalformedRtp("an Opus packet of several frames says how many in its second byte")
    else:
        frames = payload[1] & 0x3F
    if not 0 < frames * frame <= MAX_SAMPLES:
        raise MalformedRtp("an Opus packet sounds for 2.5 to 120 ms")
    return frames * frame
