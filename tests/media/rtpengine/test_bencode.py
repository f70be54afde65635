"""Bencode, both ways and with anything."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.rtpengine.bencode import MAX_DEPTH, MalformedBencode, Value, decode, encode

VALUES: st.SearchStrategy[Value] = st.recursive(
    st.integers(-(2**63), 2**63) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text("abc -", max_size=8), inner, max_size=5),
    max_leaves=8,
)


def test_each_kind() -> None:
    written = encode({"command": "offer", "sdp": b"v=0", "flags": ["a", "b"], "n": -7})
    assert written == b"d7:command5:offer3:sdp3:v=05:flagsl1:a1:be1:ni-7ee"
    assert decode(written) == {"command": b"offer", "sdp": b"v=0", "flags": [b"a", b"b"], "n": -7}
    assert encode("київ") == b"8:" + "київ".encode()


@given(VALUES)
def test_what_is_written_is_read(value: Value) -> None:
    assert decode(encode(value)) == value


@given(VALUES, st.data())
def test_what_is_damaged_is_malformed_or_something_else(value: Value, data: st.DataObject) -> None:
    damaged = bytearray(encode(value))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        read = decode(bytes(damaged))
    except MalformedBencode:
        return
    assert decode(encode(read)) == read


@given(st.binary(max_size=200))
def test_anything_at_all(data: bytes) -> None:
    with suppress(MalformedBencode):
        assert decode(encode(decode(data))) == decode(data)


DEEP = b"l" * (MAX_DEPTH + 1) + b"e" * (MAX_DEPTH + 1)
UNFINISHED = [b"", b"i", b"ie", b"i-e", b"i1", b"5:abc", b"-1:a", b"l", b"li1e", b"d1:ae", b"x"]
UNFIT = [b"i1_0e", b"di1ei2ee", b"i1ei2e", b"9" * 400 + b":", b"i" + b"1" * 400 + b"e", DEEP]


@pytest.mark.parametrize("wrong", UNFINISHED + UNFIT)
def test_what_is_no_value(wrong: bytes) -> None:
    with pytest.raises(MalformedBencode):
        decode(wrong)
