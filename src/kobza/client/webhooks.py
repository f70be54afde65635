"""The webhook and its deliveries. Without I/O."""

from datetime import datetime
from typing import Final
from urllib.parse import quote

from msgspec import UNSET

from kobza.client.account import Account
from kobza.client.effects import Emit, Operation
from kobza.client.errors import AnswerNotUnderstood, NotFound
from kobza.client.exchange import exchange, fmc_request
from kobza.client.fields import decode_fields
from kobza.client.models import Delivery, Webhook, WebhookTest, read_delivery, read_webhook, read_webhook_test
from kobza.client.wall import write_until

PAGE: Final = 200
"""Deliveries of one answer: the most that the contract's server gives."""


def get_webhook(account: Account) -> Operation[Webhook | None]:
    """Fetch the endpoint, None when none is set."""
    try:
        answer = yield from exchange(account, fmc_request(account, "GET", "/v1/webhook"))
    except NotFound:
        return None
    return read_webhook(decode_fields(answer.body, "the answer of webhook"))


def set_webhook(account: Account, url: str, token: str, *, secret: str | None, extended: bool) -> Operation[Webhook]:
    """Set the endpoint."""
    body = {
        "url": url,
        "token": token,
        "secret": UNSET if secret is None else secret,
        "extended": True if extended else UNSET,
    }
    answer = yield from exchange(account, fmc_request(account, "PUT", "/v1/webhook", body=body))
    return read_webhook(decode_fields(answer.body, "the answer of webhook"))


def delete_webhook(account: Account) -> Operation[bool]:
    """Remove the endpoint; False when there was none."""
    try:
        yield from exchange(account, fmc_request(account, "DELETE", "/v1/webhook"))
    except NotFound:
        return False
    return True


def try_webhook(account: Account) -> Operation[WebhookTest]:
    """Have one state of the type `test` posted now."""
    answer = yield from exchange(account, fmc_request(account, "POST", "/v1/webhook/test"))
    return read_webhook_test(decode_fields(answer.body, "the answer of webhook/test"))


def deliveries(account: Account, status: str | None) -> Operation[None]:
    """Emit the Deliveries, newest first."""
    if status not in (None, "pending", "delivered", "failed"):
        raise ValueError("status must be pending, delivered or failed")
    cursor: str | None = None
    while True:
        request = fmc_request(
            account,
            "GET",
            "/v1/webhook/deliveries",
            ("status", status),
            ("limit", str(PAGE)),
            ("cursor", cursor),
        )
        answer = yield from exchange(account, request)
        page = decode_fields(answer.body, "the answer of deliveries")
        for delivery in page.each("deliveries", read_delivery):
            yield Emit(delivery)
        following = page.text_or_none("next_cursor")
        if following is None:
            return
        if following == cursor:
            raise AnswerNotUnderstood("deliveries gives the same next_cursor again")
        cursor = following


def replay(account: Account, delivery_id: str) -> Operation[Delivery]:
    """Have a delivery posted once more."""
    path = f"/v1/webhook/deliveries/{quote(delivery_id, safe='')}/replay"
    answer = yield from exchange(account, fmc_request(account, "POST", path))
    return read_delivery(decode_fields(answer.body, "the answer of replay"))


def replay_all(account: Account, since: datetime, until: datetime | None) -> Operation[int]:
    """Have everything posted once more that happened in an interval; returns how many."""
    body = {"since": write_until(since), "until": UNSET if until is None else write_until(until)}
    answer = yield from exchange(account, fmc_request(account, "POST", "/v1/webhook/deliveries/replay", body=body))
    return decode_fields(answer.body, "the answer of replay").whole("replayed")


def activate(account: Account, *, recover: bool) -> Operation[bool]:
    """Switch the endpoint on again; False when it was on."""
    answer = yield from exchange(
        account, fmc_request(account, "POST", "/v1/webhook/activate", body={"recover": recover})
    )
    return decode_fields(answer.body, "the answer of activate").flag("activated")


def recover(account: Account, since: datetime) -> Operation[int]:
    """Have all deliveries posted that failed or was missed since a moment; returns how many."""
    body = {"since": write_until(since)}
    answer = yield from exchange(account, fmc_request(account, "POST", "/v1/webhook/recover", body=body))
    return decode_fields(answer.body, "the answer of recover").whole("recovered")
