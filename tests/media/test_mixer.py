"""Adding voices: sums, clipping, and packets that are late, lost, doubled, in disorder, or nonsense."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.media.mixer import FRAME, KEPT_BACK, LONGEST, MAX_VOICES, Mixer, Voice, encode_sum, to_lanes
from kobza.rtp.g711 import SILENCE, Law, decode, encode
from kobza.rtp.packet import RtpPacket
from tests.support.spectrum import from_pcm16

WAITING = KEPT_BACK // FRAME

frames = st.binary(min_size=FRAME, max_size=FRAME)
laws = st.sampled_from(list(Law))


def samples(octets: bytes, law: Law) -> list[int]:
    return [round(sample * 32768) for sample in from_pcm16(decode(octets, law))]


@settings(max_examples=25)
@given(st.lists(st.tuples(laws, frames), min_size=1, max_size=MAX_VOICES), laws)
def test_a_sum_is_the_nearest_octet_to_the_sum_of_the_samples(voices: list[tuple[Law, bytes]], law: Law) -> None:
    mixed = encode_sum([to_lanes(octets, own) for own, octets in voices], law)
    expected = [sum(column) for column in zip(*(samples(octets, own) for own, octets in voices), strict=True)]
    assert mixed == encode(expected, law)


def test_nobody_is_silence() -> None:
    assert encode_sum([], Law.MU) == bytes([SILENCE[Law.MU]]) * FRAME


def packet(place: int, payload: bytes | None = None, *, ssrc: int = 1, at: int = 4_294_967_000) -> bytes:
    """Return the packet of a place in a stream whose time stamps run over; its octets say which it is."""
    told = bytes([place % 256]) * FRAME if payload is None else payload
    return RtpPacket(8, place % 65536, (at + place * FRAME) % 2**32, ssrc, told).to_bytes()


def heard(voice: Voice, count: int) -> list[int | None]:
    """Return the first octet of each of so many frames."""
    return [None if (frame := voice.frame()) is None else frame[1][0] for _ in range(count)]


def test_a_voice_is_heard_when_some_of_it_has_come() -> None:
    voice = Voice()
    assert heard(voice, 1) == [None]
    for place in range(WAITING):
        voice.packet(Law.A, packet(place))
    assert heard(voice, WAITING + 1) == [*range(WAITING), None]


def test_disorder_is_set_right_and_what_is_missing_is_silent() -> None:
    voice = Voice()
    for place in (0, 2, 1, 1, 4):
        voice.packet(Law.A, packet(place))
    assert heard(voice, 5) == [0, 1, 2, SILENCE[Law.A], 4]


def test_what_comes_too_late_is_left_out() -> None:
    voice = Voice()
    for place in (0, 1, 3):
        voice.packet(Law.A, packet(place))
    assert heard(voice, 3) == [0, 1, SILENCE[Law.A]]
    voice.packet(Law.A, packet(2))
    assert heard(voice, 1) == [3]


@pytest.mark.parametrize(("size", "count"), [(80, 4), (240, 2), (480, 1)])
def test_packets_may_be_of_any_length(size: int, count: int) -> None:
    voice = Voice()
    for place in range(count):
        payload = bytes([place]) * size
        voice.packet(Law.A, RtpPacket(8, place, place * size, 1, payload).to_bytes())
    whole = b"".join(frame[1] for _ in range(size * count // FRAME) if (frame := voice.frame()) is not None)
    assert whole == b"".join(bytes([place]) * size for place in range(count))[: len(whole)]
    assert len(whole) >= KEPT_BACK


def test_another_stream_begins_anew() -> None:
    voice = Voice()
    for place in range(3):
        voice.packet(Law.A, packet(place))
    assert heard(voice, 1) == [0]
    for place in range(50, 53):
        voice.packet(Law.A, packet(place, ssrc=2))
    assert heard(voice, 3) == [50, 51, 52]


def test_a_clock_that_is_too_fast_makes_it_no_later() -> None:
    voice, place = Voice(), 0
    for turn in range(5000):
        for _ in range(2 if turn % 100 == 0 else 1):  # 1 %
            voice.packet(Law.A, packet(place))
            place += 1
        voice.frame()
    behind = (place - 1) % 256 - heard(voice, 1)[0]  # type: ignore[operator]  # it says something
    assert 0 <= behind % 256 <= WAITING + 2


@settings(max_examples=60)
@given(st.lists(st.one_of(st.binary(min_size=12, max_size=400), st.integers(0, 9)), max_size=60), st.randoms())
def test_nothing_that_comes_breaks_a_voice_or_makes_it_grow(stream: list[bytes | int], luck: random.Random) -> None:
    voice = Voice()
    for each in stream:
        if isinstance(each, int):
            voice.packet(luck.choice(list(Law)), packet(each, bytes(luck.randrange(0, 500)), ssrc=luck.randrange(2)))
        else:
            voice.packet(Law.A, each)
        frame = voice.frame()
        assert frame is None or len(frame[1]) == FRAME
        assert len(voice._octets) <= LONGEST


def test_who_hears_nobody_hears_silence_and_one_voice_passes_as_it_came() -> None:
    mixer: Mixer[str] = Mixer()
    mixer.arrange({"one": ["two"], "two": ["one", "three"], "three": []})
    for place in range(WAITING):
        mixer.say("two", Law.A, packet(place, bytes(range(FRAME))))
        mixer.say("stranger", Law.A, packet(place))
    mixer.turn()
    assert mixer.heard_by("one", Law.A) == bytes(range(FRAME))
    assert mixer.heard_by("one", Law.MU) == encode(samples(bytes(range(FRAME)), Law.A), Law.MU)
    assert mixer.heard_by("two", Law.A) == mixer.heard_by("three", Law.A) == bytes([SILENCE[Law.A]]) * FRAME
