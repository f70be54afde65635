"""The audio of a description, read by its form: always what the parser says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sdp import reading
from kobza.sdp.audio import Audio, audio_of
from kobza.sdp.description import SessionDescription
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from kobza.sdp.reading import REMEMBERED, read_audio

USUAL = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 4000 RTP/AVP 8 101")
ATTRIBUTES = ("a=rtpmap:101 telephone-event/8000", "a=ptime:20", "a=sendonly")
PHONE = (*USUAL, *ATTRIBUTES)
OTHER_CALL = [line.replace("192.0.2.1", "198.51.100.7").replace("1 1", "3 4").replace("4000", "5002") for line in PHONE]


def text(*lines: str, end: str = "\r\n") -> bytes:
    return "".join(f"{line}{end}" for line in lines).encode()


def parsed(data: bytes) -> Audio | str:
    try:
        return audio_of(SessionDescription.parse(data))
    except (MalformedSdp, NotAcceptable) as error:
        return str(error)


def read(data: bytes) -> Audio | str:
    try:
        return read_audio(data)
    except (MalformedSdp, NotAcceptable) as error:
        return str(error)


@pytest.fixture(autouse=True)
def forgetful() -> None:
    reading.forms.clear()


def test_what_phones_of_one_kind_say_is_parsed_once() -> None:
    first, second = read_audio(text(*PHONE)), read_audio(text(*OTHER_CALL))
    assert len(reading.forms) == 1
    assert second.codecs is first.codecs
    assert (first, second) == (parsed(text(*PHONE)), parsed(text(*OTHER_CALL)))
    assert (second.destination.host, second.destination.port, second.destination.rtcp_port) == (
        "198.51.100.7",
        5002,
        5003,
    )


@pytest.mark.parametrize(
    "more",
    [
        ("a=rtcp:4001",),
        ("a=rtcp:4001 IN IP4 192.0.2.1",),
        ("c=IN IP4 192.0.2.1",),
        ("a=ssrc:4711 cname:x", "a=ssrc:4712 cname:y"),
        ("a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host", "a=ice-ufrag:x", "a=ice-pwd:y"),
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",),
    ],
)
def test_what_says_nothing_new_is_no_other_form(more: tuple[str, ...]) -> None:
    for lines in (PHONE, (*PHONE, *more)):
        assert read(text(*lines)) == parsed(text(*lines))
    forms = {form.replace("\nc=IN IP4 ", "") for form in reading.forms}
    assert len(forms) == 1


DIFFERENT = [
    ("a=rtcp:5005",),
    ("a=rtcp:4001 IN IP4 192.0.2.9",),
    ("c=IN IP4 192.0.2.9",),
    ("c=IN IP4 phone.example",),
    ("c=IN IP4 0.0.0.0",),
    ("c=IN IP6 fe80::1%a b",),
    ("m=video 6000 RTP/AVP 99",),
    ("m=audio 6000 RTP/AVP 0",),
    ("a=x\ra=recvonly",),
    ("x",),
    ("o=- 1 1 IN IP4",),
]


@pytest.mark.parametrize("more", DIFFERENT)
def test_what_says_more_is_parsed(more: tuple[str, ...]) -> None:
    read_audio(text(*PHONE))
    data = text(*PHONE, *more)
    assert read(data) == parsed(data)
    assert len(reading.forms) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=audio 4000 RTP/AVP", "m=audio 0 RTP/AVP"),
        ("m=audio 4000 RTP/AVP", "m=audio 65535 RTP/AVP"),
        ("m=audio 4000 RTP/AVP", "m=audio 65536 RTP/AVP"),
        ("m=audio 4000 RTP/AVP", "m=audio \N{ARABIC-INDIC DIGIT FOUR} RTP/AVP"),
        ("m=audio 4000 RTP/AVP", "m=audio 4000/2 RTP/AVP"),
        ("m=audio 4000 RTP/AVP", "m=audio 4000 RTP/SAVP"),
        ("m=audio 4000 RTP/AVP", "m=audio 4000 RTP/AVPX"),
        ("m=audio 4000 RTP/AVP", "m=video 4000 RTP/AVP"),
        ("m=audio 4000 RTP/AVP 8 101", "m=audio 4000 RTP/AVP"),
        ("m=audio 4000 RTP/AVP 8 101", "a=x"),
        ("m=audio 4000", "m=audio 0 RTP/AVP 0\r\nm=audio 4000"),
        ("m=audio 4000", "m=audio 4000 RTP/AVP 0\r\nm=audio 0"),
        ("m=audio 4000", "m=image 0 udptl t38\r\nm=audio 4000"),
        ("o=- 1 1 IN IP4 192.0.2.1", "a=x"),
        ("o=- 1 1 IN IP4 192.0.2.1", "o=- 1 1 IN IP4"),
        ("c=IN IP4 192.0.2.1", "a=x"),
        ("c=IN IP4 192.0.2.1", "c=IN IP4:192.0.2.1"),
        ("v=0", "v=1"),
    ],
)
def test_what_is_not_plain_is_parsed(old: str, new: str) -> None:
    read_audio(text(*PHONE))
    data = text(*[line.replace(old, new) for line in PHONE])
    assert read(data) == parsed(data)
    assert len(reading.forms) == 1


def test_one_port_for_rtp_and_rtcp_stays_one() -> None:
    for lines in (PHONE, OTHER_CALL):
        assert read(text(*lines, "a=rtcp-mux")) == parsed(text(*lines, "a=rtcp-mux"))
    assert len(reading.forms) == 1


def test_a_long_description_is_parsed_each_time() -> None:
    for lines in ((*PHONE, "a=x:" + "y" * 2000), (*PHONE, *["a=ssrc:"] * 10, *[""] * 1000)):
        assert read(text(*lines)) == parsed(text(*lines))
    assert not reading.forms


def test_lines_that_end_in_their_own_way_are_parsed() -> None:
    for data in (text(*PHONE, end="\n"), text(*PHONE, end="\r"), text(*PHONE, "a=x\na=recvonly")):
        assert read(data) == parsed(data)
    assert not reading.forms


def test_forms_are_bounded() -> None:
    for number in range(3 * REMEMBERED):
        read_audio(text(*PHONE, f"a=x-own:{number}"))
        assert len(reading.forms) <= REMEMBERED


LINES = st.lists(
    st.one_of(
        st.sampled_from([*PHONE, *OTHER_CALL, *(line for lines in DIFFERENT for line in lines)]),
        st.sampled_from(
            ["a=rtcp:4001", "a=rtcp:5003", "a=rtcp-mux", "a=ssrc:1 x", "a=recvonly", "c=IN IP6 2001:DB8::0"]
        ),
        st.builds("{}={}".format, st.sampled_from("acmosx"), st.text(max_size=12)),
        st.builds("m=audio {} RTP/AVP {}".format, st.integers(-5, 70000), st.integers(-5, 300)),
        st.text(max_size=10),
    ),
    max_size=6,
)


@given(st.lists(LINES, min_size=2, max_size=6), st.sampled_from(["\r\n", "\n", "\r"]))
def test_descriptions_read_one_after_the_other_are_read_as_each_alone(many: list[list[str]], end: str) -> None:
    for more in many:
        for lines in ((*PHONE, *more), (*USUAL[:5], *more, *USUAL[5:]), (*OTHER_CALL, *more), more):
            data = text(*lines, end=end)
            assert read(data) == parsed(data)


@given(st.binary(max_size=400))
def test_bytes(data: bytes) -> None:
    assert read(data) == parsed(data)
