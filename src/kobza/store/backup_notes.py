"""When backups of this store were made, and where: so that somebody sees when none is made any more."""

from typing import Final

import msgspec
from sqlalchemy import Connection

from kobza.store import meta

BACKUPS: Final = "backups"
KEPT: Final = 5
"""Backups that are known, the newest first."""


class BackupNote(msgspec.Struct, frozen=True):
    """One backup that was finished."""

    made_at: int
    """Milliseconds: what happened since is not in it."""
    path: str
    size: int
    """Bytes."""
    with_recordings: bool


def note(conn: Connection, made: BackupNote) -> None:
    """Note a backup."""
    kept = [made, *list_all(conn)][:KEPT]
    meta.set_text(conn, BACKUPS, msgspec.json.encode(kept).decode())


def list_all(conn: Connection) -> list[BackupNote]:
    """Return the last backups, the newest first."""
    text = meta.get_text(conn, BACKUPS)
    return [] if text is None else msgspec.json.decode(text, type=list[BackupNote])
