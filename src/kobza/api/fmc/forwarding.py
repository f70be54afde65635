"""Forwarding of a number: `GET` and `PUT /v1/forwarding`."""

from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsReader, SettingsWriter
from kobza.api.context import context_of
from kobza.api.fmc.dnd import NUMBER_PARAMETER, SETTING_ERRORS, asked_number
from kobza.api.query import json_body, number_of
from kobza.call.directory import Subscriber
from kobza.call.forwarding import MAX_SECONDS, MIN_SECONDS, NO_ANSWER_SECONDS, Occasion
from kobza.call.forwarding_form import forwarding_of
from kobza.call.numbers import national

router = doc.router("/api/fmc", "Settings of a number")


def target(when: str) -> Any:
    """Return the field of where calls go on an occasion."""
    return Field(description=f"{when} Any number, of yours or outside; null: nowhere.")


class ForwardingRequest(BaseModel):
    """The setting wanted, whole: what is left out is switched off."""

    number: doc.NumberText
    always: Annotated[doc.NumberText | None, target("Where all calls go; no phone of the number rings.")] = None
    busy: Annotated[doc.NumberText | None, target("Where calls go when its phones are busy.")] = None
    no_answer: Annotated[doc.NumberText | None, target("Where calls go that nobody answers in time.")] = None
    unreachable: Annotated[doc.NumberText | None, target("Where calls go when no phone of it can be reached.")] = None
    no_answer_after: Annotated[
        int | None,
        Field(
            ge=MIN_SECONDS,
            le=MAX_SECONDS,
            description=f"Seconds of ringing before `no_answer`; without it {NO_ANSWER_SECONDS}.",
        ),
    ] = None


class ForwardingAnswer(BaseModel):
    """The setting in force."""

    number: str
    always: str | None
    busy: str | None
    no_answer: str | None
    unreachable: str | None
    no_answer_after: Annotated[
        int | None, Field(description="Seconds of ringing before `no_answer`; null when that is null.")
    ]


EXAMPLE: Final = {
    "number": "0671234567",
    "always": None,
    "busy": "0671234568",
    "no_answer": "0501112233",
    "unreachable": "0501112233",
    "no_answer_after": 25,
}


def _shown(subscriber: Subscriber) -> bytes:
    forwarding = subscriber.forwarding
    targets = {each.value: forwarding.target(each) for each in Occasion}
    shown: dict[str, str | int | None] = {"number": national(subscriber.number)}
    shown |= {each: None if number is None else national(number) for each, number in targets.items()}
    shown["no_answer_after"] = None if forwarding.seconds is None else int(forwarding.seconds)
    return msgspec.json.encode(shown)


@router.get(
    "/v1/forwarding",
    summary="Show forwarding",
    responses={**doc.answer(ForwardingAnswer, EXAMPLE), **doc.errors(*SETTING_ERRORS)},
    openapi_extra={"parameters": [NUMBER_PARAMETER]},
)
async def show_forwarding(request: Request, caller: SettingsReader) -> Response:
    """Show forwarding."""
    subscriber = await context_of(request).served(caller.enterprise_id, asked_number(request))
    return Response(_shown(subscriber), media_type="application/json")


@router.put(
    "/v1/forwarding",
    summary="Set forwarding",
    description="From the next call on. A call by the outside line is at the expense of your number. `always` counts "
    "although Do Not Disturb is on; the others do not. A call goes on five times at most, and never in a circle.",
    responses={**doc.answer(ForwardingAnswer, EXAMPLE), **doc.errors(*SETTING_ERRORS, "invalid_body")},
    openapi_extra=doc.body(ForwardingRequest, EXAMPLE),
)
async def set_forwarding(request: Request, caller: SettingsWriter) -> Response:
    """Set forwarding."""
    context = context_of(request)
    asked = await json_body(request, ForwardingRequest)
    number = number_of(asked.number, "number")
    forwarding = forwarding_of(number, {each: getattr(asked, each.value) for each in Occasion}, asked.no_answer_after)
    await context.served(caller.enterprise_id, number)
    await context.commands.set_forwarding(caller.enterprise_id, number, forwarding, by=caller.by)
    return Response(_shown(await context.served(caller.enterprise_id, number)), media_type="application/json")
