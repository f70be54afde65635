"""Tones that the relay generates: ringback and music on hold, as G.711 packets made once and played in a loop."""

import math
from functools import cache
from itertools import pairwise
from typing import Final

from kobza.media.ringback import CADENCES, USUAL
from kobza.rtp.g711 import SAMPLE_RATE, Law, encode

PACKET_SAMPLES: Final = 160
"""Samples in a packet: 20 ms."""
NOTICE_HZ: Final = 1400.0
"""The tone that says that somebody else hears the call (ITU-T E.180: the warning tone of recording equipment)."""

_NOTICE_ON: Final = 0.4
_NOTICE_EVERY: Final = 15.0
BEEP_SECONDS: Final = 0.2
"""Of the beep that says that the call is recorded; its pitch is that of NOTICE_HZ."""
_BEEP_LEVEL: Final = 0.25
"""Of the level of other tones: 12 dB less, -25 dBm0. It is heard beside a voice and covers none."""
_LEVEL: Final = 5110
"""Peak of a sample for -13 dBm0, a usual level of network tones; 32,768 would be +3.14 dBm0."""
_RAMP: Final = 40
"""Samples over which a tone swells and fades, so that it does not click: 5 ms."""

_NOTE_SECONDS: Final = 0.5
_RING_OUT: Final = 1.2
"""Seconds that a note sounds; it overlaps the next ones."""
_MELODY: Final = (
    *(440.0, 523.25, 659.26, 523.25, 440.0, 523.25, 659.26, 880.0),
    *(349.23, 440.0, 523.25, 440.0, 349.23, 440.0, 523.25, 698.46),
    *(523.25, 659.26, 783.99, 659.26, 523.25, 659.26, 783.99, 659.26),
    *(392.0, 493.88, 587.33, 493.88, 392.0, 493.88, 587.33, 783.99),
)
"""Hz of the notes: A minor, F, C and G, broken upwards and down again, as a music box would."""


@cache
def ringback(law: Law, country: str = USUAL) -> tuple[bytes, ...]:
    """Return the payloads of one cycle as a country has it, the usual one where it is not known."""
    frequencies, times = CADENCES.get(country, CADENCES[USUAL])
    samples: list[int] = []
    for number, seconds in enumerate(times):
        length = round(seconds * SAMPLE_RATE)
        samples += [0] * length if number % 2 else _sound(frequencies, length)
    return _packets(samples, law)


@cache
def notice(law: Law) -> tuple[bytes, ...]:
    """Return the payloads of one cycle of the notice that somebody else hears the call: 0.4 s of each 15."""
    length, cycle = int(_NOTICE_ON * SAMPLE_RATE), int(_NOTICE_EVERY * SAMPLE_RATE)
    return _packets(_sound((NOTICE_HZ,), length) + [0] * (cycle - length), law)


@cache
def beep() -> bytes:
    """Return the beep that says that the call is recorded, as A-law."""
    return encode(_sound((NOTICE_HZ,), int(BEEP_SECONDS * SAMPLE_RATE), _BEEP_LEVEL), Law.A)


def _sound(frequencies: tuple[float, ...], length: int, loudness: float = 1.0) -> list[int]:
    """Return frequencies that sound together, each as loud as the others, all as loud as one."""
    steps = [2 * math.pi * frequency / SAMPLE_RATE for frequency in frequencies]
    level = loudness * _LEVEL / len(frequencies)
    swell = (min(1.0, index / _RAMP, (length - index) / _RAMP) for index in range(length))
    return [round(level * loud * sum(math.sin(step * index) for step in steps)) for index, loud in enumerate(swell)]


@cache
def music(law: Law) -> tuple[bytes, ...]:
    """Return the payloads of music on hold: 16 s that begin again without a break."""
    return _packets(_melody(), law)


@cache
def _melody() -> list[int]:
    spacing = int(_NOTE_SECONDS * SAMPLE_RATE)
    length = spacing * len(_MELODY)
    sound = [0.0] * length
    notes = {frequency: _note(frequency) for frequency in set(_MELODY)}
    for place, frequency in enumerate(_MELODY):
        start = place * spacing
        for offset, sample in enumerate(notes[frequency]):
            # What is left of the last notes sounds into the beginning: the loop has no seam.
            sound[(start + offset) % length] += sample
    return [round(sample) for sample in sound]


def _note(frequency: float) -> list[float]:
    """Return a plucked note: the tone and its octave, quickly there, slowly gone."""
    step = 2 * math.pi * frequency / SAMPLE_RATE
    length = int(_RING_OUT * SAMPLE_RATE)
    fade = math.exp(-4.0 / length)
    note: list[float] = []
    loudness = 1.2 * _LEVEL
    for index in range(length):
        swell = min(1.0, index / _RAMP, (length - index) / (10 * _RAMP))
        note.append(loudness * swell * (math.sin(step * index) + 0.25 * math.sin(2 * step * index)))
        loudness *= fade
    return note


def _packets(samples: list[int], law: Law) -> tuple[bytes, ...]:
    octets = encode(samples, law)
    bounds = range(0, len(octets) + 1, PACKET_SAMPLES)
    return tuple(octets[start:end] for start, end in pairwise(bounds))
