"""DTMF digits and other telephone events as RTP payload (RFC 4733, section 2.3)."""

import struct
from dataclasses import dataclass
from typing import Final

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.packet import TIMESTAMPS, RtpPacket

DIGITS: Final = "0123456789*#ABCD"
"""The digits of events 0 to 15 (RFC 4733, section 3.2)."""

_SEGMENT: Final = 0xFFFF
"""The longest duration that a packet can name: a longer event goes on as another segment (section 2.5.1.3)."""
_LATE: Final = 80_000
"""Ten seconds of G.711, by which a packet may come late. A phone that goes further back began to count anew."""


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


class DigitReader:
    """Reads digits from the event packets of one phone. Each event is many packets, and is told with the first of them.

    So a digit is not lost with the end of its event, and none is told twice: packets of one event have one timestamp;
    those of a longer event change it without a marker and without an end.
    """

    __slots__ = ("_ended", "_event", "_ssrc", "_timestamp")

    def __init__(self) -> None:
        self._ssrc = -1
        self._timestamp = 0
        self._event = -1
        self._ended = True

    def take(self, data: bytes) -> str | None:
        """Return the digit of a packet that begins an event; None for any other, and for what is malformed."""
        try:
            packet = RtpPacket.parse(data)
            said = TelephoneEvent.parse(packet.payload)
        except MalformedRtp:
            return None
        if packet.ssrc == self._ssrc:
            apart = (packet.timestamp - self._timestamp) % TIMESTAMPS
            if TIMESTAMPS - apart <= _LATE:  # of an event before
                return None
            is_same = said.event == self._event and not self._ended and apart <= _SEGMENT and not packet.marker
            if apart == 0 or is_same:
                self._timestamp, self._ended = packet.timestamp, self._ended or said.end
                return None
        self._ssrc, self._timestamp = packet.ssrc, packet.timestamp
        self._event, self._ended = said.event, said.end
        return said.digit
