"""Where the files of finished recordings are, besides the folder of this machine: their way into a bucket.

`home` of a row is None (here alone), or one of the words below. Two enterprises that share a file share its way, so the
rows of one recording change together.
"""

from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select, update

from kobza.store.recordings import READY, Recording, of_rows
from kobza.store.schema import recordings

WAITING: Final = "waiting"
"""It is here, and is to be uploaded."""
UPLOADING: Final = "uploading"
"""Somebody uploads it: until they are done nobody erases it, or an object could stay that no row knows."""
CONFIRMED: Final = "confirmed"
"""It is in the bucket, where it was read again and compared; and perhaps still here."""
BUCKET: Final = "bucket"
"""It is in the bucket alone."""
BACK: Final = "back"
"""It was brought back and is here for good; its object may be in the bucket still, until it is removed there."""
REFUSED: Final = "refused"
"""What is here is not what was recorded, so it was not uploaded. A person has to look; it is tried at each start."""

AWAY: Final = (CONFIRMED, BUCKET)
"""The bucket has it."""
MAY_BE_AWAY: Final = (WAITING, UPLOADING, CONFIRMED, BUCKET, BACK, REFUSED)
"""The bucket may have it: an upload that a crash cut off waits again."""


def take_along(conn: Connection, after: str, limit: int) -> str | None:
    """Let recordings that are here alone wait too, behind a record id; return the last one, None without any."""
    columns = recordings.c
    found = select(columns.record_id).where(columns.status == READY, columns.home.is_(None), columns.record_id > after)
    record_ids: list[str] = list(conn.execute(found.distinct().order_by(columns.record_id).limit(limit)).scalars())
    if not record_ids:
        return None
    these = (columns.record_id.in_(record_ids), columns.status == READY, columns.home.is_(None))
    conn.execute(update(recordings).where(*these).values(home=WAITING, home_at=columns.changed_at))
    return record_ids[-1]


def resume(conn: Connection) -> int:
    """Let wait again what was being uploaded when the server ended, and what was refused; return how many rows."""
    these = recordings.c.home.in_((UPLOADING, REFUSED))
    return conn.execute(update(recordings).where(these).values(home=WAITING)).rowcount


def send_again(conn: Connection) -> int:
    """Let wait too what was brought back, while nobody brings any back; return how many rows."""
    return conn.execute(update(recordings).where(recordings.c.home == BACK).values(home=WAITING)).rowcount


def next_waiting(conn: Connection, limit: int) -> list[Recording]:
    """Return recordings that wait, the oldest first, those that failed behind them; of one that is shared, one row."""
    columns = recordings.c
    found = of_rows(columns.home == WAITING, columns.status == READY).order_by(columns.home_at, columns.record_id)
    by_id = {row.record_id: Recording(*row) for row in conn.execute(found.limit(limit))}
    return list(by_id.values())


def claim(conn: Connection, record_id: str) -> bool:
    """Begin to upload a recording; False when it waits no longer, as somebody erases it."""
    columns = recordings.c
    these = (columns.record_id == record_id, columns.home == WAITING, columns.status == READY)
    return conn.execute(update(recordings).where(*these).values(home=UPLOADING)).rowcount > 0


def settle(conn: Connection, record_id: str, home: str, now_ms: int) -> None:
    """Say where a recording is that was being uploaded; also of one that somebody erases since."""
    columns = recordings.c
    these = (columns.record_id == record_id, columns.home == UPLOADING)
    conn.execute(update(recordings).where(*these).values(home=home, home_at=now_ms))


def old_copies(conn: Connection, before_ms: int, limit: int) -> list[Recording]:
    """Return recordings that were confirmed before a moment, the oldest first."""
    columns = recordings.c
    found = of_rows(columns.home == CONFIRMED, columns.status == READY, columns.home_at < before_ms)
    return [Recording(*row) for row in conn.execute(found.order_by(columns.home_at).limit(limit))]


def forget_copies(conn: Connection, record_ids: list[str]) -> set[str]:
    """Say of confirmed recordings that nothing of them is here any more; return of which that is to be made true.

    That is before this transaction ends: somebody may have brought others back since they were read.
    """
    columns = recordings.c
    these = (columns.record_id.in_(record_ids), columns.home == CONFIRMED)
    changed = update(recordings).where(*these).values(home=BUCKET).returning(columns.record_id)
    return set(conn.execute(changed).scalars())


def upload_again(conn: Connection, record_ids: list[str]) -> None:
    """Let confirmed recordings wait once more: the bucket has lost them."""
    columns = recordings.c
    these = (columns.record_id.in_(record_ids), columns.home == CONFIRMED)
    conn.execute(update(recordings).where(*these).values(home=WAITING))


def away(conn: Connection, enterprise_id: str | None, since_ms: int, after: str, limit: int) -> list[Recording]:
    """Return recordings that a bucket may have, behind a record id, in order; of one that is shared, one row.

    Of an enterprise, or of all; made since a moment.
    """
    rows = of_rows(*_away(enterprise_id, since_ms), recordings.c.record_id > after)
    by_id = {row.record_id: Recording(*row) for row in conn.execute(rows.order_by(recordings.c.record_id).limit(limit))}
    return list(by_id.values())


def count_away(conn: Connection, enterprise_id: str | None, since_ms: int) -> tuple[int, int]:
    """Return how many `away` gives in all, and their bytes."""
    columns = recordings.c
    files = select(columns.record_id, columns.size).where(*_away(enterprise_id, since_ms)).distinct().subquery()
    row = conn.execute(select(func.count(), func.coalesce(func.sum(files.c.size), 0)).select_from(files)).one()
    return row[0], int(row[1])


def bring_back(conn: Connection, recording: Recording, now_ms: int) -> bool:
    """Say that a recording is here for good; False when it is no longer where it was when it was read.

    Its file comes to its place before this transaction ends.
    """
    columns = recordings.c
    these = (
        columns.record_id == recording.record_id,
        columns.home == recording.home,
        columns.status == READY,
    )
    return conn.execute(update(recordings).where(*these).values(home=BACK, home_at=now_ms)).rowcount > 0


def let_go(conn: Connection, record_id: str) -> None:
    """Say of a recording that was brought back that no bucket has it any more."""
    columns = recordings.c
    these = (columns.record_id == record_id, columns.home == BACK)
    conn.execute(update(recordings).where(*these).values(home=None, home_at=None))


def _away(enterprise_id: str | None, since_ms: int) -> list[ColumnElement[bool]]:
    columns = recordings.c
    conditions = [columns.status == READY, columns.home.in_(MAY_BE_AWAY), columns.changed_at >= since_ms]
    return conditions if enterprise_id is None else [*conditions, columns.enterprise_id == enterprise_id]


def waiting(conn: Connection) -> tuple[int, int | None]:
    """Return how many rows wait or are being uploaded, and when the oldest was made (ms)."""
    columns = recordings.c
    owed = columns.home.in_((WAITING, UPLOADING))
    row = conn.execute(select(func.count(), func.min(columns.changed_at)).where(owed)).one()
    return row[0], row[1]


def counts(conn: Connection) -> dict[str, int]:
    """Return how many rows are where, of those that are on the way or in the bucket."""
    columns = recordings.c
    found = select(columns.home, func.count()).where(columns.home.is_not(None)).group_by(columns.home)
    return {row[0]: row[1] for row in conn.execute(found)}
