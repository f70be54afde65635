"""RTCP compounds."""

import pytest

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.rtcp import (
    MAX_PACKETS,
    ReportBlock,
    RtcpPacket,
    RtcpType,
    parse_compound,
    report_blocks,
    sender_time,
)

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


BLOCK = bytes.fromhex("0000000740fffffe00010203000000501234567800018000")


@pytest.mark.parametrize(
    ("kind", "before"), [(RtcpType.RECEIVER_REPORT, bytes(4)), (RtcpType.SENDER_REPORT, bytes(24))]
)
def test_report_blocks_are_read(kind: RtcpType, before: bytes) -> None:
    assert report_blocks(RtcpPacket(kind, 2, before + 2 * BLOCK)) == 2 * [ReportBlock(7, -2, 80, 0x12345678, 1.5)]
    with pytest.raises(MalformedRtp):
        report_blocks(RtcpPacket(kind, 3, before + 2 * BLOCK))


def test_other_packets_have_no_report_blocks() -> None:
    assert report_blocks(BYE) == []


def test_the_time_in_a_sender_report() -> None:
    timed = RtcpPacket(RtcpType.SENDER_REPORT, 0, bytes(6) + bytes.fromhex("12345678") + bytes(14))
    assert sender_time(timed) == 0x12345678
    assert sender_time(BYE) is None
    assert sender_time(RtcpPacket(RtcpType.SENDER_REPORT, 0, bytes(20))) is None
