"""Where call states are posted: set, tried, switched on again, removed."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.fmc.webhook import check_endpoint
from kobza.api.fmc.webhook_test import try_endpoint
from kobza.api.problems import ApiError
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.crm_page import crm_page
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import endpoints, replays


async def set_webhook(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set where call states are posted; an empty token or secret keeps the one in force."""
    enterprise_id = visitor.enterprise_id
    now_ms = portal.context.now_ms()
    url, extended = form.get("url", "").strip(), form.get("extended") == "on"
    before = await portal.context.read(lambda conn: endpoints.get(conn, enterprise_id))
    token = form.get("token", "").strip() or (before.token if before is not None else "")
    secret = form.get("secret", "").strip() or (before.secret if before is not None else None)
    try:
        check_endpoint(portal.context.webhooks, url, token, secret)
    except ApiError as error:
        wrong = {"url": url, "extended": extended}
        return await crm_page(portal, request, visitor, error=error.detail, form=wrong, status=400)
    await portal.context.change(
        visitor.by,
        "webhook.set",
        enterprise_id,
        enterprise_id,
        lambda conn, _: endpoints.set(conn, enterprise_id, url, token, secret, extended=extended, now_ms=now_ms),
    )
    await portal.context.commands.settings_changed()
    return RedirectResponse("/crm-integration?saved=1", 303)


async def activate_webhook(portal: Portal, _request: Request, visitor: Visitor, _form: Form) -> Response:
    """Switch the endpoint on again, and send what it missed."""
    context, enterprise_id, now_ms = portal.context, visitor.enterprise_id, portal.context.now_ms()
    await context.change(
        visitor.by,
        "webhook.activated",
        enterprise_id,
        enterprise_id,
        lambda conn, _: replays.switch_on(conn, enterprise_id, now_ms, missed=True),
    )
    await context.commands.settings_changed()
    if context.webhooks is not None:
        context.webhooks.recheck(enterprise_id)
    return RedirectResponse("/crm-integration?saved=1", 303)


async def remove_webhook(portal: Portal, _request: Request, visitor: Visitor, _form: Form) -> Response:
    """Stop posting call states."""
    own = visitor.enterprise_id
    await portal.context.change(visitor.by, "webhook.removed", own, own, lambda conn, _: endpoints.delete(conn, own))
    await portal.context.commands.settings_changed()
    return RedirectResponse("/crm-integration?saved=1", 303)


async def try_webhook(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """Post one state of the type `test` now, and show what the remote system answered."""
    try:
        outcome = await try_endpoint(portal.context, visitor.enterprise_id)
    except ApiError as error:
        say = say_in(page_language(request))
        text = say("webhook_none") if error.code == "webhook_not_set" else error.detail
        return await crm_page(portal, request, visitor, error=text, status=error.http_status)
    return await crm_page(portal, request, visitor, tried=outcome)
