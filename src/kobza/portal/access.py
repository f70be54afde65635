"""Who may see a page: the session, the person behind it, their role, and what every form must carry."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

import anyio
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from kobza.api.addresses import client_address
from kobza.api.context import ApiContext
from kobza.api.query import limited_body
from kobza.api.times import wall_of
from kobza.call.directory import Enterprise
from kobza.call.errors import KobzaError
from kobza.portal.guessing import GuessLimit
from kobza.portal.import_drafts import ImportDrafts
from kobza.portal.known_peaks import KnownPeaks
from kobza.portal.known_tallies import KnownTallies
from kobza.portal.rendering import Pages, here, page_language
from kobza.portal.sealing import Sealer
from kobza.portal.system_port import SystemPort
from kobza.portal.texts import say_in
from kobza.portal.vault import Vault
from kobza.store import StoreAway, enterprises, sessions
from kobza.store.audit import By
from kobza.store.sessions import Session
from kobza.store.users import Role, User

COOKIE: Final = "kobza_signin"
MAX_COOKIE: Final = 256
HASHING_AT_ONCE: Final = 2
"""Passwords checked at a time: each takes 64 MiB."""
NOTED_AFTER_MS: Final = 60_000
"""How exactly the last use of a session is known."""

SAID: Final = frozenset(
    {
        *("not_found", "recording_erased", "recording_failed", "recording_not_ready"),
        *("originator_busy", "originator_unreachable", "invalid_number", "no_route"),
    }
)
"""Codes of errors that the catalogues have in words."""

Form = dict[str, str]


@dataclass(slots=True)
class Portal:
    """The parts of the portal of one application."""

    context: ApiContext
    sealer: Sealer
    vault: Vault
    pages: Pages
    guesses: GuessLimit
    hashing: anyio.Semaphore
    peaks: KnownPeaks
    tallies: KnownTallies
    drafts: ImportDrafts
    system: SystemPort | None = None
    """None: this process does not know the installation as a whole."""

    def today(self) -> date:
        """Return the day that it is in Kyiv."""
        return wall_of(self.context.now()).date()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    user: User
    session: Session
    at: Enterprise | None
    """Their own enterprise, or the one that an operator has entered; None: an operator who is in none."""
    csrf: str
    address: str
    """From where this request of theirs comes."""

    @property
    def by(self) -> By:
        """Who they are to the audit."""
        return By("portal", self.user.login, self.address)

    @property
    def login(self) -> str:
        """By which they signed in."""
        return self.user.login

    @property
    def enterprise(self) -> Enterprise:
        """The enterprise whose pages these are. Only routes that need one ask for it."""
        if self.at is None:
            raise RuntimeError("a page about an enterprise was shown to somebody who is in none")
        return self.at

    @property
    def enterprise_id(self) -> str:
        """Its id."""
        return self.enterprise.enterprise_id

    @property
    def roles(self) -> frozenset[Role]:
        """What they may do here: an operator who has entered an enterprise is its administrator too."""
        if self.user.role is Role.OPERATOR and self.at is not None:
            return frozenset({Role.OPERATOR, Role.ADMIN})
        return frozenset({self.user.role})

    @property
    def may_control(self) -> bool:
        """Whether they may act on everybody's calls and settings."""
        return Role.ADMIN in self.roles

    @property
    def may_supervise(self) -> bool:
        """Whether they may hear others' live calls by their own phone."""
        return self.own_number is not None and not self.roles.isdisjoint({Role.ADMIN, Role.SUPERVISOR})

    @property
    def own_number(self) -> str | None:
        """The number that they speak from here; None: they have none, or look at an enterprise that is not theirs."""
        return None if self.at is None or self.user.enterprise_id != self.enterprise_id else self.user.number

    @property
    def only_number(self) -> str | None:
        """The one number whose calls they may see; None: all of the enterprise."""
        return self.user.number or NO_NUMBER if self.user.role is Role.EMPLOYEE else None

    def may_act_on(self, number: str) -> bool:
        """Tell whether they may act on the calls and settings of a number of the enterprise."""
        return self.may_control or number == self.user.number


NO_NUMBER: Final = "-"
"""A number that nobody has: that of an employee whose own was taken away."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may have what a route gives."""

    roles: frozenset[Role]
    enterprise: bool = True
    """Whether it is about an enterprise: an operator has to enter one first."""
    before_change: bool = False
    """Whether it is for those too who have to change their password first."""
    hidden: bool = False
    """Whether others are told that there is no such page."""


EVERYBODY: Final = frozenset(Role)
ADMINS: Final = Access(frozenset({Role.ADMIN}))
WATCHERS: Final = Access(frozenset({Role.ADMIN, Role.SUPERVISOR}))
STAFF: Final = Access(frozenset({Role.ADMIN, Role.SUPERVISOR, Role.EMPLOYEE}))
MANAGERS: Final = Access(frozenset({Role.ADMIN, Role.OPERATOR}), enterprise=False)
OPERATORS: Final = Access(frozenset({Role.OPERATOR}), enterprise=False)
SYSTEM: Final = Access(frozenset({Role.OPERATOR}), enterprise=False, hidden=True)
ANYBODY: Final = Access(EVERYBODY, enterprise=False)
BEFORE_CHANGE: Final = Access(EVERYBODY, enterprise=False, before_change=True)

Page = Callable[[Portal, Request, Visitor], Awaitable[Response]]
Action = Callable[[Portal, Request, Visitor, Form], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]
ReadForm = Callable[[Request], Awaitable[Form]]


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


def has_to_change(session: Session, user: User) -> bool:
    """Tell whether somebody has to choose a password before anything else: not who came without one."""
    return user.must_change and not session.openid


async def find_signed_in(portal: Portal, request: HTTPConnection) -> tuple[Session, User] | None:
    """Return the session of a request and who it is, if it is still on."""
    secret = request.cookies.get(COOKIE)
    if secret is None or len(secret) > MAX_COOKIE:
        return None
    now_ms = portal.context.now_ms()
    return await portal.context.read(lambda conn: sessions.find(conn, secret, now_ms))


async def still_here(portal: Portal, request: Request, visitor: Visitor) -> bool:
    """Tell whether a visitor whose page stays open is still signed in, with the same role and enterprise."""
    found = await find_signed_in(portal, request)
    return found is not None and (found[1].role, found[1].number, found[0].enterprise_id) == (
        visitor.user.role,
        visitor.user.number,
        visitor.session.enterprise_id,
    )


async def _visitor(portal: Portal, request: Request, access: Access) -> Visitor | Response:
    """Return the visitor, or the answer that leads to one: to the sign-in, to the first steps, or the refusal."""
    found = await find_signed_in(portal, request)
    if found is None:
        return _to_sign_in(request)
    session, user = found
    await _note_use(portal, request, session)
    enterprise_id = user.enterprise_id or session.enterprise_id
    at = None
    if enterprise_id is not None:
        at = await portal.context.read(lambda conn: enterprises.find(conn, enterprise_id))
    csrf = portal.sealer.form_token(session.session_id)
    visitor = Visitor(user, session, at, csrf, client_address(request))
    if not access.before_change and has_to_change(session, user):
        return lead_to(request, "/account/password")
    if user.role is Role.OPERATOR and at is None and access.enterprise:
        return lead_to(request, "/enterprises")
    if not access.roles & visitor.roles and access.hidden:
        return error_page(portal, request, 404, say_in(page_language(request))("error_not_found"))
    if not access.roles & visitor.roles:
        return error_page(portal, request, 403, say_in(page_language(request))("error_role"))
    return visitor


def _to_sign_in(request: Request) -> Response:
    if request.url.path in ("/live", "/live/stream"):
        return Response(status_code=403)
    shown = request.method in ("GET", "HEAD")
    target = f"/signin?next={quote(here(request), safe='/')}" if shown else "/signin"
    return lead_to(request, target)


def lead_to(request: Request, target: str) -> Response:
    """Send the whole page elsewhere, also when only a part of it was asked for."""
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"hx-redirect": target, "cache-control": "no-store"})
    return RedirectResponse(target, 303)


async def _note_use(portal: Portal, request: Request, session: Session) -> None:
    now_ms, address = portal.context.now_ms(), client_address(request)
    if now_ms - session.last_used_at < NOTED_AFTER_MS and address == session.address:
        return
    with suppress(StoreAway):  # what is only read must work all the same
        await portal.context.write(lambda conn: sessions.note_use(conn, session.session_id, now_ms, address))


def error_page(portal: Portal, request: Request, status: int, detail: str) -> Response:
    """Answer with an error for people."""
    return portal.pages.page(request, "error.html", status=status, detail=detail)


def _in_words(request: Request, error: KobzaError) -> str:
    """Say what went wrong in the reader's language, where it is something that people meet."""
    return say_in(page_language(request))(f"error_{error.code}") if error.code in SAID else error.detail


def page(portal: Portal, show: Page, access: Access) -> Endpoint:
    """Return the endpoint of a page for those who may see it."""

    async def endpoint(request: Request) -> Response:
        visitor = await _visitor(portal, request, access)
        if isinstance(visitor, Response):
            return visitor
        try:
            return await show(portal, request, visitor)
        except KobzaError as error:
            return error_page(portal, request, error.http_status, _in_words(request, error))

    return endpoint


def action(portal: Portal, act: Action, access: Access, read: ReadForm = read_form) -> Endpoint:
    """Return the endpoint of a form: for those who may send it, from a page of ours, with its token."""

    async def endpoint(request: Request) -> Response:
        visitor = await _visitor(portal, request, access)
        if isinstance(visitor, Response):
            return visitor
        try:
            form = await read(request)
            known = portal.sealer.form_token_is(visitor.session.session_id, form.get("csrf", ""))
            if not from_here(request) or not known:
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
