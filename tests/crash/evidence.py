"""Gathers what the books are checked against: from the API, the store, the sink, the phones and the disk."""

import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from kobza.archive.moving import LOCK
from kobza.store import Store, StoreError, bindings, schema
from kobza.store.place import Place
from tests.crash.books import Arrival, Event, Recorded
from tests.crash.records import Measured, measure_mp3
from tests.interop.server import KYIV, Server
from tests.support.sink import Received

STATES: Final = "/callstate"
LOOK: Final = 0.05
"""Seconds between two looks whether everything has come to rest."""


class Evidence:
    """Reads the store beside the server, and asks the server itself."""

    def __init__(self, place: Place, recordings: Path) -> None:
        self._place = place
        self._recordings = recordings
        self._store: Store | None = None

    def close(self) -> None:
        """Let go of the store."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def last_cursor(self) -> int:
        """Return the cursor of the newest event."""
        with self._read() as conn:
            return int(conn.execute(select(func.max(schema.events.c.cursor))).scalar_one() or 0)

    def unrest(self) -> list[str]:
        """Return in words what is still to come: calls without an end, deliveries owed, recordings to be encoded."""
        calls, deliveries, recordings = schema.calls, schema.deliveries, schema.recordings
        with self._read() as conn:
            open_calls = conn.execute(select(calls.c.call_id).where(calls.c.ended_at.is_(None))).scalars().all()
            owed = conn.execute(
                select(deliveries.c.cursor, deliveries.c.attempts, deliveries.c.due_at).where(
                    deliveries.c.status == "pending"
                )
            ).all()
            unready = conn.execute(
                select(recordings.c.record_id).where(recordings.c.status.in_(("recording", "encoding")))
            ).scalars()
            return [
                *(f"call {call_id} has no end in the store" for call_id in open_calls),
                *(f"event {cursor} is owed still, after {tries} attempts, due at {due}" for cursor, tries, due in owed),
                *(f"recording {record_id} is not encoded" for record_id in unready),
            ]

    def last_due(self) -> float:
        """Return when the last of the deliveries that wait is tried again, in seconds since the epoch; 0 for none."""
        deliveries = schema.deliveries
        with self._read() as conn:
            pending = select(func.max(deliveries.c.due_at)).where(deliveries.c.status == "pending")
            return (conn.execute(pending).scalar_one() or 0) / 1000

    def come_to_rest(self, until: float) -> list[str]:
        """Wait until nothing is still to come, at most until a moment; return what is."""
        while True:
            try:
                unrest = self.unrest()
            except (DBAPIError, StoreError) as error:  # a database that is starting
                self.close()
                unrest = [f"the store cannot be read: {error}"]
            if not unrest or time.time() > until:
                return unrest
            time.sleep(LOOK)

    def events(self, after: int) -> list[Event]:
        """Return the events of the journal behind a cursor."""
        events, deliveries = schema.events.c, schema.deliveries.c
        columns = (
            events.cursor,
            events.event_id,
            events.call_id,
            events.call_control_id,
            events.sequence,
            events.state_type,
            events.state_owner,
            events.payload,
            deliveries.status,
        )
        joined = schema.events.outerjoin(schema.deliveries, events.cursor == deliveries.cursor)
        wanted = select(*columns).select_from(joined).where(events.cursor > after).order_by(events.cursor)
        with self._read() as conn:
            return [Event(*row) for row in conn.execute(wanted)]

    def recordings(self, since: float) -> list[Recorded]:
        """Return the recordings that changed since a moment, their mp3 files decoded."""
        rows = schema.recordings.c
        wanted = select(rows.record_id, rows.call_id, rows.status, rows.duration_ms, rows.path).where(
            rows.changed_at >= since * 1000
        )
        with self._read() as conn:
            found = conn.execute(wanted).all()
        return [
            Recorded(record_id, call_id, status, (length or 0) / 1000, self._mp3(path))
            for record_id, call_id, status, length, path in found
        ]

    def bound(self) -> set[str]:
        """Return the numbers that have a binding, nationally."""
        with self._read() as conn:
            return {f"0{binding.number[-9:]}" for binding in bindings.load_all(conn)}

    def left_over(self) -> list[str]:
        """Return in words which files of recordings belong to no row: of use to nobody, and for ever there."""
        with self._read() as conn:
            paths = set(conn.execute(select(schema.recordings.c.path)).scalars())
        files = [path for path in self._recordings.rglob("*") if path.is_file() and path.name != LOCK]
        return [
            f"{path.relative_to(self._recordings)} is left over ({path.stat().st_size} bytes)"
            for path in files
            if str(path.relative_to(self._recordings)) not in paths
        ]

    def damage(self) -> list[str]:
        """Return what SQLite finds wrong with its file."""
        if not isinstance(self._place, Path):
            return []
        with self._read() as conn:
            words = conn.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        return [] if list(words) == ["ok"] else [f"the store is damaged: {word}" for word in words]

    def _read(self) -> Any:
        if self._store is None:
            self._store = Store.open(self._place)
        return self._store.read()

    def _mp3(self, path: str | None) -> Measured | str | None:
        if path is None:
            return None
        try:
            return measure_mp3(self._recordings / path)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            return f"does not play: {error}"


def history(server: Server, since: float) -> list[dict[str, Any]]:
    """Return the calls that began since a moment, as the API has them."""
    begin, end = datetime.fromtimestamp(since, KYIV), datetime.now(KYIV) + timedelta(minutes=1)
    span = {"from": f"{begin:%Y-%m-%dT%H:%M:%S}", "to": f"{end:%Y-%m-%dT%H:%M:%S}"}
    calls: list[dict[str, Any]] = server.get("/v1/callhistory", **span)["calls"]
    exact = datetime.fromtimestamp(since, UTC)
    return [row for row in calls if datetime.fromisoformat(row["started_at"]) >= exact]


def arrivals(requests: Sequence[Received], taken: Callable[[Received], bool] = lambda _: True) -> list[Arrival]:
    """Return the call states among what came to a sink; `taken` says of each whether it was answered with a 2xx."""
    return [
        Arrival(
            request.json["event_id"],
            request.json["call_control_id"],
            request.json["sequence"],
            request.body.decode(),
            taken(request),
        )
        for request in requests
        if request.path.endswith(STATES) and request.json is not None
    ]
