"""`kobza restore`: an installation made of a backup, after every file of the backup was compared with its SHA-256.

What is restored appears in an order in which nothing half done can be served: recordings, settings, the store last.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kobza.app.backups.files import copy, hash_of, sync_folders
from kobza.app.backups.manifest import (
    FILES,
    RECORDINGS,
    SETTINGS,
    STORE,
    FileLine,
    Manifest,
    read_lines,
    read_manifest,
)
from kobza.app.data_lock import DataLock, DataTaken
from kobza.app.portal_parts import PORTAL_KEY
from kobza.config.loading import FILE_NAME, ConfigError, load
from kobza.config.settings import store_place
from kobza.store.backend import Backend, backend_of
from kobza.store.copies import set_right
from kobza.store.errors import BackupUnfit, StoreError
from kobza.store.migrations import HEAD
from kobza.store.place import Place, PostgresUrl

TOLD: Final = 5
"""Damaged files that are named; the others are counted."""
WEBHOOKS_OFF: Final = "restored from a backup, with the webhooks off"
SETTINGS_BESIDE: Final = f"{FILE_NAME}.restored"
"""Where the configuration goes when it names another store than the one that was restored."""


@dataclass
class Restored:
    """What was restored, and what a person should know of it."""

    manifest: Manifest
    aside: Path | None = None
    """Where that is which was there before."""
    notes: list[str] = field(default_factory=list)


def verify(backup: Path) -> Manifest:
    """Compare every file of a backup with what the backup says of it.

    Raises:
        BackupUnfit: it is damaged, unfinished or of a newer release; the first damaged files are named.

    """
    manifest = read_manifest(backup)
    if manifest.store.revision > HEAD:
        raise BackupUnfit(
            f"{backup} was made by a newer release ({manifest.store.revision}, not {HEAD}): install that one"
        )
    if not (backup / FILES).is_file() or hash_of(backup / FILES) != manifest.files_sha256:
        raise BackupUnfit(f"{backup} is damaged: {FILES} is not the one that its manifest names")
    bad = [said for line in read_lines(backup) if (said := _wrong(backup, line))]
    if bad:
        more = f" and {len(bad) - TOLD} more" if len(bad) > TOLD else ""
        raise BackupUnfit(f"{backup} is damaged: {', '.join(bad[:TOLD])}{more}")
    return manifest


def restore(
    backup: Path, data: Path, place: Place, *, overwrite: bool, webhooks_off: bool, now: Callable[[], float]
) -> Restored:
    """Verify a backup and make it the installation in the data directory, with its store at `place`; blocks.

    Raises:
        StoreError: the backup is not fit (BackupUnfit), something is there and `overwrite` is not given, or a server
            works with it.

    """
    manifest = verify(backup)
    backend = backend_of(place)
    _check_kind(manifest, place)
    _check_place(backend, data, place, overwrite=overwrite)
    moment = datetime.fromtimestamp(now(), UTC)
    with _locked(data):
        restored = Restored(manifest)
        aside = data / f"replaced-{moment:%Y%m%dT%H%M%SZ}"
        _restore_recordings(backup, data, aside)
        _restore_settings(backup, data, place, aside, restored)
        backend.copy_from(
            backup / STORE,
            manifest.store,
            aside=aside,
            then=lambda conn: set_right(
                conn,
                manifest.finished,
                webhooks_off=WEBHOOKS_OFF if webhooks_off else None,
                now_ms=int(moment.timestamp() * 1000),
            ),
        )
    restored.aside = aside if aside.exists() else None
    restored.notes += _notes(manifest, webhooks_off=webhooks_off)
    return restored


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """Keep servers from the data directory, which is made."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = DataLock(data)
    try:
        lock.take()
        yield
    except DataTaken as error:
        raise StoreError(str(error)) from error
    finally:
        lock.release()


def _restore_recordings(backup: Path, data: Path, aside: Path) -> None:
    _move(data / RECORDINGS, aside)
    for line in read_lines(backup):
        if line.path.startswith(f"{RECORDINGS}/") and copy(backup / line.path, data / line.path)[0] != line.sha256:
            raise BackupUnfit(f"{line.path} changed while it was restored")
    if (data / RECORDINGS).is_dir():
        sync_folders(data / RECORDINGS)


def _wrong(backup: Path, line: FileLine) -> str | None:
    path = backup / line.path
    if not path.is_file():
        return f"{line.path} is missing"
    return None if hash_of(path) == line.sha256 else f"{line.path} is not what was written"


def _check_kind(manifest: Manifest, place: Place) -> None:
    wanted = "postgresql" if isinstance(place, PostgresUrl) else "sqlite"
    if manifest.store.database != wanted:
        right = "unset it" if manifest.store.database == "sqlite" else "set it to postgresql://user@host/database"
        raise BackupUnfit(
            f"the backup is of a store in {manifest.store.database}, and the setting `store` (KOBZA_STORE) names "
            f"{place}: {right}"
        )


def _check_place(backend: Backend, data: Path, place: Place, *, overwrite: bool) -> None:
    if isinstance(place, PostgresUrl):
        backend.prepare()
    if backend.in_use():
        raise StoreError(f"a server works with the store at {place}: stop it first")
    if overwrite:
        return
    if backend.holds_something():
        raise StoreError(f"there is a store at {place}: with --overwrite it is replaced")
    if (data / RECORDINGS).is_dir() and any((data / RECORDINGS).iterdir()):
        raise StoreError(f"there are recordings in {data / RECORDINGS}: with --overwrite they are replaced")


def _move(path: Path, aside: Path) -> None:
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(path, aside / path.name)


def _restore_settings(backup: Path, data: Path, place: Place, aside: Path, restored: Restored) -> None:
    key = backup / SETTINGS / PORTAL_KEY
    if key.is_file():
        _move(data / PORTAL_KEY, aside)
        copy(key, data / PORTAL_KEY)
    saved = backup / SETTINGS / FILE_NAME
    if not saved.is_file():
        return
    if (data / FILE_NAME).exists():
        restored.notes.append(f"{data / FILE_NAME} was kept; the one of the backup is {saved}")
        return
    target = FILE_NAME if _names(saved, data, place) else SETTINGS_BESIDE
    copy(saved, data / target)
    if target == SETTINGS_BESIDE:
        restored.notes.append(
            f"the configuration of the backup names another store; it is in {data / target} for you to look through"
        )
    else:
        restored.notes.append(f"{data / target} is that of the backup: look whether its addresses are this machine's")


def _names(config: Path, data: Path, place: Place) -> bool:
    """Tell whether a server with a configuration would find the restored store."""
    try:
        return store_place(load(config=config, overrides={"data": data}, environment={}).settings) == place
    except ConfigError:
        return False


def _notes(manifest: Manifest, *, webhooks_off: bool) -> list[str]:
    notes = []
    if manifest.store.calls_on:
        notes.append(f"{manifest.store.calls_on} calls were on: the next start closes them with cause 41")
    if not manifest.with_recordings:
        notes.append(f"the backup is without recordings: put yours into the folder {RECORDINGS} of the data directory")
    if manifest.in_bucket:
        notes.append(
            f"{manifest.in_bucket} recordings are in the bucket of the settings (s3_bucket), not in the backup"
        )
    if manifest.missing:
        notes.append(f"{len(manifest.missing)} recordings had no file when the backup was made")
    if not webhooks_off:
        notes.append("call states that were owed then are posted again when the server starts")
    notes.append("what was erased since the backup was made is back: repeat those erasures (kobza erase)")
    return notes
