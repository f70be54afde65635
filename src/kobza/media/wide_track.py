"""One channel of a recording in which somebody spoke in a wider band: samples of 16,000 Hz.

A side may change its codec in mid call, so a channel has a lane for each: G.711 as in any recording, doubled in its
rate when it is cut off, and one for each wideband codec, whose packets are decoded in the order in which they were
spoken. What the lanes hold is added up.
"""

from typing import Any, Final

import numpy

from kobza.media.decoding import Decoder, decoder_of
from kobza.media.track import Track
from kobza.media.voice_codecs import WIDE

REACH: Final = 16
"""Samples of 8,000 Hz before and behind from which one between two of them is found."""
STEEPNESS: Final = 6.0
"""Of the Kaiser window: what would be heard above 4,000 Hz as a mirror of the telephone's band is 60 dB lower."""


def _between() -> Any:
    """Return the filter that finds the samples in the middle between those of 8,000 Hz: a sinc, windowed."""
    places = numpy.arange(-REACH, REACH) + 0.5
    return numpy.sinc(places) * numpy.kaiser(2 * REACH, STEEPNESS)


_BETWEEN: Final = _between()


class WideTrack:
    """Takes places in samples of 8,000 Hz, as all that places packets does, and gives two samples for each."""

    def __init__(self) -> None:
        self._narrow = Track()
        self._before = bytes(2 * REACH)
        """The last samples that were cut off the narrow lane."""
        self._lanes: dict[int, _Lane] = {}
        self._origin = 0

    @property
    def lost(self) -> int:
        """Packets that came too late to be placed, or could not be decoded."""
        return self._narrow.lost + sum(lane.lost for lane in self._lanes.values())

    def put(self, start: int, codec: int, payload: bytes) -> None:
        """Put a payload where it begins. What lies before the part already cut off is lost."""
        if codec not in WIDE:
            self._narrow.put(start, codec, payload)
            return
        lane = self._lanes.get(codec)
        if lane is None:
            lane = self._lanes[codec] = _Lane(decoder_of(codec), self._origin)
        lane.put(start, payload)

    def cut(self, count: int) -> tuple[bytes, bytes]:
        """Cut off the first so many samples of 8,000 Hz; return the low and high bytes of twice as many."""
        sound = self._cut_narrow(count)
        for lane in self._lanes.values():
            sound = sound + lane.cut(count)
        self._origin += count
        pcm = numpy.clip(numpy.rint(sound), -32768, 32767).astype("<i2").tobytes()
        return pcm[0::2], pcm[1::2]

    def _cut_narrow(self, count: int) -> Any:
        cut = _interleaved(self._narrow.cut(count))
        known = self._before + cut + _interleaved(self._narrow.peek(REACH))
        self._before = known[-4 * REACH : -2 * REACH]
        samples = numpy.frombuffer(known, dtype="<i2").astype(numpy.float64)
        doubled = numpy.empty(2 * count)
        doubled[0::2] = samples[REACH : REACH + count]
        doubled[1::2] = numpy.convolve(samples[1:], _BETWEEN, "valid")[:count] if count else 0
        return doubled


class _Lane:
    """What a side said in one wideband codec."""

    def __init__(self, decoder: Decoder, origin: int) -> None:
        self._decoder = decoder
        self._origin = origin
        self._packets: dict[int, bytes] = {}
        """Those that are not decoded yet, by their places."""
        self._sound: Any = numpy.zeros(0, dtype=numpy.int16)
        """What is decoded and lies behind the origin: the rest of the last packet."""
        self.lost = 0

    def put(self, start: int, payload: bytes) -> None:
        if start < self._origin:
            self.lost += 1
        elif self._packets.keys().isdisjoint((start - 1, start, start + 1)):
            self._packets[start] = payload  # else it is a duplicate, maybe beyond a slip

    def cut(self, count: int) -> Any:
        end = self._origin + count
        starts = sorted(start for start in self._packets if start < end)
        payloads = [self._packets.pop(start) for start in starts]
        decoded = self._decoder.decode(payloads)
        places = (2 * (start - self._origin) for start in starts)
        placed = [(at, sound) for at, sound in zip(places, decoded, strict=True) if sound is not None]
        self.lost += len(payloads) - len(placed)
        ends = [at + len(sound) for at, sound in placed]
        whole = numpy.zeros(max([2 * count, len(self._sound), *ends]), dtype=numpy.int16)
        whole[: len(self._sound)] = self._sound
        last = len(self._sound)
        for (at, sound), sound_end in zip(placed, ends, strict=True):
            if at - last == 2 and last:
                whole[last:at] = whole[last - 1]
            whole[at:sound_end] = sound
            last = sound_end
        given, self._sound = whole[: 2 * count], whole[2 * count : max(last, 2 * count)]
        self._origin = end
        return given


def _interleaved(halves: tuple[bytes, bytes]) -> bytes:
    pcm = bytearray(2 * len(halves[0]))
    pcm[0::2], pcm[1::2] = halves
    return bytes(pcm)
