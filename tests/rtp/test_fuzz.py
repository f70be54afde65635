"""Whatever arrives, a packet or MalformedRtp comes out."""

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.packet import RtpPacket, is_rtcp, is_rtp
from kobza.rtp.rtcp import parse_compound

DATAGRAMS = st.one_of(
    st.binary(max_size=100),
    st.builds(lambda first, rest: bytes([first]) + rest, st.integers(0x80, 0xBF), st.binary(min_size=11, max_size=100)),
    st.builds(lambda kind, rest: bytes([0x81, kind]) + rest, st.integers(192, 223), st.binary(max_size=60)),
)


@given(DATAGRAMS)
@example(b"\x80" + bytes(11))
@example(b"\x80\xc9\x00\x01\x00\x00\x00\x01")
def test_datagrams(data: bytes) -> None:
    assert not (is_rtp(data) and is_rtcp(data))
    with suppress(MalformedRtp):
        packet = RtpPacket.parse(data)
        assert RtpPacket.parse(packet.to_bytes()) == packet
    with suppress(MalformedRtp):
        assert b"".join(part.to_bytes() for part in parse_compound(data)) != b""
    with suppress(MalformedRtp):
        TelephoneEvent.parse(data)
    if is_rtp(data):
        OutgoingStream(ssrc=1, sequence=1, timestamp=1, now=0.0).relayed(data, 1.0)
