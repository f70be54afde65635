"""The journal's commits on PostgreSQL.

All of a commit goes to the server at once and comes back at once (libpq's pipeline): what a network is away costs once.
The rows of a statement are one JSON document, which costs the least on both sides together: 5 us of our CPU and 10 of
the server's for an event, against 12 and 12 with a row at a time, 28 and 9 with many rows of marks, 40 and 12 with
arrays. COPY alone is cheaper (4 and 6), but it cannot be piped nor keep what exists, and all in all costs 10 and 15.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final, TypeVar, get_args

import msgspec
import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import BigInteger, Boolean, Integer, Table

from kobza.call.durations import to_ms
from kobza.store import journal_rows, postgres_driver, schema
from kobza.store.entries import (
    AttemptStored,
    BindingRemoved,
    BindingStored,
    CdrClosed,
    CdrOpened,
    CdrUpdated,
    DetailKind,
    DetailStored,
    Entry,
    KeyUsed,
    LegPromised,
    RecordingStored,
    StateStored,
)
from kobza.store.errors import StoreError
from kobza.store.journal_rows import Row
from kobza.store.place import PostgresUrl

T = TypeVar("T")

LOCK: Final = "SELECT pg_advisory_xact_lock(7741229093)"
"""Taken first by every transaction that writes, and held until its end: one writer at a time, as on SQLite. So the
cursors of events become visible in their order, and nobody who reads after a cursor misses an event."""

CLAIM: Final = "SELECT pg_advisory_lock(7741229094)"
"""Held by the journal's connection of a server for as long as it is connected."""
TRY_CLAIM: Final = "SELECT pg_try_advisory_lock(7741229094)"
CLAIM_PATIENCE_MS: Final = 5000
"""How long a start waits for the server before it: one that was killed is still finishing what it had asked for."""

PLAN: Final = {
    # Every statement looks rows up by their keys. The server plans it once, perhaps when the tables are still empty and
    # reading all of one seems cheaper; it must not do so for the next million rows.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
}

_CALL = (
    "call_id",
    "enterprise_id",
    "calling_number",
    "called_number",
    "answered_number",
    "started_at",
    "ringing_at",
    "answered_at",
    "ended_at",
    "start_at",
    "direction",
    "cause",
    "sip_status",
    "released_by",
    "record_id",
    "client_state",
    "convergent",
)
_PROMISED = (
    "call_id",
    "call_control_id",
    "enterprise_id",
    "state_owner",
    "phone_number",
    "call_direction",
    "client_state",
    "promised_at",
)
_KEY = ("enterprise_id", "key", "fingerprint", "call_id", "call_control_id", "expires_at")
_EVENT = (
    "event_id",
    "enterprise_id",
    "call_id",
    "call_control_id",
    "sequence",
    "state_type",
    "state_owner",
    "phone_number",
    "call_direction",
    "occurred_at",
    "client_state",
    "extended",
    "payload",
)
_ATTEMPT = ("attempt", "started_at", "duration_ms", "url", "address", "status_code", "error", "response", "exchange")
_RECORDING = (
    "record_id",
    "enterprise_id",
    "call_id",
    "status",
    "path",
    "duration_ms",
    "size",
    "sha256",
    "changed_at",
    "remarks",
    "home",
    "home_at",
    "sealed",
)
_BINDING = (
    "number",
    "contact",
    "sip_call_id",
    "cseq",
    "expires_at",
    "registered_at",
    "path",
    "transport",
    "local_host",
    "local_port",
    "remote_host",
    "remote_port",
    "connection",
    "instance_id",
    "reg_id",
    "user_agent",
)


def _type(table: Table, column: str) -> str:
    match table.c[column].type:
        case BigInteger():
            return "bigint"
        case Integer():
            return "integer"
        case Boolean():
            return "boolean"
        case _:
            return "text"


def _values(table: Table, columns: Sequence[str]) -> str:
    """Return the expressions that take the columns out of `v`, a JSON array in their order."""
    types = [_type(table, column) for column in columns]
    return ", ".join(f"v->>{at}" if kind == "text" else f"(v->>{at})::{kind}" for at, kind in enumerate(types))


def _insert(table: Table, columns: Sequence[str], then: str) -> str:
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) "  # noqa: S608 - made of the constants here
        f"SELECT {_values(table, columns)} FROM jsonb_array_elements(%s) AS r(v) ON CONFLICT {then}"
    )


def _replaced(columns: Iterable[str]) -> str:
    return ", ".join(f"{column} = excluded.{column}" for column in columns)


_KEPT = "DO NOTHING"
OPEN_CALL: Final = _insert(schema.calls, _CALL, _KEPT)
UPDATE_CALL: Final = _insert(
    schema.calls,
    _CALL,
    f"(call_id, enterprise_id) DO UPDATE SET {_replaced(_CALL[4:5] + _CALL[6:8] + _CALL[9:10] + _CALL[14:15])} "
    "WHERE calls.ended_at IS NULL",
)
"""Never changes a call that has ended."""
CLOSE_CALL: Final = _insert(
    schema.calls,
    _CALL,
    f"(call_id, enterprise_id) DO UPDATE SET {_replaced(_CALL[4:5] + _CALL[6:10] + _CALL[11:15])} "
    "WHERE calls.ended_at IS NULL",
)
"""The first end of a call counts. A call that is not there yet is added, so that no finished call is ever missing."""

STORE_DETAILS: Final[dict[DetailKind, str]] = {
    kind: f"INSERT INTO call_details (call_id, {kind}) SELECT v->>0, v->>1 FROM jsonb_array_elements(%s) AS r(v) "  # noqa: S608
    "WHERE EXISTS (SELECT 1 FROM calls WHERE calls.call_id = v->>0) "
    f"ON CONFLICT (call_id) DO UPDATE SET {kind} = excluded.{kind}"
    for kind in get_args(DetailKind)
}
"""By the kind of detail. A call without any record gets none."""

PROMISE_LEG: Final = _insert(schema.promised_legs, _PROMISED, _KEPT)
USE_KEY: Final = _insert(schema.idempotency_keys, _KEY, f"(enterprise_id, key) DO UPDATE SET {_replaced(_KEY[2:])}")
"""Replaces a key that has expired; one that counts is looked up before, and makes no call."""

ADD_EVENTS: Final = f"""
WITH counted AS (
    INSERT INTO meta (key, number) VALUES ('event_cursor', %s)
    ON CONFLICT (key) DO UPDATE SET number = meta.number + excluded.number
    RETURNING number
), made AS (
    SELECT counted.number - %s + r.position AS cursor, r.v
    FROM counted, jsonb_array_elements(%s) WITH ORDINALITY AS r(v, position)
), added AS (
    INSERT INTO events (cursor, {", ".join(_EVENT)}) SELECT cursor, {_values(schema.events, _EVENT)} FROM made
)
INSERT INTO deliveries (cursor, enterprise_id, status, attempts, due_at)
SELECT cursor, v->>1, 'pending', 0, (v->>9)::bigint FROM made WHERE (v->>13)::boolean
"""  # noqa: S608 - made of the constants here
"""The last cursor ever given is a row of `meta`: it goes back with a transaction that fails, and never otherwise."""

_FIND_EVENT = "e.call_id = v->>{} AND e.call_control_id = v->>{} AND e.sequence = (v->>{})::integer"

ADD_ATTEMPTS: Final = (
    f"INSERT INTO attempts (cursor, {', '.join(_ATTEMPT)}) "  # noqa: S608 - made of the constants here
    f"SELECT e.cursor, {_values(schema.attempts, _ATTEMPT)} FROM jsonb_array_elements(%s) AS r(v) "
    f"JOIN events e ON {_FIND_EVENT.format(9, 10, 11)} ON CONFLICT DO NOTHING"
)
SETTLE_DELIVERIES: Final = (
    "UPDATE deliveries d SET status = v->>0, attempts = greatest(d.attempts, (v->>1)::integer), "  # noqa: S608
    "due_at = coalesce((v->>2)::bigint, d.due_at) FROM jsonb_array_elements(%s) AS r(v) "
    f"JOIN events e ON {_FIND_EVENT.format(3, 4, 5)} WHERE d.cursor = e.cursor"
)
IS_STORED: Final = (
    "SELECT 1 FROM events WHERE call_id = %s AND call_control_id = %s AND sequence = %s AND event_id = %s"
)

PUT_RECORDING: Final = _insert(
    schema.recordings,
    _RECORDING,
    "(record_id, enterprise_id) DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at, "
    + ", ".join(
        f"{name} = coalesce(excluded.{name}, recordings.{name})" for name in (*_RECORDING[4:8], *_RECORDING[9:])
    ),
)

REMOVE_BINDINGS: Final = (
    "DELETE FROM bindings b USING jsonb_array_elements(%s) AS r(v) WHERE b.number = v->>0 AND b.contact = v->>1"
)
PUT_BINDINGS: Final = _insert(
    schema.bindings, _BINDING, f"(number, contact) DO UPDATE SET {_replaced(_BINDING[2:5] + _BINDING[6:])}"
)
"""A refresh keeps `registered_at`: since when the device is there."""

HEARTBEAT: Final = (
    "INSERT INTO meta (key, number) VALUES ('heartbeat', %s) "
    "ON CONFLICT (key) DO UPDATE SET number = greatest(meta.number, excluded.number)"
)

MAKE_NEW_CALLS: Final = "CREATE TEMPORARY TABLE new_calls (LIKE calls) ON COMMIT DELETE ROWS"
COPY_NEW_CALLS: Final = f"COPY new_calls ({', '.join(_CALL)}) FROM STDIN (FORMAT BINARY)"
ADD_NEW_CALLS: Final = "INSERT INTO calls SELECT * FROM new_calls ON CONFLICT DO NOTHING"
CALL_TYPES: Final = [_type(schema.calls, column) for column in _CALL]


class PostgresCommits:
    """Writes batches in a connection of its own, which is made when first needed and again after a failure."""

    def __init__(self, url: PostgresUrl, *, patience_ms: int) -> None:
        self._url = url
        self._patience_ms = patience_ms
        self._connection: postgres_driver.Connection | None = None
        self._perhaps_stored: StateStored | None = None
        """A state of the last batch, when it is not known whether that was stored."""
        self._claiming = False

    def claim(self) -> None:
        """Be the only one who works with the store, from now on and after each new connection.

        What a dead process had still asked for is done when this returns.
        """
        self._claiming = True
        connection = postgres_driver.connect(self._url, busy_timeout_ms=CLAIM_PATIENCE_MS, more=PLAN)
        try:
            connection.execute(CLAIM)
            connection.execute(f"SET lock_timeout = {max(1, self._patience_ms)}")
        except psycopg.errors.LockNotAvailable as error:
            connection.close()
            raise StoreError(
                f"another `kobza serve` works with the store in {self._url}: stop it first (one whose machine died is "
                "forgotten after half a minute)"
            ) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def commit(self, batch: Sequence[Entry], groups: dict[type, list[Any]], alive_at: float | None) -> None:
        """Write one batch in one transaction, as `JournalWriter.write` says."""
        steps = _steps(batch, groups, alive_at)
        states: Sequence[StateStored] = groups.get(StateStored, ())
        connection = self._connected()
        if self._perhaps_stored is not None:
            if self._perhaps_stored in states and _is_stored(connection, self._perhaps_stored):
                # The connection was lost after the commit and before its answer.
                self._perhaps_stored = None
                return
            self._perhaps_stored = None
        try:
            with connection.pipeline():
                _run(connection, "BEGIN")
                _run(connection, LOCK)
                for statement, values in steps:
                    _run(connection, statement, values)
                _run(connection, "COMMIT")
        except psycopg.Error as error:
            # Without states nothing happens when the same batch is written twice.
            if states and postgres_driver.passes_by_itself(error):
                self._perhaps_stored = states[0]
            raise

    def close(self) -> None:
        """Close the connection, which rolls back; the next commit opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connected(self) -> postgres_driver.Connection:
        if self._connection is None:
            self._connection = postgres_driver.connect(self._url, busy_timeout_ms=self._patience_ms, more=PLAN)
            if self._claiming:
                self._connection.execute(CLAIM)
        return self._connection


def _run(connection: postgres_driver.Connection, statement: str, values: Sequence[Any] = ()) -> None:
    connection.execute(statement, values, prepare=True)


def _is_stored(connection: postgres_driver.Connection, entry: StateStored) -> bool:
    state = entry.state
    values = (state.call_id, state.call_control_id, state.sequence, state.event_id)
    return connection.execute(IS_STORED, values).fetchone() is not None


Step = tuple[str, Sequence[Any]]


def _steps(batch: Sequence[Entry], groups: dict[type, list[Any]], alive_at: float | None) -> list[Step]:
    """Return the statements that write a batch, with their values.

    A statement of PostgreSQL may touch a row once: what a batch says of one row more than once is folded into one.
    """
    steps: list[Step] = []
    if opened := groups.get(CdrOpened):
        steps.append((OPEN_CALL, (_json(map(journal_rows.call_row, opened)),)))
    if promised := groups.get(LegPromised):
        steps.append((PROMISE_LEG, (_json(map(journal_rows.promise_row, promised)),)))
    if used := groups.get(KeyUsed):
        steps.append((USE_KEY, (_json(_last(map(journal_rows.key_row, used), _two_keys)),)))
    closed = groups.get(CdrClosed, ())
    if updated := journal_rows.last_updates(groups.get(CdrUpdated, ()), closed):
        steps.append((UPDATE_CALL, (_json(map(journal_rows.call_row, updated)),)))
    if closed:
        steps.append((CLOSE_CALL, (_json(_first(map(journal_rows.call_row, closed), _two_keys)),)))
    for kind, details in journal_rows.details(groups.get(DetailStored, ())).items():
        steps.append((STORE_DETAILS[kind], (_json(details),)))
    if states := groups.get(StateStored):
        rows = _json((*journal_rows.event_row(entry), entry.owed_to_endpoint) for entry in states)
        steps.append((ADD_EVENTS, (len(states), len(states), rows)))
    if attempts := groups.get(AttemptStored):
        steps.append((ADD_ATTEMPTS, (_json(map(journal_rows.attempt_row, attempts)),)))
        steps.append((SETTLE_DELIVERIES, (_json(journal_rows.settled_rows(attempts)),)))
    if recordings := groups.get(RecordingStored):
        steps.append((PUT_RECORDING, (_json(_merged(map(journal_rows.recording_row, recordings))),)))
    if BindingStored in groups or BindingRemoved in groups:
        removed, stored = journal_rows.last_words(batch)
        if removed:
            steps.append((REMOVE_BINDINGS, (_json(removed),)))
        if stored:
            steps.append((PUT_BINDINGS, (_json(stored),)))
    if alive_at is not None:
        steps.append((HEARTBEAT, (to_ms(alive_at),)))
    return steps


def _two_keys(row: Row) -> Hashable:
    return row[:2]


def _last(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[Row]:
    return list({key(row): row for row in rows}.values())


def _first(rows: Iterable[Row], key: Callable[[Row], Hashable]) -> list[Row]:
    found: dict[Hashable, Row] = {}
    for row in rows:
        found.setdefault(key(row), row)
    return list(found.values())


def _merged(rows: Iterable[Row]) -> list[Row]:
    """Fold the rows of recordings: the last word counts, and None keeps what is there."""
    found: dict[Hashable, Row] = {}
    for row in rows:
        before = found.get(row[:2], row)
        found[row[:2]] = tuple(old if new is None else new for old, new in zip(before, row, strict=True))
    return list(found.values())


_NUL: Final = rb"\u0000"


def _json(rows: Iterable[Row]) -> Jsonb:
    """Make a JSON document of rows. Raises UnicodeEncodeError for a text that is none."""
    made = list(rows)
    document = msgspec.json.encode(made)
    if _NUL in document:  # or a backslash before `u0000`, to which nothing happens
        document = msgspec.json.encode([tuple(map(_without_nul, row)) for row in made])
    return Jsonb(document, dumps=_as_it_is)


def _without_nul(value: T) -> T:
    return value.replace("\0", postgres_driver.NUL_SHOWN) if isinstance(value, str) else value  # type: ignore[return-value]


def _as_it_is(document: bytes) -> bytes:
    return document
