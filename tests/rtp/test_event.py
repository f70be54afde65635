"""DTMF digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.event import DIGITS, DigitReader, TelephoneEvent
from kobza.rtp.packet import RtpPacket


@pytest.mark.parametrize("digit", DIGITS)
def test_digits(digit: str) -> None:
    event = TelephoneEvent(DIGITS.index(digit), end=True, volume=10, duration=800)
    assert TelephoneEvent.parse(event.to_bytes()) == event
    assert event.digit == digit


def test_a_flash_is_no_digit() -> None:
    event = TelephoneEvent.parse(b"\x10\x3f\xff\xff")
    assert event == TelephoneEvent(16, end=False, volume=63, duration=65535)
    assert event.digit is None


def test_a_short_payload_is_refused() -> None:
    with pytest.raises(MalformedRtp):
        TelephoneEvent.parse(b"\x01\x0a\x00")


def packets(
    digit: str, timestamp: int, durations: list[int], *, ends: int = 3, marker: bool = True, ssrc: int = 7
) -> list[bytes]:
    """The packets of one event, the last of them so often with the end."""
    said = [(duration, False) for duration in durations] + [(durations[-1], True)] * ends
    return [
        RtpPacket(
            101,
            number,
            timestamp % 2**32,
            ssrc,
            TelephoneEvent(DIGITS.index(digit), end=end, volume=10, duration=duration).to_bytes(),
            marker=marker and number == 0,
        ).to_bytes()
        for number, (duration, end) in enumerate(said)
    ]


def read(*packets_of: list[bytes]) -> str:
    reader = DigitReader()
    return "".join(reader.take(data) or "" for packets in packets_of for data in packets)


STEPS = [160, 320, 480]


def test_a_digit_is_read_once_with_its_first_packet() -> None:
    reader = DigitReader()
    assert [reader.take(data) for data in packets("5", 1000, STEPS)] == ["5", None, None, None, None, None]


@pytest.mark.parametrize("marker", [True, False])
def test_digits_one_after_the_other(marker: bool) -> None:
    """Also over the turn of the timestamps, the same digit again, and from phones that set no marker."""
    start = 2**32 - 1600
    pressed = [packets(digit, start + 1600 * place, STEPS, marker=marker) for place, digit in enumerate("1223*")]
    assert read(*pressed) == "1223*"


def test_the_same_digit_again_when_the_end_of_the_one_before_is_lost() -> None:
    assert read(packets("4", 0, STEPS, ends=0), packets("4", 1600, STEPS)) == "44"
    assert read(packets("4", 0, STEPS, ends=0), packets("4", 80_000, STEPS, marker=False)) == "44"


def test_a_digit_that_is_heard_of_by_its_end_alone() -> None:
    assert read(packets("9", 0, STEPS)[-1:], packets("9", 1600, STEPS)) == "99"


def test_a_long_event_is_one_digit_in_segments() -> None:
    """RFC 4733, section 2.5.1.3: each segment but the last has the longest duration, and no end."""
    first = packets("#", 0, [160, 32_000, 0xFFFF], ends=0)
    second = packets("#", 0xFFFF, [160, 0xFFFF], ends=0, marker=False)
    last = packets("#", 2 * 0xFFFF, [160, 320], marker=False)
    assert read(first, second, last, packets("#", 2 * 0xFFFF + 1600, STEPS, marker=False)) == "##"


def test_what_comes_late_is_of_the_event_before() -> None:
    one, two = packets("1", 0, STEPS), packets("2", 1600, STEPS)
    assert read(one[:-1], two[:2], one[-1:], two[2:]) == "12"


def test_a_phone_that_counts_anew_is_heard() -> None:
    assert read(packets("1", 900_000, STEPS), packets("2", 160, STEPS), packets("3", 2000, STEPS)) == "123"


def test_another_stream_of_the_phone_begins_anew() -> None:
    assert read(packets("1", 5000, STEPS), packets("1", 5000, STEPS, ssrc=8)) == "11"


def test_what_is_no_digit_is_not_read() -> None:
    flash = RtpPacket(101, 0, 0, 7, b"\x10\x0a\x00\xa0").to_bytes()
    cut = RtpPacket(101, 1, 160, 7, b"\x01").to_bytes()
    damaged = b"\xa0" + cut[1:12] + b"\x01\x0a\x00\xff"
    assert read([flash, cut, damaged, cut[:8]], packets("7", 1600, STEPS)) == "7"


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_are_read_without_a_fault(datagrams: list[bytes]) -> None:
    assert set(read(datagrams, [b"\x80" + data for data in datagrams])) <= set(DIGITS)
