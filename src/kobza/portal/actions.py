"""What the portal's forms do."""

import secrets
from typing import Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.addresses import client_address, guessing_key
from kobza.api.fmc.webhook import check_endpoint
from kobza.api.languages import LANGUAGE_COOKIE
from kobza.api.problems import ApiError
from kobza.api.query import number_of
from kobza.portal.access import Form, Portal, Visitor, find_signed_in, from_here, read_form, safe_next
from kobza.portal.pages import crm_page
from kobza.portal.rendering import THEME_COOKIE
from kobza.portal.signin import COOKIE, VALID_FOR, SignedIn, password_is, password_mark
from kobza.store import endpoints, replays, users

CHOICE_AGE: Final = 365 * 86_400
"""Seconds for which the language and the theme are remembered."""


class SignIn:
    """Signing in and out. The only pages for those who are not signed in."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def form(self, request: Request) -> Response:
        """Show the form, or go on when there is nothing to do."""
        target = safe_next(request.query_params.get("next"))
        if await find_signed_in(self._portal, request) is not None:
            return RedirectResponse(target, 303)
        return self._show(request, target)

    async def sign_in(self, request: Request) -> Response:
        """Check login and password; set the cookie."""
        portal = self._portal
        form = await read_form(request)
        target, login = safe_next(form.get("next")), form.get("login", "").strip()
        if not from_here(request):
            return self._show(request, target, error="error_stale", status=403)
        now = portal.context.now()
        keys = (f"login {login[:255]}", f"address {guessing_key(client_address(request))}")
        if not portal.guesses.allows(keys, now):
            return self._show(request, target, login=login, error="too_many_guesses", status=429)
        user = await portal.context.read(lambda conn: users.find(conn, login))
        known = None if user is None else user.password_hash
        async with portal.hashing:
            right = await anyio.to_thread.run_sync(password_is, form.get("password", ""), known)
        if user is None or not right:
            portal.guesses.wrong(keys, now)
            return self._show(request, target, login=login, error="wrong_password", status=401)
        signed_in = SignedIn(user.login, int(now) + VALID_FOR, password_mark(user.password_hash), secrets.token_hex(16))
        answer = RedirectResponse(target, 303)
        answer.set_cookie(
            COOKIE,
            portal.signer.write(signed_in),
            max_age=VALID_FOR,
            path="/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer

    def _show(
        self, request: Request, target: str, *, login: str = "", error: str | None = None, status: int = 200
    ) -> Response:
        return self._portal.pages.page(request, "signin.html", status=status, next=target, login=login, error=error)


async def sign_out(_portal: Portal, _request: Request, _visitor: Visitor, _form: Form) -> Response:
    """Forget the cookie."""
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return answer


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
    await portal.context.commands.set_dnd(visitor.enterprise_id, number, form.get("dnd") == "on", None)
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
    await portal.context.write(
        lambda conn: endpoints.set(conn, enterprise_id, url, token, secret, extended=extended, now_ms=now_ms)
    )
    await portal.context.commands.settings_changed()
    return RedirectResponse("/crm-integration?saved=1", 303)


async def activate_webhook(portal: Portal, _request: Request, visitor: Visitor, _form: Form) -> Response:
    """Switch the endpoint on again, and send what it missed."""
    context, enterprise_id, now_ms = portal.context, visitor.enterprise_id, portal.context.now_ms()
    await context.write(lambda conn: replays.switch_on(conn, enterprise_id, now_ms, missed=True))
    await context.commands.settings_changed()
    if context.webhooks is not None:
        context.webhooks.recheck(enterprise_id)
    return RedirectResponse("/crm-integration?saved=1", 303)


async def remove_webhook(portal: Portal, _request: Request, visitor: Visitor, _form: Form) -> Response:
    """Stop posting call states."""
    await portal.context.write(lambda conn: endpoints.delete(conn, visitor.enterprise_id))
    await portal.context.commands.settings_changed()
    return RedirectResponse("/crm-integration?saved=1", 303)
