"""What those see whom a number calls: `GET` and `PUT /v1/clip`."""

from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsReader, SettingsWriter
from kobza.api.context import context_of
from kobza.api.fmc.dnd import NUMBER_PARAMETER, SETTING_ERRORS, Until, asked_number, until_ms, until_text
from kobza.api.fmc.originate import require_presentable
from kobza.api.query import json_body, number_of
from kobza.call.directory import Subscriber
from kobza.call.numbers import national

router = doc.router("/api/fmc", "Settings of a number")


class ClipRequest(BaseModel):
    """The setting wanted."""

    number: doc.NumberText
    presentation_number: Annotated[doc.NumberText | None, Field(description="null: the number itself.")]
    restricted: Annotated[bool, Field(description="Hide the number (RFC 3323).")]
    until: Until = None


class ClipAnswer(BaseModel):
    """The setting in force from the next call on."""

    number: str
    presentation_number: str | None
    restricted: bool
    until: Annotated[doc.Moment | None, Field(description="When it ends by itself (RFC 3339, UTC).")]


EXAMPLE: Final = {"number": "0671234567", "presentation_number": "0671234500", "restricted": False, "until": None}


def _shown(subscriber: Subscriber, now: float) -> dict[str, Any]:
    presented = subscriber.presentation_at(now)
    restricted = subscriber.restricted_at(now)
    return {
        "number": national(subscriber.number),
        "presentation_number": None if presented is None else national(presented),
        "restricted": restricted,
        "until": until_text(subscriber.clip_until) if restricted or presented is not None else None,
    }


@router.get(
    "/v1/clip",
    summary="Show the presentation of a number",
    responses={**doc.answer(ClipAnswer, EXAMPLE), **doc.errors(*SETTING_ERRORS)},
    openapi_extra={"parameters": [NUMBER_PARAMETER]},
)
async def show_clip(request: Request, caller: SettingsReader) -> Response:
    """Show the presentation of a number."""
    context = context_of(request)
    subscriber = await context.served(caller.enterprise_id, asked_number(request))
    return Response(msgspec.json.encode(_shown(subscriber, context.now())), media_type="application/json")


@router.put(
    "/v1/clip",
    summary="Set the presentation of a number",
    description="Another number of the enterprise, or one that is registered for it, instead of the own one; or none "
    "at all. Applies to the next call.",
    responses={
        **doc.answer(ClipAnswer, EXAMPLE),
        **doc.errors(*SETTING_ERRORS, "invalid_body", "presentation_not_allowed"),
    },
    openapi_extra=doc.body(
        ClipRequest, {"number": "0671234567", "presentation_number": "0671234500", "restricted": False}
    ),
)
async def set_clip(request: Request, caller: SettingsWriter) -> Response:
    """Set the presentation of a number."""
    context = context_of(request)
    asked = await json_body(request, ClipRequest)
    number = number_of(asked.number, "number")
    presented = None
    if asked.presentation_number is not None:
        presented = number_of(asked.presentation_number, "presentation_number")
    until = until_ms(context, asked.until)
    await context.served(caller.enterprise_id, number)
    if presented is not None:
        await require_presentable(context, caller.enterprise_id, presented, "presentation_number")
    await context.commands.set_clip(caller.enterprise_id, number, presented, asked.restricted, until, by=caller.by)
    subscriber = await context.served(caller.enterprise_id, number)
    return Response(msgspec.json.encode(_shown(subscriber, context.now())), media_type="application/json")
