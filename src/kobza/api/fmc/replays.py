"""Call states once more: one, a selection, all of a time, what failed and what was missed; and the switch."""

from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import SettingsWriter
from kobza.api.context import Connection, context_of
from kobza.api.fmc.deliveries import (
    DELIVERY_EXAMPLE,
    DELIVERY_ID,
    DeliveryShown,
    delivery_id_of,
    shown_one,
)
from kobza.api.problems import ApiError, not_found
from kobza.api.query import json_body
from kobza.api.times import parse_moment
from kobza.store import deliveries, endpoints, replays
from kobza.store.audit import Noting
from kobza.store.replays import MOST_CHOSEN, Recovered

router = doc.router("/api/fmc", "Webhook")

_Since = Annotated[doc.MomentText, Field(description="RFC 3339, or wall time of Kyiv.")]


class ReplayRequest(BaseModel):
    """Which deliveries are owed once more: some, or all of a time."""

    ids: Annotated[
        list[Annotated[str, Field(pattern="^[0-9]{1,18}$")]] | None,
        Field(min_length=1, max_length=MOST_CHOSEN, description="Those deliveries."),
    ] = None
    since: Annotated[doc.MomentText | None, Field(description="Or all that happened since then, taken or not.")] = None
    until: Annotated[doc.MomentText | None, Field(description="With `since`: and no later.")] = None


class ReplayAnswer(BaseModel):
    """How many deliveries are owed once more."""

    replayed: int


class RecoverRequest(BaseModel):
    """From when on what was not taken is owed."""

    since: _Since


class RecoverAnswer(BaseModel):
    """How many deliveries are owed now."""

    recovered: Annotated[int, Field(description="All of them.")]
    missed: Annotated[int, Field(description="Of these, what happened while the endpoint was switched off or not set.")]


class ActivateRequest(BaseModel):
    """How to switch the endpoint on."""

    recover: Annotated[bool, Field(description="Also send what was not taken since it began to fail.")] = True


class ActivateAnswer(RecoverAnswer):
    """What follows from switching it on."""

    activated: Annotated[bool, Field(description="False: it was on already, and nothing was done.")]


@router.post(
    "/v1/webhook/deliveries/{delivery_id}/replay",
    summary="Send a delivery once more",
    description="At once; when it fails, its schedule begins anew.",
    responses={
        **doc.answer(DeliveryShown, {**DELIVERY_EXAMPLE, "status": "pending", "due_at": "2026-03-01T19:39:30.120Z"}),
        **doc.errors(*doc.FMC_ERRORS, "not_found", "delivery_erased", "unavailable"),
    },
    openapi_extra={"parameters": [DELIVERY_ID]},
)
async def replay_delivery(request: Request, caller: SettingsWriter) -> Response:
    """Send a delivery once more."""
    context = context_of(request)
    webhooks = context.needed_webhooks()
    cursor = delivery_id_of(request.path_params["delivery_id"])

    def replay(conn: Connection) -> object:
        if deliveries.was_erased(conn, caller.enterprise_id, cursor):
            raise ApiError("delivery_erased", "Who was in this call state was erased, or it was kept long enough.")
        if replays.replay(conn, caller.enterprise_id, cursor) is None:
            raise not_found()
        return shown_one(conn, caller.enterprise_id, cursor)

    shown = await context.write(replay)
    webhooks.recheck(caller.enterprise_id)
    return Response(msgspec.json.encode(shown), media_type="application/json")


@router.post(
    "/v1/webhook/deliveries/replay",
    summary="Send a selection once more",
    description="Those that `ids` names, or all that happened since a moment, the oldest first.",
    responses={
        **doc.answer(ReplayAnswer, {"replayed": 2}),
        **doc.errors(*doc.FMC_ERRORS, "invalid_body", "unavailable"),
    },
    openapi_extra=doc.body(ReplayRequest, {"ids": ["1715", "1716"]}),
)
async def replay_deliveries(request: Request, caller: SettingsWriter) -> Response:
    """Send a selection once more."""
    context = context_of(request)
    asked = await json_body(request, ReplayRequest)
    if (asked.ids is None) is (asked.since is None):
        raise ApiError("invalid_body", "Either ids or since is needed.", parameter="ids")
    if asked.until is not None and asked.since is None:
        raise ApiError("invalid_body", "until goes with since.", parameter="until")
    webhooks = context.needed_webhooks()
    if asked.ids is not None:
        chosen = [int(text) for text in asked.ids]
        count = await context.write(lambda conn: replays.replay_chosen(conn, caller.enterprise_id, chosen))
    else:
        since = parse_moment(asked.since or "", "since")
        until = context.now_ms() if asked.until is None else parse_moment(asked.until, "until")
        count = await context.write(lambda conn: replays.replay_since(conn, caller.enterprise_id, since, until))
    webhooks.recheck(caller.enterprise_id)
    return Response(msgspec.json.encode({"replayed": count}), media_type="application/json")


@router.post(
    "/v1/webhook/recover",
    summary="Send all that was not taken",
    description="All that failed since a moment, and all that happened while no endpoint was there to be owed it: "
    "before the first one was set, or while it was switched off. The oldest goes first.",
    responses={
        **doc.answer(RecoverAnswer, {"recovered": 12, "missed": 5}),
        **doc.errors(*doc.FMC_ERRORS, "invalid_body", "webhook_not_set", "unavailable"),
    },
    openapi_extra=doc.body(RecoverRequest, {"since": "2026-03-01T00:00:00"}),
)
async def recover_deliveries(request: Request, caller: SettingsWriter) -> Response:
    """Send all that was not taken."""
    context = context_of(request)
    asked = await json_body(request, RecoverRequest)
    since = parse_moment(asked.since, "since")
    webhooks = context.needed_webhooks()
    recovered = await context.write(lambda conn: _recover(conn, caller.enterprise_id, since))
    webhooks.recheck(caller.enterprise_id)
    return Response(msgspec.json.encode(_counts(recovered)), media_type="application/json")


ACTIVATED: Final = {"activated": True, "recovered": 12, "missed": 5}


@router.post(
    "/v1/webhook/activate",
    summary="Switch the webhook on again",
    description="After the endpoint answered 410, or took nothing for too long. What it did not take and what it "
    "missed meanwhile is sent too, the oldest first, unless `recover` says no.",
    responses={
        **doc.answer(ActivateAnswer, ACTIVATED),
        **doc.errors(*doc.FMC_ERRORS, "invalid_body", "webhook_not_set", "unavailable"),
    },
    openapi_extra=doc.body(ActivateRequest, {"recover": True}),
)
async def activate_webhook(request: Request, caller: SettingsWriter) -> Response:
    """Switch the webhook on again."""
    context = context_of(request)
    asked = await json_body(request, ActivateRequest)
    webhooks = context.needed_webhooks()
    now_ms = context.now_ms()

    own = caller.enterprise_id

    def activate(conn: Connection, _: Noting) -> Recovered | None:
        if endpoints.get(conn, own) is None:
            raise ApiError("webhook_not_set", "There is no webhook.")
        return replays.switch_on(conn, own, now_ms, missed=asked.recover)

    recovered = await context.change(caller.by, "webhook.activated", own, own, activate)
    if recovered is not None:
        await context.commands.settings_changed()
        webhooks.recheck(caller.enterprise_id)
    answer = {"activated": recovered is not None, **_counts(recovered or Recovered(0, 0))}
    return Response(msgspec.json.encode(answer), media_type="application/json")


def _recover(conn: Connection, enterprise_id: str, since_ms: int) -> Recovered:
    endpoint = endpoints.get(conn, enterprise_id)
    if endpoint is None:
        raise ApiError("webhook_not_set", "There is no webhook.")
    return replays.recover(conn, enterprise_id, since_ms, extended=endpoint.extended)


def _counts(recovered: Recovered) -> dict[str, int]:
    return {"recovered": recovered.failed + recovered.missed, "missed": recovered.missed}
