"""DTMF digits."""

import pytest

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.event import DIGITS, TelephoneEvent


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
