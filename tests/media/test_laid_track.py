"""What is laid over a voice in a recording: where it lies, what it adds, and that damage does no harm."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from kobza.media.laid_track import LaidTrack
from kobza.media.spool import LAID_HEAD
from kobza.media.track import Track
from kobza.rtp.g711 import Law, decode, encode

LOUD = encode([20_000] * 160, Law.A)
(LEVEL,) = struct.unpack("<h", decode(LOUD[:1], Law.A))


def part(sound: int, place: int, octets: bytes = LOUD) -> bytes:
    return LAID_HEAD.pack(sound, place) + octets


def over(laid: LaidTrack, level: int, count: int) -> tuple[int, ...]:
    """Return the samples of a voice of one level with what was laid over it."""
    pcm = struct.pack(f"<{count}h", *[level] * count)
    low, high = laid.over((pcm[0::2], pcm[1::2]), count)
    return tuple(int.from_bytes(bytes(pair), "little", signed=True) for pair in zip(low, high, strict=True))


def test_a_sound_goes_on_at_its_own_pace_and_is_added() -> None:
    laid = LaidTrack(Track())
    laid.take(part(1, 0), 1000)
    laid.take(part(1, 160), 1175)  # was 15 samples late
    laid.take(part(2, 0), 3000)
    samples = over(laid, 100, 2000)
    assert samples == (100,) * 1000 + (LEVEL + 100,) * 320 + (100,) * 680
    assert over(laid, 20_000, 1160) == (20_000,) * 1000 + (32_767,) * 160, "as loud as it can be, and no louder"
    assert over(laid, 7, 10) == (7,) * 10


@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(0, 40_000), st.integers(0, 4000)), max_size=20))
def test_any_records(records: list[tuple[bytes, int, int]]) -> None:
    laid, now = LaidTrack(Track()), 0
    for data, later, count in records:
        now += later
        laid.take(data, now)
        assert len(over(laid, 0, count)) == count
