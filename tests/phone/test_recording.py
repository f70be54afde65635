import random
from pathlib import Path

import pytest

from kobza.phone import recording
from kobza.phone.recording import Ear, WavRecording
from kobza.phone.sound import Sound
from tests.support.spectrum import dominant_tone, duration, from_pcm16, loudness, needs_sox, read_audio

PACKET = 160


def packets(hz: int) -> list[bytes]:
    pcm = Sound.tone(hz).pcm
    return [pcm[start : start + 320] for start in range(0, len(pcm), 320)]


@needs_sox()
def test_packets_go_to_the_place_of_their_timestamp(tmp_path: Path) -> None:
    made = WavRecording(tmp_path / "heard.wav")
    order = [(index, pcm) for index, pcm in enumerate(packets(440)) if not 20 <= index < 30]
    order[10], order[11] = order[11], order[10]  # reordered; ten packets are lost
    for index, pcm in order:
        made.write(pcm, ssrc=1, timestamp=(2**32 - 800 + index * PACKET) % 2**32, at=index * 0.02)
    made.close()
    made.close()
    assert made.duration == 1.0
    (heard,) = read_audio(tmp_path / "heard.wav")
    assert duration(heard) == 1.0
    assert dominant_tone(heard[: 20 * PACKET]) == 440
    assert loudness(heard[20 * PACKET : 30 * PACKET]) == 0
    assert dominant_tone(heard[30 * PACKET :]) == 440


@needs_sox()
def test_a_new_stream_is_placed_by_its_arrival(tmp_path: Path) -> None:
    made = WavRecording(tmp_path / "heard.wav")
    for index, pcm in enumerate(packets(440)):
        made.write(pcm, ssrc=1, timestamp=index * PACKET, at=index * 0.02)
    for index, pcm in enumerate(packets(660)):
        made.write(pcm, ssrc=2, timestamp=5_000_000 + index * PACKET, at=2.0 + index * 0.02)
    made.write(packets(660)[0], ssrc=2, timestamp=4_000_000_000, at=3.5)  # a jump within the stream
    made.close()
    (heard,) = read_audio(tmp_path / "heard.wav")
    assert duration(heard) == pytest.approx(3.52)
    assert dominant_tone(heard[:8000]) == 440
    assert loudness(heard[8000:16000]) == 0
    assert dominant_tone(heard[16000:24000]) == 660


def test_what_would_come_before_the_beginning_or_after_the_bound_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_SAMPLES", 1000)
    made = WavRecording(tmp_path / "heard.wav")
    made.write(bytes(320), ssrc=1, timestamp=1000, at=0)
    made.write(bytes(320), ssrc=1, timestamp=500, at=0)
    made.write(bytes(320), ssrc=1, timestamp=1000 + 900, at=0)
    assert made.duration == 160 / 8000
    made.close()


@pytest.mark.parametrize("hz", [110, 440, 661, 1000, 3000])
def test_the_ear_names_a_tone(hz: int) -> None:
    ear = Ear()
    for pcm in packets(hz)[:25]:
        ear.hear(pcm)
    assert ear.tone() == pytest.approx(hz, abs=1)


def test_the_ear_names_nothing_else() -> None:
    ear = Ear()
    assert ear.tone() is None
    for _ in range(25):
        ear.hear(bytes(320))
    assert ear.tone() is None
    chance = random.Random(1)
    for _ in range(25):
        ear.hear(b"".join(chance.randrange(-8000, 8000).to_bytes(2, "little", signed=True) for _ in range(PACKET)))
    assert ear.tone() is None
    for pcm in packets(440)[:25]:
        ear.hear(bytes(b ^ 0 for b in pcm))
    assert ear.tone() == 440
    ear.forget()
    assert ear.tone() is None
    assert dominant_tone(from_pcm16(b"".join(packets(440)))) == 440


def test_the_ear_does_not_stumble_over_a_constant() -> None:
    ear = Ear()
    for _ in range(25):
        ear.hear((1000).to_bytes(2, "little") * PACKET)
    assert ear.tone() is None
