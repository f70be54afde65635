"""Where call states are posted: `GET`, `PUT` and `DELETE /v1/webhook`."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsReader, SettingsWriter
from kobza.api.context import ApiContext, context_of
from kobza.api.ports import WebhookPort
from kobza.api.problems import ApiError, not_found
from kobza.api.query import json_body
from kobza.api.times import rfc3339
from kobza.call.directory import Endpoint
from kobza.store import endpoints
from kobza.store.endpoints import EndpointStatus
from kobza.webhooks.endpoint import MAX_TOKEN, MAX_URL, check_secret, check_token, check_url

router = doc.router("/api/fmc", "Webhook")


_Secret = Annotated[
    str,
    Field(
        max_length=500,
        json_schema_extra={
            "pattern": "^(whsec_)?([A-Za-z0-9+/]{4}){5,}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)$"
        },
    ),
]
"""Base64 of 16 bytes or more; see `kobza.webhooks.endpoint.check_secret`."""


class WebhookRequest(BaseModel):
    """The endpoint wanted."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_URL,
            description="States go to this URL with /callstate added to its path. It must lead to a public address.",
            json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[^ /@#]+[^ #]*$"},
        ),
    ]
    token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_TOKEN,
            description="Sent as Authorization: Bearer.",
            json_schema_extra={"pattern": "^[!-~]+$"},
        ),
    ]
    secret: Annotated[_Secret | None, Field(description="Sign each state by it (Standard Webhooks).")] = None
    extended: Annotated[bool, Field(description="Also the states held, resumed and record_ready.")] = False


class WebhookAnswer(BaseModel):
    """The endpoint in force. Its token and secret are never shown."""

    url: str
    signed: Annotated[bool, Field(description="Whether a secret is set.")]
    extended: bool
    active: Annotated[
        bool,
        Field(
            description="False after the endpoint answered 410 or took nothing for too long, until it is switched on "
            "or set again."
        ),
    ]
    inactive_reason: str | None
    changed_at: doc.Moment
    failing_since: Annotated[
        doc.Moment | None, Field(description="The first failure since the last state that was taken.")
    ]


EXAMPLE: Final = {
    "url": "https://crm.example.com/kobza",
    "signed": True,
    "extended": False,
    "active": True,
    "inactive_reason": None,
    "changed_at": "2026-03-01T07:30:00.000Z",
    "failing_since": None,
}


def check_endpoint(webhooks: WebhookPort | None, url: str, token: str, secret: str | None) -> None:
    """Raise ApiError unless states can be posted to the endpoint; the address of a name is checked when it is used."""
    checks: list[tuple[str, Callable[[str], None], str | None]] = [
        ("url", check_url, url),
        ("token", check_token, token),
        ("secret", check_secret, secret),
    ]
    for name, check, value in checks:
        if value is None:
            continue
        try:
            check(value)
        except ValueError as error:
            raise ApiError("invalid_parameter", f"{name}: {error}.", parameter=name) from None
    if webhooks is not None and (refusal := webhooks.refusal(url)) is not None:
        raise ApiError("invalid_parameter", f"url: {refusal}.", parameter="url")


async def load_endpoint(context: ApiContext, enterprise_id: str) -> tuple[Endpoint, EndpointStatus] | None:
    """Return the endpoint of an enterprise and how it does, or None."""
    endpoint = await context.read(lambda conn: endpoints.get(conn, enterprise_id))
    status = await context.read(lambda conn: endpoints.status(conn, enterprise_id))
    return None if endpoint is None or status is None else (endpoint, status)


async def _answer(context: ApiContext, enterprise_id: str) -> Response:
    found = await load_endpoint(context, enterprise_id)
    if found is None:
        raise not_found()
    endpoint, status = found
    shown: dict[str, Any] = {
        "url": endpoint.url,
        "signed": endpoint.secret is not None,
        "extended": endpoint.extended,
        "active": status.active,
        "inactive_reason": status.inactive_reason,
        "changed_at": rfc3339(status.changed_at),
        "failing_since": None if status.failing_since is None else rfc3339(status.failing_since),
    }
    return Response(msgspec.json.encode(shown), media_type="application/json")


@router.get(
    "/v1/webhook",
    summary="Show the webhook",
    responses={**doc.answer(WebhookAnswer, EXAMPLE), **doc.errors(*doc.FMC_ERRORS, "not_found")},
)
async def show_webhook(request: Request, caller: SettingsReader) -> Response:
    """Show the webhook."""
    return await _answer(context_of(request), caller.enterprise_id)


@router.put(
    "/v1/webhook",
    summary="Set the webhook",
    description="Replaces the endpoint before; a new one is active at once.",
    responses={**doc.answer(WebhookAnswer, EXAMPLE), **doc.errors(*doc.FMC_ERRORS, "invalid_body")},
    openapi_extra=doc.body(WebhookRequest, {"url": "https://crm.example.com/kobza", "token": "remote-token"}),
)
async def set_webhook(request: Request, caller: SettingsWriter) -> Response:
    """Set the webhook."""
    context = context_of(request)
    asked = await json_body(request, WebhookRequest)
    check_endpoint(context.webhooks, asked.url, asked.token, asked.secret)
    now_ms = context.now_ms()
    own = caller.enterprise_id
    await context.change(
        caller.by,
        "webhook.set",
        own,
        own,
        lambda conn, _: endpoints.set(
            conn, own, asked.url, asked.token, asked.secret, extended=asked.extended, now_ms=now_ms
        ),
    )
    await context.commands.settings_changed()
    return await _answer(context, caller.enterprise_id)


@router.delete(
    "/v1/webhook",
    summary="Remove the webhook",
    status_code=204,
    responses={204: {"description": "There is none any more"}, **doc.errors(*doc.FMC_ERRORS, "not_found")},
)
async def remove_webhook(request: Request, caller: SettingsWriter) -> Response:
    """Remove the webhook."""
    context = context_of(request)
    own = caller.enterprise_id
    if not await context.change(caller.by, "webhook.removed", own, own, lambda conn, _: endpoints.delete(conn, own)):
        raise not_found()
    await context.commands.settings_changed()
    return Response(status_code=204)
