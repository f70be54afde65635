"""Parsing and writing descriptions."""

import pytest

from kobza.sdp.description import MAX_BYTES, MAX_LINES, MAX_MEDIA, Media, Origin, SessionDescription
from kobza.sdp.errors import MalformedSdp

PHONE = b"""v=0\r
o=alice 2890844526 2890844527 IN IP4 192.0.2.1\r
s=A call\r
i=ignored\r
u=http://example.com\r
e=a@example.com\r
p=+380671234567\r
c=IN IP4 192.0.2.1\r
b=AS:64\r
t=0 0\r
r=7d 1h 0 25h\r
z=0 0\r
k=clear:x\r
a=sendrecv\r
m=audio 49170 RTP/AVP 0 8 101\r
b=AS:64\r
a=rtpmap:0 PCMU/8000\r
a=rtcp-mux\r
m=video 51372/2 RTP/AVP 99\r
c=IN IP4 233.252.0.1/127\r
a=rtpmap:99 h263-1998/90000\r
"""


def test_what_a_call_needs_is_kept() -> None:
    description = SessionDescription.parse(PHONE)
    assert description.origin == Origin("alice", "2890844526", "2890844527", "192.0.2.1")
    assert description.connection == "192.0.2.1"
    assert description.attributes == (("sendrecv", None),)
    assert description.get("sendrecv") == ""
    assert description.get("inactive") is None
    audio, video = description.media
    assert (audio.kind, audio.port, audio.protocol, audio.formats) == ("audio", 49170, "RTP/AVP", ("0", "8", "101"))
    assert audio.connection is None
    assert audio.get("rtpmap") == "0 PCMU/8000"
    assert audio.get_all("rtcp-mux") == [""]
    assert audio.get("fmtp") is None
    assert (video.port, video.connection) == (51372, "233.252.0.1")


def test_a_description_survives_writing() -> None:
    description = SessionDescription.parse(PHONE)
    assert SessionDescription.parse(description.to_bytes()) == description
    assert str(description).endswith("a=rtpmap:99 h263-1998/90000\r\n")


def test_ipv6_is_written_as_ip6() -> None:
    description = SessionDescription(
        Origin("-", "1", "1", "2001:db8::1"), None, (Media("audio", 4, "RTP/AVP", ("0",)),)
    )
    assert "o=- 1 1 IN IP6 2001:db8::1\r\n" in str(description)
    assert "c=" not in str(description)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
def test_line_ends_and_missing_lines_of_phones_are_taken(ending: bytes) -> None:
    text = ending.join([b"v=0", b"o=- 1 1 IN IP4 192.0.2.1", b"", b"c=IN IP4 192.0.2.1", b"m=audio 4000 RTP/AVP 0"])
    assert SessionDescription.parse(text).media[0].port == 4000


def test_text_that_is_not_utf8_is_read_over() -> None:
    description = SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=\xcf\xf0\xe8\xe2\xb3\xf2\n")
    assert description.media == ()


def test_a_refused_stream_keeps_kind_and_formats() -> None:
    assert Media("video", 5000, "RTP/SAVP", ("96",), "192.0.2.1", (("x", None),)).refused() == Media(
        "video", 0, "RTP/SAVP", ("96",)
    )


ORIGIN = b"o=- 1 1 IN IP4 192.0.2.1\n"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "line 1"),
        (b"v=1\n", "line 1"),
        (b"v=0\n", "body"),
        (b"v=0\no=- 1 1 IN IP4\n", "line 2"),
        (b"v=0\n" + ORIGIN + b"x=what\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"nonsense\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"c=IN IP4\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"c=ATM NSAP 47\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"m=audio 4000 RTP/AVP\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"m=audio 65536 RTP/AVP 0\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"m=audio -1 RTP/AVP 0\n", "line 3"),
        (b"v=0\n" + ORIGIN + "m=audio ٣ RTP/AVP 0\n".encode(), "line 3"),
        (b"v=0\n" + ORIGIN + b"m=audio 4/x RTP/AVP 0\n", "line 3"),
        (b"v=0\n" + ORIGIN + b"m=audio 4 RTP/AVP 0\n" * (MAX_MEDIA + 1), f"line {MAX_MEDIA + 3}"),
        (b"v=0\n" + b"\n" * MAX_LINES, "body"),
        (b"v=0\n" + b" " * MAX_BYTES, "body"),
    ],
)
def test_what_is_no_description_says_where(data: bytes, where: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        SessionDescription.parse(data)
    assert caught.value.where == where
    assert caught.value.what
