"""WAV and mp3 files that people bring, to what the relay plays: one channel of A-law, 8,000 octets a second."""

import io
from typing import Any, Final

from kobza.rtp.g711 import SAMPLE_RATE, Law, encode_pcm

MAX_BYTES: Final = 20 * 1024 * 1024
"""Of a file: ten minutes of mp3 of the best quality."""
MAX_SECONDS: Final = 600
MIN_SECONDS: Final = 1
LOUDEST: Final = 0.5
"""Of full scale: music that was made for loudspeakers is louder than any voice on a telephone."""
KINDS: Final = frozenset({"WAV", "WAVEX", "MP3", "MPEG"})
PART, AROUND = 10, 1
"""Seconds that are resampled at a time, and seconds before and behind that are looked at too."""


class UnfitSound(ValueError):
    """A file that is no sound to be played. The text says what is wrong and what would be right."""


def telephone_sound(data: bytes) -> bytes:
    """Return a WAV or mp3 file as A-law octets. Raises UnfitSound. Takes some 50 ms of CPU for a minute of music."""
    import numpy
    import soundfile

    if len(data) > MAX_BYTES:
        raise UnfitSound(f"The file is larger than {MAX_BYTES >> 20} MB.")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            if sound.format not in KINDS:
                raise UnfitSound(f"The file is {sound.format}; WAV and mp3 are taken.")
            rate, length = int(sound.samplerate), sound.frames / max(1, sound.samplerate)
            if not MIN_SECONDS <= length <= MAX_SECONDS:
                raise UnfitSound(f"The sound lasts {length:.1f} s; from {MIN_SECONDS} to {MAX_SECONDS} s are taken.")
            samples = sound.read(dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        if isinstance(error, UnfitSound):
            raise
        raise UnfitSound("The file is no WAV or mp3 that can be read.") from error
    if not numpy.isfinite(samples).all():
        raise UnfitSound("The file holds samples that are no numbers.")
    narrow = _resampled(samples, rate)
    peak = float(numpy.abs(narrow).max()) if len(narrow) else 0.0
    if peak > LOUDEST:
        narrow = narrow * (LOUDEST / peak)
    return encode_pcm(numpy.rint(narrow * 32767).astype("<i2").tobytes(), Law.A)


def _resampled(samples: Any, rate: int) -> Any:
    """Bring a sound to 8,000 samples a second, without what such a rate cannot carry.

    By its spectrum, in parts that overlap: where they meet nothing is heard of their ends.
    """
    import numpy

    if rate == SAMPLE_RATE or not len(samples):
        return samples
    around, core = AROUND * rate, PART * rate
    padded = numpy.pad(samples, (around, around + core))
    parts = []
    for start in range(0, len(samples), core):
        spectrum = numpy.fft.rfft(padded[start : start + core + 2 * around], n=core + 2 * around)
        made = (PART + 2 * AROUND) * SAMPLE_RATE
        part = numpy.fft.irfft(spectrum[: made // 2 + 1], n=made) * (SAMPLE_RATE / rate)
        parts.append(part[AROUND * SAMPLE_RATE : (AROUND + PART) * SAMPLE_RATE])
    return numpy.concatenate(parts)[: len(samples) * SAMPLE_RATE // rate]
