"""HEP version 3, in which Homer and other collectors take messages: "HEP3", a length, then chunks of type and value.

The Generic Encapsulation Protocol of the SIPCAPTURE project, revision 3.
"""

import ipaddress
import socket
import struct
from functools import lru_cache
from typing import Final

from kobza.capture.message import Seen
from kobza.sip.flow import Transport

MAX_PACKET: Final = 65_507
"""Bytes that a UDP datagram takes; a message that makes a longer packet is cut."""
MAX_CORRELATION: Final = 1024
"""Bytes of a correlation id: a stranger's Call-ID may be as long as a datagram, and the message is to have room too."""
SIP: Final = 1
"""The protocol that is captured."""
_HEAD: Final = struct.Struct("!4sH")
_CHUNK: Final = struct.Struct("!HHH")
_PORTS_AND_MOMENT: Final = struct.Struct("!6sH6sH6sI6sI")
_REMEMBERED: Final = 1024
"""Pairs of addresses."""
_GENERIC: Final = 0
"""Vendor of the chunks that the specification itself has."""


class Chunk:
    """Types of chunks."""

    FAMILY: Final = 0x0001
    PROTOCOL: Final = 0x0002
    SOURCE_IPV4: Final = 0x0003
    TARGET_IPV4: Final = 0x0004
    SOURCE_IPV6: Final = 0x0005
    TARGET_IPV6: Final = 0x0006
    SOURCE_PORT: Final = 0x0007
    TARGET_PORT: Final = 0x0008
    SECONDS: Final = 0x0009
    MICROSECONDS: Final = 0x000A
    KIND: Final = 0x000B
    AGENT: Final = 0x000C
    KEY: Final = 0x000E
    PAYLOAD: Final = 0x000F
    CORRELATION: Final = 0x0011


_SOURCE_PORT, _TARGET_PORT = (_CHUNK.pack(0, kind, 8) for kind in (Chunk.SOURCE_PORT, Chunk.TARGET_PORT))
_SECONDS, _MICROSECONDS = (_CHUNK.pack(0, kind, 10) for kind in (Chunk.SECONDS, Chunk.MICROSECONDS))


class HepEncoder:
    """Writes packets for one collector."""

    def __init__(self, agent: int, key: str = "") -> None:
        """`agent` is the number by which the collector knows us, `key` what it may want to let us in."""
        self._fixed = _number(Chunk.KIND, "B", SIP) + _number(Chunk.AGENT, "I", agent)
        if key:
            self._fixed += _chunk(Chunk.KEY, key.encode())

    def packet(self, seen: Seen, data: bytes, correlation: str) -> bytes:
        """Write a message as `data`; `correlation` is what it has in common with others, "" for nothing."""
        flow = seen.flow
        source, target = (flow.local, flow.remote) if seen.sent else (flow.remote, flow.local)
        moment = round(seen.at * 1_000_000)
        way = _addresses(source[0], target[0], flow.transport is Transport.UDP)
        body = way + self._fixed + (_correlation(correlation) if correlation else b"")
        data = data[: MAX_PACKET - _HEAD.size - _PORTS_AND_MOMENT.size - len(body) - _CHUNK.size]
        return b"".join(
            (
                _HEAD.pack(b"HEP3", _HEAD.size + _PORTS_AND_MOMENT.size + len(body) + _CHUNK.size + len(data)),
                body,
                _PORTS_AND_MOMENT.pack(
                    *(_SOURCE_PORT, source[1], _TARGET_PORT, target[1]),
                    *(_SECONDS, moment // 1_000_000, _MICROSECONDS, moment % 1_000_000),
                ),
                _CHUNK.pack(_GENERIC, Chunk.PAYLOAD, _CHUNK.size + len(data)),
                data,
            )
        )


@lru_cache(maxsize=_REMEMBERED)
def _addresses(source: str, target: str, datagrams: bool) -> bytes:
    """Return the chunks of who speaks to whom over what, which the messages of a phone have in common."""
    first, second = (ipaddress.ip_address(host.partition("%")[0]) for host in (source, target))
    old = first.version == 4
    return (
        _number(Chunk.FAMILY, "B", socket.AF_INET if old else socket.AF_INET6)
        + _number(Chunk.PROTOCOL, "B", 17 if datagrams else 6)
        + _chunk(Chunk.SOURCE_IPV4 if old else Chunk.SOURCE_IPV6, first.packed)
        + _chunk(Chunk.TARGET_IPV4 if old else Chunk.TARGET_IPV6, second.packed)
    )


def _correlation(correlation: str) -> bytes:
    return _chunk(Chunk.CORRELATION, correlation.encode()[:MAX_CORRELATION])


def _chunk(kind: int, value: bytes) -> bytes:
    return _CHUNK.pack(_GENERIC, kind, _CHUNK.size + len(value)) + value


def _number(kind: int, form: str, value: int) -> bytes:
    return _chunk(kind, struct.pack("!" + form, value))
