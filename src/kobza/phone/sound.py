"""What a softphone says: a tone, a file, silence, as G.711 packets of 20 ms."""

import math
import wave
from functools import cached_property
from pathlib import Path

from kobza.rtp.g711 import SAMPLE_RATE, SILENCE, Law, decode, encode_pcm

PACKET_SAMPLES = 160
"""Samples in a packet: 20 ms."""
PACKET_SECONDS = PACKET_SAMPLES / SAMPLE_RATE
TONE_PEAK = 10_000
"""Peak of a generated tone, about -10 dBm0: loud and not clipped."""
MAX_FILE_BYTES = 64 * 1024 * 1024
"""A file is read whole; an hour of 16-bit audio is 57 MB."""


class SoundError(ValueError):
    """A sound that cannot be played: the message says which and why, for the person who asked for it."""


class Sound:
    """16-bit PCM at 8 kHz that is played in a loop."""

    def __init__(self, pcm: bytes) -> None:
        if len(pcm) < 2:
            raise SoundError("the sound is empty")
        self.pcm = pcm

    @classmethod
    def tone(cls, hz: int) -> "Sound":
        """Return a sine; the loop of one second has no seam because `hz` is whole. Raises `SoundError`."""
        if not 1 <= hz < SAMPLE_RATE // 2:
            raise SoundError(f"a tone has 1 to {SAMPLE_RATE // 2 - 1} Hz, not {hz}")
        step = 2 * math.pi * hz / SAMPLE_RATE
        samples = (round(TONE_PEAK * math.sin(step * index)) for index in range(SAMPLE_RATE))
        return cls(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))

    @classmethod
    def silence(cls) -> "Sound":
        """Return silence, for a call that has nothing to say."""
        return cls(bytes(2 * PACKET_SAMPLES))

    @classmethod
    def file(cls, path: Path) -> "Sound":
        """Read a WAV (8 kHz, mono, 16 bit) or raw file: `.ulaw`/`.ul`, `.alaw`/`.al`, else 16-bit PCM.

        Raises `SoundError`.
        """
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise SoundError(f"{path}: larger than {MAX_FILE_BYTES // 1024 // 1024} MiB")
            if path.suffix.lower() == ".wav":
                return cls(_read_wav(path))
            data = path.read_bytes()
        except OSError as error:
            raise SoundError(f"{path}: {error.strerror}") from error
        match path.suffix.lower():
            case ".ulaw" | ".ul" | ".mulaw":
                return cls(decode(data, Law.MU))
            case ".alaw" | ".al":
                return cls(decode(data, Law.A))
        return cls(data[: len(data) & ~1])

    @classmethod
    def parse(cls, text: str) -> "Sound":
        """Read `tone:440` or the name of a file. Raises `SoundError`."""
        kind, colon, value = text.partition(":")
        if kind == "tone" and colon:
            if not (value.isascii() and value.isdigit() and len(value) < 6):
                raise SoundError(f"tone:HZ wants a whole number, not {value!r}")
            return cls.tone(int(value))
        return cls.file(Path(text))

    @cached_property
    def _payloads(self) -> dict[Law, list[bytes]]:
        return {}

    def payloads(self, law: Law) -> list[bytes]:
        """Return the loop as payloads of 160 octets; what is left over at its end is filled with silence."""
        made = self._payloads.get(law)
        if made is None:
            octets = encode_pcm(self.pcm, law)
            made = [
                octets[start : start + PACKET_SAMPLES].ljust(PACKET_SAMPLES, bytes([SILENCE[law]]))
                for start in range(0, len(octets), PACKET_SAMPLES)
            ]
            self._payloads[law] = made
        return made


def _read_wav(path: Path) -> bytes:
    try:
        with wave.open(str(path), "rb") as source:
            if (source.getframerate(), source.getnchannels(), source.getsampwidth()) != (SAMPLE_RATE, 1, 2):
                raise SoundError(f"{path}: not 8 kHz, mono, 16 bit")
            return source.readframes(source.getnframes())
    except (wave.Error, EOFError) as error:
        raise SoundError(f"{path}: not a WAV file ({error})") from error
