"""Recordings: what became of them and where they are. The journal writes them (`RecordingStored`)."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from kobza.store.schema import recordings

RECORDING, ENCODING, READY, FAILED, ERASING, ERASED = (
    "recording",
    "encoding",
    "ready",
    "failed",
    "erasing",
    "erased",
)


class Remarks(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a listener should know of a recording."""

    paused: list[tuple[int, int]] = []
    """From when to when nothing was recorded, as somebody wanted: milliseconds since its start."""
    undecoded: dict[str, list[str]] = {}
    """By side ("caller", "callee"): the codecs in which it spoke and which are not decoded. What it said there is
    silence."""
    no_room: bool = False
    """The disk was full: one that failed was never begun, one that is ready ends early."""
    announced: list[tuple[str, int]] = []
    """On which side the announcement had been heard to its end by when, in milliseconds since the start."""
    unannounced: list[str] = []
    """The sides that should have heard it to its end and did not."""

    def to_json(self) -> str | None:
        """Return the text that is kept; None when there is nothing to say."""
        return msgspec.json.encode(self).decode() if self != Remarks() else None

    def document(self) -> dict[str, Any] | None:
        """Return it as integrators are told it, moments in seconds; None when there is nothing to say."""
        said = {
            "paused": [{"from": begin / 1000, "until": end / 1000} for begin, end in self.paused],
            "undecoded": {said_side(side): codecs for side, codecs in self.undecoded.items()},
            "announced": [{"side": said_side(side), "at": at / 1000} for side, at in self.announced],
            "unannounced": [said_side(side) for side in self.unannounced],
            "ends_early": self.no_room,
        }
        return {name: value for name, value in said.items() if value} or None


def said_side(side: str) -> str:
    """Return a side as everybody outside calls it: caller or called."""
    return "called" if side == "callee" else side


def remarks_of(text: str | None) -> Remarks:
    """Return what a listener should know of a recording, by the text that is kept."""
    return Remarks() if text is None else _remarks.decode(text)


_remarks: Final = msgspec.json.Decoder(Remarks)

IDS_AT_ONCE: Final = 500
"""Ids in one question: databases bound the parameters of a statement."""


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
    remarks: str | None = None
    """As `noted` reads it."""
    home: str | None = None
    """Where the file is besides this machine: None, or a word of `recording_homes`."""
    sealed: str | None = None
    """The data key of a file that is encrypted, encrypted; None: it is not."""
    sealing: bool | None = None
    """Whether the file may not be encrypted by it yet: it is about to be, or whoever did it was killed."""

    @property
    def noted(self) -> Remarks:
        """What a listener should know of it."""
        return remarks_of(self.remarks)


def find(conn: Connection, enterprise_id: str, record_id: str) -> Recording | None:
    """Return a recording of an enterprise, or None."""
    columns = recordings.c
    found = _recording.where(columns.record_id == record_id, columns.enterprise_id == enterprise_id)
    row = conn.execute(found).one_or_none()
    return None if row is None else Recording(*row)


def of_call(conn: Connection, enterprise_id: str, call_id: str) -> list[Recording]:
    """Return the recordings of a call of an enterprise, also the tombstones of erased ones, the oldest first."""
    columns = recordings.c
    found = _recording.where(columns.call_id == call_id, columns.enterprise_id == enterprise_id)
    return [Recording(*row) for row in conn.execute(found.order_by(columns.changed_at, columns.record_id))]


def find_any(conn: Connection, record_id: str) -> list[Recording]:
    """Return the rows of a recording, one for each enterprise that has it."""
    found = _recording.where(recordings.c.record_id == record_id).order_by(recordings.c.enterprise_id)
    return [Recording(*row) for row in conn.execute(found)]


def page_ready(
    conn: Connection, enterprise_id: str | None, since_ms: int, after: tuple[str, str], limit: int
) -> list[Recording]:
    """Return recordings that are ready and were made since a moment, by their keys behind `after`; of all without one.

    `after` is a record id and an enterprise id, both empty to begin.
    """
    columns = recordings.c
    conditions = [
        columns.status == READY,
        columns.changed_at >= since_ms,
        columns.record_id >= after[0],  # beside the exact condition, so that the database seeks in its index
        tuple_(columns.record_id, columns.enterprise_id) > after,
    ]
    if enterprise_id is not None:
        conditions.append(columns.enterprise_id == enterprise_id)
    found = _recording.where(*conditions).order_by(columns.record_id, columns.enterprise_id).limit(limit)
    return [Recording(*row) for row in conn.execute(found)]


def list_unfinished(conn: Connection) -> list[Recording]:
    """Return the recordings that are not encoded yet, oldest first: after a crash, to be finished from their spools."""
    unfinished = recordings.c.status.in_((RECORDING, ENCODING))
    found = _recording.where(unfinished).order_by(recordings.c.changed_at)
    return [Recording(*row) for row in conn.execute(found)]


def statuses(conn: Connection, record_ids: Sequence[str]) -> dict[str, str]:
    """Return the status of those of some recordings that are known."""
    columns, found = recordings.c, dict[str, str]()
    for first in range(0, len(record_ids), IDS_AT_ONCE):
        some = record_ids[first : first + IDS_AT_ONCE]
        rows = conn.execute(select(columns.record_id, columns.status).where(columns.record_id.in_(some)))
        found.update((row.record_id, row.status) for row in rows)
    return found


def of_rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the rows that meet conditions, each the fields of a Recording."""
    return _recording.where(*conditions)


_recording = select(*(recordings.c[name] for name in Recording._fields))
