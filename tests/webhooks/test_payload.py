import json
from typing import Any

import pytest
from msgspec.structs import replace

from kobza.call.durations import rfc3339
from kobza.call.states import OwnerState, StateType
from kobza.store.recordings import Remarks
from kobza.webhooks.payload import body, payload

ALERTING = OwnerState(
    event_id="e1",
    call_id="c1",
    call_control_id="l1",
    sequence=1,
    state_type=StateType.ALERTING,
    enterprise_id="secret enterprise",
    state_owner="+380671234567",
    phone_number="+380671234568",
    call_direction="incoming",
    at=1_740_830_400.1239,
    client_state="ticket 7",
)
FINISHED = replace(
    ALERTING,
    sequence=3,
    state_type=StateType.FINISHED,
    cause=17,
    call_duration=0,
    ringing=4,
    released_by="called",
    record_id=None,
)

WIRE = ["call_id", "call_control_id", "state_type", "state_owner", "phone_number", "call_direction"]
OURS = ["event_id", "sequence", "occurred_at", "client_state"]
AT_THE_END = ["cause", "cause_text", "call_duration", "ringing", "released_by", "record_id"]


def test_record_ready_names_the_recording() -> None:
    ready = replace(
        ALERTING, sequence=4, state_type=StateType.RECORD_READY, extended=True, record_id="r1", record_duration=13
    )
    assert list(payload(ready)) == [*WIRE, *OURS, "record_id", "record_duration"]
    assert (payload(ready)["record_id"], payload(ready)["record_duration"]) == ("r1", 13)
    noted = Remarks([(100, 2500)], {"callee": ["G729"]}, True, [("caller", 3210)], ["callee"]).document()
    told = payload(replace(ready, record_remarks=noted))
    assert told["record_remarks"] == {
        "paused": [{"from": 0.1, "until": 2.5}],
        "undecoded": {"called": ["G729"]},
        "announced": [{"side": "caller", "at": 3.21}],
        "unannounced": ["called"],
        "ends_early": True,
    }
    assert list(told)[-1] == "record_remarks"
    assert Remarks().document() is None


def test_the_fields_of_the_contract_in_its_order() -> None:
    assert list(payload(ALERTING)) == WIRE + OURS
    assert list(payload(FINISHED)) == WIRE + OURS + AT_THE_END


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("call_id", "c1"),
        ("call_control_id", "l1"),
        ("state_type", "alerting"),
        ("state_owner", "0671234567"),
        ("phone_number", "0671234568"),
        ("call_direction", "incoming"),
        ("event_id", "e1"),
        ("sequence", 1),
        ("occurred_at", "2025-03-01T12:00:00.123Z"),
        ("client_state", "ticket 7"),
    ],
)
def test_what_a_state_says(field: str, value: Any) -> None:
    assert payload(ALERTING)[field] == value


@pytest.mark.parametrize(
    ("number", "written"),
    [("+380671234567", "0671234567"), ("+48221234567", "+48221234567"), ("101", "101")],
)
def test_numbers_are_written_nationally(number: str, written: str) -> None:
    assert payload(replace(ALERTING, phone_number=number))["phone_number"] == written


def test_the_end_of_a_call() -> None:
    said = payload(FINISHED)
    assert {name: said[name] for name in AT_THE_END} == {
        "cause": 17,
        "cause_text": "User busy",
        "call_duration": 0,
        "ringing": 4,
        "released_by": "called",
        "record_id": None,
    }


def test_only_the_end_has_a_cause() -> None:
    for state_type in StateType:
        said = payload(replace(FINISHED, state_type=state_type))
        assert ("cause" in said) == (state_type is StateType.FINISHED)


def test_the_body_is_json_with_the_same_fields() -> None:
    text = body(replace(FINISHED, client_state='Рахунок "7"'))
    assert json.loads(text) == payload(replace(FINISHED, client_state='Рахунок "7"'))
    assert "Рахунок" in text.decode()
    assert b"secret enterprise" not in text


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_740_830_400_007, "2025-03-01T12:00:00.007Z"),
        (1_750_000_000_999, "2025-06-15T15:06:40.999Z"),
    ],
)
def test_moments(at_ms: int, text: str) -> None:
    assert rfc3339(at_ms) == text
