"""Whatever arrives, a description or MalformedSdp comes out; and what comes out can be written and read again."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sdp.audio import audio_of
from kobza.sdp.description import SessionDescription
from kobza.sdp.errors import MalformedSdp, NotAcceptable
from tests.sdp.test_description import PHONE
from tests.sdp.test_sdes import KEY_30
from tests.sdp.test_webrtc import SHA_256, browser

LINES = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.builds("{}={}".format, st.sampled_from("acmobtsv"), st.text(max_size=30)),
        st.builds(
            "a={}:{}".format, st.sampled_from(["rtpmap", "fmtp", "rtcp", "ptime", "rtcp-mux"]), st.text(max_size=20)
        ),
        st.builds(
            "a={}:{}".format,
            st.sampled_from(["ice-ufrag", "ice-pwd", "fingerprint", "setup", "mid", "group"]),
            st.one_of(st.text(max_size=20), st.sampled_from(["abcdefghijklmnopqrstuvwx", "passive", "BUNDLE 0"])),
        ),
        st.builds("a=crypto:1 {} inline:{}".format, st.sampled_from(["AEAD_AES_128_GCM", "x"]), st.text(max_size=50)),
        st.sampled_from(["m=audio 9 RTP/SAVP 0", f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}"]),
        st.sampled_from(["m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=rtcp-mux", f"a=fingerprint:sha-256 {SHA_256}"]),
        st.builds("m=audio {} RTP/AVP {}".format, st.integers(-5, 70000), st.integers(-5, 300)),
        st.sampled_from(["c=IN IP4 192.0.2.1", "c=IN IP6 ::1", "a=sendonly", "a=rtpmap:96 opus/48000/2"]),
    ),
    max_size=30,
)


def read(data: bytes) -> bool:
    """Read as far as it goes; True when it was a description."""
    try:
        description = SessionDescription.parse(data)
    except MalformedSdp:
        return False
    again = SessionDescription.parse(description.to_bytes())
    assert again.media == description.media
    with suppress(NotAcceptable):
        audio_of(description)
    return True


@given(st.binary(max_size=400))
def test_bytes(data: bytes) -> None:
    read(data)


@given(LINES)
def test_lines(lines: list[str]) -> None:
    read("\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.1", *lines]).encode())


@pytest.mark.parametrize("said", [PHONE, browser().to_bytes()], ids=["phone", "browser"])
def test_mutations_of_a_real_description(said: bytes) -> None:
    chance = random.Random(4711)
    accepted = 0
    for _ in range(10_000):
        data = bytearray(said)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randint(1, 20)]
                case _:
                    data[place:place] = chance.choice(
                        [b"\r\n", b"=", b"m=", b"99999999999", b"\0", bytes([chance.randrange(256)])]
                    )
        accepted += read(bytes(data))
    assert 500 < accepted < 9_500
