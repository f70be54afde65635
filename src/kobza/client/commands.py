"""Commands and settings: originate, callcontrol, clip, dnd, phonestatus. Without I/O."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET

from kobza.client.account import Account
from kobza.client.effects import Operation
from kobza.client.exchange import exchange, fmc_request
from kobza.client.fields import decode_fields
from kobza.client.models import Clip, Controlled, Dnd, Originated, Phone, read_clip, read_dnd, read_phone
from kobza.client.wall import write_until

MAX_KEY: Final = 255
"""Characters of an idempotency key (contract, section 3)."""
NUMBERS_AT_ONCE: Final = 100
"""Numbers that one phonestatus asks for; more of them are asked for in turn. A URL has its limits."""


def originate(
    account: Account,
    originator: str,
    destination: str,
    *,
    key: str | None,
    timeout: int | None = None,
    clip: str | None = None,
    client_state: str | None = None,
) -> Operation[Originated]:
    """Begin a call. With a key that the server knows it is repeated after a lost connection; else never."""
    if key is not None and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise ValueError(f"idempotency_key must be 1 to {MAX_KEY} ASCII characters")
    body = {
        "originator": originator,
        "destination": destination,
        "timeout": UNSET if timeout is None else timeout,
        "clip": UNSET if clip is None else clip,
        "client_state": UNSET if client_state is None else client_state,
    }
    headers = {} if key is None else {"idempotency-key": key}
    request = fmc_request(account, "POST", "/v1/originate", body=body, headers=headers)
    answer = yield from exchange(account, request, safe=key is not None and account.knows_idempotency_keys)
    fields = decode_fields(answer.body, "the answer of originate")
    return Originated(fields.text("call_control_id"), fields.text_or_none("call_id"))


def control(account: Account, call_control_id: str, action: str, **more: str) -> Operation[Controlled]:
    """Act on a live call; the answer comes after the phone's own."""
    body = {"call_control_id": call_control_id, "action": action, **more}
    answer = yield from exchange(account, fmc_request(account, "POST", "/v1/callcontrol", body=body))
    if not answer.body.strip():  # the operator's service promises no body
        return Controlled(call_control_id, action, None)
    fields = decode_fields(answer.body, "the answer of callcontrol")
    return Controlled(
        call_control_id,
        action,
        fields.text_or_none("state"),
        fields.flag_or_none("muted"),
        fields.text_or_none("recording"),
        fields.text_or_none("record_id"),
        fields.text_or_none("guest_control_id"),
    )


def get_clip(account: Account, number: str) -> Operation[Clip]:
    """Fetch what those see whom a number calls."""
    answer = yield from exchange(account, fmc_request(account, "GET", "/v1/clip", ("number", number)))
    return read_clip(decode_fields(answer.body, "the answer of clip"))


def set_clip(
    account: Account, number: str, presentation_number: str | None, *, restricted: bool, until: datetime | None
) -> Operation[Clip]:
    """Set what those see whom a number calls."""
    body: dict[str, Any] = {
        "number": number,
        "presentation_number": presentation_number,
        "restricted": restricted,
        "until": UNSET if until is None else write_until(until),
    }
    answer = yield from exchange(account, fmc_request(account, "PUT", "/v1/clip", body=body))
    return read_clip(decode_fields(answer.body, "the answer of clip"))


def get_dnd(account: Account, number: str) -> Operation[Dnd]:
    """Fetch Do Not Disturb of a number."""
    answer = yield from exchange(account, fmc_request(account, "GET", "/v1/dnd", ("number", number)))
    return read_dnd(decode_fields(answer.body, "the answer of dnd"))


def set_dnd(account: Account, number: str, on: bool, *, until: datetime | None) -> Operation[Dnd]:
    """Switch Do Not Disturb of a number."""
    body = {"number": number, "dnd": "on" if on else "off", "until": UNSET if until is None else write_until(until)}
    answer = yield from exchange(account, fmc_request(account, "PUT", "/v1/dnd", body=body))
    return read_dnd(decode_fields(answer.body, "the answer of dnd"))


def phone_status(account: Account, numbers: Iterable[str]) -> Operation[list[Phone]]:
    """Fetch whether numbers can be reached; none means all."""
    asked = list(dict.fromkeys(numbers))
    phones: list[Phone] = []
    for start in range(0, max(1, len(asked)), NUMBERS_AT_ONCE):
        query = [("number", number) for number in asked[start : start + NUMBERS_AT_ONCE]]
        answer = yield from exchange(account, fmc_request(account, "GET", "/v1/phonestatus", *query))
        phones += decode_fields(answer.body, "the answer of phonestatus").each("phones", read_phone)
    return phones
