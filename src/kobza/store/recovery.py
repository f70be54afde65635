"""After a crash: which calls were on, and what is owed for them.

`recover` does all of it. It belongs before the start of the journal, whose first sign of life covers that of the life
before.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, Row, select

from kobza.call.cdr import Cdr
from kobza.call.durations import ringing_seconds, talk_seconds, to_ms
from kobza.call.states import Direction, OwnerState, StateType
from kobza.store import meta
from kobza.store.entries import CdrClosed, Entry, StateStored
from kobza.store.journal import JournalWriter
from kobza.store.schema import calls, events, promised_legs
from kobza.store.store import Store

CRASH_CAUSE = 41
"""Q.850 "Temporary failure": what the contract says of a call that a failure of the server ended."""

CRASH_STATUS = 500
"""The SIP twin of the cause above for a call that was not answered (an answered one had its 200)."""


PATIENCE_MS = 5000
"""How long the one commit of `recover` waits for another writer: nobody would try it again."""


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """An owner's leg that has not finished. Moments are seconds."""

    call_control_id: str
    state_owner: str
    phone_number: str
    call_direction: Direction
    client_state: str | None
    sequence: int
    """Of its last state; 0 when only its id was handed out."""
    state_type: StateType | None
    """Of its last state."""
    alerting_at: float | None
    answered_at: float | None
    """When it was told `established`: for the destination of a transfer that is not when the call was answered."""
    last_at: float


@dataclass(frozen=True, slots=True)
class OpenCall:
    """An unfinished call of one enterprise, with the legs of its owners that still have to hear `finished`."""

    cdr: Cdr
    legs: tuple[OpenLeg, ...]


def recover(
    store: Store, *, new_id: Callable[[], str], stored: Callable[[OwnerState], StateStored]
) -> list[StateStored]:
    """Close what a crash left open, in one commit, and return the states that owners are owed for it.

    One commit: killed in the middle, the next start finds all of it open still or nothing, never a call whose other
    enterprise thinks that it went on. Without open calls nothing is written. See `close_unfinished` for the parameters.
    """
    with store.read() as conn:
        opened, last_seen = open_calls(conn), last_sign_of_life(conn)
    groups = close_unfinished(opened, last_seen=last_seen, new_id=new_id, stored=stored)
    entries = [entry for group in groups for entry in group]
    if not entries:
        return []
    writer = JournalWriter(store.place, busy_timeout_ms=PATIENCE_MS)
    try:
        writer.write(entries)
    finally:
        writer.close()
    return [entry for entry in entries if isinstance(entry, StateStored)]


def last_sign_of_life(conn: Connection) -> float | None:
    """Return when the journal last said that it was alive (seconds), or None when it never did."""
    heartbeat = meta.get_number(conn, meta.HEARTBEAT)
    return None if heartbeat is None else heartbeat / 1000


def open_calls(conn: Connection) -> list[OpenCall]:
    """Return the calls that have no end, oldest first."""
    unfinished = calls.c.ended_at.is_(None)
    open_ids = select(calls.c.call_id).where(unfinished)
    legs: defaultdict[tuple[str, str], dict[str, OpenLeg]] = defaultdict(dict)
    for row in conn.execute(select(promised_legs).where(promised_legs.c.call_id.in_(open_ids))):
        legs[row.call_id, row.enterprise_id][row.call_control_id] = _leg(row, None, row.promised_at)
    states = select(events).where(events.c.call_id.in_(open_ids)).order_by(events.c.cursor)
    for row in conn.execute(states):
        of_call = legs[row.call_id, row.enterprise_id]
        of_call[row.call_control_id] = _leg(row, of_call.get(row.call_control_id), row.occurred_at)
    found = conn.execute(select(calls).where(unfinished).order_by(calls.c.started_at, calls.c.call_id))
    opened = []
    for row in found:
        of_call = legs.get((row.call_id, row.enterprise_id), {})
        waiting = tuple(leg for leg in of_call.values() if leg.state_type is not StateType.FINISHED)
        opened.append(OpenCall(_cdr(row), waiting))
    return opened


def close_unfinished(
    opened: Sequence[OpenCall],
    *,
    last_seen: float | None,
    new_id: Callable[[], str],
    stored: Callable[[OwnerState], StateStored],
) -> list[list[Entry]]:
    """Return the journal entries that close calls after a crash, one group for each call and enterprise.

    A call ended when the server did: at `last_seen` (the last sign of life) or at the last thing that is known of the
    call, whichever is later. The moment of the restart would count the downtime as talk. `stored` makes a state into
    its entry: it knows whether there is an endpoint to owe it to, and the payload.
    """
    ends: dict[str, float] = {}  # by call: the enterprises of one call see the same end
    for call in opened:
        end = max(_last_known(call), ends.get(call.cdr.call_id, 0.0), 0.0 if last_seen is None else last_seen)
        ends[call.cdr.call_id] = end
    return [_close(call, ends[call.cdr.call_id], new_id, stored) for call in opened]


def _last_known(call: OpenCall) -> float:
    moments = (call.cdr.started_at, call.cdr.ringing_at, call.cdr.answered_at, *(leg.last_at for leg in call.legs))
    return max(at for at in moments if at is not None)


def _close(
    call: OpenCall,
    ended_at: float,
    new_id: Callable[[], str],
    stored: Callable[[OwnerState], StateStored],
) -> list[Entry]:
    cdr = call.cdr
    closed = replace(
        cdr,
        ended_at=ended_at,
        cause=CRASH_CAUSE,
        sip_status=CRASH_STATUS if cdr.answered_at is None else 200,
        released_by="network",
    )
    states = [
        OwnerState(
            event_id=new_id(),
            call_id=cdr.call_id,
            call_control_id=leg.call_control_id,
            sequence=leg.sequence + 1,
            state_type=StateType.FINISHED,
            enterprise_id=cdr.enterprise_id,
            state_owner=leg.state_owner,
            phone_number=leg.phone_number,
            call_direction=leg.call_direction,
            at=ended_at,
            client_state=leg.client_state,
            cause=CRASH_CAUSE,
            call_duration=talk_seconds(_ms(leg.answered_at), to_ms(ended_at)),
            ringing=ringing_seconds(_ms(leg.alerting_at), _ms(leg.answered_at), to_ms(ended_at)),
            released_by="network",
            record_id=cdr.record_id,
        )
        for leg in call.legs
    ]
    return [CdrClosed(closed), *(stored(state) for state in states)]


def _leg(row: Row[Any], before: OpenLeg | None, at_ms: int) -> OpenLeg:
    """Make a leg of its next event, or of the promise of its id."""
    at = at_ms / 1000
    state_type = StateType(row.state_type) if "state_type" in row._fields else None
    if before is not None and before.state_type is StateType.FINISHED:  # of a recording it may hear after its end
        state_type = StateType.FINISHED
    alerting_at = None if before is None else before.alerting_at
    if state_type is StateType.ALERTING and alerting_at is None:
        alerting_at = at
    answered_at = None if before is None else before.answered_at
    if state_type is StateType.ESTABLISHED and answered_at is None:
        answered_at = at
    return OpenLeg(
        call_control_id=row.call_control_id,
        state_owner=row.state_owner,
        phone_number=row.phone_number,
        call_direction=row.call_direction,
        client_state=row.client_state,
        sequence=0 if state_type is None else row.sequence,
        state_type=state_type,
        alerting_at=alerting_at,
        answered_at=answered_at,
        last_at=at,
    )


def _cdr(row: Row[Any]) -> Cdr:
    return Cdr(
        call_id=row.call_id,
        enterprise_id=row.enterprise_id,
        calling_number=row.calling_number,
        called_number=row.called_number,
        answered_number=row.answered_number,
        started_at=row.started_at / 1000,
        ringing_at=_seconds(row.ringing_at),
        answered_at=_seconds(row.answered_at),
        direction=row.direction,
        record_id=row.record_id,
        client_state=row.client_state,
        convergent=row.convergent,
    )


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _ms(at: float | None) -> int | None:
    return None if at is None else to_ms(at)
