"""The spool's format: whatever is in the file, records or MalformedSpool come out."""

import random
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.media.encoder import encode
from kobza.media.plane import Side
from kobza.media.spool import (
    END,
    KINDS,
    MAX_PACKET,
    RECORD,
    MalformedSpool,
    SpoolHeader,
    SpoolRecord,
    header_of,
    mark_record,
    read_header,
    read_records,
)
from tests.media.phone_end import tone
from tests.media.spools import HEADER, stream, write_spool

PACKETS = stream(Side.CALLER, tone(440, 20)) + stream(Side.CALLEE, tone(660, 20), ssrc=2)


def read(data: bytes) -> list[SpoolRecord] | None:
    """Read a whole file; None when it is no spool."""
    file = BytesIO(data)
    try:
        read_header(file)
    except MalformedSpool:
        return None
    return list(read_records(file))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write_spool(tmp_path / "spool", PACKETS, 0.5)
    assert header_of(path) == HEADER
    records = read(path.read_bytes())
    assert records is not None
    assert len(records) == len(PACKETS) + 1
    assert records[-1] == (END, 0, 5000, b"")
    assert {record.kind for record in records[:-1]} == set(KINDS.values())
    assert records[0].packet == PACKETS[0][2].to_bytes()


def test_every_place_at_which_a_crash_may_cut(tmp_path: Path) -> None:
    """What is read of a spool that is cut off is the beginning of what would have been read."""
    data = write_spool(tmp_path / "spool", PACKETS[:5], 0.5).read_bytes()
    whole = read(data)
    assert whole is not None
    header = data.index(b"\n") + 1
    for length in range(len(data) + 1):
        found = read(data[:length])
        if length < header:
            assert found is None
        else:
            assert found == whole[: len(found or ())]
    assert [len(read(data[:length]) or ()) for length in (header, len(data) - 1, len(data))] == [0, 5, 6]


def test_nothing_is_read_behind_the_end() -> None:
    record = RECORD.pack(0, 8, 3, 9) + b"abc"
    assert read(HEADER.to_bytes() + mark_record(END, 7) + record) == [(END, 0, 7, b"")]


@pytest.mark.parametrize("length", [0, MAX_PACKET])
def test_packets_of_every_size(length: int) -> None:
    assert read(HEADER.to_bytes() + RECORD.pack(1, 0, length, 9) + bytes(length)) == [(1, 0, 9, bytes(length))]


def test_a_header_keeps_any_id() -> None:
    header = SpoolHeader('"\n\\', "дзвінок", 0)
    assert read_header(BytesIO(header.to_bytes())) == header


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]\n",
        b'{"record_id":1,"call_id":"c","started_ms":1}\n',
        b'{"record_id":"r","call_id":"c","started_ms":1',
        b'{"record_id":"' + b"r" * 5000 + b'","call_id":"c","started_ms":1}\n',
        b"\xff\xfe\n",
    ],
)
def test_what_is_no_header(line: bytes) -> None:
    with pytest.raises(MalformedSpool):
        read_header(BytesIO(line))


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    read(data)


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header(data: bytes) -> None:
    records = read(HEADER.to_bytes() + data)
    assert records is not None
    assert sum(RECORD.size + len(record.packet) for record in records) <= len(data)


def test_a_damaged_spool_becomes_a_recording_all_the_same(tmp_path: Path) -> None:
    """The encoder has to come to an end, with a length that fits, whatever the disk did to the file."""
    chance = random.Random(3)
    data = write_spool(tmp_path / "spool", PACKETS, 0.5).read_bytes()
    header = data.index(b"\n") + 1
    encoded = 0
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(header, len(damaged))
            match chance.randrange(3):
                case 0:
                    damaged[place] = chance.randrange(256)
                case 1:
                    del damaged[place : place + chance.randint(1, 400)]
                case _:
                    damaged[place:place] = chance.randbytes(chance.randint(1, 30))
            if len(damaged) <= header:
                damaged += b"\0"
        (tmp_path / "spool").write_bytes(damaged)
        # Damage may claim that a packet came hours later. What is wrong then is one long silence.
        latest = max((record.ticks for record in read(bytes(damaged)) or ()), default=0)
        if latest < 60 * 10_000:
            assert encode(tmp_path / "spool", tmp_path / "mp3").duration_ms <= latest / 10 + 1
            encoded += 1
    assert encoded > 75
