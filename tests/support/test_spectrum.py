import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.spectrum import (
    RATE,
    Samples,
    dominant_tone,
    duration,
    from_pcm16,
    loudness,
    needs_sox,
    read_audio,
    tone_share,
    tones_over_time,
)


def tone(frequency: float, seconds: float = 1.0, level: float = 0.5) -> Samples:
    times = np.arange(int(seconds * RATE)) / RATE
    return level * np.sin(2 * np.pi * frequency * times)


@pytest.mark.parametrize("frequency", [200, 425, 440, 1000.5, 3300])
def test_a_tone_is_found(frequency: float) -> None:
    assert dominant_tone(tone(frequency)) == pytest.approx(frequency, abs=2)
    assert tone_share(tone(frequency), frequency) > 0.99


def test_silence_and_noise_are_no_tones() -> None:
    assert dominant_tone(np.zeros(RATE)) is None
    assert dominant_tone(np.random.default_rng(1).normal(0, 0.2, RATE)) is None
    assert dominant_tone(np.zeros(0)) is None
    assert tone_share(np.zeros(0), 440) == 0


def test_the_louder_of_two_tones() -> None:
    mixed = tone(440, level=0.5) + tone(880, level=0.1)
    assert dominant_tone(mixed) == pytest.approx(440, abs=2)
    assert 0.01 < tone_share(mixed, 880) < 0.1


def test_tones_one_after_another() -> None:
    found = tones_over_time(np.concatenate([tone(400), np.zeros(RATE), tone(800)]), window=0.5)
    assert [None if item is None else round(item, -1) for item in found] == [400, 400, None, None, 800, 800]


def test_pcm() -> None:
    samples = from_pcm16((tone(440) * 32767).astype("<i2").tobytes())
    assert duration(samples) == 1
    assert loudness(samples) == pytest.approx(0.354, abs=0.01)
    assert dominant_tone(samples) == pytest.approx(440, abs=2)


@needs_sox()
@pytest.mark.parametrize("kind", ["wav", "mp3"])
def test_files_have_left_and_right(tmp_path: Path, kind: str) -> None:
    raw, wav, file = tmp_path / "sound.raw", tmp_path / "sound.wav", tmp_path / f"stereo.{kind}"
    stereo = np.stack([tone(440, 2), tone(880, 2)], axis=1)
    raw.write_bytes((stereo * 32767).astype("<i2").tobytes())
    form = ["-t", "raw", "-e", "signed", "-b", "16", "-r", str(RATE), "-c", "2"]
    subprocess.run(["sox", *form, str(raw), str(wav)], check=True)
    if kind == "mp3":
        import lameenc

        encoder = lameenc.Encoder()
        encoder.set_channels(2)
        encoder.set_in_sample_rate(RATE)
        file.write_bytes(encoder.encode(raw.read_bytes()) + encoder.flush())
    else:
        wav.rename(file)
    left, right = read_audio(file)
    assert dominant_tone(left) == pytest.approx(440, abs=2)
    assert dominant_tone(right) == pytest.approx(880, abs=2)
    assert duration(left) == pytest.approx(2, abs=0.3)
