"""The calls of an enterprise: `GET /v1/callhistory`."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import HistoryExporter
from kobza.api.context import context_of
from kobza.api.exports.jobs import HistoryJob
from kobza.api.languages import language_of
from kobza.api.problems import ApiError
from kobza.api.quality import EXAMPLE as QUALITY_EXAMPLE
from kobza.api.quality import Quality
from kobza.api.query import Query
from kobza.api.streaming import StreamedResponse
from kobza.api.times import history_interval
from kobza.store.export import Cursor

router = doc.router("/api/fmc", "History")

MAX_LIMIT: Final = 5000
DIRECTIONS: Final = ("incoming", "outgoing", "local")


class HistoryCall(BaseModel):
    """One call that is over."""

    call_id: str
    calling_number: str
    called_number: str
    start_datetime: Annotated[doc.WallText, Field(description="Wall time of Kyiv, when the attempt was made.")]
    end_datetime: doc.WallText
    call_duration: Annotated[int, Field(ge=0, description="Talk time in seconds, rounded up; 0: not answered.")]
    ringing: Annotated[int, Field(ge=0, description="Seconds of alerting until the answer or the end.")]
    direction: Literal["incoming", "outgoing", "local"]
    cause: Annotated[int | None, Field(description="Q.850.")]
    record_id: Annotated[str | None, Field(description="The recording, for callrecord.")]
    cause_text: Annotated[str, Field(description="The cause in words: Ukrainian or English, by Accept-Language.")]
    sip_status: int | None
    released_by: Literal["caller", "called", "api", "network"] | None
    answered_number: str | None
    started_at: Annotated[doc.Moment, Field(description="RFC 3339, UTC.")]
    answered_at: doc.Moment | None
    ended_at: doc.Moment
    client_state: str | None
    quality: Annotated[
        Quality | None,
        Field(
            default=None,
            description="With `quality=on`: how the sides heard each other, some seconds after the end of the call; "
            "null: nothing, or next to nothing, was heard.",
        ),
    ]


class HistoryAnswer(BaseModel):
    """The calls, oldest first."""

    calls: list[HistoryCall]
    next_cursor: Annotated[str | None, Field(description="Where the next page begins; null: this is the last.")]


EXAMPLE: Final = {
    "calls": [
        {
            "call_id": "0192f3c4a5b67d8e9f0a1b2c3d4e5f5f",
            "calling_number": "0671234567",
            "called_number": "0501112233",
            "start_datetime": "2026-03-01 21:39:30",
            "end_datetime": "2026-03-01 21:39:48",
            "call_duration": 14,
            "ringing": 5,
            "direction": "outgoing",
            "cause": 16,
            "record_id": "0192f3c4a5b67d8e9f0a1b2c3d4e5f61",
            "cause_text": "Normal call clearing",
            "sip_status": 200,
            "released_by": "caller",
            "answered_number": "0501112233",
            "started_at": "2026-03-01T19:39:30.120Z",
            "answered_at": "2026-03-01T19:39:35.002Z",
            "ended_at": "2026-03-01T19:39:48.420Z",
            "client_state": None,
            "quality": QUALITY_EXAMPLE,
        }
    ],
    "next_cursor": None,
}


@router.get(
    "/v1/callhistory",
    summary="List calls",
    description="The calls that began in the interval and are over, oldest first. Without `limit` all of them, "
    "streamed. The interval is up to 31 days of wall time in Kyiv; a future `to` means now.",
    responses={
        **doc.answer(HistoryAnswer, EXAMPLE),
        **doc.errors(*doc.FMC_ERRORS, "duplicate_parameter", "invalid_number", "not_found", "service_not_enabled"),
    },
    openapi_extra={
        "parameters": [
            doc.parameter(
                "from", "Beginning; absent: 7 days before `to`.", doc.WALL_TIME, example="2026-03-01T00:00:00"
            ),
            doc.parameter(
                "to", "End; absent: 7 days after `from`, or now.", doc.WALL_TIME, example="2026-03-07T23:59:59"
            ),
            doc.parameter("number", "Only calls of this number of yours.", doc.NUMBER),
            doc.parameter("direction", "Only calls of this direction.", {"type": "string", "enum": list(DIRECTIONS)}),
            doc.parameter("quality", "Add `quality`: loss, jitter, round trip and MOS of each leg.", doc.SWITCH),
            doc.parameter(
                "limit", "Calls in one answer.", {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}, example=100
            ),
            doc.parameter(
                "cursor", "The `next_cursor` of the page before.", {"type": "string", "pattern": "^[0-9]{1,15}-.+$"}
            ),
        ]
    },
)
async def call_history(request: Request, caller: HistoryExporter) -> Response:
    """List calls."""
    context = context_of(request)
    query = Query(request)
    query.require_one_of("from", "to")
    interval = history_interval(query.get("from"), query.get("to"), context.now())
    number = query.number("number")
    direction = query.choice("direction", DIRECTIONS)
    limit = query.integer("limit", 1, MAX_LIMIT)
    cursor = query.get("cursor")
    quality = query.switch("quality")
    after = None if cursor is None else _cursor(cursor)
    if number is not None:
        await context.served(caller.enterprise_id, number)
    job = HistoryJob(
        caller.enterprise_id,
        interval.from_ms,
        interval.to_ms,
        number,
        direction,
        limit,
        after,
        language_of(request.headers.get("accept-language")),
        quality=quality,
    )
    return StreamedResponse(lambda: context.exports.stream(job), content_type="application/json")


def _cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except ValueError:
        raise ApiError("invalid_parameter", "cursor must be a next_cursor of ours.", parameter="cursor") from None
