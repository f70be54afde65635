"""What a backup says of itself, read again: whole, damaged, of others."""

import hashlib
import os
import stat
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.app.backups import manifest as manifests
from kobza.app.backups.files import copy, hash_of
from kobza.app.backups.making import back_up
from kobza.app.backups.manifest import FILES, MANIFEST, FileLine, Manifest, parse_manifest, read_lines
from kobza.app.backups.restoring import restore, verify
from kobza.app.data_lock import DataLock
from kobza.pbx.recordings import spool_of
from kobza.store import STORE_FILE, BackupUnfit, Store, StoreError, backup_notes
from kobza.store.copies import Copied, EachFile
from kobza.store.entries import RecordingStored
from kobza.store.journal import JournalWriter
from tests.store.builders import NOW
from tests.store.everything import all_rows, fill_everything
from tests.support.stores import empty_store

MP3 = b"an mp3" * 1000


class Office:
    """A data directory with something of everything."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.store = empty_store(data / STORE_FILE)
        self.enterprise_id = fill_everything(self.store)
        self.mp3 = data / "recordings/2025/10/09/rec-1.mp3"
        self.mp3.parent.mkdir(parents=True)
        self.mp3.write_bytes(MP3)
        self.spool = spool_of(data / "recordings", "rec-2")
        self.spool.parent.mkdir()
        self.spool.write_bytes(b"a spool")
        (data / "portal.key").write_bytes(b"k" * 32)
        (data / "kobza.toml").write_text("ring_timeout = 33\n")

    def back_up(self, target: Path, with_recordings: bool = True) -> Manifest:
        return back_up(
            self.store,
            self.data,
            target,
            config=self.data / "kobza.toml",
            now=lambda: NOW,
            with_recordings=with_recordings,
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "data")


@pytest.fixture
def backup(office: Office, tmp_path: Path) -> Path:
    office.back_up(tmp_path / "backup")
    return tmp_path / "backup"


def put(backup: Path, data: Path, *, overwrite: bool = False) -> list[str]:
    restored = restore(backup, data, data / STORE_FILE, overwrite=overwrite, webhooks_off=False, now=lambda: NOW)
    return restored.notes


def test_everything_is_in_it_and_nobody_else_can_read_it(office: Office, tmp_path: Path) -> None:
    target = tmp_path / "backups/today"
    made = office.back_up(target)
    names = [line.path for line in read_lines(target)]
    assert names == [
        "store/kobza.db",
        *sorted(["recordings/2025/10/09/rec-1.mp3", "recordings/spool/rec-2.spool"]),
        "settings/kobza.toml",
        "settings/portal.key",
    ]
    assert (made.files, made.missing, made.made_at) == (5, [], "2025-10-09T08:53:20Z")
    assert verify(target) == made
    for path in (target, *(target / name for name in names)):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert [path.name for path in target.parent.iterdir()] == ["today"]


def test_others_tools_read_the_list(backup: Path) -> None:
    for line in (backup / FILES).read_text().splitlines():
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((backup / name).read_bytes()).hexdigest() == digest


def test_a_restored_installation_is_the_same(office: Office, backup: Path, tmp_path: Path) -> None:
    data = tmp_path / "new"
    notes = put(backup, data)
    assert any("1 calls were on" in note for note in notes)
    assert any("kobza.toml is that of the backup" in note for note in notes)
    for name in ("recordings/2025/10/09/rec-1.mp3", "recordings/spool/rec-2.spool", "portal.key", "kobza.toml"):
        assert (data / name).read_bytes() == (office.data / name).read_bytes()
    restored = Store.open(data / STORE_FILE)
    here = all_rows(office.store)
    here["meta"] = [row for row in here["meta"] if row[0] != backup_notes.BACKUPS]  # written when the backup was whole
    assert all_rows(restored) == here
    restored.close()


def test_what_is_there_is_replaced_only_on_request_and_kept_aside(office: Office, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a server works with the store at .*: stop it first"):
        put(backup, office.data, overwrite=True)
    office.store.close()
    lock = DataLock(office.data)  # of a server whose store is elsewhere, or that has just begun
    lock.take()
    with pytest.raises(StoreError, match="another Kobza works with"):
        put(backup, office.data, overwrite=True)
    lock.release()
    with pytest.raises(StoreError, match=r"there is a store at .*kobza.db: with --overwrite it is replaced"):
        put(backup, office.data)
    office.mp3.write_bytes(b"another")
    notes = put(backup, office.data, overwrite=True)
    aside = office.data / "replaced-20251009T085320Z"
    assert (aside / "recordings/2025/10/09/rec-1.mp3").read_bytes() == b"another"
    assert {"kobza.db", "portal.key", "recordings"} <= {path.name for path in aside.iterdir()}
    assert office.mp3.read_bytes() == MP3
    assert any("kobza.toml was kept" in note for note in notes)
    (office.data / STORE_FILE).unlink()
    with pytest.raises(StoreError, match="there are recordings in"):
        put(backup, office.data)


def test_a_configuration_of_another_store_is_not_put_in_force(office: Office, tmp_path: Path) -> None:
    (office.data / "kobza.toml").write_text('store = "postgresql://db/kobza"\n')
    office.back_up(tmp_path / "backup")
    notes = put(tmp_path / "backup", tmp_path / "new")
    assert not (tmp_path / "new/kobza.toml").exists()
    assert (tmp_path / "new/kobza.toml.restored").exists()
    assert any("names another store" in note for note in notes)


def test_a_recording_that_is_finished_during_the_backup_is_ready_in_the_restored_store(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = type(office.store.backend)
    copy_as_it_is = backend.copy_to

    def copy_to(self: object, folder: Path, each: EachFile) -> Copied:
        copied = copy_as_it_is(self, folder, each)  # type: ignore[arg-type]
        # Now the server makes the mp3 of the spool.
        office.mp3.with_name("rec-2.mp3").write_bytes(b"the second")
        writer = JournalWriter(office.store.place)
        ready = RecordingStored("rec-2", office.enterprise_id, "on", "ready", NOW, path="2025/10/09/rec-2.mp3", size=10)
        writer.write([ready])
        writer.close()
        office.spool.unlink()
        return copied

    monkeypatch.setattr(backend, "copy_to", copy_to)
    made = office.back_up(tmp_path / "backup")
    assert [each.record_id for each in made.finished] == ["rec-2"]
    put(tmp_path / "backup", tmp_path / "new")
    assert (tmp_path / "new/recordings/2025/10/09/rec-2.mp3").read_bytes() == b"the second"
    restored = Store.open(tmp_path / "new" / STORE_FILE)
    assert all_rows(restored)["recordings"] == all_rows(office.store)["recordings"]
    restored.close()


def test_a_file_that_is_missing_is_said(office: Office, tmp_path: Path) -> None:
    office.mp3.unlink()
    made = office.back_up(tmp_path / "backup")
    assert made.missing == ["2025/10/09/rec-1.mp3"]
    assert any("1 recordings had no file" in note for note in put(tmp_path / "backup", tmp_path / "new"))


def test_without_recordings(office: Office, tmp_path: Path) -> None:
    made = office.back_up(tmp_path / "backup", with_recordings=False)
    assert [line.path.partition("/")[0] for line in read_lines(tmp_path / "backup")] == ["store", *["settings"] * 2]
    assert made.missing == []
    assert any("without recordings" in note for note in put(tmp_path / "backup", tmp_path / "new"))


def test_a_backup_needs_a_place_of_its_own(office: Office, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="backup is there already: a backup needs a new or empty directory"):
        office.back_up(backup)
    (tmp_path / "next.partial").mkdir()
    with pytest.raises(StoreError, match=r"next.partial is there: .* did not finish; then remove it"):
        office.back_up(tmp_path / "next")
    (tmp_path / "empty").mkdir()
    office.back_up(tmp_path / "empty")


def test_damage_is_found_before_anything_is_touched(backup: Path, tmp_path: Path) -> None:
    mp3 = backup / "recordings/2025/10/09/rec-1.mp3"

    def refused(words: str) -> None:
        with pytest.raises(BackupUnfit, match=words):
            put(backup, tmp_path / "new")
        assert not (tmp_path / "new").exists()

    good = mp3.read_bytes()
    mp3.write_bytes(good[:-1] + b"!")
    refused("damaged: recordings/2025/10/09/rec-1.mp3 is not what was written")
    mp3.unlink()
    refused("rec-1.mp3 is missing")
    mp3.write_bytes(good)
    lines = (backup / FILES).read_text()
    (backup / FILES).write_text(lines.replace("rec-1", "rec-9"))
    refused("files.sha256 is not the one that its manifest names")
    (backup / FILES).write_text(lines)
    made = manifests.read_manifest(backup)
    newer = msgspec.structs.replace(made, store=msgspec.structs.replace(made.store, revision="9999"))
    manifests.write_manifest(backup, newer)
    refused(r"made by a newer release \(9999, not")
    other = msgspec.structs.replace(made, store=msgspec.structs.replace(made.store, database="postgresql"))
    manifests.write_manifest(backup, other)
    refused("of a store in postgresql, and the setting `store`")
    manifests.write_manifest(backup, msgspec.structs.replace(made, format=2))
    refused("has the format 2, and this release reads 1")
    (backup / MANIFEST).unlink()
    refused("is no backup: it has no manifest.json")


def test_of_a_file_that_grows_what_was_there_is_copied(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(MP3)
    digest, size = copy(tmp_path / "a", tmp_path / "b")
    assert (digest, size) == (hash_of(tmp_path / "b"), len(MP3))
    assert copy(tmp_path / "a", tmp_path / "b")[1] == len((tmp_path / "b").read_bytes())


@given(st.text() | st.from_regex(r"[0-9a-f]{64}  [A-Za-z0-9_./ -]{1,40}", fullmatch=True))
def test_no_line_leads_out_of_a_backup(line: str) -> None:
    try:
        found = FileLine.parse(line)
    except BackupUnfit:
        return
    assert str(found) == line
    assert (Path("/b") / found.path).resolve().is_relative_to("/b")
    assert Path(os.path.normpath(found.path)) == Path(found.path)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.dictionaries(st.sampled_from(["format", "made_at", "store", "files"]), inner | st.just(1)),
    ).map(msgspec.json.encode)
)
def test_a_manifest_of_others_is_refused_in_words(text: bytes) -> None:
    with pytest.raises(BackupUnfit, match=r"manifest.json (is damaged|has the format)"):
        parse_manifest(text)
