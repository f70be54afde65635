"""Recordings of voices of a wider band, and of those that are not decoded: tones, times, spectra, and damage."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.media import voice_codecs
from kobza.media.decoding import Decoder, G722Decoder, OpusDecoder
from kobza.media.encoder import encode
from kobza.media.ogg import ogg_opus
from kobza.media.plane import Side
from kobza.media.spool import PAUSED, RESUMED, TICKS, mark_record
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.opus import samples_of
from kobza.sdp.codecs import Codec
from tests.media.phone_end import tone
from tests.media.spools import Packet, hear_spool, needs_mp3, stream, write_spool
from tests.media.wideband import RATE, g722_payloads, opus_payloads, packets_of, sine
from tests.support.spectrum import Samples, loudness, tone_share, tones_over_time

CALLER, CALLEE = Side.CALLER, Side.CALLEE

Voice = tuple[int, int, Callable[[Samples], list[bytes]]]
"""The codec, the units of the RTP timestamp in a packet, and the coder."""
G722: Voice = (voice_codecs.G722, 160, g722_payloads)
OPUS: Voice = (voice_codecs.OPUS, 960, opus_payloads)
both_codecs = pytest.mark.parametrize("voice", [G722, OPUS], ids=["G.722", "Opus"])


def speak(side: Side, voice: Voice, sound: Samples, start: float = 0.0, timestamp: int = 1000) -> list[Packet]:
    codec, step, coder = voice
    return stream(side, coder(sound), start=start, law=codec, step=step, timestamp=timestamp)


def share(sound: Samples, frequency: float) -> float:
    """Return the share of a tone in a sound of 16,000 samples a second."""
    return tone_share(sound, frequency / 2)


def edges(sound: Samples) -> tuple[float, float]:
    """Return when something is heard first and last, in seconds."""
    loud = np.flatnonzero(np.abs(sound) > 0.05)
    return float(loud[0]) / RATE, float(loud[-1]) / RATE


@needs_mp3
@both_codecs
def test_what_lies_above_the_telephones_band_is_in_the_recording(tmp_path: Path, voice: Voice) -> None:
    """The other side speaks G.711 and stays as it was: at its time, and without a mirror above 4,000 Hz."""
    packets = speak(CALLER, voice, sine(5500, 50), start=1.0)
    packets += stream(CALLEE, tone(660, 100), start=0.5, ssrc=2)
    left, right = hear_spool(tmp_path, packets, 3.21)
    assert len(left) == round(3.21 * RATE)
    assert edges(left) == pytest.approx((1.0, 2.0), abs=0.02)
    assert edges(right) == pytest.approx((0.5, 2.5), abs=0.02)
    assert share(left[RATE + 1000 : 2 * RATE - 1000], 5500) > 0.95
    steady = right[RATE : 2 * RATE]
    assert share(steady, 660) > 0.999
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)))) ** 2
    assert spectrum[4100:].sum() / spectrum.sum() < 1e-5
    assert loudness(steady) == pytest.approx(8000 / 32768 / np.sqrt(2), rel=0.1)


@needs_mp3
@both_codecs
def test_loss_reordering_duplicates_and_jitter(tmp_path: Path, voice: Voice) -> None:
    rng = random.Random(7)
    damaged: list[Packet] = []
    for number, (side, arrived, packet) in enumerate(speak(CALLER, voice, sine(1000, 200))):
        if 100 <= number < 125:  # half a second is lost
            continue
        late = rng.choice((0.0, 0.0, 0.013, 0.055, 0.09)) if number > 5 else 0.0
        damaged.append((side, arrived + late, packet))
        if number % 7 == 0:
            damaged.append((side, arrived + late + rng.uniform(0.01, 0.3), packet))
    left, _ = hear_spool(tmp_path, damaged, 4.5)
    assert share(left[2000 : 2 * RATE - 1000], 1000) > 0.97
    assert share(left[round(2.52 * RATE) : 4 * RATE - 1000], 1000) > 0.97
    assert loudness(left[round(2.03 * RATE) : round(2.47 * RATE)]) < 0.002
    assert edges(left)[1] == pytest.approx(4.0, abs=0.02)


@needs_mp3
@both_codecs
def test_a_side_changes_its_codec_and_begins_its_stream_anew(tmp_path: Path, voice: Voice) -> None:
    """From G.711 to the wider band and back, in one stream, then a stream with a timestamp from nowhere."""
    packets = stream(CALLER, tone(440, 50))
    packets += speak(CALLER, voice, sine(1000, 50), start=1.0, timestamp=2**32 - 5000)
    packets += stream(CALLER, tone(440, 50), start=2.0, timestamp=1000 + 2 * 8000)
    packets += speak(CALLER, voice, sine(1500, 50), start=3.5, timestamp=77)
    left, _ = hear_spool(tmp_path, packets, 5.0)
    heard = tones_over_time(left, 0.5)  # in half seconds of the double rate: each is a quarter
    wanted = [220.0] * 4 + [500.0] * 4 + [220.0] * 4 + [None] * 2 + [750.0] * 4 + [None] * 2
    assert heard == pytest.approx(wanted, abs=5)


@needs_mp3
def test_all_of_it_is_placed_in_the_same_time(tmp_path: Path) -> None:
    """Clicks of both sides at the same moments, one in G.711 and the other in Opus, for five seconds."""
    click, silence = tone(700, 1), tone(0, 1)
    narrow = [click[0] if number % 50 == 25 else silence[0] for number in range(250)]
    sound = np.where(np.arange(250 * 320) // 320 % 50 == 25, sine(700, 250), 0.0)
    packets = stream(CALLER, narrow) + speak(CALLEE, OPUS, sound)
    left, right = hear_spool(tmp_path, packets, 5.0)
    for second in range(5):
        one, other = (edges(side[second * RATE : (second + 1) * RATE])[0] for side in (left, right))
        assert one == pytest.approx(0.5, abs=0.005)
        assert abs(one - other) < 0.01


def test_a_voice_that_is_not_decoded_is_told_of(tmp_path: Path) -> None:
    unheard = stream(CALLER, [bytes(20)] * 50, law=18)
    encoded = encode(
        write_spool(tmp_path / "one", unheard + stream(CALLEE, tone(660, 50), ssrc=2), 1.0), tmp_path / "1"
    )
    assert (encoded.undecoded, encoded.heard) == (((CALLER, "G729"),), True)
    unheard += stream(CALLEE, [bytes(20)] * 50, law=voice_codecs.OTHER, ssrc=2)
    encoded = encode(write_spool(tmp_path / "two", unheard, 1.0), tmp_path / "2")
    assert (encoded.undecoded, encoded.heard) == (((CALLEE, "unknown"), (CALLER, "G729")), False)
    encoded = encode(write_spool(tmp_path / "none", [], 1.0), tmp_path / "0")
    assert (encoded.undecoded, encoded.heard, encoded.paused) == ((), True, ())


def test_a_codec_whose_library_is_not_there_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kobza.media.encoder.is_decoded", lambda codec: codec != voice_codecs.G722)
    spool = write_spool(tmp_path / "spool", speak(CALLER, G722, sine(500, 50)), 1.0)
    assert encode(spool, tmp_path / "mp3").undecoded == ((CALLER, "G722"),)


def test_pauses_are_marked(tmp_path: Path) -> None:
    """Said twice, or never ended, they are what they can be."""
    spool = write_spool(tmp_path / "spool", stream(CALLER, tone(440, 50)), None)
    marks = [(PAUSED, 1.5), (PAUSED, 1.75), (RESUMED, 2.25), (RESUMED, 2.5), (PAUSED, 3.0)]
    data = spool.read_bytes() + b"".join(mark_record(kind, round(at * TICKS)) for kind, at in marks)
    spool.write_bytes(data + mark_record(2, 4 * TICKS))
    assert encode(spool, tmp_path / "mp3").paused == ((1500, 2250), (3000, 4000))


@pytest.mark.parametrize(
    ("codec", "number"),
    [
        (Codec(9, "G722", 8000), voice_codecs.G722),
        (Codec(96, "opus", 48000, 2), voice_codecs.OPUS),
        (Codec(18, "g729", 8000), 18),
        (Codec(120, "clearmode", 8000), voice_codecs.OTHER),
    ],
)
def test_every_codec_has_a_number(codec: Codec, number: int) -> None:
    assert voice_codecs.number_of(codec) == number
    assert voice_codecs.name_of(number)


@given(st.binary(max_size=40))
def test_any_bytes_are_an_opus_packet_or_refused(payload: bytes) -> None:
    with suppress(MalformedRtp):
        assert 120 <= samples_of(payload) <= 5760


@settings(max_examples=25)
@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from([G722Decoder, OpusDecoder]))
def test_any_payloads_become_sound_or_nothing(payloads: list[bytes], kind: type[Decoder]) -> None:
    decoder = kind()
    for _ in range(2):
        sounds = decoder.decode(payloads)
        assert len(sounds) == len(payloads)
        for payload, sound in zip(payloads, sounds, strict=True):
            if sound is not None:
                codec = voice_codecs.G722 if kind is G722Decoder else voice_codecs.OPUS
                assert len(sound) == 2 * voice_codecs.samples_of(codec, payload)


@given(st.lists(st.integers(1, 1200), max_size=5))
def test_packets_of_any_size_come_back_out_of_ogg(sizes: list[int]) -> None:
    packets = [b"\x08" + bytes(size - 1) for size in sizes]
    assert packets_of(ogg_opus(packets, RATE))[2:] == packets
