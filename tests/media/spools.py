"""Spools made by hand, and what their mp3 sounds like."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from kobza.media.encoder import encode
from kobza.media.plane import Side
from kobza.media.spool import (
    END,
    KINDS,
    RECORD,
    TICKS,
    EmptySpool,
    SpoolHeader,
    mark_record,
    read_header,
    read_records,
)
from kobza.media.voice_codecs import NUMBERS
from kobza.rtp.g711 import Law
from kobza.rtp.packet import RtpPacket
from tests.support.spectrum import Samples, read_audio

Packet = tuple[Side, float, RtpPacket]
"""From which side, when it arrived (s), and what."""

GUARD_BYTES = 1024
"""Octets after the last frame that sox's decoder wants to see."""

HEADER = SpoolHeader("record-1", "call-1", 1_700_000_000_000)


def write_spool(path: Path, packets: Iterable[Packet], seconds: float | None) -> Path:
    """Write a spool; without `seconds` it has no end, as after a crash."""
    parts = [HEADER.to_bytes()]
    for side, arrived, packet in sorted(packets, key=lambda entry: entry[1]):
        data = packet.to_bytes()
        codec = packet.payload_type if packet.payload_type in NUMBERS else Law.A
        parts.append(RECORD.pack(KINDS[side], codec, len(data), round(arrived * TICKS)) + data)
    if seconds is not None:
        parts.append(mark_record(END, round(seconds * TICKS)))
    path.write_bytes(b"".join(parts))
    return path


def stream(
    side: Side,
    payloads: list[bytes],
    *,
    start: float = 0.0,
    law: int = Law.A,
    ssrc: int = 1,
    timestamp: int = 1000,
    step: int = 160,
) -> list[Packet]:
    """Return a clean stream: packets that arrive as soon as they are spoken, the first of which began at `start` s."""
    return [
        (side, start + 0.02 * (n + 1), RtpPacket(law, n % 65536, (timestamp + step * n) % 2**32, ssrc, payload))
        for n, payload in enumerate(payloads)
    ]


def packets_so_far(spool: Path) -> int:
    """How many packets a spool has on the disk, its end left out; 0 also before its header is there."""
    try:
        with spool.open("rb") as file:
            read_header(file)
            return sum(record.kind < END for record in read_records(file))
    except (FileNotFoundError, EmptySpool):
        return 0


needs_mp3 = pytest.mark.skipif(shutil.which("sox") is None, reason="sox is not installed")


def decode_mp3(path: Path, rate: int = 8000) -> tuple[Samples, Samples]:
    """Return left and right as a good player gives them: without the silence that LAME adds and the file tells of.

    sox knows nothing of that note, so with it the result is cut by hand; it also wants a file's kind in its name, and
    decodes the last frame only when something follows it.
    """
    note = path.read_bytes()[:288]
    followed = path.with_name(f"{path.name}.followed.mp3")
    followed.write_bytes(path.read_bytes() + bytes(GUARD_BYTES))
    place = note.index(b"LAME3.100") + 21
    padding = int.from_bytes(note[place : place + 3], "big") & 0xFFF
    # The silent frame with the note, LAME's delay, and that of any decoder.
    before = 576 + 576 + 529
    left, right = read_audio(followed, rate)
    end = len(left) - max(0, padding - 529)
    return left[before:end], right[before:end]


def hear_spool(tmp_path: Path, packets: Iterable[Packet], seconds: float | None) -> tuple[Samples, Samples]:
    """Encode a spool and return left and right; with an end the length is exact to the packet."""
    mp3 = tmp_path / "recording.mp3"
    encoded = encode(write_spool(tmp_path / "spool", packets, seconds), mp3)
    left, right = decode_mp3(mp3, encoded.rate)
    assert abs(len(left) * 1000 / encoded.rate - encoded.duration_ms) < 1
    if seconds is not None:
        assert abs(encoded.duration_ms - 1000 * seconds) < 1
    return left, right
