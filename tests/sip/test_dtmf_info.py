"""DTMF in INFO: what phones write, and whatever else comes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.dtmf_info import PLAIN, RELAY, body_of, digit_of
from kobza.sip.errors import MalformedMessage

DIGITS = "0123456789*#ABCD"


@pytest.mark.parametrize("digit", DIGITS)
def test_what_is_written_is_read(digit: str) -> None:
    assert digit_of(RELAY, body_of(digit)) == digit
    assert digit_of(PLAIN, digit.lower().encode()) == digit


@pytest.mark.parametrize(
    ("kind", "body", "digit"),
    [
        (RELAY, b"Signal= 5\r\nDuration= 160\r\n", "5"),
        ("Application/DTMF-Relay; x=1", b"signal=11\nduration=100", "#"),
        (RELAY, b"Duration=250\r\nSignal=*", "*"),
        (PLAIN, b"10\r\n", "*"),
        (PLAIN, b"Signal=12", "A"),
        (RELAY, b"Signal=16\r\n", None),  # a hook flash
        (PLAIN, b"!", None),
        ("application/media_control+xml", b"<x/>", None),
        (None, b"5", None),
    ],
)
def test_what_phones_write(kind: str | None, body: bytes, digit: str | None) -> None:
    assert digit_of(kind, body) == digit


@pytest.mark.parametrize(
    ("kind", "body"), [(RELAY, b"5"), (RELAY, b"Signal=17"), (PLAIN, b""), (PLAIN, b"55 5"), (PLAIN, b"\xd1\x96")]
)
def test_what_is_no_digit_is_told(kind: str, body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        digit_of(kind, body)


@given(
    st.sampled_from([RELAY, PLAIN]),
    st.binary(max_size=60) | st.text(max_size=30).map(lambda text: f"Signal={text}".encode()),
)
def test_any_body_is_a_digit_or_refused(kind: str, body: bytes) -> None:
    with suppress(MalformedMessage):
        digit = digit_of(kind, body)
        assert digit is None or digit in DIGITS
