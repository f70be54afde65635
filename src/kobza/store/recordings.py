"""Recordings: what became of them and where they are. The journal writes them (`RecordingStored`)."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from kobza.store.schema import recordings

RECORDING, ENCODING, READY, FAILED, ERASING, ERASED = (
    "recording",
    "encoding",
    "ready",
    "failed",
    "erasing",
    "erased",
)


class Recording(NamedTuple):
    """A recording of an enterprise. `path` is relative to the directory of recordings; moments are milliseconds."""

    record_id: str
    enterprise_id: str
    call_id: str
    status: str
    """recording, encoding, ready, failed, erasing (its file is about to go) or erased."""
    path: str | None
    duration_ms: int | None
    size: int | None
    """Bytes."""
    sha256: str | None
    changed_at: int


def find(conn: Connection, enterprise_id: str, record_id: str) -> Recording | None:
    """Return a recording of an enterprise, or None."""
    columns = recordings.c
    found = _recording.where(columns.record_id == record_id, columns.enterprise_id == enterprise_id)
    row = conn.execute(found).one_or_none()
    return None if row is None else Recording(*row)


def list_unfinished(conn: Connection) -> list[Recording]:
    """Return the recordings that are not encoded yet, oldest first: after a crash, to be finished from their spools."""
    unfinished = recordings.c.status.in_((RECORDING, ENCODING))
    found = _recording.where(unfinished).order_by(recordings.c.changed_at)
    return [Recording(*row) for row in conn.execute(found)]


_recording = select(*(recordings.c[name] for name in Recording._fields))
