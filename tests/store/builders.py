"""Entries and rows for the tests of the store, with a plausible default for everything."""

import json
from typing import Any

from kobza.call.cdr import Cdr
from kobza.call.states import OwnerState, StateType
from kobza.store.entries import AttemptStored, Binding, CdrClosed, Entry, RecordingStored, StateStored
from kobza.store.messages import SipLadder, written
from kobza.store.recording_files import Doomed

NOW = 1_760_000_000.0
NOW_MS = 1_760_000_000_000
LATER = NOW_MS + 100_000
FOREVER = (0, 2 * NOW_MS)

ANNA, BOHDAN, OUTSIDE = "+380671000001", "+380671000002", "+380441234567"


def cdr(call_id: str = "call-1", enterprise_id: str = "ent-1", **fields: Any) -> Cdr:
    values: dict[str, Any] = {
        "calling_number": OUTSIDE,
        "called_number": ANNA,
        "started_at": NOW,
        "direction": "incoming",
        "convergent": True,
    }
    return Cdr(call_id=call_id, enterprise_id=enterprise_id, **(values | fields))


def ended(call_id: str = "call-1", enterprise_id: str = "ent-1", *, talk: float | None = 10.0, **fields: Any) -> Cdr:
    """A finished call: answered 5 s after its start and `talk` seconds long, or (None) not answered."""
    started_at = fields.get("started_at", NOW)
    values: dict[str, Any] = {
        "ringing_at": started_at + 1,
        "answered_at": None if talk is None else started_at + 5,
        "answered_number": None if talk is None else ANNA,
        "ended_at": started_at + 5 + (talk or 0),
        "cause": 19 if talk is None else 16,
        "sip_status": 480 if talk is None else 200,
        "released_by": "network" if talk is None else "caller",
    }
    return cdr(call_id, enterprise_id, **(values | fields))


def state(sequence: int = 1, **fields: Any) -> OwnerState:
    values: dict[str, Any] = {
        "call_id": "call-1",
        "call_control_id": "leg-1",
        "state_type": (StateType.ALERTING, StateType.ESTABLISHED, StateType.FINISHED)[(sequence - 1) % 3],
        "enterprise_id": "ent-1",
        "state_owner": ANNA,
        "phone_number": OUTSIDE,
        "call_direction": "incoming",
        "at": NOW + sequence,
    }
    values |= fields
    values.setdefault("event_id", f"{values['call_control_id']}-{sequence}")
    return OwnerState(sequence=sequence, **values)


def stored(sequence: int = 1, *, owed: bool = True, **fields: Any) -> StateStored:
    made = state(sequence, **fields)
    return StateStored(
        made, owed, json.dumps({"event_id": made.event_id, "ім'я": "Ганна"}, ensure_ascii=False).encode()
    )


def attempt(sequence: int = 1, number: int = 1, **fields: Any) -> AttemptStored:
    values: dict[str, Any] = {
        "call_id": "call-1",
        "call_control_id": "leg-1",
        "started_at": NOW + 20,
        "duration_ms": 12,
        "outcome": "delivered",
        "status_code": 200,
    }
    return AttemptStored(sequence=sequence, attempt=number, **(values | fields))


class Erased(list[str]):
    """Erases nothing and remembers what it should have."""

    def __call__(self, doomed: Doomed) -> None:
        self.append(doomed.path)


def recording(status: str = "recording", **fields: Any) -> RecordingStored:
    values: dict[str, Any] = {"record_id": "rec-1", "enterprise_id": "ent-1", "call_id": "call-1", "at": NOW}
    return RecordingStored(status=status, **(values | fields))  # type: ignore[arg-type]


def binding(number: str = ANNA, contact: str = "sip:a@192.0.2.1:5062", **fields: Any) -> Binding:
    values: dict[str, Any] = {
        "sip_call_id": "reg-1",
        "cseq": 1,
        "expires_at": NOW + 3600,
        "registered_at": NOW,
        "path": ("<sip:p1.example;lr>", "<sip:p2.example;lr>"),
        "transport": "TCP",
        "local_host": "127.0.0.1",
        "local_port": 5060,
        "remote_host": "192.0.2.1",
        "remote_port": 40000,
        "connection": 7,
        "user_agent": "Softphone 1.0",
    }
    return Binding(number=number, contact=contact, **(values | fields))


def many(count: int, enterprise_id: str = "ent-1", *, every: float = 1.0) -> list[Entry]:
    """Finished calls, `every` seconds from start to start."""
    return [
        CdrClosed(ended(f"call-{index:05}", enterprise_id, started_at=NOW + int(index * every)))
        for index in range(count)
    ]


def kept_ladder(said: SipLadder) -> str:
    """The text that is kept of a ladder: of each dialog its beginning, and what was said so many microseconds later."""
    dialogs: list[tuple[str, list[Any]]] = []
    for lane, name in enumerate(said.lanes):
        own = [each for each in said.messages if each.lane == lane]
        noted: list[Any] = [(said.began_at + own[0].after_ms) * 1000]
        for each in own:
            noted += ((each.after_ms - own[0].after_ms) * 1000, each.sent, each.what, each.about)
        dialogs.append((name, noted))
    return written(dialogs)
