"""What a message says at a glance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.reading import MAX_LINE, call_id_in, description_in, what_it_says


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"Call-ID: a@b", b"a@b"),
        (b"Call-ID:a@b ", b"a@b"),
        (b"call-id : a@b", b"a@b"),
        (b"i: a@b", b"a@b"),
        (b"X-Call-ID: a@b", None),
        (b"I-Am: a@b", None),
    ],
)
def test_the_call_id_is_found_however_it_is_written(line: bytes, found: bytes | None) -> None:
    assert call_id_in(b"OPTIONS sip:x SIP/2.0\r\n" + line + b"\r\nVia: x\r\n\r\n") == found


def test_what_a_first_line_says() -> None:
    assert what_it_says(b"BYE sip:x@y SIP/2.0\r\n\r\n") == "BYE"
    assert what_it_says(b"SIP/2.0 180 \xd0\x94\xd0\xb7\x07\r\n\r\n") == "180 Дз\ufffd"
    assert len(what_it_says(b"SIP/2.0 200 " + b"x" * 500 + b"\r\n")) == MAX_LINE


def test_the_description_in_a_message() -> None:
    head = b"INVITE sip:x SIP/2.0\r\nm=audio 1 RTP/AVP 0\r\n\r\n"
    assert description_in(head, address=True) == ""
    assert (
        description_in(head + b"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 9 RTP/AVP 8", address=True) == "PCMA 192.0.2.1:9"
    )


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: b"INVITE x\r\n\r\nv=0\r\nm=audio " + rest))
def test_whatever_comes_does_no_harm(data: bytes) -> None:
    call_id_in(data)
    assert len(what_it_says(data)) <= MAX_LINE
    description_in(data, address=True)
