"""Which numbers can be reached now: `GET /v1/phonestatus`."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import HistoryReader
from kobza.api.context import context_of
from kobza.api.problems import ApiError
from kobza.api.query import Query, number_of

router = doc.router("/api/fmc", "Settings of a number")

MAX_NUMBERS: Final = 1000
"""Numbers named in one request, which are looked up in the store; without any, all are shown."""


class Phone(BaseModel):
    """One number."""

    number: str
    status: Annotated[
        Literal["available", "busy", "unavailable"],
        Field(description="busy: alerting or in a call; unavailable: no device is reachable."),
    ]
    dnd: Literal["on", "off"]
    devices: Annotated[int, Field(ge=0, description="How many devices are registered.")]
    since: Annotated[
        doc.Moment | None,
        Field(description="Since when the status is what it is (RFC 3339, UTC); null: before the server started."),
    ]


class PhonesAnswer(BaseModel):
    """The numbers asked for, or all."""

    phones: list[Phone]


EXAMPLE: Final = {
    "phones": [
        {
            "number": "0671234567",
            "status": "available",
            "dnd": "off",
            "devices": 2,
            "since": "2026-03-01T07:30:00.000Z",
        }
    ]
}


@router.get(
    "/v1/phonestatus",
    summary="Show which numbers can be reached",
    responses={
        **doc.answer(PhonesAnswer, EXAMPLE),
        **doc.errors(*doc.FMC_ERRORS, "invalid_number", "not_found", "service_not_enabled"),
    },
    openapi_extra={
        "parameters": [
            {
                **doc.parameter(
                    "number",
                    "Numbers of yours; none: all that the API serves.",
                    {"type": "array", "maxItems": MAX_NUMBERS, "items": doc.NUMBER},
                ),
                "explode": True,
            }
        ]
    },
)
async def show_phones(request: Request, caller: HistoryReader) -> Response:
    """Show which numbers can be reached."""
    context = context_of(request)
    asked = Query(request).all("number")
    if len(asked) > MAX_NUMBERS:
        raise ApiError("invalid_parameter", f"number may be given {MAX_NUMBERS} times.", parameter="number")
    wanted = list(dict.fromkeys(number_of(text, "number") for text in asked)) or None
    if wanted is not None:
        await context.all_served(caller.enterprise_id, wanted)
    phones = context.commands.phone_status(caller.enterprise_id, wanted)
    document = context.phone_rows.document(caller.enterprise_id, phones, all_of_them=wanted is None)
    return Response(document, media_type="application/json")
