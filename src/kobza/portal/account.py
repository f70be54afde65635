"""The page of one's own account: the password, the second factor, where one is signed in."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.portal.access import Form, Portal, Visitor, lead_to
from kobza.portal.formats import duration_text, moment_text
from kobza.portal.frame import common
from kobza.portal.guessing import Counted
from kobza.portal.passwords import MIN_PASSWORD, password_hash, password_is, weakness
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.portal.totp import new_recovery_codes, new_secret, provisioning_uri, qr_svg, recovery_hash, step_of
from kobza.store import second_factor, sessions, users
from kobza.store.sessions import Session

SETUP_FOR: Final = 900
"""Seconds in which a new authenticator has to show its first code."""
PASSWORD_TRIES: Final = 5
"""Of a session, before it has to wait: whoever sits down at an open page must not guess."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One place where somebody is signed in."""

    session_id: str
    client: str
    """The browser as it calls itself."""
    address: str
    since: str
    used: str
    own: bool
    openid: bool


async def account(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The page."""
    return await _page(portal, request, visitor, saved=request.query_params.get("saved") == "1")


async def _page(
    portal: Portal, request: Request, visitor: Visitor, *, saved: bool = False, error: str | None = None
) -> Response:
    say = say_in(page_language(request))
    user, now_ms = visitor.user, portal.context.now_ms()
    own = await portal.context.read(lambda conn: sessions.list_for(conn, user.user_id, now_ms))
    codes = await portal.context.read(lambda conn: second_factor.count_codes(conn, user.user_id))
    return portal.pages.page(
        request,
        "account.html",
        status=200 if error is None else 400,
        **common(visitor),
        person=user,
        role=user.role.value,
        saved=saved,
        error=error,
        min_password=MIN_PASSWORD,
        codes_left=codes,
        sessions=[_session_view(each, visitor, say) for each in own],
    )


def _session_view(session: Session, visitor: Visitor, say: Say) -> SessionView:
    return SessionView(
        session_id=session.session_id,
        client=browser_name(session.client) or say("client_unknown"),
        address=session.address,
        since=moment_text(session.created_at, say),
        used=moment_text(session.last_used_at, say),
        own=session.session_id == visitor.session.session_id,
        openid=session.openid,
    )


async def password_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The password alone: where those are led who have to change it."""
    return _password_page(portal, request, visitor)


def _password_page(portal: Portal, request: Request, visitor: Visitor, error: str | None = None) -> Response:
    status = 200 if error is None else 400
    return portal.pages.page(
        request,
        "password.html",
        status=status,
        csrf=visitor.csrf,
        person=visitor.user,
        error=error,
        min_password=MIN_PASSWORD,
    )


async def change_password(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Put a new password in the place of the old one; all other sessions end."""
    say, user = say_in(page_language(request)), visitor.user
    new = form.get("new", "")
    error = await _password_refused(portal, visitor, form, say) or _new_password_refused(form, user.login, say)
    if error is not None:
        if user.must_change:
            return _password_page(portal, request, visitor, error)
        return await _page(portal, request, visitor, error=error)
    async with portal.hashing:
        hashed = await anyio.to_thread.run_sync(password_hash, new)
    kept = visitor.session.session_id
    await _change(
        portal, visitor, "person.password", lambda conn: users.set_password(conn, user.login, hashed, keep=kept)
    )
    return RedirectResponse("/" if user.must_change else "/account?saved=1", 303)


def _new_password_refused(form: Form, login: str, say: Say) -> str | None:
    """Say why a new password will not do, None when it will."""
    new = form.get("new", "")
    wrong = weakness(new, login, before=form.get("password", ""))
    if wrong is not None:
        return say(f"password_{wrong}", count=MIN_PASSWORD)
    return say("password_differs") if form.get("again", "") != new else None


async def second_factor_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """A new secret as a QR code, for the authenticator."""
    if visitor.user.totp_sealed is not None:
        return RedirectResponse("/account", 303)
    return _setup_page(portal, request, visitor, new_secret())


def _setup_page(portal: Portal, request: Request, visitor: Visitor, secret: str, error: str | None = None) -> Response:
    sealed = portal.sealer.seal(_setup_purpose(visitor), secret, int(portal.context.now()) + SETUP_FOR)
    return portal.pages.page(
        request,
        "second_factor.html",
        status=200 if error is None else 400,
        **common(visitor),
        qr=qr_svg(provisioning_uri(secret, visitor.login)),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        sealed=sealed,
        error=error,
    )


def _setup_purpose(visitor: Visitor) -> str:
    return f"authenticator of {visitor.user.user_id}"


async def switch_on_second_factor(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Ask for codes from now on, once the authenticator has shown one; show the recovery codes, this once."""
    say, user, now = say_in(page_language(request)), visitor.user, portal.context.now()
    secret = portal.sealer.open(_setup_purpose(visitor), form.get("sealed"), now)
    if secret is None or user.totp_sealed is not None:
        return RedirectResponse("/account/second-factor", 303)
    error = await _password_refused(portal, visitor, form, say)
    step = step_of(secret, form.get("code", ""), now)
    if error is not None or step is None:
        return _setup_page(portal, request, visitor, secret, error or say("code_wrong_setup"))
    codes, hashes = _codes()
    kept = portal.vault.keep(user.user_id, secret)

    def set_up(conn: Connection) -> None:
        second_factor.set_up(conn, user.user_id, kept, step, hashes)
        sessions.end_others(conn, user.user_id, visitor.session.session_id)

    await _change(portal, visitor, "person.second_factor", set_up)
    return _codes_page(portal, request, visitor, codes)


async def switch_off_second_factor(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Let the password be enough again."""
    say = say_in(page_language(request))
    error = await _password_refused(portal, visitor, form, say)
    if error is not None:
        return await _page(portal, request, visitor, error=error)
    await _change(portal, visitor, "person.second_factor", lambda conn: second_factor.clear(conn, visitor.user.user_id))
    return RedirectResponse("/account?saved=1", 303)


async def renew_codes(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Make new recovery codes, which end the old ones; show them, this once."""
    say, user = say_in(page_language(request)), visitor.user
    error = await _password_refused(portal, visitor, form, say)
    if error is None and user.totp_sealed is None:
        error = say("second_factor_is_off")
    if error is not None:
        return await _page(portal, request, visitor, error=error)
    codes, hashes = _codes()
    await portal.context.write(lambda conn: second_factor.replace_codes(conn, user.user_id, hashes))
    return _codes_page(portal, request, visitor, codes)


def _codes() -> tuple[list[str], list[str]]:
    codes = new_recovery_codes()
    return codes, [hashed for code in codes if (hashed := recovery_hash(code)) is not None]


def _codes_page(portal: Portal, request: Request, visitor: Visitor, codes: list[str]) -> Response:
    values: dict[str, Any] = common(visitor)
    return portal.pages.page(request, "recovery_codes.html", **values, codes=codes)


async def end_session(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """End one session of one's own. Raises ApiError 404 for what is none."""
    session_id = form.get("session_id", "")
    if not await portal.context.write(lambda conn: sessions.end(conn, visitor.user.user_id, session_id)):
        raise not_found()
    return lead_to(request, "/account?saved=1")


async def end_other_sessions(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """End all sessions but this one."""
    user_id, kept = visitor.user.user_id, visitor.session.session_id
    await portal.context.write(lambda conn: sessions.end_others(conn, user_id, kept))
    return lead_to(request, "/account?saved=1")


async def _change(portal: Portal, visitor: Visitor, action: str, change: Callable[[Connection], object]) -> None:
    """Change the visitor's own account, and note it."""
    user = visitor.user
    await portal.context.change(visitor.by, action, user.enterprise_id, user.login, lambda conn, _: change(conn))


async def _password_refused(portal: Portal, visitor: Visitor, form: Form, say: Say) -> str | None:
    """Say why a form is refused, None when it has the visitor's password: an open page alone must not be enough."""
    now, counted = portal.context.now(), (Counted(f"session {visitor.session.session_id}", PASSWORD_TRIES),)
    wait = portal.guesses.begin(counted, now)
    if wait > 0:
        return say("too_many_guesses", time=duration_text(math.ceil(wait), say))
    async with portal.hashing:
        right = await anyio.to_thread.run_sync(password_is, form.get("password", ""), visitor.user.password_hash)
    if not right:
        return say("password_wrong")
    portal.guesses.right(counted, now)
    return None


_BROWSERS: Final = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"))
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(client: str) -> str:
    """Say in two words what a User-Agent is: `Chrome, Windows`; the beginning of one that is not known."""
    browser = next((name for sign, name in _BROWSERS if sign in client), "")
    if not browser and "Safari/" in client:
        browser = "Safari"
    system = next((name for sign, name in _SYSTEMS if sign in client), "")
    return ", ".join(word for word in (browser, system) if word) if browser else client[:40]
