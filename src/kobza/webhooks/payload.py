"""The body of a call state, as the receiver sees it (contract, section 4)."""

from typing import Any

import msgspec

from kobza.call.causes import cause_text
from kobza.call.durations import rfc3339, to_ms
from kobza.call.numbers import national
from kobza.call.states import OwnerState, StateType

_ENCODER = msgspec.json.Encoder()


def payload(state: OwnerState) -> dict[str, Any]:
    """Return the fields of a call state in the contract's order; numbers are written nationally."""
    fields: dict[str, Any] = {
        "call_id": state.call_id,
        "call_control_id": state.call_control_id,
        "state_type": state.state_type._value_,
        "state_owner": national(state.state_owner),
        "phone_number": national(state.phone_number),
        "call_direction": state.call_direction,
        "event_id": state.event_id,
        "sequence": state.sequence,
        "occurred_at": rfc3339(to_ms(state.at)),
        "client_state": state.client_state,
    }
    if state.state_type is StateType.FINISHED:
        fields |= {
            "cause": state.cause,
            "cause_text": None if state.cause is None else cause_text(state.cause),
            "call_duration": state.call_duration,
            "ringing": state.ringing,
            "released_by": state.released_by,
            "record_id": state.record_id,
        }
        if state.heard is not None:
            fields["quality"] = state.heard.document(answered=True)
    elif state.state_type is StateType.RECORD_READY:
        fields |= {"record_id": state.record_id, "record_duration": state.record_duration}
        if state.record_remarks is not None:
            fields["record_remarks"] = state.record_remarks
    return fields


def test_body(event_id: str, now_ms: int) -> bytes:
    """Return the document of a try: a state of the type `test`, of no call."""
    return _ENCODER.encode(
        {
            "call_id": event_id,
            "call_control_id": event_id,
            "state_type": "test",
            "state_owner": "",
            "phone_number": "",
            "call_direction": "incoming",
            "event_id": event_id,
            "sequence": 1,
            "occurred_at": rfc3339(now_ms),
            "client_state": None,
        }
    )


def body(state: OwnerState) -> bytes:
    """Return the JSON document that is stored, posted and signed, byte for byte the same in every attempt."""
    return _ENCODER.encode(payload(state))
