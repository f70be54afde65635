"""Sounds that an enterprise brings, from the file to the phone; ringback by country."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.media import sound_files, tones
from kobza.media.plane import Side, SideSounds
from kobza.media.ringback import CADENCES, USUAL
from kobza.media.sound_process import read_sound
from kobza.media.sound_reading import MAX_BYTES, UnfitSound, telephone_sound
from kobza.rtp.g711 import Law, decode
from tests.media.phone_end import PhoneEnd, heard
from tests.media.planes import CALL, running_plane
from tests.support.spectrum import Samples, dominant_tone, from_pcm16, loudness, tone_share


def file_of(seconds: float, rate: int = 44_100, kind: str = "WAV", hertz: Sequence[float] = (1000,)) -> bytes:
    """Return a stereo file with tones, the first loud; what is above 4,000 Hz must not come out as another tone."""
    moments = np.arange(round(seconds * rate)) / rate
    sound = sum(0.7 / (n + 1) ** 2 * np.sin(2 * np.pi * each * moments) for n, each in enumerate(hertz))
    file = io.BytesIO()
    subtype = {"WAV": "PCM_16", "MP3": "MPEG_LAYER_III", "FLAC": "PCM_16"}[kind]
    soundfile.write(file, np.column_stack([sound, sound]), rate, format=kind, subtype=subtype)
    return file.getvalue()


def heard_in(octets: bytes, law: Law = Law.A) -> Samples:
    return from_pcm16(decode(octets, law))


@pytest.mark.parametrize(("rate", "kind"), [(44_100, "WAV"), (48_000, "MP3"), (8000, "WAV"), (11_025, "WAV")])
def test_a_file_becomes_telephone_sound(rate: int, kind: str) -> None:
    """Over the seam between parts too, without a mirror of what a telephone cannot carry, and not too loud."""
    hertz = (1000, 5200) if rate > 12_000 else (1000,)
    seconds = 11 if (rate, kind) == (44_100, "WAV") else 3
    sound = heard_in(telephone_sound(file_of(seconds, rate, kind, hertz)))
    assert len(sound) == pytest.approx(seconds * 8000, abs=600)  # an mp3 has some silence around it
    middle = sound[8000:-8000]
    assert tone_share(middle, 1000) > 0.999
    assert np.abs(sound).max() <= 0.51


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no WAV or mp3"),
        (b"RIFF" + bytes(100), "no WAV or mp3"),
        (file_of(0.5), "lasts 0.5 s; from 1 to 600"),
        (file_of(601, 100), "lasts 601.0 s"),
        (file_of(2, kind="FLAC"), "is FLAC; WAV and mp3"),
        (bytes(MAX_BYTES + 1), "larger than 20 MB"),
    ],
)
def test_what_is_no_fit_sound_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(UnfitSound, match=said):
        telephone_sound(data)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 20_000), st.binary(min_size=1, max_size=8), st.integers(200, 20_000))
def test_a_damaged_file_is_a_sound_or_refused(place: int, damage: bytes, length: int) -> None:
    data = file_of(1.2, 8000)[:length]
    try:
        octets = telephone_sound(data[:place] + damage + data[place + len(damage) :])
    except UnfitSound:
        return
    assert octets


async def test_an_upload_is_read_apart() -> None:
    assert await read_sound(file_of(1, 8000)) == telephone_sound(file_of(1, 8000))
    with pytest.raises(UnfitSound, match="no WAV or mp3"):
        await read_sound(b"#!/bin/sh")


@pytest.mark.parametrize("law", Law)
def test_a_sound_is_played_in_either_law(tmp_path: Path, law: Law) -> None:
    path = tmp_path / "a.alaw"
    path.write_bytes(telephone_sound(file_of(1.01, 8000)))
    packets = sound_files.payloads(str(path), law)
    assert {len(packet) for packet in packets} == {160}
    assert len(packets) == 51
    assert dominant_tone(heard_in(b"".join(packets), law)) == pytest.approx(1000, abs=3)


def test_a_sound_that_is_gone_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert sound_files.payloads(str(tmp_path / "gone.alaw"), Law.A) == ()
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("country", CADENCES)
def test_ringback_of_a_country(country: str) -> None:
    """All of it as loud as any other, in its frequencies, and silent when it is to be."""
    frequencies, times = CADENCES[country]
    cycle = heard_in(b"".join(tones.ringback(Law.A, country)))
    assert len(cycle) == round(sum(times) * 8000)
    start = 0
    for number, seconds in enumerate(times):
        part = cycle[start : start + round(seconds * 8000)]
        if number % 2:
            assert loudness(part) < 0.001
        else:
            assert sum(tone_share(part, each) for each in frequencies) > 0.98
            assert 0.06 < loudness(part) < 0.13
        start += len(part)
    assert tones.ringback(Law.A, "atlantis") == tones.ringback(Law.A, USUAL)


async def test_who_is_held_hears_the_music_and_who_waits_the_ringback_that_was_said(tmp_path: Path) -> None:
    path = tmp_path / "music.alaw"
    path.write_bytes(telephone_sound(file_of(1, 8000, hertz=(1200,))))
    async with running_plane() as running:
        with PhoneEnd() as caller, PhoneEnd(ssrc=2, law=Law.MU) as callee:
            callee.learn(await running.offer(Side.CALLER, Side.CALLEE, caller.sdp("0 101")))
            caller.learn(await running.answer(Side.CALLEE, callee.sdp("0 101")))
            running.plane.dress(CALL, target=Side.CALLEE, sounds=SideSounds(str(path), "us"))
            await running.reoffer(Side.CALLER, caller.sdp("0 101", direction="sendonly"))
            assert dominant_tone(heard(await callee.hear(25))) == pytest.approx(1200, abs=10)
            await running.reoffer(Side.CALLER, caller.sdp("0 101"))
            running.plane.play(CALL, target=Side.CALLEE, what="ringback")
            await running.settle()
            await callee.hear(3)
            sound = heard(await callee.hear(25))
            assert min(tone_share(sound, 440), tone_share(sound, 480)) > 0.35
            running.plane.dress(CALL, target=Side.CALLEE, sounds=SideSounds(str(tmp_path / "gone.alaw")))
            running.plane.play(CALL, target=Side.CALLEE, what="music")  # of a file that is gone: our own
            await running.settle()
            await callee.hear(3)
            assert loudness(heard(await callee.hear(25))) > 0.01
