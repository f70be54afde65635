"""Whatever arrives, a packet or MalformedRtp comes out."""

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from kobza.rtp.continuity import OutgoingStream
from kobza.rtp.errors import MalformedRtp, MalformedStun
from kobza.rtp.event import TelephoneEvent
from kobza.rtp.ice import IceLite
from kobza.rtp.packet import RtpPacket, is_rtcp, is_rtp
from kobza.rtp.rtcp import parse_compound
from kobza.rtp.stun import COOKIE, REQUEST, StunMessage, write

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


ATTRIBUTES = st.lists(
    st.tuples(
        st.sampled_from([0x0006, 0x0008, 0x0024, 0x0025, 0x0020, 0x7000, 0x8028, 0x8029]), st.binary(max_size=30)
    ),
    max_size=40,
)
STUN = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda kind, body: kind.to_bytes(2, "big") + len(body).to_bytes(2, "big") + COOKIE.to_bytes(4, "big") + body,
        st.integers(0, 0x3FFF),
        st.binary(max_size=100),
    ),
    st.builds(lambda attributes: write(REQUEST, bytes(12), attributes), ATTRIBUTES),
)


@given(STUN)
@example(write(REQUEST, bytes(12), ((0x0008, bytes(20)), (0x0006, b"a:b"))))
def test_stun(data: bytes) -> None:
    with suppress(MalformedStun):
        message = StunMessage.parse(data)
        assert message.is_signed_with("password") is False
        assert StunMessage.parse(write(REQUEST, message.transaction, message.attributes)).attributes is not None
    ice = IceLite()
    ice.configure("a", "password", "b")
    answer = ice.receive(data, ("192.0.2.1", 4000))
    assert answer is None or StunMessage.parse(answer).kind != REQUEST
    assert ice.selected is None
