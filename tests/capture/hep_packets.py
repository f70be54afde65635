"""Reads HEP3 packets as their specification has them."""

import ipaddress
import struct
from typing import NamedTuple


class HepPacket(NamedTuple):
    family: int
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    at: float
    kind: int
    agent: int
    key: bytes | None
    correlation: bytes | None
    payload: bytes


def packets_in(data: bytes) -> list[HepPacket]:
    """Return the packets that follow each other."""
    found = []
    while data:
        assert data[:4] == b"HEP3"
        (length,) = struct.unpack_from("!H", data, 4)
        assert length <= len(data)
        found.append(_packet(data[6:length]))
        data = data[length:]
    return found


def _packet(body: bytes) -> HepPacket:
    chunks: dict[int, bytes] = {}
    while body:
        vendor, kind, length = struct.unpack_from("!HHH", body)
        assert vendor == 0
        assert length >= 6
        assert kind not in chunks
        chunks[kind] = body[6:length]
        assert len(chunks[kind]) == length - 6
        body = body[length:]
    family = chunks[1][0]
    hosts = (3, 4) if family == 2 else (5, 6)
    source, target = (str(ipaddress.ip_address(chunks[kind])) for kind in hosts)
    seconds, microseconds = (int.from_bytes(chunks[kind]) for kind in (9, 10))
    assert [len(chunks[kind]) for kind in (1, 2, 7, 8, 9, 10, 11, 12)] == [1, 1, 2, 2, 4, 4, 1, 4]
    return HepPacket(
        family,
        chunks[2][0],
        (source, int.from_bytes(chunks[7])),
        (target, int.from_bytes(chunks[8])),
        seconds + microseconds / 1_000_000,
        chunks[11][0],
        int.from_bytes(chunks[12]),
        chunks.get(14),
        chunks.get(17),
        chunks[15],
    )
