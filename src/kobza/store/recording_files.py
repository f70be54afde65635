"""Erasing recordings: their files are outside of the store, so it takes three steps that a crash may stand between.

First, in a commit, they are marked as `erasing`: from then on nobody is given them, and no file is ever forgotten. Then
the files are removed, while others write. Then, in a second commit, the rows become tombstones: `erased`.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select, update

from kobza.store.recording_homes import UPLOADING
from kobza.store.recordings import ENCODING, ERASED, ERASING, FAILED, READY, RECORDING
from kobza.store.schema import recordings

KEPT: Final = (READY, FAILED, ERASING)
"""There may be a file of it. The index for retention holds these."""
IN_THE_MAKING: Final = (RECORDING, ENCODING)

EraseFile = Callable[["Doomed"], None]
"""Removes the file of a recording wherever it is; one that is not there too. Raises OSError."""


class Doomed(NamedTuple):
    """A recording that is being erased."""

    record_id: str
    call_id: str
    path: str
    """Relative to the directory of recordings, or to the bucket."""
    sha256: str | None
    size: int | None
    shared: bool
    """Whether another enterprise has the same file: then it stays."""
    home: str | None = None
    """Where it may be besides the directory: a word of `recording_homes`."""


def mark(conn: Connection, enterprise_id: str, which: ColumnElement[bool]) -> list[Doomed]:
    """Take the recordings of an enterprise that are named, as far as they are made, and that were marked before."""
    columns, other = recordings.c, recordings.alias()
    same_file = or_(
        and_(other.c.call_id == columns.call_id, other.c.path == columns.path),
        and_(other.c.record_id == columns.record_id, other.c.path.is_(None), columns.path.is_(None)),
    )
    shared = exists(
        select(other.c.record_id).where(
            same_file, other.c.enterprise_id != enterprise_id, other.c.status.in_((READY, FAILED, *IN_THE_MAKING))
        )
    )
    found = select(
        columns.record_id,
        columns.call_id,
        columns.path,
        columns.sha256,
        columns.size,
        shared.label("shared"),
        columns.home,
    ).where(columns.enterprise_id == enterprise_id, columns.status.in_(KEPT), which)
    doomed = []
    for row in conn.execute(found).all():
        # Of one that could not be encoded the spool is there, and no row names it.
        path = row.path or f"spool/{row.record_id}.spool"
        doomed.append(Doomed(row.record_id, row.call_id, path, row.sha256, row.size, bool(row.shared), row.home))
        if row.path is None:
            _change(conn, enterprise_id, [row.record_id], status=ERASING, path=path)
    _change(conn, enterprise_id, [each.record_id for each in doomed], status=ERASING)
    return doomed


def remove_files(doomed: Sequence[Doomed], erase: EraseFile) -> tuple[list[Doomed], list[Doomed]]:
    """Remove the files of marked recordings; return those that are gone, and those whose files could not be removed."""
    gone, stuck = [], []
    for each in doomed:
        try:
            if each.home == UPLOADING:
                stuck.append(each)  # its object could come after us
                continue
            if not each.shared:
                erase(each)
        except OSError:  # counted as kept; the disk is somebody else's to complain about
            stuck.append(each)
        else:
            gone.append(each)
    return gone, stuck


def bury(conn: Connection, enterprise_id: str, gone: Sequence[Doomed], now_ms: int) -> int:
    """Make tombstones of marked recordings whose files are gone; return how many."""
    record_ids = [each.record_id for each in gone]
    return _change(
        conn,
        enterprise_id,
        record_ids,
        status=ERASED,
        path=None,
        sha256=None,
        size=None,
        duration_ms=None,
        remarks=None,
        home=None,
        home_at=None,
        sealed=None,
        sealing=None,
        changed_at=now_ms,
    )


def _change(conn: Connection, enterprise_id: str, record_ids: Sequence[str], **values: object) -> int:
    columns = recordings.c
    changed = update(recordings).where(columns.enterprise_id == enterprise_id, columns.record_id.in_(record_ids))
    return conn.execute(changed.values(**values)).rowcount
