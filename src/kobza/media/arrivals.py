"""How unevenly the packets of a phone arrive here (RFC 3550, section 6.4.1), also of one that reports nothing.

Nothing is done for a packet: the system notes when each came, and once a sweep that of the newest one is asked for and
held against its timestamp. Two packets that are a second apart differ in their way by as much as two neighbours do.
"""

import socket
import struct
import sys
from fcntl import ioctl
from typing import Final

from kobza.rtp.packet import timestamp_difference

MAX_DIFFERENCE: Final = 1.0
"""Seconds between the ways of two packets; more is a phone that counts anew after a pause, or a clock that was set."""

_SIOCGSTAMPNS: Final = 0x8907
"""Linux: when the packet that was read last came, as a timespec. The first question switches the notes on."""
_TIMESPEC: Final = struct.Struct("@ll")


class Arrivals:
    """What is known of one phone's packets."""

    __slots__ = ("_before", "_count", "_total")

    def __init__(self) -> None:
        self._before: tuple[bytes, float] | None = None
        self._total = 0.0
        self._count = 0

    @property
    def jitter(self) -> float | None:
        """The mean difference between the ways of two packets, seconds; None: nothing could be measured."""
        return self._total / self._count if self._count else None

    def look(self, opened: socket.SocketType, newest: bytes, clock: int) -> None:
        """Look when the packet came that was read last from a socket. `clock` is that of its codec, in Hz."""
        arrived = _arrival(opened)
        if arrived is not None:
            self.take(newest, arrived, clock)

    def take(self, newest: bytes, arrived: float, clock: int) -> None:
        """Take a packet with the moment, in seconds, at which it came."""
        before, self._before = self._before, (newest, arrived)
        if before is None or before[0][8:12] != newest[8:12] or (before[0][1] ^ newest[1]) & 0x7F:
            return
        sent, sent_before = int.from_bytes(newest[4:8], "big"), int.from_bytes(before[0][4:8], "big")
        difference = abs(arrived - before[1] - timestamp_difference(sent, sent_before) / clock)
        if difference <= MAX_DIFFERENCE:
            self._total += difference
            self._count += 1


def _arrival(opened: socket.SocketType) -> float | None:
    """Return when the packet that was read last came; None where the system does not tell, or does not yet."""
    if sys.platform != "linux":
        return None
    try:
        seconds, nanoseconds = _TIMESPEC.unpack(ioctl(opened, _SIOCGSTAMPNS, bytes(_TIMESPEC.size)))
    except OSError:
        return None
    return float(seconds) + float(nanoseconds) * 1e-9
