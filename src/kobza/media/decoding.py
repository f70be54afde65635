"""Decoders of what is not G.711: voices of a wider band, to samples of 16,000 Hz.

The libraries are loaded when the first such voice is heard, since they and numpy take memory that most servers need
for nothing else. What cannot be loaded on a platform makes its codec one that is not decoded.
"""

import io
import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Protocol

from kobza.media.ogg import ogg_opus
from kobza.media.voice_codecs import G722, MU, OPUS, A, name_of
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.opus import CLOCK, samples_of

log = logging.getLogger(__name__)

RATE: Final = 16_000
"""Samples a second that come out."""
G722_BIT_RATE: Final = 64_000
"""Bits a second: what the payload type of SIP phones is (RFC 3551, section 4.5.2)."""
RUN_IN: Final = 10
"""Packets before a part that are decoded once more, 200 ms mostly: so the decoder knows what it knew at the end of the
part before (RFC 7845, section 4.6, asks for 80 ms)."""

Sound = Any
"""An array of numpy: int16, one channel."""


class Decoder(Protocol):
    """Decodes the packets of one voice, in their order."""

    def decode(self, payloads: Sequence[bytes]) -> list[Sound | None]:
        """Return what each payload sounds like, from where the ones before ended; None for one that is damaged."""
        ...


class G722Decoder:
    """ITU-T G.722 at 64 kbit/s: an octet is two samples."""

    def __init__(self) -> None:
        import G722 as g722  # noqa: N811  a module, which most servers never need

        self._decoder: Any = g722.G722(RATE, G722_BIT_RATE)

    def decode(self, payloads: Sequence[bytes]) -> list[Sound | None]:
        """See Decoder."""
        import numpy

        pcm = numpy.asarray(self._decoder.decode(b"".join(payloads)), dtype=numpy.int16)
        sounds, start = list[Sound | None](), 0
        for payload in payloads:
            end = start + 2 * len(payload)
            sounds.append(pcm[start:end])
            start = end
        return sounds


class OpusDecoder:
    """Opus (RFC 6716) by libsndfile, which takes it in an Ogg stream. A stereo voice becomes its middle."""

    def __init__(self) -> None:
        import soundfile

        if "OPUS" not in soundfile.available_subtypes("OGG"):
            raise ImportError("libsndfile was built without Opus")
        self._soundfile: Any = soundfile
        self._before: list[bytes] = []

    def decode(self, payloads: Sequence[bytes]) -> list[Sound | None]:
        """See Decoder."""
        before = len(self._before)
        packets = [*self._before, *payloads]
        self._before = packets[-RUN_IN:]
        return self._sounds(packets)[before:]

    def _sounds(self, packets: list[bytes]) -> list[Sound | None]:
        """Decode packets; of those that cannot be decoded together each half by itself, down to the one that is bad."""
        if not packets:
            return []
        try:
            pcm, _ = self._soundfile.read(io.BytesIO(ogg_opus(packets, RATE)), dtype="int16", always_2d=True)
            lengths = [samples_of(packet) * RATE // CLOCK for packet in packets]
        except (self._soundfile.SoundFileError, MalformedRtp, OSError):
            pcm, lengths = None, []
        if pcm is None or len(pcm) < sum(lengths):
            if len(packets) == 1:
                return [None]
            middle = len(packets) // 2
            return self._sounds(packets[:middle]) + self._sounds(packets[middle:])
        sounds, start = list[Sound | None](), 0
        for length in lengths:
            sounds.append(pcm[start : start + length, 0])
            start += length
        return sounds


_KINDS: Final[dict[int, type[G722Decoder | OpusDecoder]]] = {G722: G722Decoder, OPUS: OpusDecoder}


def is_decoded(codec: int) -> bool:
    """Tell whether voices of a codec are decoded, here."""
    return codec in (MU, A) or (codec in _KINDS and _is_loaded(codec))


@cache
def _is_loaded(codec: int) -> bool:
    try:
        _KINDS[codec]()
    except (ImportError, OSError) as error:
        log.warning("%s is not decoded here: %s", name_of(codec), error)
        return False
    return True


def decoder_of(codec: int) -> Decoder:
    """Return a decoder for a voice of a wider band. Raises ImportError or OSError for one that is not decoded here."""
    return _KINDS[codec]()
