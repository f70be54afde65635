"""The gate that every request of a program passes: whose token it is, and whether it may do this, from here, now.

All of it is memory: one hash, one look-up, one bucket. Nothing is written but a note of the use.
"""

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from starlette.requests import HTTPConnection

from kobza.api.addresses import client_address
from kobza.api.problems import ApiError
from kobza.api.rate_limits import Quota, RateLimits, Rates
from kobza.api.token_uses import TokenUses
from kobza.api.token_view import CHECK_EVERY, TokenView
from kobza.defence.source import parsed_address
from kobza.store import Store
from kobza.store.audit import By
from kobza.store.tokens import Scope, Token

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authorised program: the enterprise on whose behalf it asks, and the token by which it does."""

    enterprise_id: str
    integrator_id: str
    token_id: str
    by: By
    """Who that is to the audit."""
    scopes: frozenset[Scope]
    """All that the token may do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a function needs of a token, and as what a request of it counts."""

    scope: Scope
    quota: Quota


class Gate:
    """The tokens, their last uses and the rate limits of one process."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], float],
        *,
        rates: Rates | None = None,
        check_every: float = CHECK_EVERY,
    ) -> None:
        self.tokens = TokenView(store, now, check_every=check_every)
        self.uses = TokenUses(store)
        self.limits = RateLimits(rates)
        self._now = now

    async def stop(self) -> None:
        """Write the last uses that are not written yet."""
        await self.uses.stop()

    async def admit(
        self, request: HTTPConnection, secret: str, wanted: Wanted, integrator: Callable[[], str] | None = None
    ) -> Caller:
        """Let a request pass, or raise ApiError.

        In this order: the token (403), the address (403 address_not_allowed), the integrator (403), the rate (429),
        the scope (403 scope_missing). `integrator` reads the integrator_id, once the token is known to be right; None
        for the older interfaces, which have none.
        """
        address = client_address(request)
        found = await self.tokens.find(secret)
        now = self._now()
        if found is None or not found.valid_at(int(now * 1000)):
            self._refuse(address, now, _why(found))
        if found.networks and not _allowed(found, address):
            error = ApiError("address_not_allowed", f"The token may not be used from {address or 'this address'}.")
            self._refuse(address, now, error, found)
        if integrator is not None and not _same(integrator(), found.integrator_id):
            error = ApiError("forbidden", "The integrator_id is not that of the token.", parameter="integrator_id")
            self._refuse(address, now, error)
        self.uses.note(found.token_id, int(now * 1000), address, request.headers.get("user-agent", ""))
        self.limits.take(request.scope, wanted.quota, found.token_id, now)
        if wanted.scope not in found.scopes:
            raise scope_missing(wanted.scope)
        by = By("api", f"{found.name} {found.token_id}".strip(), address)
        return Caller(found.enterprise_id, found.integrator_id, found.token_id, by, found.scopes)

    async def still_admits(self, request: HTTPConnection, caller: Caller, scope: Scope) -> bool:
        """Tell whether the token of a request that goes on for long would be let in again. Raises ApiError 503."""
        found = await self.tokens.find_id(caller.token_id)
        if found is None or not found.valid_at(int(self._now() * 1000)) or scope not in found.scopes:
            return False
        return not found.networks or _allowed(found, client_address(request))

    def _refuse(self, address: str, now: float, error: ApiError, token: Token | None = None) -> NoReturn:
        """Raise the error, or 429 when the address has failed too often; then nothing is logged either."""
        self.limits.failed(address, now)
        if token is not None:
            log.warning("the token %s was tried from %s, which it does not allow", token.token_id, address)
        raise error


def scope_missing(scope: Scope) -> ApiError:
    """Return the error that names the scope (RFC 6750, section 3.1, and for programs the member `scope`)."""
    challenge = f'Bearer realm="kobza", error="insufficient_scope", scope="{scope}"'
    return ApiError(
        "scope_missing",
        f"The token lacks the scope {scope}.",
        headers={"www-authenticate": challenge},
        members={"scope": scope},
    )


def _why(found: Token | None) -> ApiError:
    """Say what is wrong with a token. That it was valid once hears only who has all of it."""
    if found is None:
        detail = "The token is not valid."
    elif found.revoked_at is not None:
        detail = "The token was revoked."
    else:
        detail = "The token has expired."
    return ApiError("forbidden", detail, parameter="token")


def _same(text: str, expected: str) -> bool:
    return hmac.compare_digest(text.encode("utf-8", "surrogatepass"), expected.encode())


def _allowed(token: Token, address: str) -> bool:
    parsed = parsed_address(address)
    return parsed is not None and any(parsed in network for network in token.networks)
