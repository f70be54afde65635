"""RTP packets (RFC 3550, section 5.1) and how RTCP is told apart from them on one port (RFC 5761, section 4)."""

import struct
from dataclasses import dataclass
from typing import Final

from kobza.rtp.errors import MalformedRtp

HEADER_BYTES: Final = 12
"""Length of the fixed header."""
SEQUENCES: Final = 1 << 16
"""Sequence numbers count modulo this."""
TIMESTAMPS: Final = 1 << 32
"""Timestamps count modulo this."""

_FIXED: Final = struct.Struct("!BBHII")
_VERSION_2: Final = 0x80
_PADDING: Final = 0x20
_EXTENSION: Final = 0x10


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A parsed packet. `timestamp` is in units of the codec's clock; `payload` excludes padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    """Profile number and content of the header extension (section 5.3.1)."""

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Parse a datagram; raise MalformedRtp."""
        if len(data) < HEADER_BYTES:
            raise MalformedRtp("shorter than the fixed header")
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
        if first & 0xC0 != _VERSION_2:
            raise MalformedRtp("not version 2")
        start, end = HEADER_BYTES + 4 * (first & 0x0F), len(data)
        csrcs: tuple[int, ...] = ()
        if first & 0x0F:
            if start > end:
                raise MalformedRtp("the list of contributing sources is cut off")
            csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, HEADER_BYTES)
        extension = None
        if first & _EXTENSION:
            extension, start = _extension(data, start)
        if first & _PADDING:
            if end == start or not 0 < data[-1] <= end - start:
                raise MalformedRtp("the count of padding bytes is wrong")
            end -= data[-1]
        return cls(
            second & 0x7F, sequence, timestamp, ssrc, data[start:end], second >= 0x80, csrcs=csrcs, extension=extension
        )

    def to_bytes(self) -> bytes:
        """Return the packet as a datagram."""
        first = _VERSION_2 | len(self.csrcs)
        parts = [b"", *(csrc.to_bytes(4, "big") for csrc in self.csrcs)]
        if self.extension is not None:
            first |= _EXTENSION
            profile, content = self.extension
            content += bytes(-len(content) % 4)
            parts.append(struct.pack("!HH", profile, len(content) // 4) + content)
        second = self.payload_type | (0x80 if self.marker else 0)
        parts[0] = _FIXED.pack(first, second, self.sequence, self.timestamp, self.ssrc)
        return b"".join((*parts, self.payload))


def _extension(data: bytes, start: int) -> tuple[tuple[int, bytes], int]:
    if start + 4 > len(data):
        raise MalformedRtp("the header extension is cut off")
    profile, words = struct.unpack_from("!HH", data, start)
    end = start + 4 + 4 * words
    if end > len(data):
        raise MalformedRtp("the header extension is cut off")
    return (profile, data[start + 4 : end]), end


def is_rtp(data: bytes) -> bool:
    """Tell whether a datagram can be RTP: long enough, version 2, and no RTCP."""
    return len(data) >= HEADER_BYTES and data[0] & 0xC0 == _VERSION_2 and not 192 <= data[1] <= 223


def is_rtcp(data: bytes) -> bool:
    """Tell whether a datagram is RTCP: version 2 and a packet type of 192 to 223 (RFC 5761, section 4)."""
    return len(data) >= 8 and data[0] & 0xC0 == _VERSION_2 and 192 <= data[1] <= 223


def timestamp_difference(later: int, earlier: int) -> int:
    """Return how far one timestamp is after the other, in the shorter way around: negative when it is before."""
    return (later - earlier + TIMESTAMPS // 2) % TIMESTAMPS - TIMESTAMPS // 2


def sequence_difference(later: int, earlier: int) -> int:
    """Return how many packets one sequence number is after the other, in the shorter way around."""
    return (later - earlier + SEQUENCES // 2) % SEQUENCES - SEQUENCES // 2
