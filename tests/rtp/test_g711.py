"""G.711 against the values of the recommendation and against itself."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.rtp.g711 import SILENCE, Law, decode, encode, encode_pcm


def samples(octets: bytes, law: Law) -> list[int]:
    return [sample for (sample,) in struct.iter_unpack("<h", decode(octets, law))]


@pytest.mark.parametrize(
    ("law", "octet", "sample"),
    # ITU-T G.711 tables 1 and 2: the outermost, an inner and the smallest values, scaled to 16 bits.
    [
        (Law.MU, 0x80, 32124),
        (Law.MU, 0x00, -32124),
        (Law.MU, 0xFF, 0),
        (Law.MU, 0xFE, 8),
        (Law.MU, 0xEF, 132),
        (Law.A, 0xAA, 32256),
        (Law.A, 0x2A, -32256),
        (Law.A, 0xD5, 8),
        (Law.A, 0x55, -8),
        (Law.A, 0xF5, 528),
    ],
)
def test_values_of_the_recommendation(law: Law, octet: int, sample: int) -> None:
    assert samples(bytes([octet]), law) == [sample]


@pytest.mark.parametrize("law", Law)
def test_every_octet_survives(law: Law) -> None:
    octets = bytes(range(256))
    again = encode(samples(octets, law), law)
    # mu-law has a negative zero, which is written as the positive one.
    assert again == (octets.replace(b"\x7f", b"\xff") if law is Law.MU else octets)


@pytest.mark.parametrize("law", Law)
@given(st.lists(st.integers(-32768, 32767), max_size=50))
def test_the_error_is_small(law: Law, values: list[int]) -> None:
    for value, heard in zip(values, samples(encode(values, law), law), strict=True):
        assert abs(heard - value) <= max(16, abs(value) // 16, abs(value) - 32124)


@pytest.mark.parametrize("law", Law)
def test_louder_than_possible_is_clipped(law: Law) -> None:
    assert encode([100_000, -100_000], law) == encode([32767, -32768], law)


@pytest.mark.parametrize("law", Law)
def test_silence(law: Law) -> None:
    assert encode([0], law) == bytes([SILENCE[law]])


def test_pcm_is_little_endian_and_whole_samples() -> None:
    assert encode_pcm(struct.pack("<3h", 0, 1000, -1000) + b"\x01", Law.A) == encode([0, 1000, -1000], Law.A)
