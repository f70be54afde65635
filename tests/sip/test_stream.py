"""Messages cut out of a stream, in pieces of every size."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.errors import MalformedMessage
from kobza.sip.message import MAX_MESSAGE_BYTES, SipRequest, SipResponse
from kobza.sip.stream import MAX_HEADER_BYTES, BrokenMessage, KeepAlive, StreamItem, StreamParser
from tests.sip.examples import CAPTURED, INVITE, TORTURE, WRITTEN

PING, PONG = KeepAlive(b"\r\n"), KeepAlive(b"")
BROKEN = WRITTEN["cancel"].replace(b"CSeq: 20 CANCEL", b"CSeq: x")
FRAMED = [*CAPTURED.values(), *WRITTEN.values(), TORTURE["wsinv"], TORTURE["longreq"], TORTURE["mpart01"], BROKEN]


def described(items: Iterable[StreamItem]) -> list[bytes]:
    """Messages as bytes; keep-alives do not count."""
    found = []
    for item in items:
        if isinstance(item, BrokenMessage):
            found.append(b"broken:" + item.data)
        elif not isinstance(item, KeepAlive):
            found.append(item.to_bytes())
    return found


def expected(messages: Iterable[bytes]) -> list[bytes]:
    return [b"broken:" + data if data is BROKEN else data for data in messages]


def fed(parser: StreamParser, pieces: Iterable[bytes]) -> list[StreamItem]:
    return [item for piece in pieces for item in parser.feed(piece)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def test_one_message_in_one_piece() -> None:
    parser = StreamParser()
    (item,) = parser.feed(INVITE)
    assert isinstance(item, SipRequest)
    assert item.to_bytes() == INVITE
    assert parser.buffered == 0
    assert parser.feed(b"") == []


def test_everything_at_once_and_byte_by_byte() -> None:
    data = b"".join(FRAMED)
    assert described(StreamParser().feed(data)) == expected(FRAMED)
    assert described(fed(StreamParser(), one_by_one(data))) == expected(FRAMED)


@given(st.lists(st.sampled_from(FRAMED), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_chunks_of_any_size_give_the_same_messages(messages: list[bytes], chance: random.Random) -> None:
    data = b"".join(b"\r\n" * chance.randrange(4) + message for message in messages)
    parser, items, at = StreamParser(), [], 0
    while at < len(data):
        size = chance.choice([1, 2, 3, 10, 100, 1000, 5000])
        items += parser.feed(data[at : at + size])
        at += size
        assert parser.buffered <= len(data)
    assert described(items) == expected(messages)
    assert parser.buffered == 0
    assert parser.error is None


def test_what_is_not_complete_waits() -> None:
    parser = StreamParser()
    assert parser.feed(INVITE[:-1]) == []
    assert parser.buffered == len(INVITE) - 1
    assert len(parser.feed(INVITE[-1:])) == 1


def test_a_body_of_line_breaks_is_a_body() -> None:
    body = b"\r\n\r\n\r\n\r\n"
    message = WRITTEN["cancel"].replace(b"Content-Length: 0", b"Content-Length: 8") + body
    (item,) = fed(StreamParser(), one_by_one(message))
    assert isinstance(item, SipRequest)
    assert item.body == body


def test_lf_ends_lines_too() -> None:
    data = WRITTEN["answer"].replace(b"\r\n", b"\n")
    items = fed(StreamParser(), one_by_one(data + data))
    assert [item.status for item in items if isinstance(item, SipResponse)] == [200, 200]


KEEP_ALIVES = [
    ([b"\r\n\r\n"], [PING]),
    ([b"\r\n"], [PONG]),
    ([b"\r\n", b"\r\n"], [PONG, PING]),
    ([b"\r\n", b"\r\n", b"\r\n"], [PONG, PING, PONG]),
    ([b"\r", b"\n", b"\r", b"\n"], [PONG, PING]),
    ([b"\r\n\r"], [PONG]),
    ([b"\r\n\r", b"\n"], [PONG, PING]),
    ([b"\r"], []),
    ([b"\r\n" * 1000], [PING]),
    ([b"\n"], [PONG]),
    ([b"\n\n"], [PING]),
]


@pytest.mark.parametrize(("pieces", "items"), KEEP_ALIVES)
def test_keep_alives(pieces: list[bytes], items: list[StreamItem]) -> None:
    parser = StreamParser()
    assert fed(parser, pieces) == items
    assert described(parser.feed(INVITE)) == [INVITE]


def test_a_pong_and_a_message_and_a_ping() -> None:
    items = StreamParser().feed(b"\r\n" + INVITE + b"\r\n\r\n" + INVITE)
    assert [item if isinstance(item, KeepAlive) else type(item) for item in items] == [
        PONG,
        SipRequest,
        PING,
        SipRequest,
    ]


def test_a_line_break_before_a_message_and_one_after_it_make_no_ping() -> None:
    items = fed(StreamParser(), [b"\r\n", INVITE, b"\r\n"])
    assert [item for item in items if isinstance(item, KeepAlive)] == [PONG, PONG]


def test_a_broken_message_leaves_the_stream_whole() -> None:
    parser = StreamParser()
    broken, ping, good = parser.feed(BROKEN + b"\r\n\r\n" + INVITE)
    assert parser.raw == [BROKEN, b"", INVITE]
    assert ping == KeepAlive(b"\r\n")
    assert isinstance(broken, BrokenMessage)
    assert (broken.data, broken.error.where) == (BROKEN, "CSeq header")
    assert isinstance(good, SipRequest)


LOST = {
    "no length": (INVITE.replace(b"Content-Length: 145\r\n", b""), "no one Content-Length", 400),
    "two lengths": (INVITE.replace(b"\r\nTo:", b"\r\nl: 0\r\nTo:"), "no one Content-Length", 400),
    "a length of words": (INVITE.replace(b"h: 145", b"h: x"), "not a number", 400),
    "a negative length": (INVITE.replace(b"h: 145", b"h: -1"), "not a number", 400),
    "a huge length": (INVITE.replace(b"h: 145", b"h: 65536"), "number above 65535", 400),
    "too long in all": (INVITE.replace(b"h: 145", b"h: 65000"), "message longer than 65535", 513),
    "an endless header": (b"INVITE " + b"x" * MAX_HEADER_BYTES, "header longer than 16384", 513),
    "a long header": (b"A: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\n", "header longer than 16384", 513),
}


@pytest.mark.parametrize("name", LOST)
def test_a_lost_frame_ends_the_stream(name: str) -> None:
    data, what, status = LOST[name]
    parser = StreamParser()
    with pytest.raises(MalformedMessage, match=what) as raised:
        parser.feed(data)
    assert raised.value.sip_status == status
    assert parser.error is raised.value
    assert parser.buffered == 0
    with pytest.raises(MalformedMessage, match=what):
        parser.feed(INVITE)

    parser = StreamParser()
    assert described(parser.feed(WRITTEN["cancel"] + data)) == [WRITTEN["cancel"]]
    assert parser.error is not None
    with pytest.raises(MalformedMessage, match=what):
        parser.feed(b"")


def test_a_header_just_short_enough_is_read() -> None:
    room = MAX_HEADER_BYTES - len(WRITTEN["cancel"]) - len("X-Long: \r\n")
    data = WRITTEN["cancel"].replace(b"Content-Length", b"X-Long: " + b"x" * room + b"\r\nContent-Length")
    assert len(data) == MAX_HEADER_BYTES
    assert len(StreamParser().feed(data)) == 1
    with pytest.raises(MalformedMessage, match="header longer"):
        StreamParser().feed(data.replace(b"X-Long: ", b"X-Long: x"))


def test_the_buffer_is_bounded() -> None:
    parser = StreamParser()
    parser.feed(WRITTEN["cancel"].replace(b"Content-Length: 0", b"Content-Length: 60000"))
    most = 0
    for _ in range(59):
        parser.feed(b"x" * 1000)
        most = max(most, parser.buffered)
    assert 59_000 < most <= MAX_MESSAGE_BYTES


def test_a_length_is_found_under_every_name() -> None:
    for name in (b"l", b"L", b"content-length", b"CONTENT-LENGTH \t", b"Content-Length:\r\n\t"):
        separator = b"" if name.endswith(b"\t") and b":" in name else b": "
        data = INVITE.replace(b"Content-Length: ", name + separator, 1)
        assert described(StreamParser().feed(data + INVITE)) == [data, INVITE]


def test_a_name_like_it_is_not_it() -> None:
    for line in (b"Call-Length: 7", b"Content-Length-X: 7", b"\xd0\xa1ontent-Length: 7", b"X: Content-Length: 7"):
        data = INVITE.replace(b"Max-Forwards: 70", b"Max-Forwards: 70\r\n" + line, 1)
        assert len(described(StreamParser().feed(data + INVITE))) == 2
    odd = INVITE.replace(b"Max-Forwards: 70", b"Max-Forwards: 70\r\nC\x00: 7", 1)
    broken, good = StreamParser().feed(odd + INVITE)
    assert isinstance(broken, BrokenMessage)
    assert isinstance(good, SipRequest)
