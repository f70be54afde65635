"""A description in a few words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sdp.summary import _REMEMBERED, MAX_CODECS, Summary, _known, summary_of, words_of

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
AUDIO = "m=audio 7078 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (HEAD + AUDIO, "PCMA PCMU dtmf 192.0.2.10:7078"),
        (HEAD + AUDIO + "a=sendonly\r\n", "PCMA PCMU dtmf, sendonly (hold) 192.0.2.10:7078"),
        (HEAD + "a=inactive\r\n" + AUDIO, "PCMA PCMU dtmf, inactive (hold) 192.0.2.10:7078"),
        (HEAD + "a=inactive\r\n" + AUDIO + "a=sendrecv\r\n", "PCMA PCMU dtmf 192.0.2.10:7078"),
        (
            HEAD.replace("c=IN IP4 192.0.2.10", "c=IN IP4 0.0.0.0") + AUDIO,
            "PCMA PCMU dtmf, 0.0.0.0 (hold)",
        ),
        (HEAD + AUDIO + "c=IN IP6 2001:db8::1\r\na=recvonly\n", "PCMA PCMU dtmf, recvonly (held) [2001:db8::1]:7078"),
        (HEAD + "m=audio 0 RTP/AVP 8\r\n", "audio refused"),
        (HEAD + "m=audio 9 RTP/SAVP 9 13 97\r\na=rtpmap:97 opus/48000/2\r\n", "G722 opus SRTP 192.0.2.10:9"),
        (HEAD + "m=audio 9 UDP/TLS/RTP/SAVPF 111 55\r\n", "111 55 DTLS 192.0.2.10:9"),
        ("c=IN IP4 0.0.0.0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\n", "PCMA DTLS"),
        (HEAD + "m=video 9 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n" + AUDIO, "video H264 192.0.2.10:9"),
        (HEAD + AUDIO + "m=video 0 RTP/AVP 97\r\na=sendonly\r\n", "PCMA PCMU dtmf 192.0.2.10:7078"),
        ("m=audio 9 RTP/AVP 8\r\n", "PCMA"),
        ("--b\r\nContent-Type: application/sdp\r\n\r\n" + HEAD + AUDIO + "--b--", "PCMA PCMU dtmf 192.0.2.10:7078"),
    ],
)
def test_what_is_said_of_a_description(body: str, words: str) -> None:
    assert words_of(body, address=True) == words
    summary = summary_of(body.encode())
    assert summary is not None
    short = words_of(body, address=False)
    assert short == summary.text(address=False)
    assert "192.0.2" not in short


def test_a_stream_is_remembered_whatever_the_port_and_what_the_session_is_called() -> None:
    words_of(HEAD + AUDIO, address=False)
    before = len(_known)
    for port in range(20000, 20010):
        words_of(f"{HEAD}a=group:BUNDLE {port}\r\na=sendrecv\r\n{AUDIO.replace('7078', str(port))}", address=False)
    assert len(_known) == before


def test_so_many_streams_are_remembered_at_most() -> None:
    for number in range(2 * _REMEMBERED):
        body = f"{HEAD}{AUDIO}a=label:{number}\r\n"
        assert words_of(body, address=False) == words_of(body, address=False) == "PCMA PCMU dtmf"
        assert len(_known) <= _REMEMBERED


def test_a_body_without_a_stream_is_no_description() -> None:
    body = "Signal=5\r\nDuration=160\r\n"
    assert summary_of(body.encode()) is None
    assert words_of(body, address=True) == words_of(body, address=False) == ""


@pytest.mark.parametrize(
    "line", ["400", "400low-mixed", "4" + 5000 * "0", "40" + 5000 * "[", "9sendrecv\r\nb=AS:64", "400\r\na=rtcp-mux"]
)
def test_a_line_of_a_stream_that_is_cut_is_none(line: str) -> None:
    """It has no protocol, and what the lines behind it say is none of it; found by `make fuzz`."""
    body = f"{HEAD}m=audio {line}\r\nm=audio<4000 RTP/AVP 8 0 101\r\na=sendonly\r\n"
    assert summary_of(body.encode()) is None
    assert words_of(body, address=True) == words_of(body, address=False) == ""


def test_many_codecs_are_cut() -> None:
    summary = summary_of(("m=audio 9 RTP/AVP " + " ".join(map(str, range(96, 127)))).encode())
    assert summary is not None
    assert len(summary.codecs) == MAX_CODECS + 1


@given(
    st.lists(
        st.sampled_from(
            [
                *(b"m=audio ", b"m=", b"9", b"0", b" 0", b" 70000/2", b" RTP/AVP", b" 8 0", b"\r\n", b"\n"),
                *(b"a=rtpmap:", b"\na=sendonly", b"\na=inactive", b"\na=sendrecv", b"\nc=IN IP4 0.0.0.0", b"c=IN IP4 "),
            ]
        )
        | st.binary(max_size=6),
        max_size=30,
    ).map(b"".join)
)
def test_whatever_comes_is_told_in_few_printable_words(body: bytes) -> None:
    summary, short = summary_of(body), words_of(body.decode("latin-1"), address=False)
    assert short == ("" if summary is None else summary.text(address=False))
    if summary is not None:
        assert isinstance(summary, Summary)
        words = summary.text(address=True)
        assert len(words) < 400
        assert words.replace("\N{REPLACEMENT CHARACTER}", "").isprintable()
