"""Offers and answers as they are written."""

from kobza.sdp.audio import Direction, audio_of
from kobza.sdp.codecs import EVENTS, PCMA
from kobza.sdp.description import SessionDescription
from kobza.sdp.negotiation import LocalAudio, origin, write_answer, write_offer

LOCAL = LocalAudio("192.0.2.10", 20000, (PCMA, EVENTS), Direction.RECVONLY, ptime=20, mux=True)


def test_an_offer() -> None:
    assert write_offer(origin(7, "192.0.2.10"), LOCAL).decode() == "\r\n".join(
        [
            "v=0",
            "o=kobza 7 1 IN IP4 192.0.2.10",
            "s=-",
            "c=IN IP4 192.0.2.10",
            "t=0 0",
            "m=audio 20000 RTP/AVP 8 101",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=recvonly",
            "a=rtcp-mux",
            "",
        ]
    )


def test_versions_count_up() -> None:
    assert str(origin(7, "192.0.2.10", 2)) == "kobza 7 2 IN IP4 192.0.2.10"


def test_an_answer_refuses_all_but_the_audio() -> None:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "m=video 4 RTP/AVP 99", "m=audio 6 RTP/AVPF 8", "m=audio 8 RTP/AVP 0"]
    offer = SessionDescription.parse("\n".join(lines).encode())
    local = LocalAudio("192.0.2.10", 20000, (PCMA,))
    answer = SessionDescription.parse(write_answer(origin(7, "192.0.2.10"), local, audio_of(offer)))
    assert [(media.kind, media.port, media.protocol) for media in answer.media] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 20000, "RTP/AVPF"),
        ("audio", 0, "RTP/AVP"),
    ]
    assert "ptime" not in str(answer)


def test_a_later_offer_keeps_the_order_of_streams() -> None:
    agreed = SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=video 0 RTP/AVP 99\nm=audio 6 RTP/AVP 8\n")
    audio = audio_of(agreed)
    offer = SessionDescription.parse(write_offer(origin(7, "192.0.2.10"), LOCAL, audio.layout, audio.index))
    assert [(media.kind, media.port, media.formats) for media in offer.media] == [
        ("video", 0, ("99",)),
        ("audio", 20000, ("8", "101")),
    ]


def test_of_a_description_with_one_stream_no_others_are_kept() -> None:
    audio = audio_of(SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 6 RTP/AVP 8\n"))
    assert (audio.index, audio.protocol, audio.layout) == (0, "RTP/AVP", ())
    assert write_offer(origin(7, "192.0.2.10"), LOCAL, audio.layout, audio.index).count(b"m=") == 1
