"""Voices of a wider band, coded as phones code them, by libraries: tones as payloads of 20 ms."""

import io
from itertools import pairwise

import G722 as g722  # noqa: N811  a module
import numpy as np
import soundfile

from tests.support.spectrum import Samples

RATE = 16_000
PACKET = RATE // 50


def sine(frequency: float, packets: int) -> Samples:
    """Return a tone of 16,000 samples a second, at a quarter of full scale."""
    return np.asarray(0.25 * np.sin(2 * np.pi * frequency * np.arange(packets * PACKET) / RATE))


def g722_payloads(sound: Samples) -> list[bytes]:
    """Return a sound as G.722 at 64 kbit/s."""
    octets = g722.G722(RATE, 64_000).encode(np.rint(sound * 32767).astype(int).tolist())
    return [octets[start:end] for start, end in pairwise(range(0, len(octets) + 1, PACKET // 2))]


def opus_payloads(sound: Samples) -> list[bytes]:
    """Return a sound as Opus packets, as many as it takes."""
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="OGG", subtype="OPUS")
    return packets_of(file.getvalue())[2 : 2 + len(sound) // PACKET]


def packets_of(ogg: bytes) -> list[bytes]:
    """Return the packets of an Ogg stream (RFC 3533, section 6), headers included."""
    packets, packet, page = list[bytes](), b"", 0
    while page < len(ogg):
        count = ogg[page + 26]
        lacing = ogg[page + 27 : page + 27 + count]
        page += 27 + count
        for length in lacing:
            packet += ogg[page : page + length]
            page += length
            if length < 255:
                packets.append(packet)
                packet = b""
    return packets
