"""Sounds that a phone hears over whatever else it hears: that the call is recorded. No I/O.

A packet of G.711 from the other phone gets the sound added to its samples on its way, so its number, its time stamp and
its moment stay as they are, and nothing is lost of what is said. A packet of another codec cannot be added to; then the
sound takes the place of the voice for as long as it lasts.
"""

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

from kobza.media.mixer import encode_sum, to_lanes
from kobza.media.voice_codecs import NO_CODEC
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.g711 import SILENCE, Law, decode, encode
from kobza.rtp.packet import HEADER_BYTES, RtpPacket

ALONE_AFTER: Final = 0.06
"""Seconds without a voice after which the sound is sent by itself: the other phone is silent, or not there yet."""
MAX_WAITING: Final = 4
"""Sounds that wait for one phone: one for each enterprise that records is two. More are not taken."""
LOWERED: Final = 4
"""By how much voices are divided under an announcement: 12 dB, so that it is understood and they are still heard."""

_LAWS: Final = frozenset(Law)


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound to be laid over what a phone hears."""

    octets: bytes
    """A-law."""
    heard: Callable[[int, bytes], None]
    """Called with a place in it and the octets from there, as they go out."""
    ended: Callable[[bool], None]
    """Called when it was heard to its end, or (False) cannot be heard."""
    lowers: bool = False
    """Voices are lower under it."""


class Overlay:
    """What sounds over all else toward one phone. `codecs` gives, by payload type, what the other phone speaks."""

    __slots__ = ("_codecs", "_passed_at", "_place", "_sounds", "alone")

    def __init__(self, codecs: Callable[[], bytes], now: float) -> None:
        self._codecs = codecs
        self._sounds: deque[Sound] = deque()
        self._place = 0
        self._passed_at = now
        """When a packet passed last that has the sound in it; seconds."""
        self.alone = False
        """The last that went out was the sound by itself."""

    def __bool__(self) -> bool:
        """Whether anything sounds."""
        return bool(self._sounds)

    def add(self, sound: Sound) -> None:
        """Let a sound be heard, after those that are there."""
        if len(self._sounds) < MAX_WAITING:
            self._sounds.append(sound)
        else:
            sound.ended(False)

    def give_up(self) -> None:
        """Say of all sounds that they cannot be heard."""
        while self._sounds:
            self._sounds.popleft().ended(False)

    def waits_for_voice(self, now: float) -> bool:
        """Whether packets of the other phone carry the sound, so that it need not be sent by itself."""
        return now - self._passed_at < ALONE_AFTER

    def over_packet(self, data: bytes, now: float) -> bytes:
        """Return a packet of the other phone with the sound in it; b"" for one that the sound takes the place of."""
        codec = self._codecs()[data[1] & 0x7F]
        if codec == NO_CODEC or not self._sounds:  # digits, comfort noise
            return data
        if codec not in _LAWS:
            self._passed_at = -ALONE_AFTER  # the sound comes at once
            return b""
        if data[0] == 0x80:
            head, payload = data[:HEADER_BYTES], data[HEADER_BYTES:]
        else:
            try:
                payload = RtpPacket.parse(data).payload
            except MalformedRtp:
                return b""
            head = b"\x80" + data[1:HEADER_BYTES]
        self._passed_at, self.alone = now, False
        return head + self.over(payload, Law(codec))

    def over(self, octets: bytes, law: Law) -> bytes:
        """Return some time of speech with as much of the sound in it."""
        if not self._sounds or not octets:
            return octets
        sound = self._sounds[0]
        part = sound.octets[self._place : self._place + len(octets)]
        sound.heard(self._place, part)
        self._place += len(part)
        if sound.lowers:
            octets = octets.translate(_lowered(law))
        filled = part + bytes([SILENCE[Law.A]]) * (len(octets) - len(part))
        mixed = encode_sum((to_lanes(octets, law), to_lanes(filled, Law.A)), law, len(octets))
        if self._place >= len(sound.octets):
            self._sounds.popleft()
            self._place = 0
            sound.ended(True)
        return mixed


@cache
def _lowered(law: Law) -> bytes:
    """Return the table from an octet to that of a voice lowered."""
    samples = struct.unpack("<256h", decode(bytes(range(256)), law))
    return encode((sample // LOWERED for sample in samples), law)
