"""Silence in the place of what a phone says."""

from kobza.media.media_profile import MediaProfile
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.g711 import SILENCE, Law
from kobza.rtp.packet import HEADER_BYTES, RtpPacket


def hushed(profile: MediaProfile, data: bytes) -> bytes:
    """Return a packet of a phone with silence for its speech, b"" when its codec has none here.

    A stream that stops could end the call: some phones and many carriers hang up on a silent line.
    """
    kind = data[1] & 0x7F
    law = profile.laws.get(kind)
    if law is None:
        return data if kind == profile.events else b""
    if data[0] == 0x80:
        return data[:HEADER_BYTES] + bytes([SILENCE[Law(law)]]) * (len(data) - HEADER_BYTES)
    try:
        packet = RtpPacket.parse(data)
    except MalformedRtp:
        return b""
    return b"\x80" + data[1:HEADER_BYTES] + bytes([SILENCE[Law(law)]]) * len(packet.payload)
