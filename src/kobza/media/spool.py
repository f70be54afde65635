"""The spool: a recording while it grows. The relay appends, the encoder reads, also after a crash of either.

A line of JSON says what it is, then come records: a kind, a codec, a length, the time of arrival, and an RTP packet as
it came, also of a codec that nobody decodes: the recording says so then. PAUSED and RESUMED carry the times between
which nothing was recorded. What the sides were told of the recording is there as LAID, apart from what they said; TOLD
says that an announcement was heard to its end. END carries the time at which the recording stopped. Without it the
writer died, and what is there is the recording; a last record that is cut off is dropped.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from kobza.media.plane import Side
from kobza.media.voice_codecs import NUMBERS

VERSION: Final = 3
READ: Final = frozenset({1, 2, VERSION})
"""The versions that are read: 1 has G.711 alone, and no pauses; 2 nothing that is LAID."""
TICKS: Final = 10_000
"""Times in a spool count in ticks since its start: 0.1 ms; 32 bits last for five days."""
MAX_PACKET: Final = 2048
"""Bytes of a packet: an Ethernet frame holds fewer. A record that claims more is damage."""
RECORD: Final = struct.Struct("<BBHI")
"""Kind, codec, length, ticks; little-endian."""

MAX_TICKS: Final = 24 * 3600 * TICKS
"""A day. A record that claims to be later is damage."""

KINDS: Final = {Side.CALLER: 0, Side.CALLEE: 1}
END: Final = 2
PAUSED: Final = 3
RESUMED: Final = 4
LAID: Final = {Side.CALLER: 5, Side.CALLEE: 6}
"""Marks a part of a sound that a side heard over the other one: A-law, behind LAID_HEAD."""
TOLD: Final = {Side.CALLER: 7, Side.CALLEE: 8}
TO_TELL: Final = {Side.CALLER: 9, Side.CALLEE: 10}
"""Marks that somebody else is on a side by now, who is to hear the announcement too."""
LAST_KIND: Final = 10
LAID_HEAD: Final = struct.Struct("<II")
"""Which sound of the relay it is, and the place in it, in samples."""

_MAX_HEADER: Final = 4096
_BEGINNING: Final = b'{"record_id":"'
"""How every header begins."""


class MalformedSpool(ValueError):
    """A file that is no spool, not even the beginning of one."""


class EmptySpool(MalformedSpool):
    """A file whose writer died before its first line was whole: nothing was recorded."""


class SpoolHeader(msgspec.Struct, frozen=True):
    """The first line. `started_ms` is milliseconds since the Unix epoch, UTC."""

    record_id: str
    call_id: str
    started_ms: int
    version: int = VERSION
    owner: str = ""
    """Whose it is, in the words of who asked for it."""
    announced: tuple[Side, ...] = ()
    """The sides that are to hear an announcement."""
    laid: bool = False
    """Something may be LAID in it."""

    def to_bytes(self) -> bytes:
        """Return the line."""
        return msgspec.json.encode(self) + b"\n"


class SpoolRecord(NamedTuple):
    """One packet: from which side, in which codec its payload is, and when it came, in ticks since the start."""

    kind: int
    codec: int
    ticks: int
    packet: bytes


def mark_record(kind: int, ticks: int) -> bytes:
    """Return a record without a packet: END, PAUSED, RESUMED, TOLD or TO_TELL."""
    return RECORD.pack(kind, 0, 0, ticks)


def read_header(file: BinaryIO) -> SpoolHeader:
    """Read the first line; raise MalformedSpool."""
    line = file.readline(_MAX_HEADER)
    if len(line) < _MAX_HEADER and not line.endswith(b"\n") and line[: len(_BEGINNING)] == _BEGINNING[: len(line)]:
        raise EmptySpool("a header that is cut off")
    try:
        header = msgspec.json.decode(line, type=SpoolHeader)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedSpool(f"no header: {error}") from error
    if not line.endswith(b"\n") or header.version not in READ:
        raise MalformedSpool(f"a header that is cut off, or of version {header.version}")
    return header


def read_records(file: BinaryIO) -> Iterator[SpoolRecord]:
    """Give the records behind the header, END included. Ends at the first that is cut off or damaged."""
    while True:
        prefix = file.read(RECORD.size)
        if len(prefix) < RECORD.size:
            return
        kind, codec, length, ticks = RECORD.unpack(prefix)
        if kind > LAST_KIND or length > MAX_PACKET or ticks > MAX_TICKS or (kind < END and codec not in NUMBERS):
            return
        packet = file.read(length)
        if len(packet) < length:
            return
        yield SpoolRecord(kind, codec, ticks, packet)
        if kind == END:
            return


def header_of(spool: Path) -> SpoolHeader:
    """Return whose recording a file holds; raise MalformedSpool or OSError. For spools that a crash left."""
    with spool.open("rb") as file:
        return read_header(file)
