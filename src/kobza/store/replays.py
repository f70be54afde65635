"""Owing deliveries once more: one, a selection, all of a time, what failed, what was missed. Each begins anew.

What is owed once more is due since its event happened, so that the oldest goes first. A replay of what is pending makes
it due at once.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, exists, insert, literal, select, update

from kobza.store import endpoints, meta
from kobza.store.deliveries import FAILED, PENDING, Delivery, find
from kobza.store.schema import deliveries, events

_TELLS_WHO: Final = events.c.state_owner != ""
"""What was erased, or kept for long enough, is owed to nobody."""
MOST_CHOSEN: Final = 500
"""Deliveries of one selection."""


class Recovered(NamedTuple):
    """How many deliveries are owed once more, and how many for the first time: nobody was there to be owed them."""

    failed: int
    missed: int


def replay(conn: Connection, enterprise_id: str, cursor: int) -> Delivery | None:
    """Owe a delivery of an enterprise once more and return it; None when there is none."""
    return find(conn, enterprise_id, cursor) if replay_chosen(conn, enterprise_id, [cursor]) else None


def replay_chosen(conn: Connection, enterprise_id: str, cursors: Sequence[int]) -> int:
    """Owe some deliveries of an enterprise once more; return how many there were of them."""
    return _again(conn, enterprise_id, deliveries.c.cursor.in_(cursors))


def replay_since(conn: Connection, enterprise_id: str, since_ms: int, until_ms: int) -> int:
    """Owe everything once more that happened in an interval, taken or not; return how many deliveries."""
    return _again(conn, enterprise_id, deliveries.c.cursor.in_(_happened(enterprise_id, since_ms, until_ms)))


def recover(conn: Connection, enterprise_id: str, since_ms: int, *, extended: bool) -> Recovered:
    """Owe everything that happened since a moment and was not taken: what failed, and what nobody was owed.

    The latter happened while the endpoint was switched off or before there was one. `extended`: the extended states,
    too.
    """
    since = _happened(enterprise_id, since_ms, None)
    failed = _again(conn, enterprise_id, (deliveries.c.status == FAILED) & deliveries.c.cursor.in_(since))
    missed = (
        select(
            events.c.cursor,
            events.c.enterprise_id,
            literal(PENDING),
            literal(0),
            events.c.occurred_at,
        )
        .where(events.c.enterprise_id == enterprise_id, events.c.occurred_at >= since_ms, _TELLS_WHO)
        .where(~exists(select(deliveries.c.cursor).where(deliveries.c.cursor == events.c.cursor)))
    )
    if not extended:
        missed = missed.where(events.c.extended.is_(False))
    columns = ["cursor", "enterprise_id", "status", "attempts", "due_at"]
    adding = insert(deliveries).from_select(columns, missed).execution_options(preserve_rowcount=True)
    made = conn.execute(adding).rowcount
    if made:
        meta.bump_replays(conn)
    return Recovered(failed, made)


def switch_on(conn: Connection, enterprise_id: str, now_ms: int, *, missed: bool) -> Recovered | None:
    """Switch the endpoint of an enterprise on again; with `missed` owe what it did not take since it began to fail.

    Returns what is owed now; None when there is no endpoint or it is on, and nothing was done.
    """
    endpoint, status = endpoints.get(conn, enterprise_id), endpoints.status(conn, enterprise_id)
    if endpoint is None or status is None or not endpoints.activate(conn, enterprise_id, now_ms):
        return None
    if not missed:
        return Recovered(0, 0)
    _again(conn, enterprise_id, deliveries.c.status == PENDING)  # at once, before what was missed, not at their step
    since = min(status.changed_at, status.failing_since or status.changed_at)
    return recover(conn, enterprise_id, since, extended=endpoint.extended)


def _happened(enterprise_id: str, since_ms: int, until_ms: int | None) -> Any:
    found = select(events.c.cursor).where(
        events.c.enterprise_id == enterprise_id, events.c.occurred_at >= since_ms, _TELLS_WHO
    )
    return found if until_ms is None else found.where(events.c.occurred_at <= until_ms)


def _again(conn: Connection, enterprise_id: str, which: ColumnElement[bool]) -> int:
    whole = exists(select(events.c.cursor).where(events.c.cursor == deliveries.c.cursor, _TELLS_WHO))
    happened = select(events.c.occurred_at).where(events.c.cursor == deliveries.c.cursor).scalar_subquery()
    again = (
        update(deliveries)
        .where(deliveries.c.enterprise_id == enterprise_id, which, whole)
        .values(status=PENDING, due_at=happened, attempts_before=deliveries.c.attempts)
    )
    count = conn.execute(again).rowcount
    if count:
        meta.bump_replays(conn)
    return count
