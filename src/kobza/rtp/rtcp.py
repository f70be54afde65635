"""RTCP compound packets (RFC 3550, section 6): what they are made of."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from kobza.rtp.errors import MalformedRtp

MAX_PACKETS: Final = 64
"""Packets in one compound: a bound on the work that one datagram can cause."""


_BLOCK: Final = struct.Struct("!6I")


class RtcpType(IntEnum):
    """The packet types of RFC 3550 and RFC 4585; others exist and pass as plain numbers."""

    SENDER_REPORT = 200
    RECEIVER_REPORT = 201
    SOURCE_DESCRIPTION = 202
    BYE = 203
    APP = 204
    TRANSPORT_FEEDBACK = 205
    PAYLOAD_FEEDBACK = 206


@dataclass(frozen=True, slots=True)
class RtcpPacket:
    """One packet of a compound. `count` is the five bits after the version; `body` what follows the first 4 bytes."""

    packet_type: int
    count: int
    body: bytes

    @property
    def ssrc(self) -> int | None:
        """The sender, for the types that begin with it; None for an empty packet."""
        return int.from_bytes(self.body[:4], "big") if len(self.body) >= 4 else None

    def to_bytes(self) -> bytes:
        """Return the packet; `body` is a multiple of 4 bytes."""
        return struct.pack("!BBH", 0x80 | self.count, self.packet_type, len(self.body) // 4) + self.body


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one stream that it hears (RFC 3550, section 6.4.1)."""

    ssrc: int
    """The sender of the stream."""
    lost: int
    """Packets lost since the stream began; negative when more came than were sent, doubled on the way."""
    jitter: int
    """In units of the codec's clock."""
    last_report: int = 0
    """The middle 32 bits of the NTP time in the last sender report that it has; 0: it has none."""
    delay: float = 0.0
    """Seconds since that came."""


def report_blocks(packet: RtcpPacket) -> list[ReportBlock]:
    """Return the blocks of a sender or receiver report; none of another packet. Raises MalformedRtp."""
    if packet.packet_type == RtcpType.SENDER_REPORT:
        start = 24
    elif packet.packet_type == RtcpType.RECEIVER_REPORT:
        start = 4
    else:
        return []
    if start + packet.count * _BLOCK.size > len(packet.body):
        raise MalformedRtp("a report block is cut off")
    blocks = []
    for index in range(packet.count):
        ssrc, lost, _, jitter, last_report, delay = _BLOCK.unpack_from(packet.body, start + index * _BLOCK.size)
        lost &= 0xFFFFFF
        lost = lost - (1 << 24) if lost & 0x800000 else lost
        blocks.append(ReportBlock(ssrc, lost, jitter, last_report, delay / 65536))
    return blocks


def sender_time(packet: RtcpPacket) -> int | None:
    """Return what receivers repeat of a sender report: the middle 32 bits of its NTP time; None for another packet."""
    if packet.packet_type != RtcpType.SENDER_REPORT or len(packet.body) < 24:
        return None
    return int.from_bytes(packet.body[6:10], "big")


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Split a datagram into its RTCP packets; raise MalformedRtp."""
    packets: list[RtcpPacket] = []
    position = 0
    while position < len(data):
        if position + 4 > len(data) or len(packets) == MAX_PACKETS:
            raise MalformedRtp("an RTCP packet is cut off, or there are too many")
        first, packet_type, words = struct.unpack_from("!BBH", data, position)
        if first & 0xC0 != 0x80:
            raise MalformedRtp("not version 2")
        end = position + 4 + 4 * words
        if end > len(data):
            raise MalformedRtp("an RTCP packet is cut off")
        packets.append(RtcpPacket(packet_type, first & 0x1F, data[position + 4 : end]))
        position = end
    if not packets:
        raise MalformedRtp("empty")
    return packets
