"""The direction of the audio stream, from any description or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.call.sdp_direction import audio_direction, says_hold


@pytest.mark.parametrize(
    ("lines", "direction"),
    [
        ("", "sendrecv"),
        ("v=0;m=audio 4 RTP/AVP 8", "sendrecv"),
        ("m=audio 4 RTP/AVP 8;a=sendonly", "sendonly"),
        ("m=audio 4 RTP/AVP 8;a=recvonly", "recvonly"),
        ("m=audio 4 RTP/AVP 8;a=inactive", "inactive"),
        ("a=inactive;m=audio 4 RTP/AVP 8", "inactive"),
        ("a=inactive;m=audio 4 RTP/AVP 8;a=sendrecv", "sendrecv"),
        ("m=audio 4 RTP/AVP 8;a=sendonly;m=audio 6 RTP/AVP 8;a=inactive", "sendonly"),
        ("m=video 6 RTP/AVP 99;a=inactive;c=IN IP4 0.0.0.0;m=audio 4 RTP/AVP 8", "sendrecv"),
        ("m=audio 4 RTP/AVP 8;m=video 6 RTP/AVP 99;a=inactive", "sendrecv"),
        ("m=audio 0 RTP/AVP 8", "inactive"),
        ("c=IN IP4 0.0.0.0;m=audio 4 RTP/AVP 8", "sendonly"),
        ("c=IN IP4 10.0.0.1;m=audio 4 RTP/AVP 8;c=IN IP4 0.0.0.0", "sendonly"),
        ("c=IN IP4 0.0.0.0;m=audio 4 RTP/AVP 8;c=IN IP4 10.0.0.1", "sendrecv"),
        ("c=IN IP4 0.0.0.0;m=audio 4 RTP/AVP 8;a=inactive", "inactive"),
    ],
)
def test_direction(lines: str, direction: str) -> None:
    assert audio_direction("\r\n".join(lines.split(";")).encode()) == direction
    assert audio_direction("\n".join(lines.split(";")).encode()) == direction


def test_who_holds() -> None:
    assert says_hold("sendonly")
    assert says_hold("inactive")
    assert not says_hold("sendrecv")
    assert not says_hold("recvonly")


@given(
    st.binary()
    | st.lists(st.sampled_from([b"m=audio 4 ", b"m=audio 0 ", b"m=", b"a=", b"a=inactive", b"c="])).map(b"\n".join)
)
def test_never_raises(sdp: bytes) -> None:
    assert audio_direction(sdp) in ("sendrecv", "sendonly", "recvonly", "inactive")
