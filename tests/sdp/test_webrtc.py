"""What browsers say of their transport, and what they are told."""

import pytest

from kobza.sdp.audio import Direction, audio_of
from kobza.sdp.codecs import PCMA
from kobza.sdp.description import SessionDescription
from kobza.sdp.errors import NotAcceptable
from kobza.sdp.negotiation import LocalAudio, origin, write_answer, write_offer
from kobza.sdp.webrtc import Setup, WebRtcEnd, WebRtcPeer, candidate_hosts

SHA_256 = ":".join(f"{octet:02X}" for octet in range(32))
SHA_512 = ":".join(f"{octet:02X}" for octet in range(64))
SESSION = ("a=group:BUNDLE 0", "a=extmap-allow-mixed")
STREAM = (
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=candidate:1 1 udp 2113937151 4a2a.local 54321 typ host generation 0",
    "a=ice-ufrag:aB3/",
    "a=ice-pwd:abcdefghijklmnopqrst+/12",
    "a=ice-options:trickle",
    f"a=fingerprint:sha-256 {SHA_256}",
    "a=setup:actpass",
    "a=mid:0",
    "a=sendrecv",
    "a=rtcp-mux",
    "a=rtpmap:111 opus/48000/2",
    "a=rtcp-fb:111 transport-cc",
)
OUR_END = WebRtcEnd(
    ("198.51.100.1", "10.0.0.1"), "ufrag", "password", f"sha-256 {SHA_256}", Setup.PASSIVE, "0", bundled=True
)


def browser(
    *lines: str, without: str = "", session: tuple[str, ...] = SESSION, protocol: str = "UDP/TLS/RTP/SAVPF"
) -> SessionDescription:
    """What a browser says, with more lines, and without those that begin so."""
    stream = [line for line in STREAM if not (without and line.startswith(without))]
    text = ("v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", *session, f"m=audio 9 {protocol} 111 8", *stream, *lines)
    return SessionDescription.parse("".join(f"{line}\r\n" for line in text).encode())


def peer(description: SessionDescription) -> WebRtcPeer:
    webrtc = audio_of(description).webrtc
    assert webrtc is not None
    return webrtc


def test_what_a_browser_says() -> None:
    audio = audio_of(browser())
    assert audio.webrtc == WebRtcPeer("aB3/", (f"sha-256 {SHA_256}",), Setup.ACTPASS, "0", bundled=True)
    assert [codec.name for codec in audio.codecs] == ["opus", "PCMA"]
    # No address before the candidates are looked at, which is no hold.
    assert audio.direction is Direction.SENDRECV
    assert audio.destination.mux


def test_a_plain_phone_has_none_of_it() -> None:
    assert audio_of(browser(protocol="RTP/AVP")).webrtc is None
    assert audio_of(browser(protocol="RTP/AVP")).direction is Direction.SENDONLY


@pytest.mark.parametrize("protocol", ["UDP/TLS/RTP/SAVP", "udp/tls/rtp/savpf"])
def test_the_profile_without_feedback_will_do(protocol: str) -> None:
    assert peer(browser(protocol=protocol)).ufrag == "aB3/"


def test_lines_of_the_session_hold_for_the_stream() -> None:
    moved = ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup")
    session = (*SESSION, *(line for line in STREAM if line.startswith(moved)))
    text = [line for line in STREAM if not line.startswith(moved)]
    lines = ("v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", *session, "m=audio 9 UDP/TLS/RTP/SAVPF 8", *text)
    assert peer(SessionDescription.parse("\n".join(lines).encode())) == peer(browser())


def test_the_strongest_hash_counts_and_all_certificates_of_it() -> None:
    lower = SHA_512.lower()
    others = ("a=fingerprint:sha-1 00:11", f"a=fingerprint:SHA-512 {lower}", f"a=fingerprint:sha-512 {SHA_512[:-2]}00")
    assert peer(browser(*others)).fingerprints == (f"sha-512 {SHA_512}", f"sha-512 {SHA_512[:-2]}00")


@pytest.mark.parametrize(
    "wrong", ["sha-1 00:11", "sha-256", f"sha-256 {SHA_256[:-3]}", f"sha-256 {SHA_256[:-2]}XY", "md5 00"]
)
def test_without_a_strong_fingerprint_there_is_no_call(wrong: str) -> None:
    with pytest.raises(NotAcceptable, match="fingerprint of sha-256"):
        audio_of(browser(f"a=fingerprint:{wrong}", without="a=fingerprint"))


@pytest.mark.parametrize(
    ("missing", "instead", "reason"),
    [
        ("a=rtcp-mux", "a=x", "rtcp-mux"),
        ("a=ice-ufrag", "a=x", "ice-ufrag and ice-pwd"),
        ("a=ice-ufrag", "a=ice-ufrag:abc", "ice-ufrag and ice-pwd"),
        ("a=ice-pwd", "a=ice-pwd:tooshort", "ice-ufrag and ice-pwd"),
        ("a=ice-pwd", "a=ice-pwd:not an ice character at all", "ice-ufrag and ice-pwd"),
        ("a=setup", "a=setup:holdconn", "active, passive or actpass"),
    ],
)
def test_what_is_missing_is_named(missing: str, instead: str, reason: str) -> None:
    with pytest.raises(NotAcceptable, match=reason):
        audio_of(browser(instead, without=missing))


def test_who_says_nothing_of_the_handshake_begins_it() -> None:
    assert peer(browser(without="a=setup")).setup is Setup.ACTIVE


@pytest.mark.parametrize(
    ("said", "answered"),
    [(Setup.ACTPASS, Setup.PASSIVE), (Setup.ACTIVE, Setup.PASSIVE), (Setup.PASSIVE, Setup.ACTIVE)],
)
def test_we_wait_for_the_handshake_when_we_may(said: Setup, answered: Setup) -> None:
    assert said.answered is answered


@pytest.mark.parametrize("mid", ["", "a=mid:no token", "a=mid:" + "x" * 65])
def test_a_stream_without_a_usable_name_has_none(mid: str) -> None:
    assert peer(browser(*filter(None, [mid]), without="a=mid")) == WebRtcPeer(
        "aB3/", (f"sha-256 {SHA_256}",), Setup.ACTPASS, "", bundled=False
    )


def test_a_stream_outside_the_bundle() -> None:
    assert not peer(browser(session=("a=group:BUNDLE 1", "a=group:LS 0"))).bundled


def test_our_offer_to_a_browser() -> None:
    local = LocalAudio("198.51.100.1", 20000, (PCMA,), mux=True, webrtc=OUR_END)
    offer = write_offer(origin(1, "198.51.100.1"), local)
    assert offer.decode().split("\r\n")[3:-1] == [
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=ice-lite",
        "m=audio 20000 UDP/TLS/RTP/SAVPF 8",
        "a=rtpmap:8 PCMA/8000",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=mid:0",
        "a=msid:kobza audio",
        "a=ice-ufrag:ufrag",
        "a=ice-pwd:password",
        f"a=fingerprint:sha-256 {SHA_256}",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 198.51.100.1 20000 typ host",
        "a=candidate:2 1 udp 2130706175 10.0.0.1 20000 typ host",
        "a=end-of-candidates",
    ]


def test_our_answer_names_the_stream_only_when_it_has_a_name() -> None:
    offer = browser("m=video 9 UDP/TLS/RTP/SAVPF 96", without="a=mid", protocol="UDP/TLS/RTP/SAVP")
    nameless = WebRtcEnd(("198.51.100.1",), "ufrag", "password", "sha-256 00", Setup.ACTIVE, "", bundled=False)
    local = LocalAudio("198.51.100.1", 20000, (PCMA,), mux=True, webrtc=nameless)
    answer = SessionDescription.parse(write_answer(origin(1, "198.51.100.1"), local, audio_of(offer)))
    assert answer.attributes == (("ice-lite", None),)
    assert [(media.port, media.protocol) for media in answer.media] == [
        (20000, "UDP/TLS/RTP/SAVP"),
        (0, "UDP/TLS/RTP/SAVPF"),
    ]
    assert answer.media[0].get("mid") is None
    assert answer.media[0].get("setup") == "active"


@pytest.mark.parametrize(
    ("public", "bound", "told"),
    [
        (None, "10.0.0.1", ("10.0.0.1",)),
        ("10.0.0.1", "10.0.0.1", ("10.0.0.1",)),
        ("192.0.2.1", "10.0.0.1", ("192.0.2.1", "10.0.0.1")),
        ("2001:db8::1", "10.0.0.1", ("2001:db8::1",)),
    ],
)
def test_the_public_address_comes_first(public: str | None, bound: str, told: tuple[str, ...]) -> None:
    assert candidate_hosts(public, bound) == told
