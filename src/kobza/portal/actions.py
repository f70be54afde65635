"""What the portal's forms do."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.fmc.webhook import check_endpoint
from kobza.api.languages import LANGUAGE_COOKIE
from kobza.api.problems import ApiError
from kobza.api.query import number_of
from kobza.portal.access import Form, Portal, Visitor, safe_next
from kobza.portal.pages import crm_page
from kobza.portal.rendering import THEME_COOKIE
from kobza.store import endpoints, replays

CHOICE_AGE: Final = 365 * 86_400
"""Seconds for which the language and the theme are remembered."""


async def choose_language(request: Request) -> Response:
    """Remember the language of the pages."""
    language = request.path_params["language"]
    answer = RedirectResponse(safe_next(request.query_params.get("next")), 303)
    if language in ("uk", "en"):
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=CHOICE_AGE, path="/", httponly=True, samesite="lax")
    return answer


async def choose_theme(request: Request) -> Response:
    """Remember whether pages are light or dark; `auto` goes by the browser again."""
    theme = request.path_params["theme"]
    answer = RedirectResponse(safe_next(request.query_params.get("next")), 303)
    if theme in ("light", "dark"):
        answer.set_cookie(THEME_COOKIE, theme, max_age=CHOICE_AGE, path="/", httponly=True, samesite="lax")
    elif theme == "auto":
        answer.delete_cookie(THEME_COOKIE, path="/", httponly=True, samesite="lax")
    return answer


async def switch_dnd(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Switch Do Not Disturb of a number, until it is switched again."""
    number = number_of(form.get("number", ""), "number")
    await portal.context.subscriber(visitor.enterprise_id, number)
    await portal.context.commands.set_dnd(visitor.enterprise_id, number, form.get("dnd") == "on", None, by=visitor.by)
    return RedirectResponse("/provisioning", 303)


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
