"""The call states of an enterprise, to be fetched or followed instead of received: `GET /v1/events`."""

import re
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import HistoryReader
from kobza.api.callstates import EXAMPLES as CALL_STATES
from kobza.api.callstates import CallState
from kobza.api.context import context_of
from kobza.api.fmc.event_stream import KEPT_MS, STREAM, stream_of, wants_stream
from kobza.api.problems import ApiError
from kobza.api.query import Query
from kobza.store import events

router = doc.router("/api/fmc", "Webhook")

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 5000
LAST_EVENT_ID: Final = "Last-Event-ID"
_CURSOR: Final = re.compile(r"[0-9]{1,18}")


class EventsAnswer(BaseModel):
    """The states that followed, in order."""

    events: list[CallState]
    next_cursor: Annotated[str, Field(description="What to send as `after` next time, also when nothing came.")]


EXAMPLE: Final = {"events": [CALL_STATES["alerting"]], "next_cursor": "1715"}
STREAM_EXAMPLE: Final = (
    f"retry: 2000\n\nid: 1715\nevent: alerting\ndata: {msgspec.json.encode(CALL_STATES['alerting']).decode()}\n\n: \n\n"
)
ANSWER: Final = doc.answer(EventsAnswer, EXAMPLE, "Success: a page, or with `Accept: text/event-stream` the stream")
ANSWER[200]["content"][STREAM] = {
    "schema": {"type": "string", "description": "Server-Sent Events (WHATWG HTML, section 9.2), in UTF-8."},
    "example": STREAM_EXAMPLE,
}
DESCRIPTION: Final = """\
The same states as the webhook gets, kept 7 days. Ask again with `next_cursor` as `after`.

With `Accept: text/event-stream` the answer is a live stream: first what followed the cursor, then each state as soon as
it is stored. `data` is the document that the webhook gets, byte for byte, `event` its `state_type`, `id` its cursor.
When the stream ends or breaks, come back after `retry` milliseconds with the last `id` in `Last-Event-ID`, as
EventSource does by itself: nothing is lost and nothing comes twice. A comment comes every 15 s; then the token is
looked at too, and a stream whose token was revoked or has expired ends. The event `gap` at the beginning says that the
cursor is older than what is kept (or unknown): states behind it may be gone, and the oldest one kept comes next.
An enterprise may have 20 streams open, unless the server is configured otherwise; one more gets 429
`too_many_streams`.
"""


@router.get(
    "/v1/events",
    summary="Fetch or follow call states",
    description=DESCRIPTION,
    responses={**ANSWER, **doc.errors(*doc.FMC_ERRORS, "duplicate_parameter", "too_many_streams")},
    openapi_extra={
        "parameters": [
            doc.parameter(
                "after",
                "The `next_cursor` of the answer before, or the `id` of a state; absent: from the oldest.",
                {"type": "string", "pattern": "^[0-9]{1,18}$"},
            ),
            doc.parameter(
                "limit",
                "States in one answer; a stream has none.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            ),
            doc.header(
                LAST_EVENT_ID,
                "The `id` of the last state that came. It goes before `after`.",
                {"type": "string", "pattern": "^[0-9]{1,18}$"},
            ),
        ]
    },
)
async def fetch_events(request: Request, caller: HistoryReader) -> Response:
    """Fetch or follow call states."""
    context = context_of(request)
    query = Query(request)
    asked_after = query.get("after")
    after = 0 if asked_after is None else _cursor(asked_after, "after")
    for value in request.headers.getlist(LAST_EVENT_ID):
        after = _cursor(value, LAST_EVENT_ID)
    limit = query.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    if wants_stream(",".join(request.headers.getlist("accept"))):
        return stream_of(request, caller, after)
    oldest = context.now_ms() - KEPT_MS
    found = await context.read(lambda conn: events.after(conn, caller.enterprise_id, after, limit))
    answer: dict[str, Any] = {
        "events": [msgspec.Raw(event.payload) for event in found if event.occurred_at >= oldest],
        "next_cursor": str(found[-1].cursor if found else after),
    }
    return Response(msgspec.json.encode(answer), headers={"vary": "Accept"}, media_type="application/json")


def _cursor(text: str, parameter: str) -> int:
    if not _CURSOR.fullmatch(text):
        raise ApiError("invalid_parameter", f"{parameter} must be a cursor: 1 to 18 digits.", parameter=parameter)
    return int(text)
