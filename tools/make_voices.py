"""The announcements that come with Kobza: `.venv/bin/python tools/make_voices.py`, after a text or the voice changed.

They are spoken by espeak-ng (Debian: `espeak-ng`), whose licence says nothing about what it speaks, brought to the band
and the loudness of a telephone, and kept as A-law beside the code that plays them.
"""

import subprocess

import numpy

from kobza.media.announcements import ANNOUNCEMENTS
from kobza.media.sound_reading import telephone_sound
from kobza.rtp.g711 import Law, decode, encode_pcm

TEXTS = {
    "uk": ("uk", "135", "Увага! Ця розмова записується."),
    "en": ("en-gb", "140", "Please note: this call is being recorded."),
}
LOUDNESS = 10 ** (-19 / 20)
"""Of what is spoken, without the pauses, against full scale: as loud as people talk."""
SPOKEN = 0.01
"""Of full scale: what is softer is a pause."""
BEFORE = AFTER = 800
"""Samples of silence that are left at both ends."""


def main() -> None:
    """Make each of them."""
    for voice, (language, speed, text) in TEXTS.items():
        command = ("espeak-ng", "-v", language, "-s", speed, "-g", "2", "--stdout", text)
        spoken = subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603 - of words that stand here
        octets = telephone_sound(spoken)
        samples = numpy.frombuffer(decode(octets, Law.A), "<i2") / 32768
        heard = numpy.flatnonzero(numpy.abs(samples) > SPOKEN)
        samples = samples[max(0, heard[0] - BEFORE) : heard[-1] + AFTER]
        for _ in range(3):  # what is clipped softly makes the rest a little less loud
            loud = samples[numpy.abs(samples) > SPOKEN]
            samples = numpy.tanh(samples * LOUDNESS / numpy.sqrt(numpy.mean(loud**2)))
        path = ANNOUNCEMENTS[voice]
        path.write_bytes(encode_pcm(numpy.rint(samples * 32767).astype("<i2").tobytes(), Law.A))
        print(f"{path.name}: {len(samples) / 8000:.2f} s")


if __name__ == "__main__":
    main()
