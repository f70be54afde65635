import wave
from pathlib import Path

import pytest

from kobza.phone.sound import PACKET_SAMPLES, Sound, SoundError
from kobza.rtp.g711 import Law, decode, encode_pcm
from tests.support.spectrum import dominant_tone, from_pcm16


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize("hz", [440, 661, 1004])
def test_a_tone_is_that_tone_and_loops_without_a_seam(hz: int, law: Law) -> None:
    payloads = Sound.tone(hz).payloads(law)
    assert {len(payload) for payload in payloads} == {PACKET_SAMPLES}
    assert len(payloads) == 50
    pcm = decode(b"".join(payloads[25:] + payloads[:25]), law)
    assert dominant_tone(from_pcm16(pcm)) == hz


def test_silence_is_silent() -> None:
    assert dominant_tone(from_pcm16(decode(b"".join(Sound.silence().payloads(Law.A)) * 50, Law.A))) is None


def test_parses_tones_and_says_what_is_wrong() -> None:
    assert Sound.parse("tone:440").pcm == Sound.tone(440).pcm
    for text in ("tone:", "tone:x", "tone:0", "tone:4000", "tone:99999999", "tone:-5"):
        with pytest.raises(SoundError):
            Sound.parse(text)


def test_reads_wav_and_raw_files(tmp_path: Path) -> None:
    pcm = Sound.tone(440).pcm
    with wave.open(str(tmp_path / "tone.wav"), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(pcm)
    assert Sound.parse(str(tmp_path / "tone.wav")).pcm == pcm
    for suffix, law in (("ulaw", Law.MU), ("al", Law.A)):
        octets = encode_pcm(pcm, law)
        (tmp_path / f"tone.{suffix}").write_bytes(octets)
        assert Sound.parse(str(tmp_path / f"tone.{suffix}")).payloads(law)[0] == octets[:PACKET_SAMPLES]
    (tmp_path / "tone.raw").write_bytes(pcm + b"\0")
    assert Sound.parse(str(tmp_path / "tone.raw")).pcm == pcm


def test_a_last_packet_that_is_short_is_filled_with_silence() -> None:
    payloads = Sound(bytes(2 * (PACKET_SAMPLES + 10))).payloads(Law.MU)
    assert [len(payload) for payload in payloads] == [PACKET_SAMPLES, PACKET_SAMPLES]
    assert payloads[1][10:] == b"\xff" * (PACKET_SAMPLES - 10)


def test_refuses_what_it_cannot_play(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as out:
        out.setparams((2, 2, 44100, 0, "NONE", ""))
        out.writeframes(bytes(400))
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "empty.raw").write_bytes(b"")
    for name, words in (("stereo", "8 kHz"), ("broken", "not a WAV"), ("absent", "No such file")):
        with pytest.raises(SoundError, match=words):
            Sound.file(tmp_path / f"{name}.wav")
    with pytest.raises(SoundError, match="empty"):
        Sound.file(tmp_path / "empty.raw")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.raw").open("wb") as out:
        out.truncate(65 * 1024 * 1024)
    with pytest.raises(SoundError, match="larger"):
        Sound.file(tmp_path / "large.raw")
