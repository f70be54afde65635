"""How long Opus packets sound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.rtp.errors import MalformedRtp
from kobza.rtp.opus import MAX_SAMPLES, samples_of

FRAME_MS = (*([10, 20, 40, 60] * 3), *([10, 20] * 2), *([2.5, 5, 10, 20] * 4))
"""RFC 6716, table 2: of a frame, by the configuration, 0 to 31."""


@pytest.mark.parametrize("configuration", range(32))
def test_a_packet_sounds_as_long_as_its_frames(configuration: int) -> None:
    units = int(FRAME_MS[configuration] * 48)
    first = configuration << 3
    for stereo in (0, 4):
        assert samples_of(bytes([first | stereo])) == units  # an empty frame: nothing was sent, it sounds all the same
        assert samples_of(bytes([first | stereo | 1, 7])) == 2 * units
        assert samples_of(bytes([first | stereo | 2, 1, 7])) == 2 * units
        most = MAX_SAMPLES // units
        for frames in range(1, 64):
            packet = bytes([first | stereo | 3, 0xC0 | frames])  # with padding, of different lengths
            if frames <= most:
                assert samples_of(packet) == frames * units
            else:
                with pytest.raises(MalformedRtp, match=r"2\.5 to 120 ms"):
                    samples_of(packet)


def test_a_frame_of_an_encoder() -> None:
    assert samples_of(bytes.fromhex("78836cb85ff9990463fa29bcfcf0cd72")) == 960


@pytest.mark.parametrize(
    ("payload", "what"), [(b"", "one byte at least"), (b"\x7b", "second byte"), (b"\x7b\xc0", "2.5 to 120 ms")]
)
def test_what_is_no_packet_is_said(payload: bytes, what: str) -> None:
    with pytest.raises(MalformedRtp, match=what):
        samples_of(payload)


@given(st.binary(max_size=4))
def test_whatever_comes_sounds_for_120_ms_at_most_or_is_malformed(payload: bytes) -> None:
    try:
        units = samples_of(payload)
    except MalformedRtp:
        assert not payload or payload[0] & 3 == 3
        return
    assert 120 <= units <= MAX_SAMPLES
    assert units % 120 == 0
