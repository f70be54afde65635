"""One channel of what was laid over a recording while it was made: announcements and beeps, added to the voice."""

import struct
from typing import Final

from kobza.media.spool import LAID_HEAD
from kobza.media.track import AnyTrack
from kobza.media.voice_codecs import A

AHEAD: Final = 8000
"""Samples, a second, by which a sound may be ahead of the moment: its first packet was late by so much at most."""


class LaidTrack:
    """What one side was told. `track` is one of the kind that the voices have."""

    def __init__(self, track: AnyTrack) -> None:
        self._track = track
        self._sound: int | None = None
        self._start = 0
        """Where the sound begins that came last."""
        self._end = 0
        """Where it ends, as far as it is known."""
        self._origin = 0

    def take(self, record: bytes, now: int) -> None:
        """Take a part of a sound that went out by a moment. One that is cut off is left out."""
        if len(record) <= LAID_HEAD.size:
            return
        sound, place = LAID_HEAD.unpack_from(record)
        octets = record[LAID_HEAD.size :]
        if sound != self._sound:
            self._sound, self._start = sound, now - place
        # A sound goes on at its own pace, whatever the pace of the packets that carry it.
        start = max(self._start + place, self._origin)
        if start > now + AHEAD:  # damage says anything
            return
        self._track.put(start, A, octets)
        self._end = start + len(octets)

    def over(self, voice: tuple[bytes, bytes], count: int) -> tuple[bytes, bytes]:
        """Return the low and high bytes of a voice's samples, count of 8,000 Hz, with what was laid over them."""
        silent = self._end <= self._origin
        cut = self._track.cut(count)
        self._origin += count
        return voice if silent else _sum(voice, cut)


def _sum(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    size = len(one[0])
    samples = zip(_samples(one), _samples(other), strict=True)
    pcm = struct.pack(f"<{size}h", *(max(-32768, min(32767, first + second)) for first, second in samples))
    return pcm[0::2], pcm[1::2]


def _samples(halves: tuple[bytes, bytes]) -> tuple[int, ...]:
    pcm = bytearray(2 * len(halves[0]))
    pcm[0::2], pcm[1::2] = halves
    return struct.unpack(f"<{len(halves[0])}h", pcm)
