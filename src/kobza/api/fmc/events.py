"""The call states of an enterprise, to be fetched instead of received: `GET /v1/events`."""

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
from kobza.api.problems import ApiError
from kobza.api.query import Query
from kobza.store import events

router = doc.router("/api/fmc", "Webhook")

KEPT_MS: Final = 7 * 86_400_000
DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 5000
_CURSOR: Final = re.compile(r"[0-9]{1,18}")


class EventsAnswer(BaseModel):
    """The states that followed, in order."""

    events: list[CallState]
    next_cursor: Annotated[str, Field(description="What to send as `after` next time, also when nothing came.")]


EXAMPLE: Final = {"events": [CALL_STATES["alerting"]], "next_cursor": "1715"}


@router.get(
    "/v1/events",
    summary="Fetch call states",
    description="The same states as the webhook gets, kept 7 days. Ask again with `next_cursor` as `after`.",
    responses={**doc.answer(EventsAnswer, EXAMPLE), **doc.errors(*doc.FMC_ERRORS, "duplicate_parameter")},
    openapi_extra={
        "parameters": [
            doc.parameter(
                "after",
                "The `next_cursor` of the answer before; absent: from the oldest.",
                {"type": "string", "pattern": "^[0-9]{1,18}$"},
            ),
            doc.parameter(
                "limit",
                "States in one answer.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            ),
        ]
    },
)
async def fetch_events(request: Request, caller: HistoryReader) -> Response:
    """Fetch call states."""
    context = context_of(request)
    query = Query(request)
    after_text = query.get("after")
    after_text = "0" if after_text is None else after_text
    if not _CURSOR.fullmatch(after_text):
        raise ApiError("invalid_parameter", "after must be a next_cursor of ours.", parameter="after")
    after = int(after_text)
    limit = query.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    oldest = context.now_ms() - KEPT_MS
    found = await context.read(lambda conn: events.after(conn, caller.enterprise_id, after, limit))
    answer: dict[str, Any] = {
        "events": [msgspec.Raw(event.payload) for event in found if event.occurred_at >= oldest],
        "next_cursor": str(found[-1].cursor if found else after),
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")
