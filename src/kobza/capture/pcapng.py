"""Messages as a pcapng file (draft-ietf-opsawg-pcapng), which Wireshark, tshark and others open.

The packets are made: an IP header (RFC 791, 8200) with the real addresses, and one of UDP or TCP with the real ports;
what was said over TCP has sequence numbers of its own from where the file begins. What came out of TLS or a WebSocket
stands there as UDP, with a comment that says so: what reads the file by its ports would look for the encryption.
"""

import ipaddress
import struct
from collections.abc import Iterator
from typing import Final

from kobza.capture.message import Seen
from kobza.sip.flow import Address, Transport

LINKTYPE_RAW: Final = 101
"""Packets begin with their IP header."""
MAX_PAYLOAD: Final = 65_000
"""Bytes of a packet behind its headers; a message that is longer takes several, over UDP it is cut."""
_TCP_FLAGS: Final = (5 << 12) | 0x18
"""A header of five words; PSH and ACK."""
_UDP, _TCP = 17, 6
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _NAME, _APPLICATION, _RESOLUTION = 1, 2, 4, 9
"""Codes of options."""


class PcapngWriter:
    """Turns messages into the blocks of one file; write `begin` first."""

    def __init__(self, application: str) -> None:
        """`application` is named in the file as what has made it."""
        self._application = application
        self._sequence: dict[tuple[Address, Address], int] = {}

    def begin(self) -> bytes:
        """Return the head of the file: its section, and one interface with moments in microseconds."""
        section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(_APPLICATION, self._application.encode())
        interface = struct.pack("<HHI", LINKTYPE_RAW, 0, 0) + _option(_NAME, b"sip") + _option(_RESOLUTION, b"\x06")
        return _block(_SECTION, section + _END) + _block(_INTERFACE, interface + _END)

    def message(self, seen: Seen) -> bytes:
        """Return the packets of a message."""
        flow = seen.flow
        source, target = (flow.local, flow.remote) if seen.sent else (flow.remote, flow.local)
        moment = round(seen.at * 1_000_000)
        comment = b""
        if flow.transport not in (Transport.UDP, Transport.TCP):
            comment = _option(_COMMENT, f"{flow.transport} in truth".encode())
        return b"".join(
            _block(
                _PACKET,
                struct.pack("<IIIII", 0, moment >> 32, moment & 0xFFFFFFFF, len(packet), len(packet))
                + _padded(packet)
                + (comment + _END if comment else b""),
            )
            for packet in self._packets(source, target, seen.data, tcp=flow.transport is Transport.TCP)
        )

    def _packets(self, source: Address, target: Address, data: bytes, *, tcp: bool) -> Iterator[bytes]:
        if not tcp:
            yield _ip(source[0], target[0], _UDP, _udp(source, target, data[:MAX_PAYLOAD]))
            return
        for start in range(0, len(data), MAX_PAYLOAD):
            piece = data[start : start + MAX_PAYLOAD]
            sequence = self._sequence.get((source, target), 1)
            acknowledged = self._sequence.get((target, source), 1)
            self._sequence[source, target] = (sequence + len(piece)) & 0xFFFFFFFF
            head = struct.pack("!HHIIHHHH", source[1], target[1], sequence, acknowledged, _TCP_FLAGS, 65_535, 0, 0)
            checksum = _transport_checksum(source[0], target[0], _TCP, head + piece)
            yield _ip(source[0], target[0], _TCP, head[:16] + struct.pack("!H", checksum) + head[18:] + piece)


_END: Final = struct.pack("<HH", 0, 0)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _packed(host: str) -> bytes:
    return ipaddress.ip_address(host.partition("%")[0]).packed


def _udp(source: Address, target: Address, data: bytes) -> bytes:
    head = struct.pack("!HHH", source[1], target[1], 8 + len(data))
    checksum = _transport_checksum(source[0], target[0], _UDP, head + bytes(2) + data)
    return head + struct.pack("!H", checksum or 0xFFFF) + data


def _ip(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    first, second = _packed(source), _packed(target)
    if len(first) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + first + second + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + first + second
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + payload


def _transport_checksum(source: str, target: str, protocol: int, segment: bytes) -> int:
    return _checksum(_packed(source) + _packed(target) + struct.pack("!II", len(segment), protocol) + segment)


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
