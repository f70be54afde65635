"""The call states of an enterprise, to be fetched or followed instead of received: `GET /v1/events`."""

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
from kobza.api.fmc.cursors import AFTER_PATTERN, LAST_EVENT_ID, PATTERN, asked_position
from kobza.api.fmc.event_following import KEPT_MS, newest
from kobza.api.fmc.event_stream import STREAM, stream_of, wants_stream
from kobza.api.query import Query
from kobza.store import events

router = doc.router("/api/fmc", "Webhook")

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 5000


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
The same states as the webhook gets, kept 7 days unless the server is configured otherwise.
Ask again with `next_cursor` as `after`. Who starts fresh asks with
`after=now`: the page is empty, and its `next_cursor` is where what happens from now on begins.

With `Accept: text/event-stream` the answer is a live stream: first what followed the cursor, then each state as soon as
it is stored. `data` is the document that the webhook gets, byte for byte, `event` its `state_type`, `id` its cursor.
When the stream ends or breaks, come back after `retry` milliseconds with the last `id` in `Last-Event-ID`, as
EventSource does by itself: nothing is lost and nothing comes twice; an `id` comes at the very beginning already. A
comment comes every 15 s; then the token is looked at too, and a stream whose token was revoked or has expired ends. The
event `gap` at the beginning says that the cursor is older than what is kept (or unknown): states behind it may be gone,
and the oldest one kept comes next.

The same over a WebSocket, with the same header `Authorization` and parameters: each message is a JSON object with the
`cursor` to go on behind (as `after`), and with `event` (the document of a state) or `gap` or, at the beginning, none.
The server pings every 15 s and answers pings; it takes no messages. It closes with 1012 when it stops, 1008 when the
token has ended, 1013 when the client took nothing for a minute. A page of another site is refused by its `Origin`.

An enterprise may have 20 streams open, of both kinds together, unless the server is configured otherwise; one more gets
429 `too_many_streams`.
"""


@router.get(
    "/v1/events",
    summary="Fetch or follow call states",
    description=DESCRIPTION,
    responses={
        **ANSWER,
        **doc.errors(*doc.FMC_ERRORS, "duplicate_parameter", "origin_not_allowed", "too_many_streams"),
    },
    openapi_extra={
        "parameters": [
            doc.parameter(
                "after",
                "The `next_cursor` of the answer before, or the `id` of a state; absent: from the oldest; `now`: what "
                "happens from now on.",
                {"type": "string", "pattern": AFTER_PATTERN},
            ),
            doc.parameter(
                "limit",
                "States in one answer; a stream has none.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            ),
            doc.header(
                LAST_EVENT_ID,
                "The `id` of the last state that came. It goes before `after`.",
                {"type": "string", "pattern": PATTERN},
            ),
        ]
    },
)
async def fetch_events(request: Request, caller: HistoryReader) -> Response:
    """Fetch or follow call states."""
    context = context_of(request)
    query = Query(request)
    after = asked_position(query, request)
    limit = query.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    if wants_stream(",".join(request.headers.getlist("accept"))):
        return stream_of(request, caller, after)
    oldest = context.now_ms() - KEPT_MS
    if after is None:
        after = await newest(context, caller.enterprise_id)
    found = await context.read(lambda conn: events.after(conn, caller.enterprise_id, after, limit))
    answer: dict[str, Any] = {
        "events": [msgspec.Raw(event.payload) for event in found if event.occurred_at >= oldest],
        "next_cursor": str(found[-1].cursor if found else after),
    }
    return Response(msgspec.json.encode(answer), headers={"vary": "Accept"}, media_type="application/json")
