"""From a spool to an mp3: caller left, callee right, as long as the recording lasted.

Runs in a thread. A second of sound at a time is decoded by table and given to LAME, which does its work without the
interpreter's lock; so the loop of the PBX waits for less than a millisecond at a time. Memory does not grow with the
length of the call.
"""

import hashlib
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import lameenc

from kobza.media import spool as spools
from kobza.media.placement import Placement
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.g711 import HIGH_BYTES, LOW_BYTES, SAMPLE_RATE, Law
from kobza.rtp.packet import HEADER_BYTES, RtpPacket

QUALITY: Final = 7
"""LAME's trade of time for quality, 0 to 9: 55 ms of CPU for a minute; telephone sound has no need of better."""
BIT_RATE: Final = 32
"""Kilobits a second for both channels: 240 kB a minute."""
CHUNK: Final = SAMPLE_RATE
"""Samples encoded at a time."""
HORIZON: Final = 4 * SAMPLE_RATE
"""How long a place in the recording stays open for packets that belong there: longer than any of them waits."""
FRAME_SAMPLES: Final = 576
"""Samples in an mp3 frame at 8 kHz (MPEG 2.5)."""
FRAME_BYTES: Final = FRAME_SAMPLES // 8 * BIT_RATE * 1000 // SAMPLE_RATE
"""Bytes in a frame at this constant rate: 288, without padding."""
ENCODER_DELAY: Final = 576
"""Samples of silence that LAME puts in front."""

_FIXED: Final = struct.Struct("!III")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished recording. `sha256` in hex; `size` in bytes; `lost` counts packets that came too late to be placed."""

    duration_ms: int
    size: int
    sha256: str
    lost: int = 0


class Track:
    """One channel while it is put together: samples as their low and high bytes. Silence is where nothing was put."""

    def __init__(self) -> None:
        self._origin = 0
        self._low = bytearray()
        self._high = bytearray()
        self.lost = 0

    def put(self, start: int, law: Law, payload: bytes) -> None:
        """Put a payload where it begins. What lies before the part already cut off is lost."""
        offset = start - self._origin
        if offset < 0:
            if -offset >= len(payload):
                self.lost += 1
                return
            payload = payload[-offset:]
            offset = 0
        end = offset + len(payload)
        if end > len(self._low):
            missing = bytes(end - len(self._low))
            self._low += missing
            self._high += missing
        self._low[offset:end] = payload.translate(LOW_BYTES[law])
        self._high[offset:end] = payload.translate(HIGH_BYTES[law])

    def cut(self, count: int) -> tuple[bytes, bytes]:
        """Cut off the first samples; return their low and high bytes."""
        low, high = bytes(self._low[:count]), bytes(self._high[:count])
        del self._low[:count], self._high[:count]
        self._origin += count
        return low.ljust(count, b"\0"), high.ljust(count, b"\0")


class NotWantedNow(Exception):
    """Whoever wanted a recording encoded wants it no more: the spool is as it was, and there is no mp3."""


def encode(spool: Path, mp3: Path, wanted: Callable[[], bool] = lambda: True) -> Encoded:
    """Make the mp3 of a spool, also of one that was not ended; blocks. The result appears under its name when whole.

    `wanted` is asked for every second of sound; once it says no, NotWantedNow is raised. Raises MalformedSpool when the
    file is none, OSError from the disk.
    """
    partial = spool.with_name(spool.name + ".partial")  # what a crash leaves there is overwritten by the next attempt
    mp3.parent.mkdir(parents=True, exist_ok=True)
    try:
        with spool.open("rb") as source, partial.open("w+b") as target:
            spools.read_header(source)
            tracks = (Track(), Track())
            samples = _write(target, _while_wanted(_chunks(source, tracks), wanted))
            target.flush()
            os.fsync(target.fileno())
            size = target.tell()
            target.seek(0)
            digest = hashlib.file_digest(target, "sha256").hexdigest()
        partial.replace(mp3)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return Encoded(samples * 1000 // SAMPLE_RATE, size, digest, sum(track.lost for track in tracks))


def _chunks(source: BinaryIO, tracks: tuple[Track, Track]) -> Iterator[bytes]:
    """Give the recording as stereo 16-bit PCM, at most CHUNK samples at a time."""
    placements = (Placement(), Placement())
    done, now = 0, 0
    for record in spools.read_records(source):
        # Damage could let the clock run backwards.
        now = max(now, record.ticks * SAMPLE_RATE // spools.TICKS)
        while now - HORIZON >= done + CHUNK:
            _place(placements, tracks, now)
            yield _stereo(tracks, CHUNK)
            done += CHUNK
        if record.kind != spools.END and len(record.packet) >= HEADER_BYTES:
            _, timestamp, ssrc = _FIXED.unpack_from(record.packet)
            payload = _payload(record.packet)
            if payload:
                placements[record.kind].add(now, ssrc, timestamp, record.law, payload)
    _place(placements, tracks, None)
    while done < now:
        count = min(CHUNK, now - done)
        yield _stereo(tracks, count)
        done += count


def _while_wanted(chunks: Iterator[bytes], wanted: Callable[[], bool]) -> Iterator[bytes]:
    for chunk in chunks:
        if not wanted():
            raise NotWantedNow
        yield chunk


def _payload(packet: bytes) -> bytes:
    """Return the payload of a packet, quickly for the common one; b"" for one that is malformed."""
    if packet[0] == 0x80:
        return packet[HEADER_BYTES:]
    try:
        return RtpPacket.parse(packet).payload
    except MalformedRtp:
        return b""


def _place(placements: tuple[Placement, Placement], tracks: tuple[Track, Track], now: int | None) -> None:
    for placement, track in zip(placements, tracks, strict=True):
        for placed in placement.take(now):
            track.put(placed.start, Law(placed.law), placed.payload)


def _stereo(tracks: tuple[Track, Track], count: int) -> bytes:
    pcm = bytearray(4 * count)
    pcm[0::4], pcm[1::4] = tracks[0].cut(count)
    pcm[2::4], pcm[3::4] = tracks[1].cut(count)
    return bytes(pcm)


def _write(target: BinaryIO, chunks: Iterator[bytes]) -> int:
    """Encode chunks of stereo PCM into a file; return the number of samples."""
    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_channels(2)
    encoder.set_bit_rate(BIT_RATE)
    encoder.set_quality(QUALITY)
    encoder.silence()
    samples, written, header = 0, 0, b""
    target.write(bytes(FRAME_BYTES))
    for chunk in chunks:
        samples += len(chunk) // 4
        data = bytes(encoder.encode(chunk))
        header = header or data[:4]
        written += target.write(data)
    if not samples:
        # LAME wants something to encode: an empty recording gets one silent sample of sound.
        encoder.encode(bytes(4))
    data = bytes(encoder.flush())
    written += target.write(data)
    target.seek(0)
    target.write(_info_frame(header or data[:4], written, samples))
    target.seek(0, os.SEEK_END)
    return samples


def _info_frame(header: bytes, size: int, samples: int) -> bytes:
    """Return the frame in front of the sound that tells players how much silence LAME added before and after.

    It is the "Info" tag with LAME's extension (http://gabriel.mp3-tech.org/mp3infotag.html), a silent frame for players
    that do not know it. With it ffmpeg and browsers play exactly the recorded time; without it 0.15 s more.
    """
    frames = size // FRAME_BYTES
    padding = min(4095, max(0, frames * FRAME_SAMPLES - samples - ENCODER_DELAY))
    tag = header + bytes(17) + b"Info" + struct.pack(">III", 0x3, frames, size + FRAME_BYTES)
    # Encoder, revision and method, peak, gains, flags, bit rate; delay and padding; the rest is optional.
    tag += b"LAME3.100" + bytes(11) + bytes([BIT_RATE]) + (ENCODER_DELAY << 12 | padding).to_bytes(3, "big")
    tag += bytes(4) + struct.pack(">I", size + FRAME_BYTES)
    return tag.ljust(FRAME_BYTES, b"\0")
