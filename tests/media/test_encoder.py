"""Spools to mp3: who is where, and when. Proven by tones, clicks at known times, and damage."""

import hashlib
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from kobza.media import encoder
from kobza.media.encoder import encode
from kobza.media.plane import Side
from kobza.media.spool import LAST_KIND, RECORD, MalformedSpool
from kobza.media.track import Track
from kobza.rtp.g711 import Law
from kobza.rtp.g711 import encode as g711
from kobza.rtp.packet import RtpPacket
from tests.media.phone_end import tone
from tests.media.spools import Packet, decode_mp3, hear_spool, needs_mp3, stream, write_spool
from tests.support.spectrum import Samples, dominant_tone, loudness, tone_share, tones_over_time

CALLER, CALLEE = Side.CALLER, Side.CALLEE
TOLERANCE = 0.02
"""Seconds: how exactly a sound has to be where it belongs."""


def onset(sound: Samples, after: float = 0.0) -> float:
    """Return when something is heard first, in seconds."""
    start = int(after * 8000)
    return after + float(np.argmax(np.abs(sound[start:]) > 0.05)) / 8000


def end(sound: Samples) -> float:
    """Return when something is heard last, in seconds."""
    return (len(sound) - float(np.argmax(np.abs(sound[::-1]) > 0.05))) / 8000


@needs_mp3
@pytest.mark.parametrize("law", Law)
def test_caller_left_callee_right(tmp_path: Path, law: Law) -> None:
    packets = stream(CALLER, tone(440, 150, law), law=law) + stream(CALLEE, tone(660, 150, law), law=law, ssrc=2)
    left, right = hear_spool(tmp_path, packets, 3.0)
    assert dominant_tone(left) == pytest.approx(440, abs=2)
    assert dominant_tone(right) == pytest.approx(660, abs=2)
    # Nothing of one is heard on the other's side, and it is as loud as it was said.
    assert tone_share(left, 660) < 0.001
    assert tone_share(right, 440) < 0.001
    assert loudness(left[1000:-1000]) == pytest.approx(8000 / 32768 / math.sqrt(2), rel=0.1)


@needs_mp3
def test_each_sound_is_at_its_time(tmp_path: Path) -> None:
    packets = stream(CALLER, tone(440, 25), start=1.0) + stream(CALLEE, tone(660, 25), start=2.2, ssrc=2)
    left, right = hear_spool(tmp_path, packets, 4.321)
    assert onset(left) == pytest.approx(1.0, abs=TOLERANCE)
    assert end(left) == pytest.approx(1.5, abs=TOLERANCE)
    assert onset(right) == pytest.approx(2.2, abs=TOLERANCE)
    assert end(right) == pytest.approx(2.7, abs=TOLERANCE)


@needs_mp3
def test_lost_packets_are_silence_and_move_nothing(tmp_path: Path) -> None:
    packets = stream(CALLER, tone(440, 150))
    left, _ = hear_spool(tmp_path, packets[:50] + packets[75:], 3.0)
    assert tones_over_time(left, 0.25) == pytest.approx([440] * 4 + [None] * 2 + [440] * 6, abs=5)


@needs_mp3
def test_jitter_reordering_and_duplicates_are_not_heard(tmp_path: Path) -> None:
    clean = stream(CALLER, tone(440, 150))
    damaged: list[Packet] = []
    for number, (side, arrived, packet) in enumerate(clean):
        late = (0.0, 0.013, 0.055, 0.002, 0.09)[number % 5] if number > 5 else 0.0
        damaged.append((side, arrived + late, packet))
        if number % 7 == 0:
            damaged.append((side, arrived + 0.12, packet))
    left, _ = hear_spool(tmp_path, damaged, 3.2)
    assert tones_over_time(left[:24000], 0.25) == pytest.approx([440] * 12, abs=5)
    assert end(left) == pytest.approx(3.0, abs=TOLERANCE)
    # A tone with a break or a step in it is no clean tone any more.
    assert tone_share(left[1000:23000], 440) > 0.99


@needs_mp3
def test_a_late_first_packet_does_not_shift_the_rest(tmp_path: Path) -> None:
    packets = stream(CALLER, tone(440, 100), start=0.5)
    side, arrived, first = packets[0]
    left, _ = hear_spool(tmp_path, [(side, arrived + 0.3, first), *packets[1:]], 3.0)
    assert onset(left) == pytest.approx(0.5, abs=TOLERANCE)
    assert end(left) == pytest.approx(2.5, abs=TOLERANCE)


@needs_mp3
def test_a_burst_after_a_stall_moves_nothing(tmp_path: Path) -> None:
    """The network stands still for 0.4 s, then all that waited comes at once."""
    packets = [
        (side, 1.4 if 1.0 < arrived < 1.4 else arrived, packet)
        for side, arrived, packet in stream(CALLER, tone(440, 150))
    ]
    left, _ = hear_spool(tmp_path, packets, 3.0)
    assert tone_share(left[1000:23000], 440) > 0.99


@needs_mp3
def test_silence_that_a_phone_counts_and_silence_that_it_does_not(tmp_path: Path) -> None:
    sound = tone(440, 50)
    counted = stream(CALLER, sound) + stream(CALLER, sound, start=2.0, timestamp=1000 + 2 * 8000)
    uncounted = stream(CALLEE, sound, ssrc=2) + stream(CALLEE, sound, start=2.0, timestamp=1000 + 8000, ssrc=2)
    for side in hear_spool(tmp_path, counted + uncounted, 3.0):
        assert tones_over_time(side, 0.25) == pytest.approx([440] * 4 + [None] * 4 + [440] * 4, abs=5)


@needs_mp3
@pytest.mark.parametrize("ssrc", [1, 9])
@pytest.mark.parametrize("timestamp", [5, 2**31 + 77, 2**32 - 800])
def test_a_stream_that_begins_anew(tmp_path: Path, ssrc: int, timestamp: int) -> None:
    sound = tone(440, 50)
    packets = stream(CALLER, sound) + stream(CALLER, sound, start=1.5, ssrc=ssrc, timestamp=timestamp)
    left, _ = hear_spool(tmp_path, packets, 3.0)
    assert tones_over_time(left, 0.25) == pytest.approx([440] * 4 + [None] * 2 + [440] * 4 + [None] * 2, abs=5)


@needs_mp3
def test_many_streams_of_one_side(tmp_path: Path) -> None:
    packets = [
        packet
        for number in range(12)
        for packet in stream(CALLER, tone(440, 10), start=0.2 * number, ssrc=number, timestamp=number * 10**8)
    ]
    left, _ = hear_spool(tmp_path, packets, 2.4)
    assert tones_over_time(left, 0.2) == pytest.approx([440] * 12, abs=6)


@needs_mp3
def test_clocks_that_drift_stay_together(tmp_path: Path) -> None:
    """A phone whose clock runs 0.1 % slow: after 100 s its sound would be 0.1 s early."""
    payloads = tone(440, 5000)
    slow = [
        (
            CALLER,
            0.02 * 1.001 * (n + 1),
            RtpPacket(8, n, 160 * n, 1, payloads[n] if n % 500 == 499 else bytes([0xD5]) * 160),
        )
        for n in range(5000)
    ]
    left, _ = hear_spool(tmp_path, slow, 101.0)
    for click in range(1, 10):
        expected = 0.02 * 1.001 * 500 * click - 0.02
        assert onset(left, expected - 0.5) == pytest.approx(expected, abs=0.025)


@needs_mp3
def test_damaged_packets_are_left_out(tmp_path: Path) -> None:
    packets = stream(CALLER, tone(440, 100))
    path = write_spool(tmp_path / "spool", packets, 2.0)
    # Padding that claims to be longer than the packet, a timestamp from nowhere, a packet without sound, half a header.
    torn = bytearray(packets[50][2].to_bytes())
    torn[0] |= 0x20
    astray = RtpPacket(8, 51, 2**31, 1, b"\x00" * 160).to_bytes()
    ahead = RtpPacket(8, 51, 1000 + 160 * 51 + 16000, 1, b"\x00" * 160).to_bytes()
    empty = RtpPacket(8, 51, 1000 + 160 * 51, 1, b"").to_bytes()
    data = path.read_bytes()
    extra = b"".join(
        RECORD.pack(0, 8, len(packet), 10_200) + packet for packet in (bytes(torn), astray, ahead, empty, empty[:7])
    )
    record = RECORD.size + len(packets[0][2].to_bytes())
    place = data.index(b"\n") + 1 + 51 * record
    path.write_bytes(data[:place] + extra + data[place:])
    encode(path, tmp_path / "mp3")
    left, _ = decode_mp3(tmp_path / "mp3")
    assert tone_share(left[1000:15000], 440) > 0.99
    assert len(left) == 16000


@needs_mp3
def test_header_extensions_and_padding_are_no_sound(tmp_path: Path) -> None:
    packets = [
        (side, arrived, RtpPacket(8, p.sequence, p.timestamp, 1, p.payload, csrcs=(5,), extension=(1, b"\xff" * 40)))
        for side, arrived, p in stream(CALLER, tone(440, 100))
    ]
    left, _ = hear_spool(tmp_path, packets, 2.0)
    assert tone_share(left[1000:15000], 440) > 0.99


@needs_mp3
def test_a_spool_that_a_crash_left(tmp_path: Path) -> None:
    packets = stream(CALLER, tone(440, 100)) + stream(CALLEE, tone(660, 100), ssrc=2)
    path = write_spool(tmp_path / "spool", packets, None)
    path.write_bytes(path.read_bytes()[:-50])
    encoded = encode(path, tmp_path / "mp3")
    assert encoded.duration_ms == pytest.approx(2000, abs=20)
    left, right = decode_mp3(tmp_path / "mp3")
    assert dominant_tone(left) == pytest.approx(440, abs=5)
    assert dominant_tone(right) == pytest.approx(660, abs=5)


@needs_mp3
@pytest.mark.parametrize("seconds", [0.01, 0.5, 30.0])
def test_a_recording_without_sound(tmp_path: Path, seconds: float) -> None:
    left, right = hear_spool(tmp_path, [], seconds)
    assert len(left) == len(right) == round(seconds * 8000)
    assert loudness(left) < 0.001


@needs_mp3
@pytest.mark.parametrize("seconds", [0.0, None])
def test_a_recording_that_never_began(tmp_path: Path, seconds: float | None) -> None:
    """Cut off behind its header, or ended at once: a file that players take, with the little that mp3 cannot avoid."""
    encoded = encode(write_spool(tmp_path / "spool", [], seconds), tmp_path / "mp3")
    assert encoded.duration_ms == 0
    assert len(decode_mp3(tmp_path / "mp3")[0]) < 1600


def test_what_comes_out_is_described(tmp_path: Path) -> None:
    spool = write_spool(tmp_path / "spool", stream(CALLER, tone(440, 50)), 1.0)
    encoded = encode(spool, tmp_path / "deep" / "er" / "a.mp3")
    data = (tmp_path / "deep" / "er" / "a.mp3").read_bytes()
    assert (encoded.duration_ms, encoded.size, encoded.lost) == (1000, len(data), 0)
    assert encoded.sha256 == hashlib.sha256(data).hexdigest()
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["a.mp3"]


@pytest.mark.parametrize(
    "data", [b"", b"{}\n", b"RIFF....", b'{"record_id":"r","call_id":"c","started_ms":1}', b"\xff\n"]
)
def test_what_is_no_spool_is_refused_and_leaves_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "spool").write_bytes(data)
    with pytest.raises(MalformedSpool):
        encode(tmp_path / "spool", tmp_path / "mp3")
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]


def test_a_spool_of_a_later_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b'{"record_id":"r","call_id":"c","started_ms":1,"version":4}\n')
    with pytest.raises(MalformedSpool, match="version 4"):
        encode(tmp_path / "spool", tmp_path / "mp3")


@pytest.mark.parametrize(
    "record",
    [
        RECORD.pack(LAST_KIND + 1, 8, 0, 0),
        RECORD.pack(0, 10, 0, 0),
        RECORD.pack(0, 8, 60_000, 0) + bytes(60_000),
        RECORD.pack(0, 8, 0, 2**32 - 1),
    ],
    ids=["kind", "codec", "length", "time"],
)
def test_behind_a_damaged_record_nothing_is_believed(tmp_path: Path, record: bytes) -> None:
    spool = write_spool(tmp_path / "spool", stream(CALLER, tone(440, 50)), None)
    spool.write_bytes(spool.read_bytes() + record + RECORD.pack(2, 0, 0, 99_999))
    assert encode(spool, tmp_path / "mp3").duration_ms == 1000


def test_time_never_runs_backwards(tmp_path: Path) -> None:
    packets = stream(CALLER, tone(440, 50))
    spool = write_spool(tmp_path / "spool", packets, None)
    spool.write_bytes(spool.read_bytes() + RECORD.pack(0, 8, 0, 5) + RECORD.pack(2, 0, 0, 10_000))
    assert encode(spool, tmp_path / "mp3").duration_ms == 1000


@needs_mp3
def test_the_end_is_when_the_talk_was_over_however_late_the_relay_heard_of_it(tmp_path: Path) -> None:
    spool = write_spool(tmp_path / "spool", stream(CALLER, tone(440, 100)), None)
    spool.write_bytes(spool.read_bytes() + RECORD.pack(2, 0, 0, 12_340))
    assert encode(spool, tmp_path / "mp3").duration_ms == 1234
    left, _ = decode_mp3(tmp_path / "mp3")
    assert dominant_tone(left) == pytest.approx(440, abs=2)


def test_memory_does_not_grow_with_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept of a side is bounded by the horizon however long it speaks."""
    longest = 0
    put = Track.put

    def watched(self: Track, start: int, law: Law, payload: bytes) -> None:
        nonlocal longest
        put(self, start, law, payload)
        longest = max(longest, len(self._low))

    monkeypatch.setattr(Track, "put", watched)
    payload = g711([0] * 160, Law.A)
    encode(write_spool(tmp_path / "spool", stream(CALLER, [payload] * 3000), 60.0), tmp_path / "mp3")
    assert 0 < longest <= encoder.HORIZON + 3 * encoder.CHUNK


def test_what_comes_too_late_is_counted() -> None:
    track = Track()
    track.cut(1000)
    track.put(0, Law.A, b"\x00" * 160)
    track.put(900, Law.A, b"\xaa" * 160)
    assert track.lost == 1
    low, high = track.cut(100)
    loud = struct.pack("<h", 32256)
    assert (low[:60], high[:60]) == (loud[:1] * 60, loud[1:] * 60)
    assert low[60:] == bytes(40)
