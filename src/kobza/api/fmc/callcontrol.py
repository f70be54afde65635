"""Acting on a live call: `POST /v1/callcontrol`."""

from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import Controller
from kobza.api.context import context_of
from kobza.api.documenting import NumberText
from kobza.api.gate import scope_missing
from kobza.api.ports import ControlAction, Controlled, RecordingState, SuperviseMode
from kobza.api.problems import ApiError
from kobza.api.query import json_body, number_of
from kobza.store.tokens import Scope

router = doc.router("/api/fmc", "Calls")

MAX_DIGITS: Final = 32
"""Digits of one request, commas included: 6 to 16 seconds, longer than anything that is dialled into a voice menu."""
Action = Literal[ControlAction, "supervise", "add"]

FIELDS: Final[dict[str, dict[str, bool]]] = {
    "dtmf": {"digits": True},
    "transfer": {"destination": True},
    "supervise": {"number": True, "mode": False},
    "add": {"destination": True},
}
"""By action: its own fields, which no other action may have, and whether each must be there."""
OWN_FIELDS: Final = ("digits", "destination", "number", "mode")


def _schema(schema: dict[str, Any]) -> None:
    """Say which action needs which field; the model's library cannot."""
    absent = {field: {"type": "null"} for field in OWN_FIELDS}
    plain = [action for action in schema["properties"]["action"]["enum"] if action not in FIELDS]
    schema["oneOf"] = [
        {"title": "without more", "properties": {"action": {"enum": plain}, **absent}},
        *(
            {
                "title": action,
                "required": [field for field, needed in fields.items() if needed],
                "properties": {
                    **{field: null for field, null in absent.items() if field not in fields},
                    "action": {"const": action},
                    **{field: {"type": "string"} for field, needed in fields.items() if needed},
                },
            }
            for action, fields in FIELDS.items()
        ),
    ]


class ControlRequest(BaseModel):
    """A command to one leg."""

    model_config = ConfigDict(json_schema_extra=_schema)

    call_control_id: Annotated[
        str, Field(min_length=1, max_length=64, description="The leg, from a call state or from originate.")
    ]
    action: Annotated[Action, Field(description="What is to be done; see the examples.")]
    digits: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_DIGITS,
            pattern=r"^[0-9*#A-D,]+$",
            description="With `dtmf`: 0 to 9, *, #, A to D; a comma waits half a second.",
        ),
    ] = None
    destination: Annotated[
        NumberText | None, Field(description="With `transfer`: who is called instead; with `add`: who is called too.")
    ] = None
    number: Annotated[
        NumberText | None, Field(description="With `supervise`: the supervisor's number, one of yours.")
    ] = None
    mode: Annotated[
        SuperviseMode | None,
        Field(
            description="With `supervise`: `listen` (the default) hears both; `whisper` is heard by the leg's owner, "
            "too; `join` by both."
        ),
    ] = None


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
    guest_control_id: Annotated[
        str | None,
        Field(description="With `supervise` and `add`: the leg by which that takes part; `clear` ends it alone."),
    ] = None


LEG: Final = "0192f3c4a5b67d8e9f0a1b2c3d4e5f60"
EXAMPLE: Final = {
    "call_control_id": LEG,
    "action": "hold",
    "state": "held",
    "muted": False,
    "recording": None,
    "record_id": None,
    "guest_control_id": None,
}
EXAMPLES: Final[dict[Action, tuple[str, doc.Json]]] = {
    "clear": ("Reject an alerting call, give up one's own, end an established one", {}),
    "hold": ("Put the other side on hold: it hears music", {}),
    "unhold": ("Take the call up again", {}),
    "mute": ("Let the other side hear silence instead of the owner", {}),
    "unmute": ("Let the other side hear the owner again", {}),
    "dtmf": ("Send digits to the other side, with a second's pause", {"digits": "1,,42#"}),
    "transfer": ("Have the other side talk to somebody else; the owner leaves", {"destination": "0671234568"}),
    "supervise": (
        "Let a supervisor hear the call and talk to its owner alone",
        {"number": "0671234569", "mode": "whisper"},
    ),
    "add": ("Call one more, so that all talk together", {"destination": "0501112233"}),
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
- `supervise`, with the scope of that name: rings the supervisor's phones, and is answered at once. Once more with \
another `mode` changes how the supervisor takes part. The enterprise chooses whether those who talk hear a tone \
meanwhile; the audit always notes it.
- `add` calls one more number at the expense of the leg's owner, and is answered at once. When it answers all talk \
together, ten at most. Whoever hangs up leaves alone; the conference ends when one is left.

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
            "originator_busy",
            "originator_unreachable",
            "conference_full",
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
    commands = context_of(request).commands
    destination = "" if asked.destination is None else number_of(asked.destination, "destination")
    leg = asked.call_control_id
    if asked.action == "supervise":
        if Scope.SUPERVISE not in caller.scopes:
            raise scope_missing(Scope.SUPERVISE)
        number = number_of(asked.number or "", "number")
        guest = await commands.supervise(caller.enterprise_id, leg, number, asked.mode or "listen", by=caller.by)
        return _written(asked, commands.state_of(leg), guest.call_control_id)
    if asked.action == "add":
        guest = await commands.add(caller.enterprise_id, leg, destination)
        return _written(asked, commands.state_of(leg), guest.call_control_id)
    controlled = await commands.control(
        caller.enterprise_id, leg, asked.action, digits=asked.digits or "", destination=destination
    )
    return _written(asked, controlled)


def _check_fields(asked: ControlRequest) -> None:
    """Raise ApiError unless a field is there if, and only if, the action is its own."""
    own = FIELDS.get(asked.action, {})
    for field, needed in own.items():
        if needed and getattr(asked, field) is None:
            raise ApiError("missing_parameter", f"{field} is missing: {asked.action} needs it.", parameter=field)
    for field in OWN_FIELDS:
        if field not in own and getattr(asked, field) is not None:
            whose = " and ".join(action for action, fields in FIELDS.items() if field in fields)
            raise ApiError("invalid_body", f"{field} belongs to {whose}, not to {asked.action}.", parameter=field)


def _written(asked: ControlRequest, controlled: Controlled, guest_control_id: str | None = None) -> Response:
    record_id, recording = controlled.recording or (None, None)
    answer = {
        "call_control_id": asked.call_control_id,
        "action": asked.action,
        "state": controlled.state,
        "muted": controlled.muted,
        "recording": recording,
        "record_id": record_id,
        "guest_control_id": guest_control_id,
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")
