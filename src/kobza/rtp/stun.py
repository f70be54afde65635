"""STUN messages as ICE needs them (RFC 8489, sections 5, 14 and 9.1), without I/O."""

import hashlib
import hmac
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

from kobza.rtp.errors import MalformedStun

HEADER_BYTES: Final = 20
COOKIE: Final = 0x2112A442
"""Tells STUN from what else begins with two zero bits (section 5)."""
MAX_ATTRIBUTES: Final = 32
"""Attributes in a message: a bound on the work of one datagram. A check of ICE has about eight."""

_HEADER: Final = struct.Struct("!HHI12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_INTEGRITY_BYTES: Final = 20
_FINGERPRINT_XOR: Final = 0x5354554E

BINDING: Final = 0x001
REQUEST, INDICATION, SUCCESS, FAILURE = 0x000, 0x010, 0x100, 0x110
"""Classes, as they stand in the message type."""


class StunAttribute(IntEnum):
    """Attributes read or written here. Those below 0x8000 must be understood by who gets them (section 14)."""

    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


_UNDERSTOOD: Final = frozenset(StunAttribute)


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A parsed message. `attributes` are those before MESSAGE-INTEGRITY: what follows it is not signed."""

    method: int
    kind: int
    """REQUEST, INDICATION, SUCCESS or FAILURE."""
    transaction: bytes
    attributes: tuple[tuple[int, bytes], ...]
    signed: bytes | None = None
    """What MESSAGE-INTEGRITY signs, and behind it the signature; None: the message has none."""

    @classmethod
    def parse(cls, data: bytes) -> "StunMessage":
        """Parse a datagram; raise MalformedStun. A FINGERPRINT that is there must be right."""
        if len(data) < HEADER_BYTES:
            raise MalformedStun("shorter than the header")
        kind, length, cookie, transaction = _HEADER.unpack_from(data)
        if kind & 0xC000 or cookie != COOKIE:
            raise MalformedStun("no STUN of RFC 5389 or later")
        if length % 4 or HEADER_BYTES + length != len(data):
            raise MalformedStun("the length is not that of the datagram")
        attributes: list[tuple[int, bytes]] = []
        signed: bytes | None = None
        position, count = HEADER_BYTES, 0
        while position < len(data):
            name, size = _ATTRIBUTE.unpack_from(data, position)
            start, count = position + 4, count + 1
            if start + size > len(data) or count > MAX_ATTRIBUTES:
                raise MalformedStun("an attribute is cut off, or there are too many")
            value = data[start : start + size]
            if name == StunAttribute.FINGERPRINT:
                if value != _fingerprint(data[:position]) or start + size != len(data):
                    raise MalformedStun("the fingerprint is wrong, or not at the end")
            elif signed is None:
                if name == StunAttribute.MESSAGE_INTEGRITY:
                    if size != _INTEGRITY_BYTES:
                        raise MalformedStun("the message integrity has not 20 bytes")
                    signed = _with_length(data[:position], start + size - HEADER_BYTES) + value
                else:
                    attributes.append((name, value))
            position = start + size + -size % 4
        method = kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2
        return cls(method, kind & 0x0110, transaction, tuple(attributes), signed)

    def get(self, name: int) -> bytes | None:
        """Return the first value of an attribute; None when it is absent."""
        return next((value for key, value in self.attributes if key == name), None)

    @property
    def unknown(self) -> tuple[int, ...]:
        """Attributes that have to be understood and are not."""
        return tuple(name for name, _ in self.attributes if name < 0x8000 and name not in _UNDERSTOOD)

    def is_signed_with(self, password: str) -> bool:
        """Tell whether the message integrity is that of a password (section 9.1.1)."""
        if self.signed is None:
            return False
        signature = _signature(self.signed[:-_INTEGRITY_BYTES], password)
        return hmac.compare_digest(signature, self.signed[-_INTEGRITY_BYTES:])


def write(kind: int, transaction: bytes, attributes: Sequence[tuple[int, bytes]], password: str | None = None) -> bytes:
    """Return a message of the method Binding with a fingerprint, and signed when there is a password."""
    body = b"".join(_ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4) for name, value in attributes)
    data = _HEADER.pack(BINDING | kind, len(body), COOKIE, transaction) + body
    if password is not None:
        signature = _signature(_with_length(data, len(body) + 4 + _INTEGRITY_BYTES), password)
        data += _ATTRIBUTE.pack(StunAttribute.MESSAGE_INTEGRITY, _INTEGRITY_BYTES) + signature
    data = _with_length(data, len(data) - HEADER_BYTES + 8)
    return data + _ATTRIBUTE.pack(StunAttribute.FINGERPRINT, 4) + _fingerprint(data)


def mapped_address(host: str, port: int, transaction: bytes) -> tuple[int, bytes]:
    """Return the attribute that tells a peer its address, hidden from NATs that rewrite addresses (section 14.2)."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:  # as a socket of both families says it
        address = address.ipv4_mapped
    key = COOKIE.to_bytes(4, "big") + transaction
    hidden = bytes(one ^ other for one, other in zip(address.packed, key, strict=False))
    family = 1 if address.version == 4 else 2
    return StunAttribute.XOR_MAPPED_ADDRESS, struct.pack("!BBH", 0, family, port ^ (COOKIE >> 16)) + hidden


def error_code(status: int, reason: str) -> tuple[int, bytes]:
    """Return the attribute that says why a request failed (section 14.8)."""
    return StunAttribute.ERROR_CODE, bytes((0, 0, status // 100, status % 100)) + reason.encode()


def unknown_attributes(names: Sequence[int]) -> tuple[int, bytes]:
    """Return the attribute that lists what was not understood (section 14.9)."""
    return StunAttribute.UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(names)}H", *names)


def _with_length(data: bytes, length: int) -> bytes:
    """Return a message as if it had so many bytes behind its header: what is signed counts what signs it."""
    return data[:2] + length.to_bytes(2, "big") + data[4:]


def _signature(data: bytes, password: str) -> bytes:
    return hmac.new(password.encode(), data, hashlib.sha1).digest()


def _fingerprint(data: bytes) -> bytes:
    return (zlib.crc32(data) ^ _FINGERPRINT_XOR).to_bytes(4, "big")
