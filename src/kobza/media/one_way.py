"""A side that is not heard although it should be and the other one is: one-way audio, noticed while the call is on."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kobza.media.plane import Side
from kobza.rtp.packet import HEADER_BYTES

if TYPE_CHECKING:
    from kobza.media.relay_side import RelaySide

COMFORT_NOISE: Final = 13
"""The payload type of RFC 3389."""
SHORTEST_VOICE: Final = 10
"""Bytes of a frame of speech: G.729 has as many. G.729's own noise has two, Opus without sound one or two."""


class OneWay:
    """Watches calls. `after` is in seconds."""

    __slots__ = ("_after",)

    def __init__(self, after: float = 10.0) -> None:
        self._after = after

    def look(self, sides: Mapping[Side, "RelaySide"], since: float, now: float) -> list[tuple[Side, float]]:
        """Return the sides of a call of which there is something to tell, and how many seconds they were not heard.

        0: it is heard again, or need not be any more. `since` is from when on anyone should be heard. What lasts is
        told again as often: who was told may not have believed it yet.
        """
        told = []
        for name, side in sides.items():
            expected = now if side.watched_since is None else max(side.watched_since, since)
            silence = self._silence(side, sides.get(name.other), expected, now)
            if silence < self._after:
                if side.not_heard_at is not None:
                    side.not_heard_at = None
                    told.append((name, 0.0))
            elif side.not_heard_at is None or now - side.not_heard_at >= self._after:
                side.not_heard_at = now
                told.append((name, silence))
        return told

    def _silence(self, side: "RelaySide", other: "RelaySide | None", since: float, now: float) -> float:
        if not side.profile.watched or other is None or other.rtp.heard is None:
            return 0.0
        if now - other.voice_at > self._after / 2 or (side.rtp.heard is not None and pauses(side.rtp.heard)):
            return 0.0
        return now - max(side.voice_at, since)


def pauses(packet: bytes) -> bool:
    """Tell whether after this packet its sender may keep silent: it was comfort noise, not a voice.

    Of a packet that the compiled loop has carried only the header is known: then it is comfort noise by its type alone.
    """
    return packet[1] & 0x7F == COMFORT_NOISE or HEADER_BYTES < len(packet) < HEADER_BYTES + SHORTEST_VOICE
