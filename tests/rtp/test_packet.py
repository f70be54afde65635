"""RTP packets, parsed and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.packet import RtpPacket, is_rtcp, is_rtp, sequence_difference, timestamp_difference

PLAIN = RtpPacket(8, 1000, 160_000, 0xDEADBEEF, b"\xd5" * 160, marker=True)
FULL = RtpPacket(
    101, 65535, 2**32 - 1, 1, b"\x01\x0a\x00\xa0", csrcs=(7, 2**32 - 1), extension=(0xBEDE, b"\x10\x7f\x00\x00")
)


@pytest.mark.parametrize("packet", [PLAIN, FULL])
def test_a_packet_survives_writing(packet: RtpPacket) -> None:
    assert RtpPacket.parse(packet.to_bytes()) == packet


def test_the_fixed_header() -> None:
    assert PLAIN.to_bytes()[:12].hex() == "808803e800027100deadbeef"


def test_an_extension_is_filled_up_to_words() -> None:
    packet = RtpPacket.parse(RtpPacket(0, 1, 1, 1, b"x", extension=(1, b"\x01")).to_bytes())
    assert packet.extension == (1, b"\x01\x00\x00\x00")
    assert packet.payload == b"x"


def test_padding_is_cut_off() -> None:
    data = bytearray(RtpPacket(0, 1, 1, 1, b"sound\0\0\3").to_bytes())
    data[0] |= 0x20
    assert RtpPacket.parse(bytes(data)).payload == b"sound"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN.to_bytes()[:11],
        b"\x40" + PLAIN.to_bytes()[1:],
        b"\x8f" + bytes(11 + 59),
        b"\x90" + bytes(11 + 3),
        b"\x90" + bytes(11) + b"\0\0\0\2" + bytes(7),
        b"\xa0" + bytes(11),
        b"\xa0" + bytes(11) + b"\0",
        b"\xa0" + bytes(11) + b"\2",
    ],
    ids=[
        "empty",
        "short",
        "version 1",
        "csrcs",
        "extension",
        "extension content",
        "no padding",
        "padding 0",
        "padding 2",
    ],
)
def test_what_is_cut_off_or_no_rtp_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRtp) as caught:
        RtpPacket.parse(data)
    assert caught.value.what


def test_rtcp_is_told_apart() -> None:
    report = b"\x80\xc8\x00\x01\x00\x00\x00\x01"
    assert is_rtcp(report)
    assert not is_rtcp(report[:7])
    assert not is_rtcp(b"\x00" + report[1:])
    assert not is_rtcp(PLAIN.to_bytes())
    assert not is_rtp(report + bytes(20))
    assert is_rtp(PLAIN.to_bytes())
    assert not is_rtp(PLAIN.to_bytes()[:11])
    assert not is_rtp(b"\x00" + PLAIN.to_bytes()[1:])
    # Payload types 64 to 95 with the marker would look like RTCP: RFC 5761 keeps them out of use.
    assert is_rtcp(RtpPacket(72, 1, 1, 1, b"", marker=True).to_bytes())


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_timestamps_go_around(start: int, step: int) -> None:
    assert timestamp_difference((start + step) % 2**32, start) == step


@given(st.integers(0, 2**16 - 1), st.integers(-(2**15), 2**15 - 1))
def test_sequence_numbers_go_around(start: int, step: int) -> None:
    assert sequence_difference((start + step) % 2**16, start) == step
