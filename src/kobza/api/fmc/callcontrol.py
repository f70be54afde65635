"""Acting on a live call: `POST /v1/callcontrol`."""

from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import Controller
from kobza.api.context import context_of
from kobza.api.documenting import NumberText
from kobza.api.ports import ControlAction, Controlled, RecordingState
from kobza.api.problems import ApiError
from kobza.api.query import json_body, number_of

router = doc.router("/api/fmc", "Calls")

MAX_DIGITS: Final = 32
"""Digits of one request, commas included: 6 to 16 seconds, longer than anything that is dialled into a voice menu."""
FIELDS: Final = {"dtmf": "digits", "transfer": "destination"}
"""By action: the field that it needs and no other action may have."""


def _schema(schema: dict[str, Any]) -> None:
    """Say which action needs which field; the model's library cannot."""
    absent = {field: {"type": "null"} for field in FIELDS.values()}
    plain = [action for action in schema["properties"]["action"]["enum"] if action not in FIELDS]
    schema["oneOf"] = [
        {"title": "without more", "properties": {"action": {"enum": plain}, **absent}},
        *(
            {
                "title": action,
                "required": [field],
                "properties": {**absent, "action": {"const": action}, field: {"type": "string"}},
            }
            for action, field in FIELDS.items()
        ),
    ]


class ControlRequest(BaseModel):
    """A command to one leg."""

    model_config = ConfigDict(json_schema_extra=_schema)

    call_control_id: Annotated[
        str, Field(min_length=1, max_length=64, description="The leg, from a call state or from originate.")
    ]
    action: Annotated[ControlAction, Field(description="What is to be done; see the examples.")]
    digits: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_DIGITS,
            pattern=r"^[0-9*#A-D,]+$",
            description="With `dtmf`: 0 to 9, *, #, A to D; a comma waits half a second.",
        ),
    ] = None
    destination: Annotated[NumberText | None, Field(description="With `transfer`: who is called instead.")] = None


class ControlAnswer(BaseModel):
    """What the leg is after the command."""

    call_control_id: str
    action: str
    state: Annotated[str, Field(description="The leg's state now: alerting, established, held or finished.")]
    muted: Annotated[bool, Field(description="Whether the other side hears silence instead of the owner.")]
    recording: Annotated[
        RecordingState | None,
        Field(description="Your recording of this call: on, paused (silence) or stopped; null: there is none."),
    ]
    record_id: Annotated[str | None, Field(description="Of that recording, for callrecord.")]


LEG: Final = "0192f3c4a5b67d8e9f0a1b2c3d4e5f60"
EXAMPLE: Final = {
    "call_control_id": LEG,
    "action": "hold",
    "state": "held",
    "muted": False,
    "recording": None,
    "record_id": None,
}
EXAMPLES: Final[dict[ControlAction, tuple[str, doc.Json]]] = {
    "clear": ("Reject an alerting call, give up one's own, end an established one", {}),
    "hold": ("Put the other side on hold: it hears music", {}),
    "unhold": ("Take the call up again", {}),
    "mute": ("Let the other side hear silence instead of the owner", {}),
    "unmute": ("Let the other side hear the owner again", {}),
    "dtmf": ("Send digits to the other side, with a second's pause", {"digits": "1,,42#"}),
    "transfer": ("Have the other side talk to somebody else; the owner leaves", {"destination": "0671234568"}),
    "record_start": ("Begin to record", {}),
    "record_pause": ("Let the recording run on in silence", {}),
    "record_resume": ("Go on recording", {}),
    "record_stop": ("End the recording for good", {}),
}

DESCRIPTION: Final = """\
Acts on one leg of a live call; a command is answered when it is carried out:

- `clear` rejects an alerting call (cause 21), gives up one's own before the answer (31), ends an established one (16).
- `hold`, `unhold`: once the owner's phone has confirmed it. The other side hears music, and its phone is told so.
- `mute`, `unmute`: the phone knows nothing of it, and its keys still work. It lasts through hold.
- `dtmf`: when the last digit is out, as RFC 4733 events. Requests for a leg queue up, to 64 digits.
- `transfer`: when the destination is being called. The owner's leg finishes, the other side hears ringback. If nobody \
answers at the destination, the owner's phones ring again, as a new leg.
- `record_start`, `record_pause`, `record_resume`, `record_stop`: on demand, for any number with API FMC. A call has \
one recording for each enterprise, automatic or on demand; what was stopped cannot be started again.

A field that belongs to another action is refused; fields that are not listed are ignored.
"""


@router.post(
    "/v1/callcontrol",
    summary="Act on a live call",
    description=DESCRIPTION,
    responses={
        **doc.answer(ControlAnswer, EXAMPLE),
        **doc.errors(
            *doc.FMC_ERRORS,
            "invalid_body",
            "invalid_number",
            "service_not_enabled",
            "not_found",
            "wrong_state",
            "destination_unreachable",
            "refused_by_phone",
            "no_route",
            "media_failed",
            "no_answer_from_phone",
        ),
    },
    openapi_extra=doc.body(
        ControlRequest,
        {
            str(action): (summary, {"call_control_id": LEG, "action": action, **fields})
            for action, (summary, fields) in EXAMPLES.items()
        },
    ),
)
async def control_call(request: Request, caller: Controller) -> Response:
    """Act on a live call."""
    asked = await json_body(request, ControlRequest)
    _check_fields(asked)
    destination = "" if asked.destination is None else number_of(asked.destination, "destination")
    controlled = await context_of(request).commands.control(
        caller.enterprise_id, asked.call_control_id, asked.action, digits=asked.digits or "", destination=destination
    )
    return Response(msgspec.json.encode(_answer(asked, controlled)), media_type="application/json")


def _check_fields(asked: ControlRequest) -> None:
    """Raise ApiError unless a field is there if, and only if, the action is its own."""
    for action, field in FIELDS.items():
        given = getattr(asked, field) is not None
        if asked.action == action and not given:
            raise ApiError("missing_parameter", f"{field} is missing: {action} needs it.", parameter=field)
        if asked.action != action and given:
            raise ApiError("invalid_body", f"{field} belongs to {action}, not to {asked.action}.", parameter=field)


def _answer(asked: ControlRequest, controlled: Controlled) -> dict[str, Any]:
    record_id, recording = controlled.recording or (None, None)
    return {
        "call_control_id": asked.call_control_id,
        "action": asked.action,
        "state": controlled.state,
        "muted": controlled.muted,
        "recording": recording,
        "record_id": record_id,
    }
