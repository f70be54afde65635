"""Deliveries and their attempts as the API and the command line show them: all that is known, and no secret."""

from typing import Any

import msgspec

from kobza.call.directory import Endpoint
from kobza.call.durations import rfc3339
from kobza.store.deliveries import Attempt, Delivery
from kobza.webhooks.client import HEADERS
from kobza.webhooks.curl import curl_command
from kobza.webhooks.endpoint import callstate_url
from kobza.webhooks.exchange import MASK, decode


def attempt_shown(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as the API shows it."""
    fields = attempt._asdict()
    exchange = decode(fields.pop("exchange"))
    return {
        **fields,
        "started_at": rfc3339(attempt.started_at),
        "request_headers": [] if exchange is None else exchange.request_headers,
        "response_headers": [] if exchange is None else exchange.response_headers,
        "http_version": None if exchange is None else exchange.http,
        "connect_ms": None if exchange is None else exchange.connect_ms,
        "first_byte_ms": None if exchange is None else exchange.first_byte_ms,
    }


def delivery_shown(delivery: Delivery, attempts: list[Attempt], endpoint: Endpoint | None) -> dict[str, Any]:
    """Return a delivery as the API shows it."""
    return {
        "id": str(delivery.cursor),
        "status": delivery.status,
        "due_at": rfc3339(delivery.due_at) if delivery.status == "pending" else None,
        "event": msgspec.Raw(delivery.payload),
        "attempts": [attempt_shown(attempt) for attempt in attempts],
        "curl": curl_of(delivery, attempts, endpoint),
    }


def curl_of(delivery: Delivery, attempts: list[Attempt], endpoint: Endpoint | None) -> str:
    """Return the command for what the last attempt sent, or for what the first one will send."""
    last = attempts[-1] if attempts else None
    exchange = None if last is None else decode(last.exchange)
    url = (last.url if last is not None else None) or ("" if endpoint is None else str(callstate_url(endpoint.url)))
    usual = [*HEADERS.items(), ("Authorization", f"Bearer {MASK}")]
    return curl_command(url, usual if exchange is None else exchange.request_headers, delivery.payload)
