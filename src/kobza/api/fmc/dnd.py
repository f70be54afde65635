"""Do Not Disturb of a number: `GET` and `PUT /v1/dnd`."""

from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsReader, SettingsWriter
from kobza.api.context import ApiContext, context_of
from kobza.api.problems import ApiError
from kobza.api.query import Query, json_body, number_of
from kobza.api.times import parse_moment, rfc3339
from kobza.call.directory import Subscriber
from kobza.call.numbers import national

router = doc.router("/api/fmc", "Settings of a number")

Until = Annotated[
    doc.MomentText | None,
    Field(
        description="When the setting ends by itself: RFC 3339, or wall time of Kyiv. In the future. "
        "Then Do Not Disturb is off and the number shown is the own one again; what is so already has no end."
    ),
]


class DndRequest(BaseModel):
    """The setting wanted."""

    number: doc.NumberText
    dnd: Literal["on", "off"]
    until: Until = None


class DndAnswer(BaseModel):
    """The setting in force."""

    number: str
    dnd: Literal["on", "off"]
    until: Annotated[doc.Moment | None, Field(description="When it ends by itself (RFC 3339, UTC).")]


EXAMPLE: Final = {"number": "0671234567", "dnd": "on", "until": "2026-03-01T07:30:00.000Z"}
SETTING_ERRORS: Final = (*doc.FMC_ERRORS, "invalid_number", "not_found", "service_not_enabled")
NUMBER_PARAMETER: Final = doc.parameter("number", "A number of yours.", doc.NUMBER, required=True, example="0671234567")


def until_ms(context: ApiContext, until: str | None) -> int | None:
    """Return when a setting ends (ms), None for never. Raises ApiError for a moment that is over."""
    if until is None:
        return None
    moment = parse_moment(until, "until")
    if moment <= context.now_ms():
        raise ApiError("invalid_parameter", "until must be in the future.", parameter="until")
    return moment


def until_text(until: int | None) -> str | None:
    """Write when a setting ends, None for never."""
    return None if until is None else rfc3339(until)


def asked_number(request: Request) -> str:
    """Return the required parameter `number` in its stored form. Raises ApiError or NumberError."""
    return number_of(Query(request).required("number"), "number")


def _shown(subscriber: Subscriber, now: float) -> dict[str, Any]:
    on = subscriber.dnd_at(now)
    until = until_text(subscriber.dnd_until) if on else None
    return {"number": national(subscriber.number), "dnd": "on" if on else "off", "until": until}


@router.get(
    "/v1/dnd",
    summary="Show Do Not Disturb",
    responses={**doc.answer(DndAnswer, EXAMPLE), **doc.errors(*SETTING_ERRORS)},
    openapi_extra={"parameters": [NUMBER_PARAMETER]},
)
async def show_dnd(request: Request, caller: SettingsReader) -> Response:
    """Show Do Not Disturb."""
    context = context_of(request)
    subscriber = await context.served(caller.enterprise_id, asked_number(request))
    return Response(msgspec.json.encode(_shown(subscriber, context.now())), media_type="application/json")


@router.put(
    "/v1/dnd",
    summary="Switch Do Not Disturb",
    description="While it is on, an incoming call does not ring; the caller gets SIP 480 with Q.850 cause 21.",
    responses={**doc.answer(DndAnswer, EXAMPLE), **doc.errors(*SETTING_ERRORS, "invalid_body")},
    openapi_extra=doc.body(DndRequest, {"number": "0671234567", "dnd": "on", "until": "2026-03-01T09:30:00"}),
)
async def switch_dnd(request: Request, caller: SettingsWriter) -> Response:
    """Switch Do Not Disturb."""
    context = context_of(request)
    asked = await json_body(request, DndRequest)
    number = number_of(asked.number, "number")
    until = until_ms(context, asked.until)
    await context.served(caller.enterprise_id, number)
    await context.commands.set_dnd(caller.enterprise_id, number, asked.dnd == "on", until, by=caller.by)
    subscriber = await context.served(caller.enterprise_id, number)
    return Response(msgspec.json.encode(_shown(subscriber, context.now())), media_type="application/json")
