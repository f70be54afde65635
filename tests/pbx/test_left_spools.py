"""Spools that the store does not know: the media process had begun, and the server died before its commit."""

from pathlib import Path

from kobza.media.spool import SpoolHeader
from kobza.pbx import left_spools, recovery
from kobza.pbx.books import BookKeeper
from kobza.pbx.directory_view import DirectoryView
from kobza.pbx.journal import Journal
from kobza.store import Store, calls, recordings
from kobza.store.entries import CdrOpened, RecordingStored
from tests.pbx.office import settled
from tests.store.builders import cdr


def left(folder: Path, record_id: str, call_id: str = "call-1", started_ms: int = 1000) -> Path:
    path = folder / f"{record_id}.spool"
    path.write_bytes(SpoolHeader(record_id, call_id, started_ms, owner="ent-1").to_bytes())
    return path


def test_what_is_of_use_to_nobody_goes_and_the_rest_stays(tmp_path: Path) -> None:
    statuses = {"r-ready": "ready", "r-erased": "erased", "r-failed": "failed", "r-on": "recording"}
    for record_id in (*statuses, "r-new"):
        left(tmp_path, record_id)
    (tmp_path / "r-empty.spool").touch()
    (tmp_path / "r-cut.spool").write_bytes(SpoolHeader("r-cut", "call-1", 0).to_bytes()[:-9])
    (tmp_path / "r-strange.spool").write_bytes(b"no spool\n")
    found = left_spools.look(tmp_path, lambda record_ids: {each: statuses[each] for each in statuses})
    assert {path.stem for path in tmp_path.iterdir()} == {"r-failed", "r-on", "r-new", "r-strange"}
    assert [header.record_id for header in found.unknown["call-1", "ent-1"]] == ["r-new"]


def test_without_a_directory_nothing_is_left(tmp_path: Path) -> None:
    assert left_spools.look(tmp_path / "spool", lambda record_ids: {}).unknown == {}


async def test_a_recording_that_was_not_stored_becomes_its_calls(
    tmp_path: Path, store: Store, journal: Journal
) -> None:
    journal.append([CdrOpened(cdr("call-1", enterprise_id="ent-1"))])
    journal.append([CdrOpened(cdr("call-2", enterprise_id="ent-1"))])
    journal.append([RecordingStored("r-2", "ent-1", "call-2", "recording", 1.0)])
    await settled(journal)
    left(tmp_path, "r-later", started_ms=2000)
    left(tmp_path, "r-first", started_ms=1000)
    left(tmp_path, "r-2", "call-2")
    left(tmp_path, "r-stranger", "call-9")
    before = await recovery.look_back(store, tmp_path)
    books = BookKeeper(journal, DirectoryView(store), lambda states: None, lambda: "id")
    assert await recovery.close_books(before, journal, books) == 2
    with store.read() as conn:
        unfinished = {row.record_id: (row.call_id, row.enterprise_id) for row in recordings.list_unfinished(conn)}
        call = calls.find(conn, "ent-1", "call-1")
    assert unfinished == {"r-first": ("call-1", "ent-1"), "r-later": ("call-1", "ent-1"), "r-2": ("call-2", "ent-1")}
    assert call is not None
    assert (call.record_id, call.cause) == ("r-later", 41)
    assert (tmp_path / "r-stranger.spool").exists()
