"""How loud a recording is along its length, on the left and on the right: what the waveform of a call draws.

Runs in the export process: decoding an hour of sound takes a second of CPU.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy
import soundfile

BARS: Final = 300
"""Peaks of each side, for recordings of any length."""
LOUDEST: Final = 100
"""A peak as loud as can be; silence is 0."""
WINDOWS_A_SECOND: Final = 50
AT_ONCE: Final = 30
"""Seconds decoded before other work has its turn: some 10 ms of CPU."""


def peaks_pieces(path: Path) -> Iterator[str]:
    """Return `[[left, …], [right, …]]` as JSON, after an empty piece for each part that was decoded.

    Raises OSError or soundfile.SoundFileError for a file that cannot be read.
    """
    loudness: list[Any] = []
    with soundfile.SoundFile(str(path)) as sound:
        window = max(1, sound.samplerate // WINDOWS_A_SECOND)
        for block in sound.blocks(window * WINDOWS_A_SECOND * AT_ONCE, dtype="float32", always_2d=True):
            loudness.append(_loudest(abs(block), window))
            yield ""
    yield json.dumps(bars(numpy.concatenate(loudness)) if loudness else [[], []])


def bars(loudness: Any) -> list[list[int]]:
    """Bring loudness (0 to 1, a row for each window, a column for each side) to BARS peaks of each side, or fewer.

    One that is mono has the same on both.
    """
    count = min(BARS, len(loudness))
    if count == 0:
        return [[], []]
    starts = numpy.arange(count) * len(loudness) // count
    peaks = numpy.maximum.reduceat(loudness, starts)
    # The ear hears by ratios: the square root keeps a quiet voice to be seen beside a loud one.
    heights = numpy.rint(numpy.sqrt(numpy.clip(peaks, 0, 1)) * LOUDEST).astype(int)
    return [heights[:, 0].tolist(), heights[:, -1].tolist()]


def _loudest(block: Any, window: int) -> Any:
    """Return the loudest sample of each window of a block, for each side."""
    return numpy.maximum.reduceat(block, numpy.arange(0, len(block), window))
