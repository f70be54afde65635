"""Mixing voices of G.711: who hears the sum of whom, 20 ms at a time. No I/O.

Samples are added as one long integer each: a frame is 160 lanes of 32 bits, and a lane holds a sample of 14 bits (all
that G.711 has) moved up so that it is not negative. So adding two voices is adding two integers, at 0.2 us, and no lane
reaches into the next one: ten samples take 18 bits. What is too loud is clipped by the table that encodes the sum.
"""

from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Final, Generic, TypeVar

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.g711 import HIGH_BYTES, LOW_BYTES, SILENCE, Law, encoding_table
from kobza.rtp.packet import HEADER_BYTES, TIMESTAMPS, RtpPacket

FRAME: Final = 160
"""Samples of a frame: 20 ms."""
MAX_VOICES: Final = 10
"""Voices in one mix."""
KEPT_BACK: Final = 2 * FRAME
"""Samples that wait before a voice is first heard, so that a packet may be 40 ms late."""
LONGEST: Final = 20 * FRAME
"""Samples that may wait: 0.4 s. A packet that would make it more begins anew."""
LOOK_EVERY: Final = 50
"""Frames, a second, after which what waits needlessly is left out: the sender's clock is faster, or a burst came."""

Key = TypeVar("Key", bound=Hashable)

_LANE: Final = 4
_ZERO: Final = 1 << 13
"""What a sample of zero is in a lane."""


@cache
def _lanes(law: Law) -> tuple[bytes, bytes]:
    """Return the tables from an octet to the low and the high byte of its lane."""
    codes = bytes(range(256))
    samples = zip(codes.translate(LOW_BYTES[law]), codes.translate(HIGH_BYTES[law]), strict=True)
    lanes = [(int.from_bytes(pair, "little", signed=True) >> 2) + _ZERO for pair in samples]
    return bytes(lane & 0xFF for lane in lanes), bytes(lane >> 8 for lane in lanes)


def to_lanes(octets: bytes, law: Law) -> int:
    """Return a frame as one integer."""
    low, high = _lanes(law)
    lanes = bytearray(_LANE * len(octets))
    lanes[0::_LANE] = octets.translate(low)
    lanes[1::_LANE] = octets.translate(high)
    return int.from_bytes(lanes, "little")


@cache
def _sum_table(law: Law, voices: int) -> Callable[[int], int]:
    """Return what turns a lane of the sum of so many voices into an octet, clipped."""
    table = encoding_table(law)
    beyond = _ZERO * (voices - 1)
    return (table[:1] * beyond + table + table[-1:] * beyond).__getitem__


def encode_sum(frames: Sequence[int], law: Law, samples: int = FRAME) -> bytes:
    """Return the sum of frames of so many samples as G.711 octets; silence for none."""
    if not frames:
        return bytes([SILENCE[law]]) * samples
    lanes = array("I", sum(frames).to_bytes(_LANE * samples, "little"))
    return bytes(map(_sum_table(law, len(frames)), lanes))


class Voice:
    """What one source says: packets in as they come, a frame out every 20 ms.

    Packets are placed by their time stamps. One that is too late for its place is left out, what is missing is silence.
    """

    __slots__ = ("_frames", "_head", "_law", "_least", "_octets", "_playing", "_ssrc")

    def __init__(self) -> None:
        self._octets = bytearray()
        """What waits to be heard."""
        self._head = 0
        """The time stamp of its first octet."""
        self._ssrc = b""
        self._law = Law.A
        self._playing = False
        self._frames = 0
        self._least = LONGEST
        """The least that waited since the last look, after a frame was taken."""

    def packet(self, law: Law, data: bytes) -> None:
        """Take an RTP packet with speech of a law. One that is malformed is left out."""
        if data[0] == 0x80:
            payload = data[HEADER_BYTES:]
        else:
            try:
                payload = RtpPacket.parse(data).payload
            except MalformedRtp:
                return
        if not payload:
            return
        timestamp = int.from_bytes(data[4:8], "big")
        at = (timestamp - self._head + TIMESTAMPS // 2) % TIMESTAMPS - TIMESTAMPS // 2
        if data[8:12] != self._ssrc or law is not self._law or not self._octets or not 0 <= at + LONGEST <= 2 * LONGEST:
            self._ssrc, self._law, self._head = data[8:12], law, timestamp
            self._octets.clear()
            self._playing = False
            at = 0
        if at < 0:
            payload, at = payload[-at:], 0
        missing = at - len(self._octets)
        if missing > 0:
            self._octets += bytes([SILENCE[law]]) * missing
        self._octets[at : at + len(payload)] = payload
        if len(self._octets) > LONGEST:
            self._leave_out(len(self._octets) - KEPT_BACK)

    def frame(self) -> tuple[Law, bytes] | None:
        """Return the next 20 ms, and in which law; None: it says nothing."""
        octets = self._octets
        if not self._playing:
            if len(octets) < KEPT_BACK:
                return None
            self._playing, self._frames, self._least = True, 0, LONGEST
        frame = bytes(octets[:FRAME])
        self._leave_out(len(frame))
        if len(frame) < FRAME:  # it has paused, or its packets are late
            frame += bytes([SILENCE[self._law]]) * (FRAME - len(frame))
        if not octets:
            self._playing = False
        self._least = min(self._least, len(octets))
        self._frames += 1
        if self._frames == LOOK_EVERY:
            self._leave_out(max(0, self._least - KEPT_BACK))
            self._frames, self._least = 0, LONGEST
        return self._law, frame

    def _leave_out(self, count: int) -> None:
        del self._octets[:count]
        self._head = (self._head + count) % TIMESTAMPS


class Mixer(Generic[Key]):
    """Who is there and who hears whom. Somebody is known by a key."""

    __slots__ = ("_frames", "_hears", "_lanes", "_voices")

    def __init__(self) -> None:
        self._hears: Mapping[Key, Sequence[Key]] = {}
        self._voices: dict[Key, Voice] = {}
        self._frames: dict[Key, tuple[Law, bytes]] = {}
        """What is said in these 20 ms, by those who say something."""
        self._lanes: dict[Key, int] = {}

    def arrange(self, hears: Mapping[Key, Sequence[Key]]) -> None:
        """Say by listener whom they hear; who is in it neither way has left."""
        self._hears = hears
        speaking = {each for heard in hears.values() for each in heard}
        self._voices = {each: self._voices.get(each) or Voice() for each in speaking}
        self._frames = {each: frame for each, frame in self._frames.items() if each in speaking}

    def say(self, who: Key, law: Law, data: bytes) -> None:
        """Take an RTP packet of somebody; nothing happens when nobody hears them."""
        voice = self._voices.get(who)
        if voice is not None:
            voice.packet(law, data)

    def turn(self) -> None:
        """Go on to the next 20 ms."""
        self._lanes.clear()
        self._frames = {who: frame for who, voice in self._voices.items() if (frame := voice.frame()) is not None}

    def heard_by(self, who: Key, law: Law, more: Sequence[int] = ()) -> bytes:
        """Return what somebody hears in these 20 ms, with `more` frames as `to_lanes` gives them."""
        return self.sum_of(self._hears.get(who, ()), law, more)

    def sum_of(self, speakers: Iterable[Key], law: Law, more: Sequence[int] = ()) -> bytes:
        """Return what some of them say together."""
        frames = self._frames
        said = [each for each in speakers if each in frames]
        if len(said) == 1 and not more:
            own_law, octets = frames[said[0]]
            if own_law is law:  # nothing to add: it passes as it is
                return octets
        return encode_sum([*map(self._as_lanes, said), *more], law)

    def _as_lanes(self, who: Key) -> int:
        lanes = self._lanes.get(who)
        if lanes is None:
            law, octets = self._frames[who]
            lanes = self._lanes[who] = to_lanes(octets, law)
        return lanes
