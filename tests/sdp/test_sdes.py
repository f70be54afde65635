"""Keys of SRTP in a description: which line is taken, and which are none that can be kept to."""

import pytest

from kobza.sdp.audio import audio_of
from kobza.sdp.codecs import PCMA
from kobza.sdp.description import SessionDescription
from kobza.sdp.errors import NotAcceptable
from kobza.sdp.negotiation import LocalAudio, origin, write_answer, write_offer
from kobza.sdp.sdes import Crypto

KEY_30 = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
"""RFC 4568, section 9.1."""
KEY_28 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw=="


def phone(*lines: str, protocol: str = "RTP/SAVP") -> SessionDescription:
    text = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", f"m=audio 4000 {protocol} 8")
    return SessionDescription.parse("".join(f"{line}\r\n" for line in (*text, *lines)).encode())


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}", Crypto("1", "AES_CM_128_HMAC_SHA1_80", KEY_30)),
        (f"3 AES_CM_128_HMAC_SHA1_32 inline:{KEY_30}|2^20 WSH=64", Crypto("3", "AES_CM_128_HMAC_SHA1_32", KEY_30)),
        (f"007  aead_aes_128_gcm  Inline:{KEY_28}|1048576", Crypto("007", "AEAD_AES_128_GCM", KEY_28)),
        (
            f"1 F8_128_HMAC_SHA1_80 inline:{KEY_30}\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
            Crypto("2", "AES_CM_128_HMAC_SHA1_80", KEY_30),
        ),
    ],
)
def test_the_first_line_that_is_spoken_here_is_taken(lines: str, expected: Crypto) -> None:
    audio = audio_of(phone(f"a=crypto:{lines}"))
    assert audio.sdes == expected
    assert audio.webrtc is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        f"AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}",
        f"1 AES_256_CM_HMAC_SHA1_80 inline:{KEY_30}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_28}",
        f"1 AEAD_AES_128_GCM inline:{KEY_28[:-2]}",
        f"1 AEAD_AES_128_GCM inline:{KEY_30}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30[:-1]}!",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}|2^20|1:4",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30};inline:{KEY_30}",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30} UNENCRYPTED_SRTP",
        f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30} KDR=3",
    ],
)
def test_what_cannot_be_kept_to_is_not_agreed_to(line: str) -> None:
    with pytest.raises(
        NotAcceptable, match=r"RTP/SAVP needs a=crypto with one key and one of AES_CM_128_HMAC_SHA1_80, "
    ):
        audio_of(phone(f"a=crypto:{line}"))


def test_keys_beside_plain_rtp_are_not_looked_at() -> None:
    assert audio_of(phone(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}", protocol="RTP/AVP")).sdes is None


def test_our_offer_and_answer() -> None:
    ours = Crypto("1", "AES_CM_128_HMAC_SHA1_80", KEY_30)
    local = LocalAudio("198.51.100.1", 20000, (PCMA,), sdes=ours)
    offer = write_offer(origin(1, "198.51.100.1"), local).decode()
    assert "m=audio 20000 RTP/SAVP 8\r\n" in offer
    assert f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}\r\n" in offer
    theirs = phone(f"a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}", protocol="RTP/SAVPF")
    answer = SessionDescription.parse(write_answer(origin(1, "198.51.100.1"), local, audio_of(theirs)))
    assert answer.media[0].protocol == "RTP/SAVPF"
    assert answer.media[0].get_all("crypto") == [f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}"]
