"""Recordings: from the spool to the mp3, whatever a crash left."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kobza.media.encoder import Encoded, encode
from kobza.media.plane import RecordingClosed, Side
from kobza.pbx.books import BookKeeper
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.disk_space import Space
from kobza.pbx.journal import Journal
from kobza.pbx.record_books import RecordBooks
from kobza.pbx.recordings import Recordings
from kobza.store import Store
from kobza.store import recordings as rows
from kobza.store.entries import RecordingStored
from kobza.store.ids import new_id
from kobza.store.recordings import Recording
from tests.media.phone_end import tone
from tests.media.spools import stream, write_spool
from tests.pbx.office import NOW, settled
from tests.support.waiting import PATIENCE

DAY = f"{datetime.fromtimestamp(NOW, UTC):%Y/%m/%d}"


def results(store: Store, journal: Journal) -> RecordBooks:
    return RecordBooks(store, journal, BookKeeper(journal, DirectoryView(store), lambda states: None, new_id))


@asynccontextmanager
async def running(directory: Path, store: Store, journal: Journal) -> AsyncIterator[Recordings]:
    recordings = Recordings(directory, store=store, results=results(store, journal), now=lambda: NOW)
    await recordings.start()
    try:
        yield recordings
    finally:
        await recordings.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a thread tells nobody
            await asyncio.sleep(0.005)


def found(store: Store, record_id: str = "rec-1", enterprise_id: str = "ent-1") -> Recording:
    with store.read() as conn:
        row = rows.find(conn, enterprise_id, record_id)
    assert row is not None
    return row


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("rec-*")}


def speak(spool: Path, seconds: float | None = 1.0) -> None:
    write_spool(spool, stream(Side.CALLER, tone(440, 50)), seconds)


def begun(recordings: Recordings, record_id: str, call_id: str, enterprise_ids: list[str]) -> Path:
    """Begin a recording for which there is room; return where its spool belongs."""
    spool = recordings.began(record_id, call_id, enterprise_ids)
    assert spool is not None
    return spool


async def promise(journal: Journal, record_id: str = "rec-1", *enterprise_ids: str) -> None:
    """Store what the books store when a recording begins."""
    for enterprise_id in enterprise_ids or ("ent-1",):
        journal.append([RecordingStored(record_id, enterprise_id, "call-1", "recording", NOW)])
    await settled(journal)


async def test_a_spool_becomes_an_mp3(tmp_path: Path, store: Store, journal: Journal) -> None:
    async with running(tmp_path / "records", store, journal) as recordings:
        spool = begun(recordings, "rec-1", "call-1", ["ent-1", "ent-2"])
        await promise(journal, "rec-1", "ent-1", "ent-2")
        assert spool.parent.is_dir()
        speak(spool)
        assert recordings.waiting == 1
        recordings.closed(RecordingClosed("call-1", "rec-1", spool))
        await until(lambda: recordings.waiting == 0 and not spool.exists())
        for enterprise_id in ("ent-1", "ent-2"):
            row = found(store, "rec-1", enterprise_id)
            assert (row.status, row.path, row.duration_ms) == ("ready", f"{DAY}/rec-1.mp3", 1000)
            mp3 = (recordings.directory / f"{DAY}/rec-1.mp3").read_bytes()
            assert (row.size, row.sha256) == (len(mp3), hashlib.sha256(mp3).hexdigest())


async def test_no_spool_no_recording(
    tmp_path: Path, store: Store, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, store, journal) as recordings:
        spool = begun(recordings, "rec-1", "call-1", ["ent-1"])
        await promise(journal)
        recordings.closed(RecordingClosed("call-1", "rec-1", spool))
        await until(lambda: recordings.waiting == 0)
    assert (found(store).status, found(store).path) == ("failed", None)
    assert "rec-1 has no spool" in caplog.text


async def test_a_broken_spool_is_kept_and_stops_no_other(tmp_path: Path, store: Store, journal: Journal) -> None:
    async with running(tmp_path, store, journal) as recordings:
        broken = begun(recordings, "rec-1", "call-1", ["ent-1"])
        good = begun(recordings, "rec-2", "call-1", ["ent-1"])
        await promise(journal)
        await promise(journal, "rec-2")
        broken.write_bytes(b"no spool at all")
        speak(good)
        for record_id, spool in (("rec-1", broken), ("rec-2", good)):
            recordings.closed(RecordingClosed("call-1", record_id, spool))
        await until(lambda: recordings.waiting == 0)
    assert [found(store, record_id).status for record_id in ("rec-1", "rec-2")] == ["failed", "ready"]
    assert broken.exists()
    assert files(tmp_path) == {"rec-1.spool", "rec-2.mp3"}


async def test_a_recording_of_nothing_that_is_decoded_says_so_and_keeps_the_voices(
    tmp_path: Path, store: Store, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """Of one with one such side the other is heard, and the row says which is not."""
    caller, callee = (stream(side, [bytes(20)] * 50, law=18, ssrc=n) for n, side in enumerate(Side))
    async with running(tmp_path, store, journal) as recordings:
        for record_id, packets in (("rec-1", caller + callee), ("rec-2", caller + stream(Side.CALLEE, tone(440, 50)))):
            spool = begun(recordings, record_id, "call-1", ["ent-1"])
            await promise(journal, record_id)
            write_spool(spool, packets, 1.0)
            recordings.closed(RecordingClosed("call-1", record_id, spool))
        await until(lambda: recordings.waiting == 0)
        assert (recordings.counts.ready, recordings.counts.failed) == (1, 1)
    unheard, half = found(store), found(store, "rec-2")
    assert (unheard.status, unheard.path) == ("failed", None)
    assert unheard.noted.undecoded == {"caller": ["G729"], "callee": ["G729"]}
    assert (half.status, half.noted.undecoded) == ("ready", {"caller": ["G729"]})
    assert files(tmp_path) == {"rec-1.spool", "rec-2.mp3"}
    assert "rec-1 holds nothing that is decoded (G729)" in caplog.text


async def test_what_a_crash_left_is_taken_up(tmp_path: Path, store: Store, journal: Journal) -> None:
    await promise(journal, "rec-1", "ent-1", "ent-2")
    await promise(journal, "rec-2")
    spool = tmp_path / "spool" / "rec-1.spool"
    spool.parent.mkdir()
    speak(spool, None)  # without its end
    async with running(tmp_path, store, journal) as recordings:
        await until(lambda: recordings.waiting == 0 and not spool.exists())
    assert [found(store, "rec-1", owner).status for owner in ("ent-1", "ent-2")] == ["ready", "ready"]
    assert found(store, "rec-2").status == "failed"


async def test_a_stop_finishes_what_waits(tmp_path: Path, store: Store, journal: Journal) -> None:
    async with running(tmp_path, store, journal) as recordings:
        for number in range(3):
            spool = begun(recordings, f"rec-{number}", "call-1", ["ent-1"])
            await promise(journal, f"rec-{number}")
            speak(spool)
            recordings.closed(RecordingClosed("call-1", f"rec-{number}", spool))
    assert [found(store, f"rec-{number}").status for number in range(3)] == ["ready"] * 3


async def test_a_stop_waits_only_so_long(
    tmp_path: Path, store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being encoded then is given up at once, and whole at the next start."""
    began = threading.Event()

    def encode_long(spool: Path, mp3: Path, wanted: Callable[[], bool]) -> Encoded:
        began.set()
        while wanted():
            time.sleep(0.005)
        return encode(spool, mp3, wanted)

    monkeypatch.setattr("kobza.pbx.recordings.encode", encode_long)
    monkeypatch.setattr("kobza.pbx.recordings.STOP_SECONDS", 0.01)
    async with running(tmp_path, store, journal) as recordings:
        spool = begun(recordings, "rec-1", "call-1", ["ent-1"])
        await promise(journal)
        speak(spool)
        recordings.closed(RecordingClosed("call-1", "rec-1", spool))
        await until(began.is_set)
    assert found(store).status == "recording"
    assert files(tmp_path) == {"rec-1.spool"}
    monkeypatch.undo()
    async with running(tmp_path, store, journal):
        await until(lambda: found(store).status == "ready")
    assert files(tmp_path) == {"rec-1.mp3"}


async def test_without_the_journal_the_spool_stays_for_the_next_start(tmp_path: Path, store: Store) -> None:
    journal = Journal(store.place, now=lambda: NOW, on_failure=lambda failure: None)
    journal.start()
    await promise(journal)
    await journal.stop()
    spool = tmp_path / "spool" / "rec-1.spool"
    spool.parent.mkdir()
    speak(spool)
    async with running(tmp_path, store, journal) as recordings:
        pass
    assert recordings.waiting == 1
    assert spool.exists()
    assert found(store).status == "recording"


async def test_a_recording_nobody_began_is_nobodys(tmp_path: Path, store: Store, journal: Journal) -> None:
    async with running(tmp_path, store, journal) as recordings:
        recordings.closed(RecordingClosed("call-1", "rec-9", tmp_path / "x"))
        assert recordings.waiting == 0


async def test_a_stop_before_the_start(tmp_path: Path, store: Store, journal: Journal) -> None:
    await Recordings(tmp_path, store=store, results=results(store, journal), now=lambda: NOW).stop()


async def test_a_disk_that_fails_is_asked_again(
    tmp_path: Path, store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when it is full: the recording stays one that is being made, until it can be."""
    monkeypatch.setattr("kobza.pbx.recordings.FIRST_RETRY", 0.05)
    async with running(tmp_path, store, journal) as recordings:
        in_the_way = tmp_path / DAY[:4]
        in_the_way.touch()  # no directory can be made there
        spool = begun(recordings, "rec-1", "call-1", ["ent-1"])
        await promise(journal)
        speak(spool)
        recordings.closed(RecordingClosed("call-1", "rec-1", spool))
        await until(lambda: caplog.text.count("is tried again") >= 2)
        assert found(store).status == "recording"
        in_the_way.unlink()
        await until(lambda: recordings.waiting == 0 and not spool.exists())
    assert found(store).status == "ready"


async def test_an_empty_spool_is_nothing(tmp_path: Path, store: Store, journal: Journal) -> None:
    async with running(tmp_path, store, journal) as recordings:
        spool = begun(recordings, "rec-1", "call-1", ["ent-1"])
        await promise(journal)
        spool.touch()
        recordings.closed(RecordingClosed("call-1", "rec-1", spool))
        await until(lambda: recordings.waiting == 0 and not spool.exists())
    assert found(store).status == "failed"


async def test_without_room_calls_are_not_recorded_and_say_so(
    tmp_path: Path, store: Store, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    """Recordings that run are cut short; what was said until then is kept, and with room all is as before."""
    async with running(tmp_path, store, journal) as recordings:
        runs = begun(recordings, "rec-1", "call-1", ["ent-1"])
        await promise(journal)
        recordings.space = Space.NONE
        await promise(journal, "rec-2")
        assert recordings.began("rec-2", "call-2", ["ent-1"]) is None
        await until(lambda: found(store, "rec-2").status == "failed")
        assert (found(store, "rec-2").path, found(store, "rec-2").noted.no_room) == (None, True)
        assert "the call is not recorded: the disk is nearly full" in caplog.text

        stopped = []
        recordings.space = Space.OVER
        for _ in range(2):
            recordings.cut_short(lambda call_id, record_id: stopped.append((call_id, record_id)))
        assert stopped == [("call-1", "rec-1")]
        speak(runs)
        recordings.closed(RecordingClosed("call-1", "rec-1", runs))
        await until(lambda: found(store, "rec-1").status == "ready")
        assert found(store, "rec-1").noted.no_room

        recordings.space = Space.LITTLE
        again = begun(recordings, "rec-3", "call-3", ["ent-1"])
        await promise(journal, "rec-3")
        speak(again)
        recordings.closed(RecordingClosed("call-3", "rec-3", again))
        await until(lambda: found(store, "rec-3").status == "ready")
        assert not found(store, "rec-3").noted.no_room
        counts = recordings.counts
        assert (counts.not_begun, counts.cut, counts.ready, counts.failed) == (1, 1, 2, 0)
