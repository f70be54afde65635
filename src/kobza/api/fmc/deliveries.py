"""What was posted to the webhook and what came of it: list, replay, recover, test."""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsReader, SettingsWriter
from kobza.api.callstates import EXAMPLES as CALL_STATES
from kobza.api.callstates import CallState
from kobza.api.context import ApiContext, Connection, context_of
from kobza.api.ports import WebhookPort
from kobza.api.problems import ApiError, not_found
from kobza.api.query import Query, json_body
from kobza.api.times import parse_moment, rfc3339
from kobza.store import deliveries, endpoints
from kobza.store.deliveries import Attempt, Delivery
from kobza.store.ids import new_id

router = doc.router("/api/fmc", "Webhook")

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
STATUSES: Final = ("pending", "delivered", "failed")
_ID: Final = re.compile(r"[0-9]{1,18}")


class AttemptShown(BaseModel):
    """One POST."""

    attempt: int
    started_at: doc.Moment
    duration_ms: int
    url: str | None
    address: Annotated[str | None, Field(description="The address that was connected to.")]
    status_code: int | None
    error: str | None
    response: Annotated[str | None, Field(description="The beginning of the answer's body.")]


class DeliveryShown(BaseModel):
    """One call state that is owed or was brought."""

    id: str
    status: Literal["pending", "delivered", "failed"]
    due_at: Annotated[doc.Moment | None, Field(description="While pending: when it is tried next.")]
    event: CallState
    attempts: list[AttemptShown]


class DeliveriesAnswer(BaseModel):
    """The deliveries, newest first."""

    deliveries: list[DeliveryShown]
    next_cursor: str | None


class RecoverRequest(BaseModel):
    """From when on failed deliveries are owed once more."""

    since: Annotated[doc.MomentText, Field(description="RFC 3339, or wall time of Kyiv.")]


class RecoverAnswer(BaseModel):
    """How many deliveries are owed once more."""

    recovered: int


class TestAnswer(BaseModel):
    """What the endpoint answered."""

    delivered: bool
    status_code: int | None
    duration_ms: int
    url: str
    address: str | None
    error: str | None
    response: str | None


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
            "response": "ok",
        }
    ],
}
TEST_EXAMPLE: Final = {
    "delivered": True,
    "status_code": 200,
    "duration_ms": 41,
    "url": "https://crm.example.com/kobza/callstate",
    "address": "203.0.113.9",
    "error": None,
    "response": "ok",
}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {**attempt._asdict(), "started_at": rfc3339(attempt.started_at)}


def _shown(delivery: Delivery, attempts: list[Attempt]) -> dict[str, Any]:
    return {
        "id": str(delivery.cursor),
        "status": delivery.status,
        "due_at": rfc3339(delivery.due_at) if delivery.status == "pending" else None,
        "event": msgspec.Raw(delivery.payload),
        "attempts": [_attempt(attempt) for attempt in attempts],
    }


def with_attempts(
    conn: Connection, enterprise_id: str, *, status: str | None = None, before: int | None = None, limit: int
) -> list[tuple[Delivery, list[Attempt]]]:
    """Return deliveries of an enterprise, newest first, each with its attempts."""
    found = deliveries.list_for(conn, enterprise_id, status=status, before=before, limit=limit)
    return [(each, deliveries.list_attempts(conn, enterprise_id, each.cursor)) for each in found]


def _webhooks(context: ApiContext) -> WebhookPort:
    if context.webhooks is None:
        raise ApiError("unavailable", "This process sends no call states.", headers={"retry-after": "60"})
    return context.webhooks


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
    found = await context_of(request).read(
        lambda conn: with_attempts(conn, caller.enterprise_id, status=status, before=before, limit=limit)
    )
    answer = {
        "deliveries": [_shown(delivery, attempts) for delivery, attempts in found],
        "next_cursor": str(found[-1][0].cursor) if len(found) == limit else None,
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")


@router.post(
    "/v1/webhook/deliveries/{delivery_id}/replay",
    summary="Send a delivery once more",
    responses={
        **doc.answer(DeliveryShown, {**DELIVERY_EXAMPLE, "status": "pending", "due_at": "2026-03-01T20:00:00.000Z"}),
        **doc.errors(*doc.FMC_ERRORS, "not_found", "delivery_erased", "unavailable"),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "delivery_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": "1715",
                "description": "The `id` of a delivery.",
            }
        ]
    },
)
async def replay_delivery(request: Request, caller: SettingsWriter) -> Response:
    """Send a delivery once more."""
    context = context_of(request)
    webhooks = _webhooks(context)
    delivery_id = request.path_params["delivery_id"]
    if not _ID.fullmatch(delivery_id):
        raise not_found()
    now_ms = context.now_ms()

    def replay(conn: Connection) -> tuple[Delivery, list[Attempt]] | None:
        if deliveries.was_erased(conn, caller.enterprise_id, int(delivery_id)):
            raise ApiError("delivery_erased", "Who was in this call state was erased, or it was kept long enough.")
        owed = deliveries.replay(conn, caller.enterprise_id, int(delivery_id), now_ms)
        return None if owed is None else (owed, deliveries.list_attempts(conn, caller.enterprise_id, owed.cursor))

    found = await context.write(replay)
    if found is None:
        raise not_found()
    webhooks.recheck(caller.enterprise_id)
    return Response(msgspec.json.encode(_shown(*found)), media_type="application/json")


@router.post(
    "/v1/webhook/recover",
    summary="Send all that failed once more",
    responses={
        **doc.answer(RecoverAnswer, {"recovered": 12}),
        **doc.errors(*doc.FMC_ERRORS, "invalid_body", "unavailable"),
    },
    openapi_extra=doc.body(RecoverRequest, {"since": "2026-03-01T00:00:00"}),
)
async def recover_deliveries(request: Request, caller: SettingsWriter) -> Response:
    """Send all that failed once more."""
    context = context_of(request)
    asked = await json_body(request, RecoverRequest)
    since = parse_moment(asked.since, "since")
    webhooks = _webhooks(context)
    now_ms = context.now_ms()
    recovered = await context.write(lambda conn: deliveries.recover(conn, caller.enterprise_id, since, now_ms))
    webhooks.recheck(caller.enterprise_id)
    return Response(msgspec.json.encode({"recovered": recovered}), media_type="application/json")


@router.post(
    "/v1/webhook/test",
    summary="Try the webhook",
    description="Posts one state of the type `test` now and tells what came of it.",
    responses={
        **doc.answer(TestAnswer, TEST_EXAMPLE),
        **doc.errors(*doc.FMC_ERRORS, "webhook_not_set", "unavailable"),
    },
)
async def test_webhook(request: Request, caller: SettingsWriter) -> Response:
    """Try the webhook."""
    context = context_of(request)
    webhooks = _webhooks(context)
    endpoint = await context.read(lambda conn: endpoints.get(conn, caller.enterprise_id))
    if endpoint is None:
        raise ApiError("webhook_not_set", "There is no webhook to try.")
    event_id = new_id()
    state = {
        "call_id": event_id,
        "call_control_id": event_id,
        "state_type": "test",
        "state_owner": "",
        "phone_number": "",
        "call_direction": "incoming",
        "event_id": event_id,
        "sequence": 1,
        "occurred_at": rfc3339(context.now_ms()),
        "client_state": None,
    }
    outcome = await webhooks.post(endpoint, event_id, msgspec.json.encode(state))
    answer = {
        "delivered": outcome.taken,
        "status_code": outcome.status_code,
        "duration_ms": outcome.duration_ms,
        "url": outcome.url,
        "address": outcome.address,
        "error": outcome.error,
        "response": outcome.response,
    }
    return Response(msgspec.json.encode(answer), media_type="application/json")
