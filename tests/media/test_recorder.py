"""The writing half of a recording, without a relay: what is on the disk, and when; what the disk may do."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kobza.media import recorder
from kobza.media.plane import Side
from kobza.media.recorder import MAX_PENDING, Spool, SpoolWriter
from kobza.media.spool import END, RECORD, TICKS, header_of, read_header, read_records
from tests.media.phone_end import tone
from tests.media.spools import packets_so_far, stream
from tests.support.waiting import PATIENCE

DATA = stream(Side.CALLER, tone(440, 1))[0][2].to_bytes()


class Writing:
    """A writer and the spools that it closed."""

    def __init__(self) -> None:
        self.closed: list[Spool] = []
        self.told = asyncio.Event()
        self.writer = SpoolWriter(asyncio.get_running_loop(), self._closed)

    def _closed(self, spool: Spool) -> None:
        self.closed.append(spool)
        self.told.set()

    async def until_closed(self, count: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.closed) < count:
                self.told.clear()
                await self.told.wait()


@asynccontextmanager
async def writing() -> AsyncIterator[Writing]:
    running = Writing()
    try:
        yield running
    finally:
        await asyncio.to_thread(running.writer.stop, 20.0)


async def packets_on_disk(path: Path, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while packets_so_far(path) < count:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.01)


async def test_what_came_reaches_the_disk_without_the_end(tmp_path: Path) -> None:
    """At least once a second, so that a crash loses no more. (Not timed: that it comes at all is what counts.)"""
    assert recorder.FLUSH_INTERVAL <= 1.0
    async with writing() as running:
        spool = running.writer.open(tmp_path / "deep" / "a", "call-1", "record-1")
        for count in (3, 6, 9):
            for _ in range(3):
                spool.packet(0, 8, DATA)
            await packets_on_disk(tmp_path / "deep" / "a", count)
        assert running.closed == []
    assert header_of(tmp_path / "deep" / "a").record_id == "record-1"


async def test_it_is_on_the_disk_when_it_is_called_closed(tmp_path: Path) -> None:
    async with writing() as running:
        spool = running.writer.open(tmp_path / "a", "call-1", "record-1")
        spool.packet(0, 8, DATA)
        spool.packet(1, 0, DATA)
        running.writer.close(spool)
        await running.until_closed()
        assert running.closed == [spool]
        assert (spool.failure, spool.file) == ("", None)
        with (tmp_path / "a").open("rb") as file:
            read_header(file)
            records = list(read_records(file))
        assert [(record.kind, record.codec, record.packet) for record in records] == [
            (0, 8, DATA),
            (1, 0, DATA),
            (END, 0, b""),
        ]
        running.writer.close(spool)  # a second time nothing happens
        await asyncio.sleep(0.05)
        assert len(running.closed) == 1


async def test_only_the_owner_may_listen(tmp_path: Path) -> None:
    async with writing() as running:
        running.writer.close(running.writer.open(tmp_path / "a", "call-1", "record-1"))
        await running.until_closed()
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


async def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"precious")
    async with writing() as running:
        spool = running.writer.open(tmp_path / "a", "call-1", "record-1")
        spool.packet(0, 8, DATA)
        running.writer.close(spool)
        await running.until_closed()
    assert "File exists" in spool.failure
    assert (tmp_path / "a").read_bytes() == b"precious"


async def test_a_disk_that_fails_harms_no_other_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    async with writing() as running:
        bad = running.writer.open(tmp_path / "file" / "a", "call-1", "bad")
        good = running.writer.open(tmp_path / "b", "call-2", "good")
        for spool in (bad, good):
            spool.packet(0, 8, DATA)
        await packets_on_disk(tmp_path / "b", 1)
        for spool in (bad, good):
            spool.packet(0, 8, DATA)
            running.writer.close(spool)
        await running.until_closed(2)
    assert "the disk failed" in bad.failure
    assert good.failure == ""
    assert packets_so_far(tmp_path / "b") == 2
    assert [record.levelname for record in caplog.records if "bad" in record.getMessage()] == ["ERROR"]


async def test_a_full_disk_ends_the_recording_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    full = False

    def write_until_full(file: int, data: bytes) -> int:
        if not full:
            return write(file, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kobza.media.recorder.os.write", write_until_full)
    async with writing() as running:
        spool = running.writer.open(tmp_path / "a", "call-1", "record-1")
        spool.packet(0, 8, DATA)
        await packets_on_disk(tmp_path / "a", 1)
        full = True
        spool.packet(0, 8, DATA)
        async with asyncio.timeout(PATIENCE):
            while not spool.failure:  # noqa: ASYNC110 - the thread tells nobody but the spool
                await asyncio.sleep(0.01)
        full = False
        spool.packet(0, 8, DATA)  # a hole in the middle would be worse than an early end
        running.writer.close(spool)
        await running.until_closed()
    assert spool.failure == "the disk failed: No space left on device"
    assert packets_so_far(tmp_path / "a") == 1


async def test_a_write_may_be_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("kobza.media.recorder.os.write", lambda file, data: write(file, data[:7]))
    async with writing() as running:
        spool = running.writer.open(tmp_path / "a", "call-1", "record-1")
        for _ in range(5):
            spool.packet(0, 8, DATA)
        running.writer.close(spool)
        await running.until_closed()
    assert packets_so_far(tmp_path / "a") == 5


async def test_a_disk_that_is_too_slow_stops_the_recording_and_bounds_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FLUSH_INTERVAL", 0.01)
    stuck = threading.Event()
    write = os.write

    def slow(file: int, data: bytes) -> int:
        stuck.wait(20)
        return write(file, data)

    monkeypatch.setattr("kobza.media.recorder.os.write", slow)
    async with writing() as running:
        spool = running.writer.open(tmp_path / "a", "call-1", "record-1")
        handed = 0
        async with asyncio.timeout(PATIENCE):
            while not spool.failure:
                for _ in range(200):
                    spool.packet(0, 8, bytes(2000))
                handed += 200 * (2000 + RECORD.size)
                assert handed < 4 * MAX_PENDING
                await asyncio.sleep(0.02)
        assert "too slow" in spool.failure
        stuck.set()
        running.writer.close(spool)
        await running.until_closed()
    assert header_of(tmp_path / "a").call_id == "call-1"
    assert (tmp_path / "a").stat().st_size <= MAX_PENDING


async def test_stopping_completes_all_that_is_open(tmp_path: Path) -> None:
    running = Writing()
    spools = [running.writer.open(tmp_path / str(number), "call", str(number)) for number in range(10)]
    for spool in spools:
        spool.packet(0, 8, DATA)
    running.writer.stop(20.0)
    for number in range(10):
        assert packets_so_far(tmp_path / str(number)) == 1
    await asyncio.sleep(0)
    assert running.closed == spools


def test_the_disk_gets_all_even_when_the_loop_is_gone(tmp_path: Path) -> None:
    async def begin() -> SpoolWriter:
        running = Writing()
        running.writer.open(tmp_path / "a", "call-1", "record-1").packet(0, 8, DATA)
        running.writer._timer.cancel()
        return running.writer

    writer = asyncio.run(begin())
    writer.stop(20.0)
    assert packets_so_far(tmp_path / "a") == 1


async def test_a_recording_is_as_long_as_its_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sandbox that runs ten times as fast half a second of the wall is five of the call."""
    moment = 100.0
    monkeypatch.setattr("kobza.media.recorder.time.monotonic", lambda: moment)
    spool = Spool(tmp_path / "a", "call-1", "record-1", speed=10)
    moment += 0.25
    spool.packet(0, 8, DATA)
    moment += 0.25
    spool.end()
    (tmp_path / "a").write_bytes(spool.take())
    with (tmp_path / "a").open("rb") as file:
        read_header(file)
        assert [record.ticks / TICKS for record in read_records(file)] == [2.5, 5.0]
