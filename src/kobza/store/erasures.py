"""The records of erasures: what went, when, at whose wish; kept, so that a certificate can be printed again.

The number itself is not kept: once the erasure is finished the record has it masked. What went is counted, and hashed
row by row, so that who has a copy of the rows can show that it was these.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, select, update

from kobza.store.errors import NotInStore
from kobza.store.ids import new_token_id
from kobza.store.recording_files import Doomed
from kobza.store.schema import enterprises, erased_files
from kobza.store.schema import erasures as table

SHOWN_AT_ITS_START: Final = 4
SHOWN_AT_ITS_END: Final = 2
KINDS: Final = (
    "calls",
    "events",
    "deliveries",
    "attempts",
    "promised_legs",
    "idempotency_keys",
    "diversions",
    "address_book",
)
"""What is counted, in the order of a certificate; files have a list of their own."""


class Went(msgspec.Struct):
    """How many rows of a kind went, and the hash of them all.

    The hash is SHA-256, in hex, of the hash so far (in hex) and the row as a JSON array, for one row after the other;
    at first it is 64 zeros.
    """

    count: int = 0
    sha256: str = "0" * 64


class Kept(msgspec.Struct, frozen=True):
    """Calls of the number that are still there, and why: `hold`, `not over` or `file` (one cannot be removed)."""

    reason: str
    calls: int


class Tally(msgspec.Struct):
    """What an erasure did."""

    went: dict[str, Went]
    kept: list[Kept] = []


class ErasedFile(NamedTuple):
    """A recording that went. `shared`: its file stays, because another enterprise has the same."""

    record_id: str
    call_id: str
    sha256: str | None
    size: int | None
    shared: bool


class Erasure(NamedTuple):
    """An erasure. Moments are milliseconds."""

    erasure_id: str
    enterprise_id: str
    number: str
    """Masked, unless it is not finished yet."""
    erased_by: str
    reference: str
    started_at: int
    finished_at: int | None
    tally: Tally


def begin(conn: Connection, enterprise_id: str, number: str, erased_by: str, reference: str, now_ms: int) -> str:
    """Begin an erasure, or go on with one of the same number that was interrupted; return its id. Raises NotInStore."""
    known = select(enterprises.c.enterprise_id).where(enterprises.c.enterprise_id == enterprise_id)
    if conn.execute(known).one_or_none() is None:
        raise NotInStore(f"there is no enterprise {enterprise_id}")
    columns = table.c
    interrupted = select(columns.erasure_id).where(
        columns.enterprise_id == enterprise_id, columns.number == number, columns.finished_at.is_(None)
    )
    found = conn.execute(interrupted).scalars().first()
    if found is not None:
        return str(found)
    erasure_id = new_token_id()
    conn.execute(
        table.insert().values(
            erasure_id=erasure_id,
            enterprise_id=enterprise_id,
            number=number,
            erased_by=erased_by,
            reference=reference,
            started_at=now_ms,
            tally=_written(Tally({kind: Went() for kind in KINDS})),
        )
    )
    return erasure_id


def note(conn: Connection, erasure_id: str, kind: str, rows: Sequence[Row[Any]]) -> None:
    """Count rows that go, and add them to the hash; in the transaction in which they do."""
    if not rows:
        return
    tally = _tally(conn, erasure_id)
    went = tally.went.setdefault(kind, Went())  # an older release may have begun it
    went.count += len(rows)
    for row in rows:
        went.sha256 = hashlib.sha256(went.sha256.encode() + msgspec.json.encode(tuple(row))).hexdigest()
    conn.execute(update(table).where(table.c.erasure_id == erasure_id).values(tally=_written(tally)))


def note_files(conn: Connection, erasure_id: str, gone: Iterable[Doomed]) -> None:
    """Note recordings that went; in the transaction in which they become tombstones."""
    rows = [
        {
            "erasure_id": erasure_id,
            "record_id": each.record_id,
            "call_id": each.call_id,
            "sha256": each.sha256,
            "size": each.size,
            "shared": each.shared,
        }
        for each in gone
    ]
    if rows:
        conn.execute(erased_files.insert(), rows)


def finish(conn: Connection, erasure_id: str, kept: list[Kept], now_ms: int) -> Erasure:
    """Finish an erasure: from now on its record has the number masked."""
    erasure = get(conn, erasure_id)
    tally = msgspec.structs.replace(erasure.tally, kept=kept)
    finished = update(table).where(table.c.erasure_id == erasure_id)
    conn.execute(finished.values(finished_at=now_ms, number=masked(erasure.number), tally=_written(tally)))
    return get(conn, erasure_id)


def get(conn: Connection, erasure_id: str) -> Erasure:
    """Return an erasure. Raises NotInStore."""
    row = conn.execute(_erasure.where(table.c.erasure_id == erasure_id)).one_or_none()
    if row is None:
        raise NotInStore(f"there is no erasure {erasure_id}")
    return _read(row)


def list_all(conn: Connection, enterprise_id: str | None = None) -> list[Erasure]:
    """Return the erasures of an enterprise, or all, oldest first."""
    found = _erasure.order_by(table.c.started_at, table.c.erasure_id)
    if enterprise_id is not None:
        found = found.where(table.c.enterprise_id == enterprise_id)
    return [_read(row) for row in conn.execute(found)]


def files(conn: Connection, erasure_id: str) -> list[ErasedFile]:
    """Return the recordings that an erasure erased."""
    columns = [erased_files.c[name] for name in ErasedFile._fields]
    found = select(*columns).where(erased_files.c.erasure_id == erasure_id).order_by(erased_files.c.record_id)
    return [ErasedFile._make(row) for row in conn.execute(found)]


def masked(number: str) -> str:
    """Return a number of which only the beginning and the end can be read: `+380*******67`."""
    hidden = len(number) - SHOWN_AT_ITS_START - SHOWN_AT_ITS_END
    if hidden < SHOWN_AT_ITS_START:
        return "*" * len(number)
    return number[:SHOWN_AT_ITS_START] + "*" * hidden + number[-SHOWN_AT_ITS_END:]


def _tally(conn: Connection, erasure_id: str) -> Tally:
    found = conn.execute(select(table.c.tally).where(table.c.erasure_id == erasure_id)).scalar_one()
    return msgspec.json.decode(found, type=Tally)


def _written(tally: Tally) -> str:
    return msgspec.json.encode(tally).decode()


def _read(row: Row[Any]) -> Erasure:
    return Erasure._make((*row[:-1], msgspec.json.decode(row.tally, type=Tally)))


_erasure = select(*(table.c[name] for name in Erasure._fields))
