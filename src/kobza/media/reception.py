"""How well packets arrive: losses from the numbers in them, and what phones report of the other way (RTCP).

Nothing here is done for each packet: losses are found once a sweep, from the first and the last number of it and how
many came between; reports come every few seconds.
"""

import struct
from collections.abc import Sequence
from typing import Final

from kobza.measures import Histogram
from kobza.media.messages import JITTER_BOUNDS, LAG_BOUNDS, Traffic
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.packet import sequence_difference
from kobza.rtp.rtcp import ReportBlock, RtcpPacket, parse_compound, report_blocks, sender_time

MAX_DROPOUT: Final = 3000
"""Packets; a greater jump of the numbers is a stream that began anew (RFC 3550, appendix A.1)."""
MAX_BEYOND: Final = 50
"""Packets that came beyond what was expected and may still make up for losses: late ones, not somebody else's."""
REMEMBERED: Final = 64
"""Numbers of packets against which those that follow are held: a network doubles within a second."""
NUMBER_BYTES: Final = 10
"""Number, time stamp and SSRC of a packet."""
NUMBER: Final = f"{NUMBER_BYTES}s"


MAX_ROUND_TRIP: Final = 10.0
"""Seconds; more is a phone that reckons otherwise."""


class Totals:
    """What the relay has moved since it began."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.jitter = Histogram(JITTER_BOUNDS)
        self.lag = Histogram(LAG_BOUNDS)

    def report(self) -> Traffic:
        """Return all of it, to be sent."""
        traffic = self.traffic
        traffic.jitter, traffic.jitter_total = self.jitter.counts, self.jitter.total
        traffic.lag, traffic.lag_total = self.lag.counts, self.lag.total
        return traffic


class Doubles:
    """The packets of one phone that the network has doubled."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before = b""
        """The last ones, one behind the other: as objects they would be seven times as large."""

    def look(self, numbers: list[bytes]) -> int:
        """Return how many came more than once, of those since the last look and the last ones before it.

        Each is NUMBER_BYTES long.
        """
        if not numbers:
            return 0
        now = set(numbers)
        before = struct.unpack(NUMBER * (len(self._before) // NUMBER_BYTES), self._before)
        new = len(now.difference(before))
        self._before = b"".join(numbers[-REMEMBERED:])
        return len(numbers) - new


class Losses:
    """The packets of one phone that did not arrive."""

    __slots__ = ("_ended", "_last", "_missing", "_told")

    def __init__(self) -> None:
        self._last: bytes | None = None
        self._missing = 0
        """Of the stream: fewer for a moment when late ones come."""
        self._told = 0
        self._ended = 0
        """Of streams before it."""

    @property
    def total(self) -> int:
        """How many there are until the last look. A late packet that comes is lost no more."""
        return self._ended + max(0, self._missing)

    def look(self, last: bytes | None, arrived: int, first: Sequence[bytes] = ()) -> int:
        """Return how many more were lost than at any look before.

        `last` is the newest packet, `arrived` how many came since the last look, each counted once. A packet that comes
        after a later one is made up for, even across two looks. `first`: number and SSRC of packets of which one was
        the first since the last look; of the beginning of a call nothing else is known.
        """
        before, self._last = self._last, last
        if before is None or last is None or last[8:12] != before[8:12]:
            self._ended, self._missing, self._told = self.total, 0, 0
            if before is not None or last is None:
                return 0  # what came is of two streams, or of none
            own = [int.from_bytes(each[:2], "big") for each in first if each[2:] == last[8:12]]
            spans = [sequence_difference(int.from_bytes(last[2:4], "big"), number) + 1 for number in own]
            expected = max((span for span in spans if span < MAX_DROPOUT), default=0)
            if expected < arrived:
                return 0
        else:
            expected = sequence_difference(int.from_bytes(last[2:4], "big"), int.from_bytes(before[2:4], "big"))
        if not -MAX_DROPOUT < expected < MAX_DROPOUT:
            return 0
        self._missing = max(self._missing + expected - arrived, self._told - MAX_BEYOND)
        more = max(0, self._missing - self._told)
        self._told += more
        return more


class Reports:
    """What the phone of one side reports of the stream that it hears."""

    __slots__ = (
        "_jitter",
        "_jitters",
        "_lost",
        "_missing",
        "_passed",
        "_round_trip",
        "_round_trips",
        "_ssrc",
        "_told",
        "count",
    )

    def __init__(self) -> None:
        self._ssrc: int | None = None
        self._lost = 0
        self._passed: tuple[int, float] | None = None
        """The time in the sender report that was passed to the phone last, and when that was."""
        self._jitter = self._round_trip = 0.0
        self._jitters = self._round_trips = 0
        self._missing = self._told = 0
        self.count = 0
        """Reports that it has made."""

    @property
    def lost_beyond(self) -> int:
        """Packets that did not come to it, as it said last: late ones are lost no more."""
        return max(0, self._missing)

    @property
    def jitter(self) -> float:
        """The mean of the jitter that it has reported, seconds."""
        return self._jitter / self._jitters if self._jitters else 0.0

    @property
    def round_trip(self) -> float | None:
        """The mean of the times to the phone and back, seconds; None: it has not answered a sender report."""
        return self._round_trip / self._round_trips if self._round_trips else None

    def take(self, data: bytes, totals: Totals, *, clock: int | None, now: float) -> list[RtcpPacket]:
        """Take RTCP of the phone; malformed RTCP says nothing. Return the packets in it.

        `clock` is that of the codec which it hears, in Hz; None: not known. `now` is in seconds.
        """
        try:
            packets = parse_compound(data)
            blocks = [block for packet in packets for block in report_blocks(packet)]
        except MalformedRtp:
            return []
        if blocks:
            self._count(blocks[0], totals, clock, now)  # it hears one stream
        return packets

    def passed(self, packets: list[RtcpPacket], now: float) -> None:
        """Note what of the other phone's is passed on: this one says when it got it, and so how far away it is."""
        for packet in packets:
            time = sender_time(packet)
            if time is not None:
                self._passed = time, now

    def _count(self, block: ReportBlock, totals: Totals, clock: int | None, now: float) -> None:
        self.count += 1
        if block.ssrc != self._ssrc:
            self._ssrc, self._lost = block.ssrc, 0
        more = block.lost - self._lost
        self._lost = block.lost
        if -MAX_BEYOND <= more < MAX_DROPOUT:  # else a phone that counts anew
            self._missing += more
        if self._missing > self._told:
            totals.traffic.lost_beyond += self._missing - self._told
            self._told = self._missing
        if clock is not None:
            jitter = block.jitter / clock
            totals.jitter.observe(jitter)
            self._jitter += jitter
            self._jitters += 1
        if self._passed is not None and self._passed[0] == block.last_report:
            taken = now - self._passed[1] - block.delay
            if 0 <= taken < MAX_ROUND_TRIP:
                self._round_trip += taken
                self._round_trips += 1
