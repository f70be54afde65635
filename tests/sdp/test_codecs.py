"""Codecs out of m-lines and attributes."""

from kobza.sdp.codecs import (
    EVENTS,
    OWN_CODECS,
    PCMA,
    PCMU,
    Codec,
    codecs_of,
    codecs_with_types_of,
    common_codecs,
    first_speech_with_events,
    has_events,
    has_speech,
    in_order_of,
    with_events_of,
    with_more,
)
from kobza.sdp.description import Media

OPUS = Codec(96, "opus", 48000, 2, "useinbandfec=1")


def media(*formats: str, **attributes: list[str]) -> Media:
    pairs = tuple((name, value) for name, values in attributes.items() for value in values)
    return Media("audio", 4000, "RTP/AVP", formats, attributes=pairs)


def test_static_types_need_no_rtpmap() -> None:
    assert codecs_of(media("8", "0", "18", "13")) == (
        PCMA,
        PCMU,
        Codec(18, "G729", 8000),
        Codec(13, "CN", 8000),
    )


def test_dynamic_types_are_described() -> None:
    described = media(
        "96", "101", rtpmap=["96 opus/48000/2", "101 telephone-event/8000"], fmtp=["96 useinbandfec=1", "101 0-16"]
    )
    assert codecs_of(described) == (OPUS, EVENTS)


def test_a_codec_writes_what_was_read() -> None:
    assert OPUS.attributes == [("rtpmap", "96 opus/48000/2"), ("fmtp", "96 useinbandfec=1")]
    assert PCMA.attributes == [("rtpmap", "8 PCMA/8000")]


def test_what_nobody_could_use_is_left_out() -> None:
    odd = media(
        *("0", "0", "x", "128", "٣", "97", "98", "99", "100", "1", "102", "103", "104"),
        rtpmap=[
            "97 /8000",
            "98 foo/0",
            "99 foo/x",
            "100 foo/8000/0",
            "x foo/8000",
            "200 foo/8000",
            "102 a b/8000",
            "103 ä/8000",
            "104 \x07/8000",
        ],
    )
    assert codecs_of(odd) == (PCMU,)


def test_nothing_hides_in_parameters() -> None:
    assert codecs_of(media("0", fmtp=["0 a\x00b"])) == (PCMU,)


def test_the_first_rtpmap_of_a_type_counts() -> None:
    assert codecs_of(media("96", rtpmap=["96 foo/8000", "96 bar/8000"])) == (Codec(96, "foo", 8000),)


def test_common_codecs_ignore_numbers_and_case() -> None:
    theirs = (Codec(97, "pcma", 8000), Codec(100, "Telephone-Event", 8000))
    assert common_codecs((PCMU, PCMA, EVENTS), theirs) == (PCMA, EVENTS)
    assert common_codecs((OPUS,), (Codec(96, "opus", 48000, 1),)) == ()


def test_an_answer_takes_the_numbers_of_the_offer() -> None:
    numbering = (Codec(97, "PCMA", 8000), Codec(100, "telephone-event", 8000), Codec(102, "telephone-event", 8000))
    answered = codecs_with_types_of((PCMA, PCMU, EVENTS, Codec(110, "telephone-event", 8000)), numbering)
    assert [codec.payload_type for codec in answered] == [97, 100]


def test_speech_is_told_from_what_goes_with_it() -> None:
    assert has_speech(OWN_CODECS)
    assert not has_speech((EVENTS, Codec(13, "CN", 8000)))


def test_the_first_codec_brings_its_events() -> None:
    wide = Codec(102, "telephone-event", 48000)
    assert first_speech_with_events((Codec(13, "CN", 8000), EVENTS, wide, OPUS, PCMA)) == (OPUS, wide)
    assert first_speech_with_events((PCMU, PCMA, EVENTS, EVENTS)) == (PCMU, EVENTS)
    assert first_speech_with_events((PCMU, wide)) == (PCMU,)
    assert first_speech_with_events((EVENTS,)) == ()


def test_an_order_is_taken_from_others_and_payload_types_from_ones_own() -> None:
    theirs = (Codec(97, "telephone-event", 8000), Codec(8, "pcma", 8000), OPUS)
    twice = Codec(110, "PCMA", 8000)
    assert in_order_of(theirs, (PCMU, PCMA, twice, EVENTS)) == (EVENTS, PCMA)


def test_more_codecs_come_behind_and_take_only_what_is_free() -> None:
    taken = Codec(PCMU.payload_type, "G722", 8000)
    assert with_more((EVENTS, PCMU), (Codec(97, "pcmu", 8000), taken, PCMA)) == (PCMU, PCMA, EVENTS)
    assert with_more((), (PCMU, PCMU)) == (PCMU,)


def test_events_of_others_are_added_where_they_go_with_what_is_sent() -> None:
    wide = Codec(102, "Telephone-Event", 48000)
    assert has_events((PCMA, wide))
    assert not has_events((PCMA, OPUS))
    assert with_events_of((PCMA, OPUS), (wide, PCMU, EVENTS)) == (PCMA, OPUS, EVENTS)
    assert with_events_of((OPUS, PCMA), (EVENTS, wide)) == (OPUS, PCMA, wide)
    assert with_events_of((PCMA, wide), (EVENTS,)) == (PCMA, wide)  # it has some
    assert with_events_of((PCMA,), (wide, PCMU)) == (PCMA,)
    assert with_events_of((PCMA, Codec(101, "speex", 8000)), (EVENTS,)) == (PCMA, Codec(101, "speex", 8000))
    assert with_events_of((), (EVENTS,)) == ()
