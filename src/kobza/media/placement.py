"""Where the packets of a recording belong in time: by RTP timestamps, not by when they happened to arrive. No I/O.

Each stream (SSRC) of a side has a base: the place of its timestamp zero, so that a packet's place follows from its
timestamp alone. Gaps, reordering and duplicates then need no care. The base is where the least delayed packets of the
first moments say it is. It jumps only when a run of packets agrees that it is wrong: after a restart of timestamps, or
a silence in which a phone did not count on. One packet that came late or is damaged moves nothing. The drift of a
phone's clock is followed a sample at a time, which nobody hears (telephone exchanges call it a slip): so both sides of
a call of any length stay together.

Times are in samples, 8,000 a second, since the start of the recording.
"""

from collections import deque
from heapq import nsmallest
from typing import Final, NamedTuple

from kobza.media.voice_codecs import samples_of, units_of
from kobza.rtp.packet import timestamp_difference

LOOKAHEAD: Final = 25
"""Packets that must agree before the base moves later: half a second, longer than a burst of delayed packets lasts."""
FEW: Final = 5
"""Packets that must agree before it moves earlier: nothing arrives before it was sent, so a few are proof."""
HURRY: Final = 800
"""A tenth of a second: with fewer packets than LOOKAHEAD, before a pause or at the end, all must be as late as that."""
STALL: Final = 4000
"""Half a second: fewer packets than FEW must be later than the network ever makes them."""
TOLERANCE: Final = 160
"""By how much the delay may differ before the base moves: 20 ms."""
DRIFT_PACKETS: Final = 250
"""Packets, 5 s mostly, whose least delayed ones say how far a clock has drifted: jitter averages out over so many."""
DRIFT_LEFT: Final = 24
"""A drift of so few samples, 3 ms, is left: less than what the estimate itself is wrong by."""
PATIENCE: Final = 2 * 8000
"""How long a packet waits for others to agree with; then it is placed with what there is."""
STREAMS: Final = 8
"""Streams of a side remembered at a time; the oldest is forgotten."""


class Placed(NamedTuple):
    """A payload and where it begins. `codec` is its number in `kobza.media.voice_codecs`."""

    start: int
    codec: int
    payload: bytes


class _Waiting(NamedTuple):
    arrived: int
    offset: int
    """Where the stream itself places it: its timestamp, unwrapped, counted from the stream's first packet."""
    lateness: int
    """Where the first packet of the stream would be if this one was not delayed."""
    codec: int
    payload: bytes


class _Stream:
    """One SSRC, at one clock."""

    __slots__ = ("_base", "_goal", "_last", "_lateness", "_offset", "_units", "_waiting")

    def __init__(self, timestamp: int, units: int) -> None:
        """`units` of the timestamp pass in a sample."""
        self._last = timestamp
        self._units = units
        self._offset = 0
        """Of the last timestamp, in its units."""
        self._base: int | None = None
        self._goal: int | None = None
        """Where the base belongs as the clock has drifted; None: where it is."""
        self._lateness: list[int] = []
        """Of the packets since the goal was set last."""
        self._waiting: deque[_Waiting] = deque()

    def add(self, arrived: int, timestamp: int, codec: int, payload: bytes, samples: int) -> None:
        step = timestamp_difference(timestamp, self._last)
        offset = self._offset + step
        if step > 0:
            self._last, self._offset = timestamp, offset
        place = offset // self._units
        self._waiting.append(_Waiting(arrived, place, arrived - samples - place, codec, payload))

    def take(self, now: int | None) -> list[Placed]:
        """Give what is certain at a time; None: everything."""
        placed: list[Placed] = []
        waiting = self._waiting
        while waiting and (now is None or len(waiting) > LOOKAHEAD or now - waiting[0].arrived > PATIENCE):
            base, lateness = self._base, waiting[0].lateness
            if base is None or not base - TOLERANCE <= lateness <= base + TOLERANCE:
                rebased = self._rebased(base)
                if rebased != base:
                    base = self._base = rebased
                    self._goal = None
                    self._lateness.clear()
            packet = waiting.popleft()
            # One that claims to be from the future although the base did not follow it is damaged.
            if packet.lateness >= base - TOLERANCE:
                base = self._base = self._followed(base, packet.lateness)
                placed.append(Placed(base + packet.offset, packet.codec, packet.payload))
        return placed

    def _followed(self, base: int, lateness: int) -> int:
        """Return the base for a packet: a sample nearer to where the drift of the clock has taken it."""
        self._lateness.append(lateness)
        if len(self._lateness) == DRIFT_PACKETS:
            # Not the very least: one packet with a wrong timestamp proves nothing.
            least = nsmallest(FEW, self._lateness)[-1]
            self._lateness.clear()
            self._goal = least if abs(least - base) > DRIFT_LEFT else None
        if self._goal is None or self._goal == base:
            return base
        return base + 1 if self._goal > base else base - 1

    def _rebased(self, base: int | None) -> int:
        lateness = [packet.lateness for packet, _ in zip(self._waiting, range(LOOKAHEAD), strict=False)]
        least = min(lateness)
        enough = TOLERANCE if len(lateness) == LOOKAHEAD else HURRY if len(lateness) >= FEW else STALL
        if base is None or least > base + enough:
            return least
        first = lateness[:FEW]
        return min(first) if max(first) < base - TOLERANCE else base


class Placement:
    """Places the packets of one side. Fed in the order of arrival, which what comes out has too within a stream."""

    def __init__(self) -> None:
        self._streams: dict[tuple[int, int], _Stream] = {}
        """By SSRC and clock: a phone that goes from Opus to G.711 may keep the first and not the second (RFC 7160)."""
        self._given_up: list[Placed] = []

    def add(self, arrived: int, ssrc: int, timestamp: int, codec: int, payload: bytes) -> None:
        """Take a packet. Raises MalformedRtp when its payload is none of its codec."""
        samples, units = samples_of(codec, payload), units_of(codec)
        stream = self._streams.get((ssrc, units))
        if stream is None:
            if len(self._streams) == STREAMS:
                self._given_up += self._streams.pop(next(iter(self._streams))).take(None)
            stream = self._streams[ssrc, units] = _Stream(timestamp, units)
        stream.add(arrived, timestamp, codec, payload, samples)

    def take(self, now: int | None) -> list[Placed]:
        """Give what is certain at a time: nothing that arrived PATIENCE ago still waits. None: give everything."""
        placed, self._given_up = self._given_up, []
        for stream in self._streams.values():
            placed += stream.take(now)
        return placed
