"""DTMF digits and other telephone events as RTP payload (RFC 4733, section 2.3)."""

import struct
from dataclasses import dataclass
from typing import Final

from kobza.rtp.errors import MalformedRtp

DIGITS: Final = "0123456789*#ABCD"
"""The digits of events 0 to 15 (RFC 4733, section 3.2)."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One report of an event: `duration` so far in units of the clock, `volume` in dBm0 below zero (0 to 63)."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> "TelephoneEvent":
        """Parse the payload of a packet; raise MalformedRtp."""
        if len(payload) < 4:
            raise MalformedRtp("a telephone event has 4 bytes")
        event, flags, duration = struct.unpack_from("!BBH", payload)
        return cls(event, flags >= 0x80, flags & 0x3F, duration)

    @property
    def digit(self) -> str | None:
        """The digit, None for an event that is none (flash, modem tones)."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None

    def to_bytes(self) -> bytes:
        """Return the payload."""
        return struct.pack("!BBH", self.event, (0x80 if self.end else 0) | self.volume, self.duration)
