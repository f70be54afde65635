"""What was posted to the webhook and what came of it."""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsReader
from kobza.api.callstates import EXAMPLES as CALL_STATES
from kobza.api.callstates import CallState
from kobza.api.context import Connection, context_of
from kobza.api.problems import ApiError, not_found
from kobza.api.query import Query
from kobza.store import deliveries, endpoints
from kobza.store.deliveries import Attempt, Delivery
from kobza.webhooks.delivery_log import delivery_shown

router = doc.router("/api/fmc", "Webhook")

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
STATUSES: Final = ("pending", "delivered", "failed")
_ID: Final = re.compile(r"[0-9]{1,18}")


_Headers = list[list[str]]
"""Pairs of name and value."""


class AttemptShown(BaseModel):
    """One POST."""

    attempt: int
    started_at: doc.Moment
    duration_ms: int
    url: str | None
    address: Annotated[str | None, Field(description="The address that was connected to.")]
    status_code: int | None
    error: Annotated[str | None, Field(description="In words: why it is a failure.")]
    request_headers: Annotated[_Headers, Field(description="Name and value, as sent; secrets are masked.")]
    response_headers: _Headers
    response: Annotated[str | None, Field(description="The first 4 KiB of the answer's body.")]
    http_version: str | None
    connect_ms: Annotated[int | None, Field(description="To connect, TLS included; null: a connection was kept.")]
    first_byte_ms: Annotated[int | None, Field(description="Until the answer began.")]


class DeliveryShown(BaseModel):
    """One call state that is owed or was brought."""

    id: str
    status: Literal["pending", "delivered", "failed"]
    due_at: Annotated[doc.Moment | None, Field(description="While pending: when it is tried next.")]
    event: Annotated[CallState, Field(description="The body of each attempt.")]
    attempts: list[AttemptShown]
    curl: Annotated[
        str,
        Field(description="A command that sends it as the last attempt did; the token is that of $REMOTE_TOKEN."),
    ]


class DeliveriesAnswer(BaseModel):
    """The deliveries, newest first."""

    deliveries: list[DeliveryShown]
    next_cursor: str | None


DELIVERY_ID: Final = {
    "name": "delivery_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "1715",
    "description": "The `id` of a delivery.",
}
DELIVERY_EXAMPLE: Final = {
    "id": "1715",
    "status": "delivered",
    "due_at": None,
    "event": CALL_STATES["alerting"],
    "attempts": [
        {
            "attempt": 1,
            "started_at": "2026-03-01T19:39:30.130Z",
            "duration_ms": 41,
            "url": "https://crm.example.com/kobza/callstate",
            "address": "203.0.113.9",
            "status_code": 200,
            "error": None,
            "request_headers": [["Content-Type", "application/json"], ["Authorization", "Bearer ***"]],
            "response_headers": [["Content-Type", "text/plain"]],
            "response": "ok",
            "http_version": "1.1",
            "connect_ms": 12,
            "first_byte_ms": 40,
        }
    ],
    "curl": "curl --include --request POST https://crm.example.com/kobza/callstate --header 'Content-Type: "
    "application/json' --header \"Authorization: Bearer $REMOTE_TOKEN\" --data-binary '{…}'",
}


def with_attempts(
    conn: Connection, enterprise_id: str, *, status: str | None = None, before: int | None = None, limit: int
) -> list[tuple[Delivery, list[Attempt]]]:
    """Return deliveries of an enterprise, newest first, each with its attempts."""
    found = deliveries.list_for(conn, enterprise_id, status=status, before=before, limit=limit)
    return [(each, deliveries.list_attempts(conn, enterprise_id, each.cursor)) for each in found]


def cursor_of(text: str) -> int | None:
    """Read the id of a delivery, which is the cursor of its event; None for what is none."""
    return int(text) if _ID.fullmatch(text) else None


def delivery_id_of(text: str) -> int:
    """Read the id of a delivery. Raises ApiError: what is none is nobody's."""
    cursor = cursor_of(text)
    if cursor is None:
        raise not_found()
    return cursor


def shown_one(conn: Connection, enterprise_id: str, cursor: int) -> dict[str, Any] | None:
    """Return a delivery of an enterprise as the API shows it, or None."""
    found = deliveries.find(conn, enterprise_id, cursor)
    if found is None:
        return None
    attempts = deliveries.list_attempts(conn, enterprise_id, cursor)
    return delivery_shown(found, attempts, endpoints.get(conn, enterprise_id))


@router.get(
    "/v1/webhook/deliveries",
    summary="List deliveries",
    responses={
        **doc.answer(DeliveriesAnswer, {"deliveries": [DELIVERY_EXAMPLE], "next_cursor": None}),
        **doc.errors(*doc.FMC_ERRORS, "duplicate_parameter"),
    },
    openapi_extra={
        "parameters": [
            doc.parameter("status", "Only those.", {"type": "string", "enum": list(STATUSES)}),
            doc.parameter(
                "cursor", "The `next_cursor` of the page before.", {"type": "string", "pattern": "^[0-9]{1,18}$"}
            ),
            doc.parameter(
                "limit",
                "Deliveries in one answer.",
                {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            ),
        ]
    },
)
async def list_deliveries(request: Request, caller: SettingsReader) -> Response:
    """List deliveries."""
    query = Query(request)
    status = query.choice("status", STATUSES)
    cursor = query.get("cursor")
    if cursor is not None and not _ID.fullmatch(cursor):
        raise ApiError("invalid_parameter", "cursor must be a next_cursor of ours.", parameter="cursor")
    before = None if cursor is None else int(cursor)
    limit = query.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    found, endpoint = await context_of(request).read(
        lambda conn: (
            with_attempts(conn, caller.enterprise_id, status=status, before=before, limit=limit),
            endpoints.get(conn, caller.enterprise_id),
        )
    )
    answer = {
        "deliveries": [delivery_shown(delivery, attempts, endpoint) for delivery, attempts in found],
        "next_cursor": str(found[-1][0].cursor) if len(found) == limit else None,
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")


@router.get(
    "/v1/webhook/deliveries/{delivery_id}",
    summary="Show a delivery",
    responses={**doc.answer(DeliveryShown, DELIVERY_EXAMPLE), **doc.errors(*doc.FMC_ERRORS, "not_found")},
    openapi_extra={"parameters": [DELIVERY_ID]},
)
async def show_delivery(request: Request, caller: SettingsReader) -> Response:
    """Show a delivery."""
    cursor = delivery_id_of(request.path_params["delivery_id"])
    found = await context_of(request).read(lambda conn: shown_one(conn, caller.enterprise_id, cursor))
    if found is None:
        raise not_found()
    return Response(msgspec.json.encode(found), media_type="application/json")
