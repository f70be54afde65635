"""RTCP compounds."""

import pytest

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.rtcp import MAX_PACKETS, RtcpPacket, RtcpType, parse_compound

REPORT = RtcpPacket(RtcpType.SENDER_REPORT, 0, bytes(3) + b"\x07" + bytes(20))
BYE = RtcpPacket(RtcpType.BYE, 1, bytes(3) + b"\x07")
EMPTY = RtcpPacket(RtcpType.SOURCE_DESCRIPTION, 0, b"")


def test_a_compound_is_split() -> None:
    data = REPORT.to_bytes() + EMPTY.to_bytes() + BYE.to_bytes()
    assert parse_compound(data) == [REPORT, EMPTY, BYE]
    assert (REPORT.ssrc, EMPTY.ssrc) == (7, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REPORT.to_bytes()[:-1],
        REPORT.to_bytes() + b"\x80\xc8",
        b"\x00" + REPORT.to_bytes()[1:],
        EMPTY.to_bytes() * (MAX_PACKETS + 1),
    ],
)
def test_what_is_cut_off_or_no_rtcp_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRtp):
        parse_compound(data)
