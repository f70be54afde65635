"""What a softphone hears: placed by RTP timestamp into a WAV file, and the tone that is in it."""

import math
import struct
from collections import deque
from pathlib import Path
from typing import BinaryIO

from kobza.rtp.g711 import SAMPLE_RATE
from kobza.rtp.packet import timestamp_difference

MAX_JUMP = 10 * SAMPLE_RATE
"""Samples a timestamp may jump within one stream; more is taken as a new beginning and placed by arrival."""
MAX_SAMPLES = 6 * 3600 * SAMPLE_RATE
"""A recording stops growing after six hours: 345 MB."""
EAR_SAMPLES = SAMPLE_RATE // 2
"""Samples that a look for a tone takes: half a second."""
TONE_SHARE = 0.6
"""Part of the energy that one frequency must hold to be called a tone."""
LEAST_LEVEL = 100.0
"""Root mean square of samples below which it is silence."""

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class WavRecording:
    """A mono 16-bit WAV file that grows. Gaps are silence; what comes late goes to its place."""

    def __init__(self, path: Path) -> None:
        """Create the file; raises `OSError`."""
        self.path = path
        self._file: BinaryIO = path.open("wb")
        self._file.write(_header(0))
        self._samples = 0
        self._ssrc: int | None = None
        self._timestamp = 0
        self._position = 0
        self._first_at: float | None = None

    def write(self, pcm: bytes, *, ssrc: int, timestamp: int, at: float) -> None:
        """Place one packet. `at` is its arrival in seconds of any steady clock; it places a stream's first packet."""
        if self._first_at is None:
            self._first_at = at
        offset = timestamp_difference(timestamp, self._timestamp)
        if ssrc != self._ssrc or abs(offset) > MAX_JUMP:
            by_arrival = int((at - self._first_at) * SAMPLE_RATE)
            self._ssrc, self._timestamp, self._position = ssrc, timestamp, max(by_arrival, self._samples)
            offset = 0
        position = self._position + offset
        count = len(pcm) // 2
        if position < 0 or position + count > MAX_SAMPLES:
            return
        self._file.seek(_HEADER.size + 2 * position)  # a hole reads as zeros: silence
        self._file.write(pcm)
        self._samples = max(self._samples, position + count)
        self._timestamp, self._position = timestamp, position

    @property
    def duration(self) -> float:
        """Seconds recorded so far."""
        return self._samples / SAMPLE_RATE

    def close(self) -> None:
        """Write the length into the header and close. A second time does nothing."""
        if not self._file.closed:
            self._file.seek(0)
            self._file.write(_header(2 * self._samples))
            self._file.close()


class Ear:
    """Keeps the last half second of sound and finds the tone in it."""

    def __init__(self) -> None:
        self._packets: deque[bytes] = deque(maxlen=EAR_SAMPLES // 160)

    def hear(self, pcm: bytes) -> None:
        """Take one packet of 16-bit PCM."""
        self._packets.append(pcm)

    def forget(self) -> None:
        """Begin anew."""
        self._packets.clear()

    def recent(self) -> bytes:
        """Return the last half second as 16-bit PCM; less when less has come."""
        return b"".join(self._packets)

    def tone(self) -> int | None:
        """Return the frequency in Hz of the one tone heard over the last half second; None for anything else.

        Zero crossings guess the frequency, and the Goertzel algorithm says whether the energy is really there.
        """
        if len(self._packets) < (self._packets.maxlen or 0):
            return None
        data = b"".join(self._packets)
        samples = struct.unpack(f"<{len(data) // 2}h", data)
        energy = sum(sample * sample for sample in samples)
        if energy < LEAST_LEVEL * LEAST_LEVEL * len(samples):
            return None
        guess = _frequency(samples)
        return round(guess) if guess and _share(samples, guess, energy) >= TONE_SHARE else None


def _frequency(samples: tuple[int, ...]) -> float | None:
    """Return the frequency by the upward zero crossings, placed between samples by interpolation."""
    first = last = 0.0
    count = 0
    before = samples[0]
    for index, sample in enumerate(samples):
        if before < 0 <= sample:
            last = index - sample / (sample - before)
            if not count:
                first = last
            count += 1
        before = sample
    return (count - 1) * SAMPLE_RATE / (last - first) if count > 2 else None


def _share(samples: tuple[int, ...], hz: float, energy: int) -> float:
    """Return which part of the energy, 0 to 1, one frequency holds."""
    coefficient = 2 * math.cos(2 * math.pi * hz / SAMPLE_RATE)
    one = two = 0.0
    for sample in samples:
        one, two = sample + coefficient * one - two, one
    power = one * one + two * two - coefficient * one * two
    return 2 * power / (len(samples) * energy)


def _header(data_bytes: int) -> bytes:
    return _HEADER.pack(
        *(b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16, 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16),
        *(b"data", data_bytes),
    )
