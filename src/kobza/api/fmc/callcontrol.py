"""Acting on a live call: `POST /v1/callcontrol`."""

from typing import Annotated, Final, Literal

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import Controller
from kobza.api.context import context_of
from kobza.api.query import json_body

router = doc.router("/api/fmc", "Calls")


class ControlRequest(BaseModel):
    """A command to one leg."""

    call_control_id: Annotated[str, Field(min_length=1, max_length=64)]
    action: Annotated[
        Literal["clear", "hold", "unhold"],
        Field(description="clear rejects an alerting call and ends an established one."),
    ]


class ControlAnswer(BaseModel):
    """What became of the command."""

    call_control_id: str
    action: str
    state: Annotated[str, Field(description="The leg's state now: alerting, established, held or finished.")]


EXAMPLE: Final = {"call_control_id": "0192f3c4a5b67d8e9f0a1b2c3d4e5f60", "action": "hold", "state": "held"}


@router.post(
    "/v1/callcontrol",
    summary="Act on a live call",
    description="Answers after the phone itself confirmed the command.",
    responses={
        **doc.answer(ControlAnswer, EXAMPLE),
        **doc.errors(
            *doc.FMC_ERRORS, "invalid_body", "not_found", "wrong_state", "refused_by_phone", "no_answer_from_phone"
        ),
    },
    openapi_extra=doc.body(ControlRequest, {"call_control_id": EXAMPLE["call_control_id"], "action": "hold"}),
)
async def control_call(request: Request, caller: Controller) -> Response:
    """Act on a live call."""
    asked = await json_body(request, ControlRequest)
    state = await context_of(request).commands.control(caller.enterprise_id, asked.call_control_id, asked.action)
    answer = {"call_control_id": asked.call_control_id, "action": asked.action, "state": state}
    return Response(msgspec.json.encode(answer), media_type="application/json")
