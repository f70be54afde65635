"""What a sound holds: the loudest tone of PCM by Fourier transform, and reading of recordings through sox."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

Samples = npt.NDArray[np.float64]

RATE = 8000
"""Samples a second of telephone audio; everything is read at this rate."""


def needs_sox() -> pytest.MarkDecorator:
    """Return the mark of tests that read mp3 files."""
    return pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed (make test-tools)")


def from_pcm16(data: bytes) -> Samples:
    """Read signed 16-bit little-endian samples as numbers from -1 to 1."""
    return np.frombuffer(data, dtype="<i2").astype(np.float64) / 32768


def read_audio(path: Path, rate: int = RATE) -> list[Samples]:
    """Read an mp3 or WAV file, whatever its name; return its channels, the left one first, at so many samples a second.

    What else is here takes sounds of RATE for granted: of one of twice that rate each frequency is half of what it is.
    """
    sound = path.read_bytes()
    kind = "wav" if sound.startswith(b"RIFF") else "mp3"
    command = ["sox", "-t", kind, "-", "-t", "wav", "-e", "signed", "-b", "16", "-r", str(rate), "-"]
    # sox decodes the last frame of an mp3 only when something follows it.
    wav = subprocess.run(command, input=sound + bytes(1024), capture_output=True, check=True).stdout
    channels = int.from_bytes(wav[22:24], "little")
    pcm = wav[wav.index(b"data") + 8 :]
    frames = np.frombuffer(pcm, dtype="<i2").reshape(-1, channels).astype(np.float64) / 32768
    return [frames[:, channel].copy() for channel in range(channels)]


def duration(samples: Samples) -> float:
    """Return the length in seconds."""
    return len(samples) / RATE


def loudness(samples: Samples) -> float:
    """Return the root mean square: 0 is silence, 0.707 a sine at full scale."""
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


def dominant_tone(samples: Samples) -> float | None:
    """Return the frequency of the loudest tone in Hz; None for silence, and for what is no tone."""
    share, frequency = _peak(samples)
    return frequency if share > 0.3 and loudness(samples) > 0.001 else None


def tone_share(samples: Samples, frequency: float) -> float:
    """Return which part of the sound's energy, 0 to 1, lies within 20 Hz of a frequency."""
    if not len(samples):
        return 0.0
    power = _power(samples)
    total = float(power.sum())
    bins = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(power[np.abs(bins - frequency) <= 20].sum()) / total if total else 0.0


def tones_over_time(samples: Samples, window: float = 0.2) -> list[float | None]:
    """Return the dominant tone of each window of so many seconds; a part of a window at the end is left out."""
    size = int(window * RATE)
    return [dominant_tone(samples[start : start + size]) for start in range(0, len(samples) - size + 1, size)]


def _power(samples: Samples) -> Samples:
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2


def _peak(samples: Samples) -> tuple[float, float]:
    """Return the loudest frequency above 50 Hz and its share of the energy."""
    if len(samples) < RATE // 50:
        return 0.0, 0.0
    bins = np.fft.rfftfreq(len(samples), 1 / RATE)
    power = np.where(bins < 50, 0.0, _power(samples))
    frequency = float(bins[int(np.argmax(power))])
    return tone_share(samples, frequency), frequency
