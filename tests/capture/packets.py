"""Reads back what is written: pcapng files and the packets in them, by their specifications."""

import ipaddress
import struct
from typing import NamedTuple


class Packet(NamedTuple):
    at: float
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    payload: bytes
    comment: str


def packets_of(file: bytes) -> list[Packet]:
    """Return the packets of a pcapng file of raw IP; checks every length and checksum on the way."""
    found = []
    at, kinds = 0, []
    while at < len(file):
        kind, length = struct.unpack_from("<II", file, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", file, at + length - 4) == (length,)
        body = file[at + 8 : at + length - 4]
        kinds.append(kind)
        if kind == 0x0A0D0D0A:
            assert struct.unpack_from("<IHH", body) == (0x1A2B3C4D, 1, 0)
        elif kind == 1:
            assert struct.unpack_from("<H", body) == (101,)
            assert options_of(body[8:])[9] == b"\x06"
        else:
            assert kind == 6
            interface, high, low, captured, whole = struct.unpack_from("<IIIII", body)
            assert (interface, captured) == (0, whole)
            options = options_of(body[20 + captured + -captured % 4 :])
            moment = (high << 32 | low) / 1_000_000
            found.append(_packet(moment, body[20 : 20 + captured], options.get(1, b"").decode()))
        at += length
    assert kinds[:2] == [0x0A0D0D0A, 1]
    return found


def options_of(data: bytes) -> dict[int, bytes]:
    found = {}
    at = 0
    while at < len(data):
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            break
        found[code] = data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4
    return found


def _packet(at: float, data: bytes, comment: str) -> Packet:
    if data[0] >> 4 == 4:
        assert _sum(data[:20]) == 0xFFFF
        assert struct.unpack_from("!H", data, 2)[0] == len(data)
        protocol, hosts, segment = data[9], (data[12:16], data[16:20]), data[20:]
    else:
        assert struct.unpack_from("!H", data, 4)[0] == len(data) - 40
        protocol, hosts, segment = data[6], (data[8:24], data[24:40]), data[40:]
    pseudo = b"".join(hosts) + struct.pack("!II", len(segment), protocol)
    assert _sum(pseudo + segment) == 0xFFFF
    ports = struct.unpack_from("!HH", segment)
    sequence, head = (struct.unpack_from("!I", segment, 4)[0], 20) if protocol == 6 else (0, 8)
    source, target = ((str(ipaddress.ip_address(host)), port) for host, port in zip(hosts, ports, strict=True))
    return Packet(at, protocol, source, target, sequence, segment[head:], comment)


def _sum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
