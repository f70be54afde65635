"""One unbroken RTP stream toward a phone although its sources change: the other phone, a tone, the other phone again.

Toward one side sequence numbers, timestamps and the SSRC go on when the source switches, and the first packet after a
switch has the marker. A new SSRC would also be legal (RFC 3550, section 8.2), and baresip and sipp take both; but
oRTP (linphone) throws away the packets of a new SSRC until it has seen 50 in a row, and others mute or lock up. So the
stream is made continuous. It costs the common call nothing: until the first tone its packets pass untouched.
"""

import struct
from typing import Final

from kobza.rtp.packet import SEQUENCES, TIMESTAMPS, sequence_difference

CLOCK: Final = 8000
"""Units of the timestamp in a second. Only G.711 sides get tones, so it is always theirs."""

_FIXED: Final = struct.Struct("!BBHII")


class OutgoingStream:
    """Numbers the packets toward one side. `ssrc`, `sequence` and `timestamp` begin anywhere; `now` is in seconds."""

    __slots__ = (
        "_last_at",
        "_relayed_ssrc",
        "_sequence",
        "_sequence_offset",
        "_ssrc",
        "_timestamp",
        "_timestamp_offset",
    )

    def __init__(self, *, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        self._ssrc = ssrc
        self._sequence = sequence
        self._timestamp = timestamp
        self._last_at = now
        self._relayed_ssrc: int | None = None
        self._sequence_offset = 0
        self._timestamp_offset = 0

    @classmethod
    def after(cls, packet: bytes, now: float) -> "OutgoingStream":
        """Return the stream that goes on after a packet, sent at `now`, that was passed untouched."""
        _, _, sequence, timestamp, ssrc = _FIXED.unpack_from(packet)
        return cls(ssrc=ssrc, sequence=sequence, timestamp=timestamp, now=now)

    def generated(self, payload_type: int, payload: bytes, *, samples: int, first: bool, now: float) -> bytes:
        """Return the next packet of a tone. `first`: of this tone; it follows a switch and gets the marker."""
        self._relayed_ssrc = None
        self._sequence = (self._sequence + 1) % SEQUENCES
        self._timestamp = (self._timestamp + (self._elapsed(now) if first else samples)) % TIMESTAMPS
        self._last_at = now
        second = payload_type | (0x80 if first else 0)
        return _FIXED.pack(0x80, second, self._sequence, self._timestamp, self._ssrc) + payload

    def event(self, payload_type: int, payload: bytes, *, first: bool, now: float) -> bytes:
        """Return the next packet of a telephone event (RFC 4733, section 2.5.1.2). `first`: of this event.

        All packets of one event carry the moment of its begin, the first one also the marker.
        """
        self._relayed_ssrc = None
        self._sequence = (self._sequence + 1) % SEQUENCES
        if first:
            self._timestamp = (self._timestamp + self._elapsed(now)) % TIMESTAMPS
            self._last_at = now
        second = payload_type | (0x80 if first else 0)
        return _FIXED.pack(0x80, second, self._sequence, self._timestamp, self._ssrc) + payload

    def relayed(self, packet: bytes, now: float) -> bytes:
        """Return a packet of the other phone renumbered into the stream; `packet` has at least a fixed header."""
        first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(packet)
        if ssrc != self._relayed_ssrc:
            self._relayed_ssrc = ssrc
            self._sequence_offset = self._sequence + 1 - sequence
            self._timestamp_offset = self._timestamp + self._elapsed(now) - timestamp
            second |= 0x80
        sequence = (sequence + self._sequence_offset) % SEQUENCES
        timestamp = (timestamp + self._timestamp_offset) % TIMESTAMPS
        if sequence_difference(sequence, self._sequence) > 0:
            self._sequence = sequence
            self._timestamp = timestamp
            self._last_at = now
        return _FIXED.pack(first, second, sequence, timestamp, self._ssrc) + packet[12:]

    def _elapsed(self, now: float) -> int:
        """Return by how much the timestamp grows over a switch: the time that passed, at least one packet of 20 ms."""
        return max(CLOCK // 50, int((now - self._last_at) * CLOCK))
