"""Opus packets as the Ogg stream that a library decodes (RFC 3533, RFC 7845): one packet a page, all in memory."""

import struct
import zlib
from collections.abc import Iterable
from itertools import accumulate
from typing import Final

from kobza.rtp.opus import samples_of

SERIAL: Final = 1
_FIRST: Final = 2
_LAST: Final = 4
_PAGE: Final = struct.Struct("<4sBBqIIIB")
_CHECKSUM_AT: Final = 22
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ONES: Final = 0xFFFFFFFF


def ogg_opus(packets: Iterable[bytes], rate: int, *, channels: int = 1) -> bytes:
    """Return packets that follow one another as a file. `rate` (8,000 to 48,000 Hz) is what it is to be decoded to.

    Raises MalformedRtp for a packet that is none.
    """
    packets = list(packets)
    # Version, channels, samples to skip, rate, gain, mapping: a voice is one stream of one or two channels.
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, channels, 0, rate, 0, 0)
    tags = b"OpusTags" + struct.pack("<II", 0, 0)
    ends = accumulate(samples_of(packet) for packet in packets)
    pages = [_page(0, _FIRST, 0, head), _page(1, 0, 0, tags)]
    for number, (packet, end) in enumerate(zip(packets, ends, strict=True), start=2):
        pages.append(_page(number, _LAST if number == len(packets) + 1 else 0, end, packet))
    return b"".join(pages)


def _page(number: int, flags: int, position: int, packet: bytes) -> bytes:
    lacing = bytes([255]) * (len(packet) // 255) + bytes([len(packet) % 255])
    fixed = _PAGE.pack(b"OggS", 0, flags, position, SERIAL, number, 0, len(lacing))
    page = bytearray(fixed + lacing + packet)
    struct.pack_into("<I", page, _CHECKSUM_AT, _checksum(page))
    return bytes(page)


def _checksum(page: bytes | bytearray) -> int:
    """Return the CRC-32 as Ogg has it: zlib's polynomial, but from the highest bit on, and nothing inverted."""
    mirrored = zlib.crc32(page.translate(_REVERSED), _ONES) ^ _ONES
    return int(f"{mirrored:032b}"[::-1], 2)
