"""The rows that the journal writes: an entry becomes a tuple in the order of the table's columns below.

Plain tuples for the driver cost a third less than SQLAlchemy's Core and a sixth of its ORM. Each database has its own
statements for them (`journal_sqlite`, `journal_postgres`).
"""

from collections.abc import Hashable, Sequence
from typing import Any, Final, get_args

from kobza.call.cdr import Cdr
from kobza.call.durations import to_ms
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

Row = tuple[Any, ...]


def ms(at: float | None) -> int | None:
    """Convert a moment that may be absent to milliseconds."""
    return None if at is None else to_ms(at)


def by_kind(batch: Sequence[Entry]) -> dict[type, list[Any]]:
    """Sort the entries of a batch. Raises TypeError for what is none."""
    groups: dict[type, list[Any]] = {}
    for entry in batch:
        kind = type(entry)
        group = groups.get(kind)
        if group is not None:
            group.append(entry)
        elif kind in _KINDS:
            groups[kind] = [entry]
        else:
            raise TypeError(f"not a journal entry: {entry!r}")
    return groups


_KINDS: Final = frozenset(get_args(Entry))


def call_row(entry: CdrOpened | CdrUpdated | CdrClosed) -> Row:
    """Make the row of a whole record: for ADD_CALL and CLOSE_CALL, and for all statements of calls on PostgreSQL."""
    cdr = entry.cdr
    started_at, answered_at = to_ms(cdr.started_at), ms(cdr.answered_at)
    return (
        cdr.call_id,
        cdr.enterprise_id,
        cdr.calling_number,
        cdr.called_number,
        cdr.answered_number,
        started_at,
        ms(cdr.ringing_at),
        answered_at,
        ms(cdr.ended_at),
        started_at if answered_at is None else answered_at,
        cdr.direction,
        cdr.cause,
        cdr.sip_status,
        cdr.released_by,
        cdr.record_id,
        cdr.client_state,
        cdr.convergent,
    )


def opened_rows(opened: Sequence[CdrOpened]) -> tuple[list[Row], list[Row]]:
    """Make the rows for SQLite's OPEN_CALL, and those for ADD_CALL: of records that say more than a call's start."""
    new: list[Row] = []
    more: list[Row] = []
    for entry in opened:
        cdr = entry.cdr
        if cdr.ringing_at is None and cdr.answered_at is None and cdr.ended_at is None and cdr.record_id is None:
            new.append(_new_row(cdr))
        else:
            more.append(call_row(entry))
    return new, more


def _new_row(cdr: Cdr) -> Row:
    started_at = to_ms(cdr.started_at)
    return (
        cdr.call_id,
        cdr.enterprise_id,
        cdr.calling_number,
        cdr.called_number,
        started_at,
        started_at,
        cdr.direction,
        cdr.client_state,
        cdr.convergent,
    )


def updated_row(entry: CdrUpdated) -> Row:
    """Make the row for SQLite's UPDATE_CALL: all but how the call ended."""
    cdr = entry.cdr
    started_at, answered_at = to_ms(cdr.started_at), ms(cdr.answered_at)
    return (
        cdr.call_id,
        cdr.enterprise_id,
        cdr.calling_number,
        cdr.called_number,
        cdr.answered_number,
        started_at,
        ms(cdr.ringing_at),
        answered_at,
        started_at if answered_at is None else answered_at,
        cdr.direction,
        cdr.record_id,
        cdr.client_state,
        cdr.convergent,
    )


def last_updates(updated: Sequence[CdrUpdated], closed: Sequence[CdrClosed]) -> list[CdrUpdated]:
    """Return the last word of a batch on each record that changed, and none on one that it closes.

    A phone that rings and answers at once makes two in a moment, and the row of a closed record says all of them.
    """
    last = {(entry.cdr.call_id, entry.cdr.enterprise_id): entry for entry in updated}
    for entry in closed:
        last.pop((entry.cdr.call_id, entry.cdr.enterprise_id), None)
    return list(last.values())


def details(entries: Sequence[DetailStored]) -> dict[DetailKind, list[Row]]:
    """Make the rows for STORE_DETAIL by kind, the last word on each call."""
    found: dict[DetailKind, dict[str, Row]] = {}
    for entry in entries:
        found.setdefault(entry.kind, {})[entry.call_id] = (entry.call_id, entry.text)
    return {kind: list(rows.values()) for kind, rows in found.items()}


def promise_row(entry: LegPromised) -> Row:
    """Make the row for PROMISE_LEG."""
    return (
        entry.call_id,
        entry.call_control_id,
        entry.enterprise_id,
        entry.state_owner,
        entry.phone_number,
        entry.call_direction,
        entry.client_state,
        to_ms(entry.at),
    )


def key_row(entry: KeyUsed) -> Row:
    """Make the row for USE_KEY."""
    return (
        entry.enterprise_id,
        entry.key,
        entry.fingerprint,
        entry.call_id,
        entry.call_control_id,
        to_ms(entry.expires_at),
    )


def event_row(entry: StateStored) -> Row:
    """Make the row for ADD_EVENT."""
    state = entry.state
    return (
        state.event_id,
        state.enterprise_id,
        state.call_id,
        state.call_control_id,
        state.sequence,
        state.state_type._value_,  # `value` is a function
        state.state_owner,
        state.phone_number,
        state.call_direction,
        to_ms(state.at),
        state.client_state,
        state.extended,
        entry.payload.decode(),
    )


def delivery_row(cursor: int, entry: StateStored) -> Row:
    """Make the row for OWE_DELIVERY."""
    state = entry.state
    return cursor, state.enterprise_id, to_ms(state.at)


def attempt_row(entry: AttemptStored) -> Row:
    """Make the row for ADD_ATTEMPT."""
    return (
        entry.attempt,
        to_ms(entry.started_at),
        entry.duration_ms,
        entry.url,
        entry.address,
        entry.status_code,
        entry.error,
        entry.response,
        entry.exchange,
        entry.call_id,
        entry.call_control_id,
        entry.sequence,
    )


def settled_rows(attempts: Sequence[AttemptStored]) -> list[Row]:
    """Fold attempts into what becomes of their deliveries: an outcome that ends one goes before another attempt.

    The rows are for SETTLE_DELIVERY and SETTLE_DELIVERIES, one for each delivery.
    """
    found: dict[Hashable, Row] = {}
    ordered = sorted(attempts, key=lambda attempt: attempt.outcome != "retry")  # stable: the order of each kind stays
    for entry in ordered:
        key = (entry.call_id, entry.call_control_id, entry.sequence)
        _, count, due_at = found.get(key, ("", 0, None))[:3]
        if entry.outcome == "retry":
            row: Row = ("pending", max(count, entry.attempt), ms(entry.retry_at))
        else:
            row = (entry.outcome, max(count, entry.attempt), due_at)
        found[key] = (*row, *key)
    return list(found.values())


def recording_row(entry: RecordingStored) -> Row:
    """Make the row for PUT_RECORDING."""
    return (
        entry.record_id,
        entry.enterprise_id,
        entry.call_id,
        entry.status,
        entry.path,
        entry.duration_ms,
        entry.size,
        entry.sha256,
        to_ms(entry.at),
        entry.remarks,
        entry.home,
        None if entry.home is None else to_ms(entry.at),
        entry.sealed,
    )


def binding_row(entry: BindingStored) -> Row:
    """Make the row for PUT_BINDING."""
    binding = entry.binding
    return (
        binding.number,
        binding.contact,
        binding.sip_call_id,
        binding.cseq,
        to_ms(binding.expires_at),
        to_ms(binding.registered_at),
        "\n".join(binding.path),
        binding.transport,
        binding.local_host,
        binding.local_port,
        binding.remote_host,
        binding.remote_port,
        binding.connection,
        binding.instance_id,
        binding.reg_id,
        binding.user_agent,
    )


def removal_row(entry: BindingRemoved) -> Row:
    """Make the row for REMOVE_BINDING."""
    return entry.number, entry.contact


def last_words(batch: Sequence[Entry]) -> tuple[list[Row], list[Row]]:
    """Return what a batch leaves of each binding: those to remove, then those to put; a new one may be in both."""
    removed: dict[tuple[str, str], Row] = {}
    stored: dict[tuple[str, str], Row] = {}
    for entry in batch:
        if isinstance(entry, BindingRemoved):
            key = (entry.number, entry.contact)
            removed[key] = removal_row(entry)
            stored.pop(key, None)
        elif isinstance(entry, BindingStored):
            stored[entry.binding.number, entry.binding.contact] = binding_row(entry)
    return list(removed.values()), list(stored.values())
