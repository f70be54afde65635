"""The data keys of encrypted recordings, each `KEY_ID.…`: by which keys they are encrypted, and changing that."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from kobza.store.recordings import READY, Recording, of_rows
from kobza.store.schema import recordings


class Sealed(NamedTuple):
    """The data key of a recording; enterprises that share one share it."""

    record_id: str
    sealed: str


class Forms(NamedTuple):
    """In which form recordings are kept, in rows: one that enterprises share counts for each of them."""

    plain: int
    """Not encrypted."""
    turning: int
    """About to be encrypted: they have a data key, their files perhaps not the form yet."""
    needed: dict[str, int]
    """Key id -> how many have a data key by it; under "" those that need another key than were asked for."""

    @property
    def sealed(self) -> int:
        """How many have a data key at all."""
        return sum(self.needed.values())


def forms(conn: Connection, key_ids: Sequence[str]) -> Forms:
    """Count them all, with those that need each of some keys, in one look at each row: 500,000 take 0.2 s."""
    columns = recordings.c
    found = conn.execute(
        select(
            func.count().filter(columns.status == READY, columns.sealed.is_(None)),
            func.count().filter(columns.status == READY, columns.sealing.is_(True)),
            func.count(columns.sealed),
            *(func.count().filter(_by(each)) for each in key_ids),
        ).select_from(recordings)
    ).one()
    plain, turning, sealed, *needing = map(int, found)
    return Forms(plain, turning, {**dict(zip(key_ids, needing, strict=True)), "": sealed - sum(needing)})


def page(conn: Connection, other_than: str, after: str, limit: int) -> list[Sealed]:
    """Return data keys that another key than this one encrypts, behind a record id, in order."""
    columns = recordings.c
    found = (
        select(columns.record_id, columns.sealed)
        .where(
            columns.sealed.is_not(None),
            ~_by(other_than),
            columns.record_id > after,
        )
        .distinct()
        .order_by(columns.record_id)
        .limit(limit)
    )
    return [Sealed(*row) for row in conn.execute(found)]


def replace(conn: Connection, before: Sealed, sealed: str) -> bool:
    """Store a data key anew; False when the recording was erased meanwhile."""
    columns = recordings.c
    these = (columns.record_id == before.record_id, columns.sealed == before.sealed)
    return conn.execute(update(recordings).where(*these).values(sealed=sealed)).rowcount > 0


def page_to_seal(
    conn: Connection, enterprise_id: str | None, since_ms: int, after: str, limit: int, *, sealed: bool
) -> list[Recording]:
    """Return recordings that are not encrypted, or not for sure; with `sealed` those that may be.

    Behind a record id, in order; of an enterprise, or of all; made since a moment; of one that is shared, one row.
    """
    found = of_rows(*_to_seal(enterprise_id, since_ms, sealed=sealed), recordings.c.record_id > after)
    rows = conn.execute(found.order_by(recordings.c.record_id).limit(limit))
    return list({row.record_id: Recording(*row) for row in rows}.values())


def count_to_seal(conn: Connection, enterprise_id: str | None, since_ms: int, *, sealed: bool) -> tuple[int, int]:
    """Return how many `page_to_seal` gives in all, and their bytes."""
    columns = recordings.c
    which = _to_seal(enterprise_id, since_ms, sealed=sealed)
    files = select(columns.record_id, columns.size).where(*which).distinct().subquery()
    row = conn.execute(select(func.count(), func.coalesce(func.sum(files.c.size), 0)).select_from(files)).one()
    return row[0], int(row[1])


def begin_to_seal(conn: Connection, recording: Recording, sealed: str) -> bool:
    """Keep the data key of a recording that is about to be encrypted; False when it is no longer as it was read."""
    values = {"sealed": sealed, "sealing": True}
    return _change(conn, recording, values, recordings.c.sealed.is_(None))


def turn(conn: Connection, recording: Recording, home: str | None, now_ms: int, *, sealed: bool) -> bool:
    """Say that a recording is encrypted by its data key, or (`sealed` False) no longer; and where it is then.

    False when it is no longer where it was when it was read, or another form. The file with the other form comes to
    its place before this transaction ends.
    """
    values: dict[str, object] = {"sealing": None, "home": home}
    if home != recording.home:
        values["home_at"] = None if home is None else now_ms
    if not sealed:
        values["sealed"] = None
    return _change(conn, recording, values, recordings.c.sealed.is_not(None))


def _by(key_id: str) -> ColumnElement[bool]:
    """Data keys by a key: those between `ID.` and the next text, `ID/`. To LIKE in SQLite "a" would be "A" too."""
    return and_(recordings.c.sealed >= f"{key_id}.", recordings.c.sealed < f"{key_id}/")


def _to_seal(enterprise_id: str | None, since_ms: int, *, sealed: bool) -> list[ColumnElement[bool]]:
    columns = recordings.c
    form = columns.sealed.is_not(None) if sealed else or_(columns.sealed.is_(None), columns.sealing.is_(True))
    conditions = [columns.status == READY, form, columns.changed_at >= since_ms]
    return conditions if enterprise_id is None else [*conditions, columns.enterprise_id == enterprise_id]


def _change(conn: Connection, recording: Recording, values: dict[str, object], form: ColumnElement[bool]) -> bool:
    columns = recordings.c
    home = columns.home.is_(None) if recording.home is None else columns.home == recording.home
    these = (columns.record_id == recording.record_id, columns.status == READY, home, form)
    return conn.execute(update(recordings).where(*these).values(**values)).rowcount > 0
