"""What came of a story, by the books: comparable whatever the network was like."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from kobza.store import schema

TRIES = 6
"""Copies of one message, from which on SIP may have given up: seven INVITEs, eleven of anything else."""


@dataclass(frozen=True)
class Verdict:
    """What came of a story. Numbers are roles. Who has not talked is left out of the states, and that they rang: a 180
    that was lost is not sent again."""

    told: str
    """How it went for the phones."""
    records: tuple[str, ...]
    states: tuple[str, ...]
    wrong: tuple[str, ...]
    """What no network excuses."""
    tried: int
    """Copies of the message of these calls that was sent most often."""


def verdict(
    conn: Connection,
    enterprise_id: str,
    since: float,
    told: str,
    roles: Mapping[str, str],
    copies: Counter[bytes],
) -> Verdict:
    """Read the books of the calls between some numbers since a moment."""
    calls, events = schema.calls.c, schema.events.c
    wrong: list[str] = []
    rows = conn.execute(
        select(schema.calls)
        .where(
            calls.enterprise_id == enterprise_id,
            calls.started_at >= int(since * 1000),
            calls.calling_number.in_(roles) | calls.called_number.in_(roles),
        )
        .order_by(calls.started_at, calls.call_id)
    ).all()
    records = []
    for row in rows:
        if row.ended_at is None:
            wrong.append(f"call {row.call_id} has no end")
        answered = "answered" if row.answered_at is not None else "not answered"
        names = [roles.get(number or "", number) for number in (row.calling_number, row.called_number)]
        records.append(f"{names[0]} -> {names[1]}: {answered}, cause {row.cause} by {row.released_by}")
    legs: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    found = conn.execute(
        select(events.call_control_id, events.state_owner, events.sequence, events.state_type)
        .where(events.call_id.in_([row.call_id for row in rows]))
        .order_by(events.cursor)
    )
    for leg, owner, sequence, state in found:
        told_so_far = legs[leg, owner]
        told_so_far.append(state)
        if sequence != len(told_so_far):
            wrong.append(f"state {sequence} of leg {leg} is number {len(told_so_far)}")
    states = []
    for (leg, owner), of_leg in legs.items():
        if of_leg.count("finished") != 1 or of_leg[-1] != "finished":
            wrong.append(f"leg {leg} of {roles.get(owner)}: {of_leg}")
        if "established" in of_leg:
            states.append(f"{roles.get(owner)}: {' '.join(state for state in of_leg if state != 'alerting')}")
    hosts = tuple(number[-9:].encode() for number in roles)
    tried = max((count for data, count in copies.items() if any(host in data for host in hosts)), default=0)
    return Verdict(told, tuple(records), tuple(sorted(states)), tuple(wrong), tried)
