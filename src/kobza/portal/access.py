"""Who may see a page: the sign-in cookie, the user behind it, and what every form must carry."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import ApiContext
from kobza.api.query import limited_body
from kobza.call.directory import Enterprise
from kobza.call.errors import KobzaError
from kobza.portal.known_peaks import KnownPeaks
from kobza.portal.known_tallies import KnownTallies
from kobza.portal.rendering import Pages, here, page_language
from kobza.portal.signin import COOKIE, CookieSigner, GuessLimit, SignedIn, password_mark
from kobza.portal.texts import say_in
from kobza.store import enterprises, users
from kobza.store.users import User

HASHING_AT_ONCE: Final = 2
"""Passwords checked at a time: each takes 64 MiB."""

SAID: Final = frozenset({"not_found", "recording_erased", "recording_not_ready"})
"""Codes of errors that the catalogues have in words."""

Form = dict[str, str]


@dataclass(slots=True)
class Portal:
    """The parts of the portal of one application."""

    context: ApiContext
    signer: CookieSigner
    pages: Pages
    guesses: GuessLimit
    hashing: anyio.Semaphore
    peaks: KnownPeaks
    tallies: KnownTallies


@dataclass(frozen=True, slots=True)
class Visitor:
    """An administrator who is signed in."""

    login: str
    enterprise: Enterprise
    csrf: str

    @property
    def enterprise_id(self) -> str:
        """The enterprise whose pages these are."""
        return self.enterprise.enterprise_id


Page = Callable[[Portal, Request, Visitor], Awaitable[Response]]
Action = Callable[[Portal, Request, Visitor, Form], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


async def read_form(request: Request) -> Form:
    """Read the fields of a form; of a repeated one the last. Raises ApiError when it is too long."""
    body = await limited_body(request)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def from_here(request: Request) -> bool:
    """Tell whether a POST comes from a page of ours, as far as the browser says."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def safe_next(target: str | None) -> str:
    """Return where to go after signing in: a path of ours, never another site."""
    if target is None or not target.startswith("/") or target[1:2] in ("/", "\\") or not target.isprintable():
        return "/"
    return target


async def find_signed_in(portal: Portal, request: Request) -> tuple[SignedIn, User] | None:
    """Return who is signed in, if the login still exists with the same password."""
    signed_in = portal.signer.read(request.cookies.get(COOKIE), portal.context.now())
    if signed_in is None:
        return None
    user = await portal.context.read(lambda conn: users.find(conn, signed_in.login))
    if user is None or password_mark(user.password_hash) != signed_in.password_mark:
        return None
    return signed_in, user


async def _visitor(portal: Portal, request: Request) -> Visitor | Response:
    """Return the visitor, or the answer that leads to one: to the sign-in, or the refusal."""
    found = await find_signed_in(portal, request)
    if found is None:
        if request.url.path in ("/live", "/live/stream"):
            return Response(status_code=403)
        shown = request.method in ("GET", "HEAD")
        target = f"/signin?next={quote(here(request), safe='/')}" if shown else "/signin"
        if "hx-request" in request.headers:  # a part of a page: the whole page has to go
            return Response(status_code=401, headers={"hx-redirect": target, "cache-control": "no-store"})
        return RedirectResponse(target, 303)
    signed_in, user = found
    enterprise_id = user.enterprise_id
    enterprise = None
    if enterprise_id is not None:
        enterprise = await portal.context.read(lambda conn: enterprises.find(conn, enterprise_id))
    if enterprise is None:
        return error_page(portal, request, 403, say_in(page_language(request))("no_enterprise"))
    return Visitor(user.login, enterprise, portal.signer.form_token(signed_in))


def error_page(portal: Portal, request: Request, status: int, detail: str) -> Response:
    """Answer with an error for people."""
    return portal.pages.page(request, "error.html", status=status, detail=detail)


def _in_words(request: Request, error: KobzaError) -> str:
    """Say what went wrong in the reader's language, where it is something that people meet."""
    return say_in(page_language(request))(f"error_{error.code}") if error.code in SAID else error.detail


def page(portal: Portal, show: Page) -> Endpoint:
    """Return the endpoint of a page for those who are signed in."""

    async def endpoint(request: Request) -> Response:
        visitor = await _visitor(portal, request)
        if isinstance(visitor, Response):
            return visitor
        try:
            return await show(portal, request, visitor)
        except KobzaError as error:
            return error_page(portal, request, error.http_status, _in_words(request, error))

    return endpoint


def action(portal: Portal, act: Action) -> Endpoint:
    """Return the endpoint of a form: for those who are signed in, from a page of ours, with its token."""

    async def endpoint(request: Request) -> Response:
        visitor = await _visitor(portal, request)
        if isinstance(visitor, Response):
            return visitor
        try:
            form = await read_form(request)
            if not from_here(request) or not _same(portal, request, form.get("csrf", "")):
                return error_page(portal, request, 403, say_in(page_language(request))("error_stale"))
            return await act(portal, request, visitor, form)
        except KobzaError as error:
            words = _in_words(request, error)
            if "hx-request" in request.headers:  # the script shows them on the page as it is
                return Response(
                    words, error.http_status, media_type="text/plain", headers={"cache-control": "no-store"}
                )
            return error_page(portal, request, error.http_status, words)

    return endpoint


def _same(portal: Portal, request: Request, token: str) -> bool:
    signed_in = portal.signer.read(request.cookies.get(COOKIE), portal.context.now())
    return signed_in is not None and portal.signer.form_token_is(signed_in, token)
