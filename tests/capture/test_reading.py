"""What a message says at a glance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.capture.reading import MAX_LINE, call_id_in, description_in, what_it_says


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("Call-ID: a@b", "a@b"),
        ("Call-ID:a@b ", "a@b"),
        ("call-id : a@b", "a@b"),
        ("i: a@b", "a@b"),
        ("X-Call-ID: a@b", None),
        ("I-Am: a@b", None),
    ],
)
def test_the_call_id_is_found_however_it_is_written(line: str, found: str | None) -> None:
    assert call_id_in(f"OPTIONS sip:x SIP/2.0\r\n{line}\r\nVia: x\r\n\r\n") == found


def test_what_a_first_line_says() -> None:
    assert what_it_says("BYE sip:x@y SIP/2.0\r\n\r\n") == "BYE"
    assert what_it_says("BYE\r\nTo: x\r\n\r\n") == "BYE"
    assert what_it_says("SIP/2.0 180 \xd0\x94\xd0\xb7\x07\r\n\r\n") == "180 Дз\ufffd"
    assert len(what_it_says("SIP/2.0 200 " + "x" * 500 + "\r\n")) == MAX_LINE


def test_the_description_in_a_message() -> None:
    head = "INVITE sip:x SIP/2.0\r\nm=audio 1 RTP/AVP 0\r\n\r\n"
    assert description_in(head, address=True) == ""
    assert description_in(head + "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 9 RTP/AVP 8", address=True) == "PCMA 192.0.2.1:9"


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: b"INVITE x\r\n\r\nv=0\r\nm=audio " + rest))
def test_whatever_comes_does_no_harm(data: bytes) -> None:
    text = data.decode("latin-1")
    call_id_in(text)
    assert len(what_it_says(text)) <= MAX_LINE
    description_in(text, address=True)
