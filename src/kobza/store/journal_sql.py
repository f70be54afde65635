"""The journal's statements in SQLite's dialect, for the rows of `journal_rows`: the hot path."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, get_args

from kobza.store.entries import DetailKind
from kobza.store.journal_rows import Row

HEARTBEAT = (
    "INSERT INTO meta (key, number) VALUES ('heartbeat', ?) "
    "ON CONFLICT (key) DO UPDATE SET number = max(number, excluded.number)"
)

_CALL_COLUMNS = (
    "call_id, enterprise_id, calling_number, called_number, answered_number, started_at, ringing_at, answered_at, "
    "ended_at, start_at, direction, cause, sip_status, released_by, record_id, client_state, convergent"
)

ADD_CALL = (
    f"INSERT INTO calls ({_CALL_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "  # noqa: S608 - a constant
    "ON CONFLICT (call_id, enterprise_id) DO NOTHING"
)
"""The whole record of a call of the past."""

OPEN_CALL = (
    "INSERT OR ROLLBACK INTO calls (call_id, enterprise_id, calling_number, called_number, started_at, start_at, "
    "direction, client_state, convergent) VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (call_id, enterprise_id) DO NOTHING"
)
"""What is known at a call's start: each value that is bound costs about as much as each page that is touched."""

UPDATE_CALL = (
    "INSERT INTO calls (call_id, enterprise_id, calling_number, called_number, answered_number, started_at, "
    "ringing_at, answered_at, start_at, direction, record_id, client_state, convergent) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (call_id, enterprise_id) DO UPDATE SET answered_number = excluded.answered_number, "
    "ringing_at = excluded.ringing_at, answered_at = excluded.answered_at, start_at = excluded.start_at, "
    "record_id = excluded.record_id WHERE ended_at IS NULL"
)
"""Never changes a call that has ended. It adds the record of an enterprise that comes into a call which is on."""

CLOSE_CALL = (
    f"INSERT INTO calls ({_CALL_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "  # noqa: S608 - a constant
    "ON CONFLICT (call_id, enterprise_id) DO UPDATE SET answered_number = excluded.answered_number, "
    "ringing_at = excluded.ringing_at, answered_at = excluded.answered_at, ended_at = excluded.ended_at, "
    "start_at = excluded.start_at, cause = excluded.cause, sip_status = excluded.sip_status, "
    "released_by = excluded.released_by, record_id = excluded.record_id WHERE ended_at IS NULL"
)
"""The first end of a call counts. A call that is not there yet is added, so that no finished call is ever missing."""

STORE_DETAIL: dict[DetailKind, str] = {
    kind: f"INSERT INTO call_details (call_id, {kind}) SELECT column1, column2 FROM (VALUES (?,?)) "  # noqa: S608
    f"WHERE EXISTS (SELECT 1 FROM calls WHERE calls.call_id = column1) "
    f"ON CONFLICT (call_id) DO UPDATE SET {kind} = excluded.{kind}"
    for kind in get_args(DetailKind)
}
"""By the kind of detail. A call without any record gets none."""

PROMISE_LEG = (
    "INSERT INTO promised_legs (call_id, call_control_id, enterprise_id, state_owner, phone_number, call_direction, "
    "client_state, promised_at) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (call_control_id) DO NOTHING"
)

USE_KEY = (
    "INSERT INTO idempotency_keys (enterprise_id, key, fingerprint, call_id, call_control_id, expires_at) "
    "VALUES (?,?,?,?,?,?) ON CONFLICT (enterprise_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, "
    "call_id = excluded.call_id, call_control_id = excluded.call_control_id, expires_at = excluded.expires_at"
)
"""Replaces a key that has expired; one that counts is looked up before, and makes no call."""

ADD_EVENT = (
    "INSERT OR ROLLBACK INTO events (event_id, enterprise_id, call_id, call_control_id, sequence, state_type, "
    "state_owner, phone_number, call_direction, occurred_at, client_state, extended, payload) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
"""The rows get the next cursors, which do not go back when old events are removed. A row that is refused rolls all of
the commit back, as its writer would; so SQLite needs no copy of the pages for taking back this statement alone."""

OWE_DELIVERY = (
    "INSERT OR ROLLBACK INTO deliveries (cursor, enterprise_id, status, attempts, due_at) VALUES (?,?,'pending',0,?)"
)

SETTLE_DELIVERY = (
    "INSERT INTO deliveries (cursor, enterprise_id, status, attempts, due_at) "
    "SELECT d.cursor, d.enterprise_id, v.column1, max(d.attempts, v.column2), coalesce(v.column3, d.due_at) "
    "FROM (VALUES (?,?,?,?,?,?)) AS v CROSS JOIN events AS e CROSS JOIN deliveries AS d "
    "WHERE e.call_id = v.column4 AND e.call_control_id = v.column5 AND e.sequence = v.column6 AND d.cursor = e.cursor "
    "ON CONFLICT (cursor) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, "
    "due_at = excluded.due_at"
)
"""Adds none. An UPDATE would go through all deliveries and look for the row of each; the crossed joins look up those
that the rows name. Each delivery is in the rows once."""

ADD_ATTEMPT = (
    "INSERT INTO attempts (cursor, attempt, started_at, duration_ms, url, address, status_code, error, response, "
    "exchange) SELECT e.cursor, v.column1, v.column2, v.column3, v.column4, v.column5, v.column6, v.column7, "
    "v.column8, v.column9 FROM (VALUES (?,?,?,?,?,?,?,?,?,?,?,?)) AS v CROSS JOIN events AS e "
    "WHERE e.call_id = v.column10 AND e.call_control_id = v.column11 AND e.sequence = v.column12 "
    "ON CONFLICT (cursor, attempt) DO NOTHING"
)

PUT_RECORDING = (
    "INSERT INTO recordings (record_id, enterprise_id, call_id, status, path, duration_ms, size, sha256, changed_at, "
    "remarks, home, home_at, sealed) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) "
    "ON CONFLICT (record_id, enterprise_id) DO UPDATE SET status = excluded.status, "
    "path = coalesce(excluded.path, path), duration_ms = coalesce(excluded.duration_ms, duration_ms), "
    "size = coalesce(excluded.size, size), "
    "sha256 = coalesce(excluded.sha256, sha256), changed_at = excluded.changed_at, "
    "remarks = coalesce(excluded.remarks, remarks), "
    "home = coalesce(excluded.home, home), home_at = coalesce(excluded.home_at, home_at), "
    "sealed = coalesce(excluded.sealed, sealed)"
)

PUT_BINDING = (
    "INSERT INTO bindings (number, contact, sip_call_id, cseq, expires_at, registered_at, path, transport, local_host, "
    "local_port, remote_host, remote_port, connection, instance_id, reg_id, user_agent) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (number, contact) DO UPDATE SET "
    "sip_call_id = excluded.sip_call_id, cseq = excluded.cseq, expires_at = excluded.expires_at, "
    "path = excluded.path, transport = excluded.transport, local_host = excluded.local_host, "
    "local_port = excluded.local_port, remote_host = excluded.remote_host, remote_port = excluded.remote_port, "
    "connection = excluded.connection, instance_id = excluded.instance_id, reg_id = excluded.reg_id, "
    "user_agent = excluded.user_agent"
)
"""A refresh keeps `registered_at`: since when the device is there."""

REMOVE_BINDING = "DELETE FROM bindings WHERE number = ? AND contact = ?"


ROWS_AT_ONCE: Final = (64, 16, 4, 2, 1)
"""Into how many rows a batch is cut for one execution of a statement; five texts of each stay prepared. A commit at a
moderate rate has the three states of one call."""


def insert(cursor: Any, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement with one row of marks behind its VALUES for many rows, many rows at a time.

    The driver lets other threads run at each step of a statement, and when the loop is busy it takes its time to come
    back: with `executemany` that is once for each row, so here one statement takes up to 64. The CPU is the same.
    """
    at, count = 0, len(rows)
    for size in ROWS_AT_ONCE:
        while count - at >= size:
            if size == 1:
                cursor.execute(statement, rows[at])
            else:
                values: list[Any] = []
                for row in rows[at : at + size]:
                    values += row
                cursor.execute(_for_rows(statement, size), values)
            at += size


@lru_cache(maxsize=64)
def _for_rows(statement: str, count: int) -> str:
    head, values, rest = statement.partition("VALUES ")
    marks, end, tail = rest.partition(")")
    return head + values + ",".join([marks + end] * count) + tail
