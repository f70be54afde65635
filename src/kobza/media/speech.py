"""Which packets of a phone are speech: for its recording, and for silence in its place."""

from kobza.media.messages import SideFlow
from kobza.media.rtp_port import NO_CODECS
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.g711 import SILENCE, Law
from kobza.rtp.packet import HEADER_BYTES, RtpPacket


class Speech:
    """The speech of one phone. `codecs`: by payload type, that of what is speech, NO_CODEC for the rest."""

    __slots__ = ("_events", "_laws", "codecs")

    def __init__(self) -> None:
        self.codecs = NO_CODECS
        self._laws: dict[int, int] = {}
        self._events = -1

    def configure(self, flow: SideFlow) -> None:
        """Take what the PBX says about this side."""
        codecs = bytearray(NO_CODECS)
        for payload_type, codec in flow.codecs.items():
            codecs[payload_type] = codec
        self.codecs = bytes(codecs)
        self._laws = flow.laws
        self._events = flow.events

    def hushed(self, data: bytes) -> bytes:
        """Return a packet with silence for its speech, b"" when its codec has none here.

        A stream that stops could end the call: some phones and many carriers hang up on a silent line.
        """
        kind = data[1] & 0x7F
        law = self._laws.get(kind)
        if law is None:
            return data if kind == self._events else b""
        if data[0] == 0x80:
            return data[:HEADER_BYTES] + bytes([SILENCE[Law(law)]]) * (len(data) - HEADER_BYTES)
        try:
            packet = RtpPacket.parse(data)
        except MalformedRtp:
            return b""
        return b"\x80" + data[1:HEADER_BYTES] + bytes([SILENCE[Law(law)]]) * len(packet.payload)
