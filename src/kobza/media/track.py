"""One channel of a recording while it is put together: telephone sound, of G.711 alone.

Where a side has spoken in a wider band, `kobza.media.wide_track` takes its place.
"""

from typing import Protocol

from kobza.rtp.g711 import HIGH_BYTES, LOW_BYTES, Law


class AnyTrack(Protocol):
    """A channel. Places are in samples of 8,000 Hz, whatever comes out of it."""

    @property
    def lost(self) -> int:
        """Packets that came too late to be placed, or could not be decoded."""
        ...

    def put(self, start: int, codec: int, payload: bytes) -> None:
        """Put a payload where it begins; `codec` as in `kobza.media.voice_codecs`."""
        ...

    def cut(self, count: int) -> tuple[bytes, bytes]:
        """Cut off the first so many samples of 8,000 Hz; return the low and high bytes of what they hold."""
        ...


class Track:
    """Samples of 8,000 Hz as their low and high bytes. Silence is where nothing was put."""

    def __init__(self) -> None:
        self._origin = 0
        self._low = bytearray()
        self._high = bytearray()
        self.lost = 0

    def put(self, start: int, codec: int, payload: bytes) -> None:
        """Put a payload of G.711 where it begins. What lies before the part already cut off is lost."""
        law = Law(codec)
        offset = start - self._origin
        if offset < 0:
            if -offset >= len(payload):
                self.lost += 1
                return
            payload = payload[-offset:]
            offset = 0
        low, high = self._low, self._high
        missing = offset - len(low)
        if missing == 1 and low:  # a slip: the sample before sounds on, where silence would click
            low.append(low[-1])
            high.append(high[-1])
        elif missing > 0:
            low += bytes(missing)
            high += bytes(missing)
        end = offset + len(payload)
        low[offset:end] = payload.translate(LOW_BYTES[law])
        high[offset:end] = payload.translate(HIGH_BYTES[law])

    def cut(self, count: int) -> tuple[bytes, bytes]:
        """Cut off the first samples; return their low and high bytes."""
        low, high = bytes(self._low[:count]), bytes(self._high[:count])
        del self._low[:count], self._high[:count]
        self._origin += count
        return low.ljust(count, b"\0"), high.ljust(count, b"\0")

    def peek(self, count: int) -> tuple[bytes, bytes]:
        """Return the low and high bytes of the next samples, which stay."""
        return bytes(self._low[:count]).ljust(count, b"\0"), bytes(self._high[:count]).ljust(count, b"\0")
