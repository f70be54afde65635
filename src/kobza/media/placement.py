"""Where the packets of a recording belong in time: by RTP timestamps, not by when they happened to arrive. No I/O.

Each stream (SSRC) of a side has a base: the place of its timestamp zero, so that a packet's place follows from its
timestamp alone. Gaps, reordering and duplicates then need no care. The base is where the least delayed packets of the
first moments say it is. It moves only when a run of packets agrees that it is wrong: after a restart of timestamps, a
silence in which a phone did not count on, or clock drift. One packet that came late or is damaged moves nothing.

Times are in samples, 8,000 a second, since the start of the recording.
"""

from collections import deque
from typing import Final, NamedTuple

from kobza.rtp.packet import timestamp_difference

LOOKAHEAD: Final = 25
"""Packets that must agree before the base moves later: half a second, longer than a burst of delayed packets lasts."""
FEW: Final = 5
"""Packets that must agree before it moves earlier: nothing arrives before it was sent, so a few are proof."""
STALL: Final = 4000
"""Half a second: fewer packets than that, before a pause or at the end, must be later than the network makes them."""
TOLERANCE: Final = 160
"""By how much the delay may differ before the base moves: 20 ms."""
PATIENCE: Final = 2 * 8000
"""How long a packet waits for others to agree with; then it is placed with what there is."""
STREAMS: Final = 8
"""Streams of a side remembered at a time; the oldest is forgotten."""


class Placed(NamedTuple):
    """A payload and where it begins."""

    start: int
    law: int
    payload: bytes


class _Waiting(NamedTuple):
    arrived: int
    offset: int
    """Where the stream itself places it: its timestamp, unwrapped, counted from the stream's first packet."""
    lateness: int
    """Where the first packet of the stream would be if this one was not delayed."""
    law: int
    payload: bytes


class _Stream:
    """One SSRC."""

    __slots__ = ("_base", "_last", "_offset", "_waiting")

    def __init__(self, timestamp: int) -> None:
        self._last = timestamp
        self._offset = 0
        self._base: int | None = None
        self._waiting: deque[_Waiting] = deque()

    def add(self, arrived: int, timestamp: int, law: int, payload: bytes) -> None:
        step = timestamp_difference(timestamp, self._last)
        offset = self._offset + step
        if step > 0:
            self._last, self._offset = timestamp, offset
        self._waiting.append(_Waiting(arrived, offset, arrived - len(payload) - offset, law, payload))

    def take(self, now: int | None) -> list[Placed]:
        """Give what is certain at a time; None: everything."""
        placed: list[Placed] = []
        waiting = self._waiting
        while waiting and (now is None or len(waiting) > LOOKAHEAD or now - waiting[0].arrived > PATIENCE):
            base, lateness = self._base, waiting[0].lateness
            if base is None or not base - TOLERANCE <= lateness <= base + TOLERANCE:
                base = self._base = self._rebased(base)
            packet = waiting.popleft()
            # One that claims to be from the future although the base did not follow it is damaged.
            if packet.lateness >= base - TOLERANCE:
                placed.append(Placed(base + packet.offset, packet.law, packet.payload))
        return placed

    def _rebased(self, base: int | None) -> int:
        lateness = [packet.lateness for packet, _ in zip(self._waiting, range(LOOKAHEAD), strict=False)]
        least = min(lateness)
        if base is None or least > base + (TOLERANCE if len(lateness) >= FEW else STALL):
            return least
        first = lateness[:FEW]
        return min(first) if max(first) < base - TOLERANCE else base


class Placement:
    """Places the packets of one side. Fed in the order of arrival; what comes out is in order within a stream."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._given_up: list[Placed] = []

    def add(self, arrived: int, ssrc: int, timestamp: int, law: int, payload: bytes) -> None:
        """Take a packet."""
        stream = self._streams.get(ssrc)
        if stream is None:
            if len(self._streams) == STREAMS:
                self._given_up += self._streams.pop(next(iter(self._streams))).take(None)
            stream = self._streams[ssrc] = _Stream(timestamp)
        stream.add(arrived, timestamp, law, payload)

    def take(self, now: int | None) -> list[Placed]:
        """Give what is certain at a time: nothing that arrived PATIENCE ago still waits. None: give everything."""
        placed, self._given_up = self._given_up, []
        for stream in self._streams.values():
            placed += stream.take(now)
        return placed
