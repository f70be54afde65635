"""G.711 (ITU-T G.711): A-law and mu-law octets to 16-bit samples and back.

One sample in 8 bits, 8,000 a second. Decoding goes through `bytes.translate`, which costs 1 ms a minute of audio: the
low and the high bytes of the samples come from a table each, so that two calls and slices give little-endian PCM.
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from functools import cache
from typing import Final

SAMPLE_RATE: Final = 8000
"""Samples a second."""


class Law(IntEnum):
    """Which of the two companding laws; the value is the static RTP payload type (RFC 3551)."""

    MU = 0
    A = 8


def _decode_mu(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _decode_a(code: int) -> int:
    code ^= 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + 8
    if segment:
        magnitude = magnitude + 0x100 << segment - 1
    return magnitude if code & 0x80 else -magnitude


def _tables(samples: list[int]) -> tuple[bytes, bytes]:
    return bytes(sample & 0xFF for sample in samples), bytes(sample >> 8 & 0xFF for sample in samples)


_SAMPLES: Final = {
    Law.MU: [_decode_mu(code) for code in range(256)],
    Law.A: [_decode_a(code) for code in range(256)],
}
LOW_BYTES: Final = {law: _tables(samples)[0] for law, samples in _SAMPLES.items()}
"""For each law the table for `bytes.translate` that gives the low bytes of the samples."""
HIGH_BYTES: Final = {law: _tables(samples)[1] for law, samples in _SAMPLES.items()}
"""The same for the high bytes."""
SILENCE: Final = {Law.MU: 0xFF, Law.A: 0xD5}
"""The octet of a sample that is (next to) zero."""


def decode(payload: bytes, law: Law) -> bytes:
    """Return the samples as little-endian signed 16-bit PCM."""
    pcm = bytearray(2 * len(payload))
    pcm[0::2] = payload.translate(LOW_BYTES[law])
    pcm[1::2] = payload.translate(HIGH_BYTES[law])
    return bytes(pcm)


def encode(samples: Iterable[int], law: Law) -> bytes:
    """Return signed 16-bit samples as G.711 octets; values beyond 16 bits are clipped."""
    table = encoding_table(law)
    return bytes([table[max(-32768, min(32767, sample)) + 32768 >> 2] for sample in samples])


def encode_pcm(pcm: bytes, law: Law) -> bytes:
    """Return little-endian 16-bit PCM as G.711 octets; an odd last byte is dropped."""
    count = len(pcm) // 2
    return encode(struct.unpack_from(f"<{count}h", pcm), law)


@cache
def encoding_table(law: Law) -> bytes:
    """Return the table from a sample's upper 14 bits (shifted to be positive) to its octet, made when first needed.

    Each octet stands for the samples nearest to it: the decision values lie in the middle between neighbours.
    """
    by_sample = sorted((sample, code) for code, sample in enumerate(_SAMPLES[law]))
    if law is Law.MU:
        # mu-law has two octets for zero; the positive one, 0xFF, is what equipment sends.
        by_sample.remove((0, 0x7F))
    table = bytearray(1 << 14)
    nearest = 0
    for index in range(1 << 14):
        sample = (index << 2) - 32768 + 2
        while nearest + 1 < len(by_sample) and by_sample[nearest][0] + by_sample[nearest + 1][0] < 2 * sample:
            nearest += 1
        table[index] = by_sample[nearest][1]
    return bytes(table)
