"""Trying the webhook: `POST /v1/webhook/test`."""

from typing import Final

import msgspec
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsWriter
from kobza.api.context import ApiContext, context_of
from kobza.api.ports import WebhookOutcome
from kobza.api.problems import ApiError
from kobza.store import endpoints
from kobza.store.ids import new_id
from kobza.webhooks.payload import test_body

router = doc.router("/api/fmc", "Webhook")


class TestAnswer(BaseModel):
    """What the endpoint answered."""

    delivered: bool
    status_code: int | None
    duration_ms: int
    url: str
    address: str | None
    error: str | None
    response: str | None


TEST_EXAMPLE: Final = {
    "delivered": True,
    "status_code": 200,
    "duration_ms": 41,
    "url": "https://crm.example.com/kobza/callstate",
    "address": "203.0.113.9",
    "error": None,
    "response": "ok",
}


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
    outcome = await try_endpoint(context_of(request), caller.enterprise_id)
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


async def try_endpoint(context: ApiContext, enterprise_id: str) -> WebhookOutcome:
    """Post one state of the type `test` to the endpoint of an enterprise. Raises ApiError 409 without an endpoint."""
    webhooks = context.needed_webhooks()
    endpoint = await context.read(lambda conn: endpoints.get(conn, enterprise_id))
    if endpoint is None:
        raise ApiError("webhook_not_set", "There is no webhook to try.")
    event_id = new_id()
    return await webhooks.post(endpoint, event_id, test_body(event_id, context.now_ms()))
