"""Signing in: login and password, then the second factor of those who have one, then a session. And signing out."""

import logging
import math
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.addresses import client_address
from kobza.api.context import Connection
from kobza.defence.source import source_of
from kobza.portal.access import (
    COOKIE,
    Form,
    Portal,
    Visitor,
    find_signed_in,
    from_here,
    lead_to,
    read_form,
    safe_next,
)
from kobza.portal.formats import duration_text
from kobza.portal.guessing import Counted, known_browser, pair, second_factor, whole_address
from kobza.portal.passwords import password_is, password_mark
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.portal.totp import recovery_hash, step_of
from kobza.portal.vault import VaultError
from kobza.store import audit, ids, sessions, users
from kobza.store import second_factor as factors
from kobza.store.audit import By
from kobza.store.users import User

log = logging.getLogger(__name__)

VALID_FOR: Final = 12 * 3600
"""Seconds of a session: a working day."""
STEP_COOKIE: Final = "kobza_step"
STEP_VALID_FOR: Final = 300
"""Seconds between the password and the code."""
BROWSER_COOKIE: Final = "kobza_browser"
BROWSER_KNOWN_FOR: Final = 180 * 86_400
"""Seconds for which a browser that has signed in is known again."""


class SignIn:
    """The only pages for those who are not signed in."""

    def __init__(self, portal: Portal, provider: str | None = None) -> None:
        """`provider` is what people call the OpenID Connect provider; empty: it has no name; None: there is none."""
        self._portal = portal
        self._provider = provider

    async def form(self, request: Request) -> Response:
        """Show the form, or go on when there is nothing to do."""
        target = safe_next(request.query_params.get("next"))
        if await find_signed_in(self._portal, request) is not None:
            return RedirectResponse(target, 303)
        return self._show(request, target)

    async def sign_in(self, request: Request) -> Response:
        """Check login and password; begin the session, or ask for the second factor."""
        portal = self._portal
        form = await read_form(request)
        target, login = safe_next(form.get("next")), form.get("login", "").strip()
        if not from_here(request):
            return self._show(request, target, error="error_stale", status=403)
        user = await portal.context.read(lambda conn: users.find(conn, login))
        counted = self._counted(request, login, user)
        wait = portal.guesses.begin(counted, portal.context.now())
        if wait > 0:
            return self._too_many(request, "signin.html", wait, next=target, login=login)
        known = None if user is None else user.password_hash
        async with portal.hashing:
            right = await anyio.to_thread.run_sync(password_is, form.get("password", ""), known)
        if user is None or not right:
            whose = "an unknown login" if user is None else user.login  # some type their password there
            log.warning("a wrong password for %s from %s", whose, client_address(request))
            return self._show(request, target, login=login, error="wrong_password", status=401)
        portal.guesses.right(counted, portal.context.now())
        if user.totp_sealed is None:
            return await self.begin(request, user, target)
        return self.ask_code(request, user, target)

    def ask_code(self, request: Request, user: User, target: str, account: str = "") -> Response:
        """Lead to the form for the second factor; `account` is that of a provider by which the first step went."""
        step = f"{user.user_id} {password_mark(user.password_hash)} {account}"
        sealed = self._portal.sealer.seal("first step", step, int(self._portal.context.now()) + STEP_VALID_FOR)
        answer: Response = RedirectResponse(f"/signin/code?next={quote(target, safe='/')}", 303)
        set_cookie(answer, request, STEP_COOKIE, sealed, STEP_VALID_FOR)
        return answer

    async def code_form(self, request: Request) -> Response:
        """Ask for the code; for the password again when that was too long ago."""
        target = safe_next(request.query_params.get("next"))
        if await self._half_signed_in(request) is None:
            return RedirectResponse(f"/signin?next={quote(target, safe='/')}", 303)
        return self._show_code(request, target)

    async def check_code(self, request: Request) -> Response:
        """Check the code of the authenticator, or a recovery code; begin the session."""
        portal = self._portal
        form = await read_form(request)
        target = safe_next(form.get("next"))
        half = await self._half_signed_in(request)
        if half is None or not from_here(request):
            return self._show(request, target, error="code_too_late", status=403)
        user, account = half
        counted = (second_factor(user.user_id),)
        wait = portal.guesses.begin(counted, portal.context.now())
        if wait > 0:
            return self._too_many(request, "signin_code.html", wait, next=target)
        if not await self._use_code(user, form.get("code", "")):
            log.warning("a wrong code for %s from %s", user.login, client_address(request))
            return self._show_code(request, target, error="code_wrong", status=401)
        portal.guesses.right(counted, portal.context.now())
        answer = await self.begin(request, user, target, account)
        answer.delete_cookie(STEP_COOKIE, path="/", httponly=True, samesite="lax")
        return answer

    async def _half_signed_in(self, request: Request) -> tuple[User, str] | None:
        """Return whose first step went a moment ago, and by which account of a provider; their password is the same."""
        portal = self._portal
        step = portal.sealer.open("first step", request.cookies.get(STEP_COOKIE), portal.context.now())
        if step is None:
            return None
        user_id, mark, account = step.split(" ", 2)
        user = await portal.context.read(lambda conn: users.find_by_id(conn, user_id))
        return (user, account) if user is not None and password_mark(user.password_hash) == mark else None

    async def _use_code(self, user: User, code: str) -> bool:
        """Use up a code; return whether it was good."""
        if user.totp_sealed is None:  # switched off between the two steps: the first is enough
            return True
        try:
            secret = self._portal.vault.read(user.user_id, user.totp_sealed)
        except VaultError as error:
            log.warning("the authenticator of %s is of no use, recovery codes are: %s", user.login, error)
            step = None
        else:
            step = step_of(secret, code, self._portal.context.now())
        if step is not None:
            return await self._portal.context.write(lambda conn: factors.use_step(conn, user.user_id, step))
        hashed = recovery_hash(code)
        if hashed is None:
            return False
        return await self._portal.context.write(lambda conn: factors.use_code(conn, user.user_id, hashed))

    async def begin(self, request: Request, user: User, target: str, account: str = "") -> Response:
        """Begin a session; `account` is that of an OpenID Connect provider which said who it is."""
        portal, secret = self._portal, ids.new_token()
        now = int(portal.context.now())
        before = await find_signed_in(portal, request)
        address, client = client_address(request), request.headers.get("user-agent", "")
        now_ms = portal.context.now_ms()
        ends_at = now_ms + VALID_FOR * 1000

        def begin(conn: Connection) -> None:
            if before is not None:  # the browser forgets it
                sessions.end(conn, before[0].user_id, before[0].session_id)
            by = By("portal", user.login, address)
            if account != (user.openid_account or "") and account:
                with audit.noted(conn, by, "person.linked", user.enterprise_id, user.login, now_ms):
                    users.set_account(conn, user.user_id, account)
            sessions.begin(
                conn,
                user.user_id,
                secret,
                now_ms,
                ends_at=ends_at,
                address=address,
                client=client,
                openid=bool(account),
            )
            how = {"signed_in_by": f"OpenID Connect: {account}"} if account else None
            audit.note(conn, by, "person.signed_in", user.enterprise_id, user.login, now_ms, label=user.name, after=how)

        await portal.context.write(begin)
        answer = RedirectResponse(target, 303)
        set_cookie(answer, request, COOKIE, secret, VALID_FOR)
        if self._known_browser(request, user) is None:
            browser = portal.sealer.seal("browser", f"{user.user_id} {ids.new_id()}", now + BROWSER_KNOWN_FOR)
            set_cookie(answer, request, BROWSER_COOKIE, browser, BROWSER_KNOWN_FOR)
        return answer

    def _known_browser(self, request: Request, user: User | None) -> str | None:
        """Return by what a browser that has signed in with the login before is counted."""
        text = self._portal.sealer.open("browser", request.cookies.get(BROWSER_COOKIE), self._portal.context.now())
        if text is None or user is None:
            return None
        user_id, nonce = text.split(" ")
        return nonce if user_id == user.user_id else None

    def _counted(self, request: Request, login: str, user: User | None) -> Sequence[Counted]:
        browser = self._known_browser(request, user)
        if browser is not None:
            return (known_browser(browser),)
        address = source_of(client_address(request))
        return (pair(login, address), whole_address(address))

    def _too_many(self, request: Request, template: str, wait: float, **values: str) -> Response:
        seconds = math.ceil(wait)
        say = say_in(page_language(request))
        error = say("too_many_guesses", time=duration_text(seconds, say))
        answer = self._portal.pages.page(request, template, status=429, error=error, provider=self._provider, **values)
        answer.headers["retry-after"] = str(seconds)
        return answer

    def _show(
        self, request: Request, target: str, *, login: str = "", error: str | None = None, status: int = 200
    ) -> Response:
        words = None if error is None else say_in(page_language(request))(error)
        return self.show(request, target, login=login, error=words, status=status)

    def show(
        self, request: Request, target: str, *, login: str = "", error: str | None = None, status: int = 200
    ) -> Response:
        """Answer with the form, with what went wrong in words."""
        values = {"login": login, "error": error, "provider": self._provider}
        return self._portal.pages.page(request, "signin.html", status=status, next=target, **values)

    def _show_code(self, request: Request, target: str, *, error: str | None = None, status: int = 200) -> Response:
        words = None if error is None else say_in(page_language(request))(error)
        return self._portal.pages.page(request, "signin_code.html", status=status, next=target, error=words)


async def sign_out(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """End the session."""
    await portal.context.write(lambda conn: sessions.end(conn, visitor.user.user_id, visitor.session.session_id))
    answer = lead_to(request, "/signin")
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
    return answer


def set_cookie(answer: Response, request: Request, name: str, value: str, age: int) -> None:
    """Have a browser keep a value for so many seconds, out of reach of scripts and of other sites."""
    secure = request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=age, path="/", httponly=True, samesite="lax", secure=secure)
