"""`kobza backup`: a copy of all that an installation is, made while calls run.

First the store as it is at one moment, then the files that it knows of: so every recording that the copy knows is
there, whatever happens meanwhile. The backup gets its name when it is whole and on the disk.
"""

import platform
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from kobza.app.backups.files import Listing, hash_of, sync, sync_folders
from kobza.app.backups.manifest import FILES, RECORDINGS, SETTINGS, STORE, Manifest, write_manifest
from kobza.app.portal_parts import PORTAL_KEY
from kobza.archive.moving import moving
from kobza.config.loading import FILE_NAME
from kobza.pbx.recordings import spool_of
from kobza.store import Store, backup_notes, recordings
from kobza.store.copies import Encoded, FileKnown
from kobza.store.errors import StoreError
from kobza.store.recording_homes import AWAY

PARTIAL: Final = ".partial"
"""What the name of a backup that is being made ends in."""
KNOWN: Final = "known.jsonl"
"""The recordings that the copied store knows, until their files are copied: perhaps too many for memory."""
IN_THE_MAKING: Final = (recordings.RECORDING, recordings.ENCODING, recordings.FAILED)
"""What becomes of a recording is not known yet, or its spool is all there is of it."""


def back_up(
    store: Store,
    data: Path,
    target: Path,
    *,
    config: Path | None,
    now: Callable[[], float],
    with_recordings: bool = True,
) -> Manifest:
    """Make a backup in the directory `target`, which must not exist or be empty; blocks, for as long as copying takes.

    `data` is the data directory, `config` the configuration file in force. Raises StoreError or OSError.
    """
    partial = _begin(target)
    made_at = datetime.fromtimestamp(now(), UTC)
    (partial / STORE).mkdir(mode=0o700)
    # A recording that is moved or encrypted between the copy of the store and that of its file would be in no backup.
    still = moving(data / RECORDINGS) if (data / RECORDINGS).is_dir() else nullcontext()
    with (partial / FILES).open("w", encoding="ascii") as lines, still:
        with (partial / KNOWN).open("wb") as known:
            copied = store.backend.copy_to(partial / STORE, lambda each: _write(known, each))
        listing = Listing(partial, lines)
        for path in sorted((partial / STORE).iterdir()):
            listing.add(f"{STORE}/{path.name}")
        files = _Recordings(store, data / RECORDINGS, listing)
        if with_recordings:
            files.copy(partial / KNOWN)
        for source, name in ((config, FILE_NAME), (data / PORTAL_KEY, PORTAL_KEY)):
            if source is not None and source.is_file():
                listing.copy(source, f"{SETTINGS}/{name}")
    (partial / KNOWN).unlink()
    sync(partial / FILES)
    manifest = Manifest(
        made_at=made_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        kobza=version("kobza"),
        python=platform.python_version(),
        store=copied,
        finished=files.finished,
        missing=files.missing,
        in_bucket=len(set(files.in_bucket)),
        with_recordings=with_recordings,
        files=listing.count,
        size=listing.size,
        files_sha256=hash_of(partial / FILES),
    )
    write_manifest(partial, manifest)
    sync_folders(partial)
    if target.exists():
        target.rmdir()
    partial.rename(target)
    sync(target.absolute().parent)
    made_ms = int(made_at.timestamp() * 1000)
    made = backup_notes.BackupNote(made_ms, str(target.absolute()), listing.size, with_recordings)
    with store.write() as conn:
        backup_notes.note(conn, made)
    return manifest


def _begin(target: Path) -> Path:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is there already: a backup needs a new or empty directory")
    partial = target.with_name(target.name + PARTIAL)
    if partial.exists():
        raise StoreError(f"{partial} is there: another backup is being made, or one did not finish; then remove it")
    partial.mkdir(mode=0o700, parents=True)
    return partial


def _write(file: BinaryIO, known: FileKnown) -> None:
    file.write(msgspec.json.encode(known) + b"\n")


def _read(path: Path) -> Iterator[FileKnown]:
    with path.open("rb") as file:
        for line in file:
            yield msgspec.json.decode(line, type=FileKnown)


class _Recordings:
    """Copies the files of the recordings that the copied store knows."""

    def __init__(self, store: Store, directory: Path, listing: Listing) -> None:
        self._store = store
        self._directory = directory
        self._listing = listing
        self._copied: set[str] = set()
        self.finished: list[Encoded] = []
        self.missing: list[str] = []
        self.in_bucket: list[str] = []
        """Paths of what is in the bucket alone."""

    def copy(self, known: Path) -> None:
        for each in _read(known):
            if each.status in IN_THE_MAKING:
                self._copy_spool(each)
            elif each.path is not None and not self._copy_file(each.path):
                (self.in_bucket if each.home in AWAY else self.missing).append(each.path)

    def _copy_spool(self, known: FileKnown) -> None:
        """Copy the spool; when it is gone because the mp3 is made of it, then that, and note what became of it."""
        spool = spool_of(self._directory, known.record_id)
        if self._copy_file(str(spool.relative_to(self._directory))):
            return
        with self._store.read() as conn:
            now = recordings.find(conn, known.enterprise_id, known.record_id)
        if now is not None and now.status == recordings.READY and now.path is not None and self._copy_file(now.path):
            self.finished.append(
                Encoded(
                    now.record_id,
                    now.enterprise_id,
                    now.path,
                    now.duration_ms,
                    now.size,
                    now.sha256,
                    now.changed_at,
                    now.sealed,
                )
            )
        elif known.status != recordings.FAILED:
            self.missing.append(str(spool.relative_to(self._directory)))

    def _copy_file(self, name: str) -> bool:
        """Copy a file unless that is done: two enterprises may share one. Return whether there is one."""
        if name in self._copied:
            return True
        try:
            self._listing.copy(self._directory / name, f"{RECORDINGS}/{name}")
        except FileNotFoundError:
            return False
        self._copied.add(name)
        return True
