"""Signing in by an OpenID Connect provider: authorization code flow with PKCE, state and nonce.

The browser keeps the state alone, sealed; nonce and verifier follow from it by the server's secret. So nothing is held
here for those who begin, and what a stolen link brings is of no use without the cookie.
"""

import logging
import math
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.addresses import client_address
from kobza.defence.source import source_of
from kobza.portal.access import Portal, safe_next
from kobza.portal.formats import duration_text
from kobza.portal.guessing import whole_address
from kobza.portal.openid_provider import OpenIdProvider
from kobza.portal.openid_token import Claims, OpenIdFailure, asked_for_more, check_allowed, login_of
from kobza.portal.rendering import page_language
from kobza.portal.signin import SignIn, set_cookie
from kobza.portal.texts import say_in
from kobza.store import ids, users
from kobza.store.users import User

log = logging.getLogger(__name__)

COOKIE: Final = "kobza_openid"
VALID_FOR: Final = 900
"""Seconds for what the provider asks: a password, a second factor, a consent."""
PURPOSE: Final = "openid"
MAX_CODE: Final = 4096
MAX_TARGET: Final = 1000
STATUS: Final = {"openid_away": 502, "openid_wrong": 502}
"""Of failures that are not of who signs in."""


class OpenIdSignIn:
    """Leads to the provider, and takes who comes back."""

    def __init__(self, portal: Portal, sign_in: SignIn, provider: OpenIdProvider) -> None:
        self._portal = portal
        self._sign_in = sign_in
        self._provider = provider

    async def begin(self, request: Request) -> Response:
        """Send the browser to the provider."""
        portal, now = self._portal, self._portal.context.now()
        target = safe_next(request.query_params.get("next"))
        if len(target) > MAX_TARGET:  # a cookie holds only so much
            target = "/"
        state = ids.new_token()
        try:
            url = await self._provider.authorization_url(state, *self._derived(state), now)
        except OpenIdFailure as failure:
            return self._failed(request, target, failure)
        answer = RedirectResponse(url, 303, {"cache-control": "no-store"})
        sealed = portal.sealer.seal(PURPOSE, f"{state} {target}", int(now) + VALID_FOR)
        set_cookie(answer, request, COOKIE, sealed, VALID_FOR)
        return answer

    async def back(self, request: Request) -> Response:
        """Take who comes back from the provider."""
        portal, now, query = self._portal, self._portal.context.now(), request.query_params
        opened = portal.sealer.open(PURPOSE, request.cookies.get(COOKIE), now) or " /"
        state, _, target = opened.partition(" ")
        address = whole_address(source_of(client_address(request)))
        wait = portal.guesses.begin((address,), now)
        if wait > 0:
            say = say_in(page_language(request))
            error = say("too_many_guesses", time=duration_text(math.ceil(wait), say))
            return self._sign_in.show(request, target, error=error, status=429)
        try:
            _check_answer(query, state)
            nonce, verifier = self._derived(state)
            code = query.get("code", "")[:MAX_CODE]
            claims = await self._provider.claims_for(code, query.get("iss"), nonce, verifier, now)
            options = self._provider.options
            check_allowed(claims, options.allow)
            account = f"{options.issuer} {claims['sub']}"
            user = await self._whose(account, claims)
        except OpenIdFailure as failure:
            answer = self._failed(request, target, failure)
        else:
            portal.guesses.right((address,), now)
            if user.totp_sealed is not None and not asked_for_more(claims):
                answer = self._sign_in.ask_code(request, user, target, account)
            else:
                answer = await self._sign_in.begin(request, user, target, account)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
        return answer

    async def _whose(self, account: str, claims: Claims) -> User:
        """Return who has an account of the provider, or will have it from now on. Raises OpenIdFailure."""
        read = self._portal.context.read
        user = await read(lambda conn: users.find_by_account(conn, account))
        if user is not None:
            return user
        login = login_of(claims, self._provider.options.claim)
        user = await read(lambda conn: users.find(conn, login))
        if user is None:
            raise OpenIdFailure("openid_unknown", f"nobody here has the login {login!r}", login=login[:100])
        if not user.may_have(account):
            raise OpenIdFailure("openid_other", f"{user.login} has another account at the provider", login=user.login)
        return user

    def _derived(self, state: str) -> tuple[str, str]:
        """Return the nonce and the code verifier of a sign-in."""
        sealer = self._portal.sealer
        return sealer.derived("openid nonce", state), sealer.derived("openid verifier", state)

    def _failed(self, request: Request, target: str, failure: OpenIdFailure) -> Response:
        log.warning("no sign-in by OpenID Connect from %s: %s", client_address(request), failure)
        words = say_in(page_language(request))(failure.key, **failure.values)
        return self._sign_in.show(request, target, error=words, status=STATUS.get(failure.key, 403))


def _check_answer(query: QueryParams, state: str) -> None:
    """Raise OpenIdFailure for an answer that this browser has not asked for, and for a refusal."""
    if not state or query.get("state") != state:
        raise OpenIdFailure("openid_stale", "a browser came back with a state that is not the one it left with")
    if "error" in query:
        words = f"{query['error'][:100]} {query.get('error_description', '')[:300]}"
        raise OpenIdFailure("openid_refused", f"the provider refused: {words}")
