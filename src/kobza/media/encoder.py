"""From a spool to an mp3: caller left, callee right, as long as the recording lasted.

Runs in a thread. A second of sound at a time is decoded by table and given to LAME, which does its work without the
interpreter's lock; so the loop of the PBX waits for less than a millisecond at a time. Memory does not grow with the
length of the call.

A recording is made as telephone sound, 8,000 samples a second. When a voice of a wider band turns up in it, it is begun
anew with 16,000. A voice whose codec is not decoded is told of (`Encoded.undecoded`), as its silence means nothing.
"""

import hashlib
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import lameenc

from kobza.media import spool as spools
from kobza.media.decoding import is_decoded
from kobza.media.laid_track import LaidTrack
from kobza.media.placement import Placement
from kobza.media.plane import Side
from kobza.media.spool import SpoolRecord
from kobza.media.track import AnyTrack, Track
from kobza.media.voice_codecs import WIDE, name_of
from kobza.rtp.errors import MalformedRtp
from kobza.rtp.g711 import SAMPLE_RATE
from kobza.rtp.packet import HEADER_BYTES, RtpPacket

QUALITY: Final = 7
"""LAME's trade of time for quality, 0 to 9: 55 ms of CPU for a minute; telephone sound has no need of better."""
BIT_RATES: Final = {SAMPLE_RATE: 32, 2 * SAMPLE_RATE: 48}
"""Kilobits a second for both channels, by their rate: 240 kB a minute, and 360 with wideband voices."""
CHUNK: Final = SAMPLE_RATE
"""Samples of 8,000 Hz encoded at a time."""
HORIZON: Final = 4 * SAMPLE_RATE
"""How long a place in the recording stays open for packets that belong there: longer than any of them waits."""
FRAME_SAMPLES: Final = 576
"""Samples in an mp3 frame at 8 and at 16 kHz (MPEG 2.5 and 2)."""
ENCODER_DELAY: Final = 576
"""Samples of silence that LAME puts in front."""

_FIXED: Final = struct.Struct("!III")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A finished recording. `sha256` in hex; `size` in bytes."""

    duration_ms: int
    size: int
    sha256: str
    lost: int = 0
    """Packets that came too late to be placed, or were damaged."""
    rate: int = SAMPLE_RATE
    """Samples a second."""
    paused: tuple[tuple[int, int], ...] = ()
    """From when to when nothing was recorded, as somebody wanted: milliseconds since its start."""
    undecoded: tuple[tuple[Side, str], ...] = ()
    """Codecs in which a side spoke and which are not decoded: what it said there is silence."""
    heard: bool = True
    """Something of the voices was decoded, or there were none."""
    announced: tuple[tuple[Side, int], ...] = ()
    """Which side heard an announcement, and by when to its end, in milliseconds since the start: in their order."""
    unannounced: tuple[Side, ...] = ()
    """Those that should have heard one to its end and did not."""


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
            content = _Content(Track)
            try:
                _write(target, _while_wanted(content.chunks(source), wanted), SAMPLE_RATE)
            except _WiderBand:
                content = _wide_content()
                source.seek(0)
                target.seek(0)
                target.truncate()
                _write(target, _while_wanted(content.chunks(source), wanted), 2 * SAMPLE_RATE)
            target.flush()
            os.fsync(target.fileno())
            size = target.tell()
            target.seek(0)
            digest = hashlib.file_digest(target, "sha256").hexdigest()
        partial.replace(mp3)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return Encoded(
        content.length * 1000 // SAMPLE_RATE,
        size,
        digest,
        content.lost,
        rate=2 * SAMPLE_RATE if content.is_wide else SAMPLE_RATE,
        paused=tuple(content.paused),
        undecoded=tuple(sorted((side, name_of(codec)) for side, codec in content.undecoded)),
        heard=content.heard or not content.undecoded,
        announced=tuple(content.announced),
        unannounced=content.unannounced,
    )


class _WiderBand(Exception):
    """There is more to hear than a telephone's band."""


def _wide_content() -> "_Content":
    from kobza.media.wide_track import WideTrack

    return _Content(WideTrack, is_wide=True)


_SIDES: Final = {kind: side for side, kind in spools.KINDS.items()}
_LAID: Final = {kind: side for side, kind in spools.LAID.items()}
_TOLD: Final = {kind: side for side, kind in spools.TOLD.items()}
_TO_TELL: Final = {kind: side for side, kind in spools.TO_TELL.items()}


class _Content:
    """What is in a spool, while it is read. Places and lengths are in samples of 8,000 Hz."""

    def __init__(self, new_track: Callable[[], AnyTrack], *, is_wide: bool = False) -> None:
        self._new_track = new_track
        self._tracks = (new_track(), new_track())
        self._laid: dict[Side, LaidTrack] = {}
        """By who heard it, where there is anything."""
        self._to_announce: list[Side] = []
        self.announced: list[tuple[Side, int]] = []
        self.is_wide = is_wide
        self._placements = (Placement(), Placement())
        self._malformed = 0
        self._paused_at: int | None = None
        self.paused: list[tuple[int, int]] = []
        self.undecoded: set[tuple[Side, int]] = set()
        self.heard = False
        self.length = 0

    @property
    def lost(self) -> int:
        """Packets that came too late to be placed, or are none of their codec."""
        return self._malformed + sum(track.lost for track in self._tracks)

    @property
    def unannounced(self) -> tuple[Side, ...]:
        """The sides on which somebody should have heard an announcement to its end and did not."""
        told = Counter(side for side, _ in self.announced)
        return tuple(side for side in Side if self._to_announce.count(side) > told[side])

    def chunks(self, source: BinaryIO) -> Iterator[bytes]:
        """Give the recording as stereo 16-bit PCM, at most CHUNK of length at a time.

        Raises MalformedSpool; _WiderBand when the tracks are for telephone sound and there is more.
        """
        header = spools.read_header(source)
        self._to_announce = list(header.announced)
        if header.laid:
            self._laid = {side: LaidTrack(self._new_track()) for side in Side}
        done, now = 0, 0
        for record in spools.read_records(source):
            moment = record.ticks * SAMPLE_RATE // spools.TICKS
            if record.kind == spools.END:
                # What came behind it was under way when the talk was over. Damage could say anything.
                now = max(moment, now - HORIZON)
                break
            now = max(now, moment)  # damage could let the clock run backwards
            while now - HORIZON >= done + CHUNK:
                self._place(now)
                yield self._stereo(CHUNK)
                done += CHUNK
            self._take(record, now)
        self._place(None)
        self._resumed(now)
        self.length = now
        while done < now:
            count = min(CHUNK, now - done)
            yield self._stereo(count)
            done += count

    def _take(self, record: SpoolRecord, now: int) -> None:
        if record.kind == spools.PAUSED:
            self._paused_at = now if self._paused_at is None else self._paused_at
        elif record.kind == spools.RESUMED:
            self._resumed(now)
        elif record.kind in _LAID:
            laid = self._laid.get(_LAID[record.kind])
            if laid is not None:
                laid.take(record.packet, now)
        elif record.kind in _TOLD:
            self.announced.append((_TOLD[record.kind], now * 1000 // SAMPLE_RATE))
        elif record.kind in _TO_TELL:
            self._to_announce.append(_TO_TELL[record.kind])
        elif len(record.packet) >= HEADER_BYTES and (payload := _payload(record.packet)):
            codec = record.codec
            if not is_decoded(codec):
                self.undecoded.add((_SIDES[record.kind], codec))
                return
            if codec in WIDE and not self.is_wide:
                raise _WiderBand
            _, timestamp, ssrc = _FIXED.unpack_from(record.packet)
            try:
                self._placements[record.kind].add(now, ssrc, timestamp, codec, payload)
            except MalformedRtp:
                self._malformed += 1
            else:
                self.heard = True

    def _resumed(self, now: int) -> None:
        if self._paused_at is not None:
            self.paused.append((self._paused_at * 1000 // SAMPLE_RATE, now * 1000 // SAMPLE_RATE))
            self._paused_at = None

    def _place(self, now: int | None) -> None:
        for placement, track in zip(self._placements, self._tracks, strict=True):
            for placed in placement.take(now):
                track.put(placed.start, placed.codec, placed.payload)

    def _stereo(self, count: int) -> bytes:
        left, right = (track.cut(count) for track in self._tracks)
        if self._laid:  # over the caller's voice lies what the called side hears
            left = self._laid[Side.CALLEE].over(left, count)
            right = self._laid[Side.CALLER].over(right, count)
        pcm = bytearray(4 * len(left[0]))
        pcm[0::4], pcm[1::4] = left
        pcm[2::4], pcm[3::4] = right
        return bytes(pcm)


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


def _write(target: BinaryIO, chunks: Iterator[bytes], rate: int) -> None:
    """Encode chunks of stereo PCM into a file."""
    encoder = lameenc.Encoder()
    encoder.set_in_sample_rate(rate)
    encoder.set_channels(2)
    encoder.set_bit_rate(BIT_RATES[rate])
    encoder.set_quality(QUALITY)
    encoder.silence()
    samples, written, header = 0, 0, b""
    target.write(bytes(_frame_bytes(rate)))
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
    target.write(_info_frame(header or data[:4], written, samples, rate))
    target.seek(0, os.SEEK_END)


def _frame_bytes(rate: int) -> int:
    """Return the bytes in a frame, without padding: at these rates they are always as many."""
    return FRAME_SAMPLES // 8 * BIT_RATES[rate] * 1000 // rate


def _info_frame(header: bytes, size: int, samples: int, rate: int) -> bytes:
    """Return the frame in front of the sound that tells players how much silence LAME added before and after.

    It is the "Info" tag with LAME's extension (http://gabriel.mp3-tech.org/mp3infotag.html), a silent frame for players
    that do not know it. With it ffmpeg and browsers play exactly the recorded time; without it 0.15 s more.
    """
    frame_bytes = _frame_bytes(rate)
    frames = size // frame_bytes
    padding = min(4095, max(0, frames * FRAME_SAMPLES - samples - ENCODER_DELAY))
    tag = header + bytes(17) + b"Info" + struct.pack(">III", 0x3, frames, size + frame_bytes)
    # Encoder, revision and method, peak, gains, flags, bit rate; delay and padding; the rest is optional.
    tag += b"LAME3.100" + bytes(11) + bytes([BIT_RATES[rate]]) + (ENCODER_DELAY << 12 | padding).to_bytes(3, "big")
    tag += bytes(4) + struct.pack(">I", size + frame_bytes)
    return tag.ljust(frame_bytes, b"\0")
