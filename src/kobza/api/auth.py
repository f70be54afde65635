"""Who asks: FMC tokens, in the header Authorization or, for the older interfaces, as the parameter `token`.

A route says by the type of its `caller` what a token needs for it, so none can forget to ask:

    async def show_clip(request: Request, caller: SettingsReader) -> Response: …
"""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import HTTPConnection, Request

from kobza.api.context import context_of
from kobza.api.gate import Caller, Wanted
from kobza.api.problems import ApiError
from kobza.api.query import Query
from kobza.api.rate_limits import Quota
from kobza.store.tokens import Scope

REALM: Final = "kobza"
_BEARER: Final = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]{1,512}=*)")
"""RFC 6750, section 2.1; the scheme in any case (RFC 9110, section 11.1)."""


@dataclass(frozen=True, slots=True)
class RequireToken:
    """A dependency: the bearer token and `integrator_id` of a call of the FMC API, and what the token may do."""

    wanted: Wanted

    async def __call__(self, request: HTTPConnection) -> Caller:
        """Authorise a request.

        Raises ApiError: 401 without a proper header, 400 without integrator_id, and what `Gate.admit` raises.
        """
        headers = request.headers.getlist("authorization")
        if not headers:
            raise _unauthorized("The header Authorization: Bearer <FMC token> is missing.")
        match = _BEARER.fullmatch(headers[0].strip(" \t"))
        if len(headers) > 1 or match is None:
            raise _unauthorized("The header must be Authorization: Bearer <FMC token>.", error="invalid_request")
        gate = context_of(request).gate
        return await gate.admit(request, match[1], self.wanted, lambda: Query(request).required("integrator_id"))


HISTORY: Final = Wanted(Scope.HISTORY, Quota.READ)
EXPORT_HISTORY: Final = Wanted(Scope.HISTORY, Quota.EXPORT)
CONTROL: Final = Wanted(Scope.CONTROL, Quota.CONTROL)

HistoryReader = Annotated[Caller, Depends(RequireToken(HISTORY))]
HistoryExporter = Annotated[Caller, Depends(RequireToken(EXPORT_HISTORY))]
Controller = Annotated[Caller, Depends(RequireToken(CONTROL))]
SettingsReader = Annotated[Caller, Depends(RequireToken(Wanted(Scope.SETTINGS, Quota.READ)))]
SettingsWriter = Annotated[Caller, Depends(RequireToken(Wanted(Scope.SETTINGS, Quota.CONTROL)))]


async def token_caller(request: Request, token: str, wanted: Wanted) -> Caller:
    """Authorise a call of the older interfaces by their parameter `token`. Raises what `Gate.admit` raises."""
    return await context_of(request).gate.admit(request, token, wanted)


def _unauthorized(detail: str, *, error: str | None = None) -> ApiError:
    challenge = f'Bearer realm="{REALM}"' + ("" if error is None else f', error="{error}"')
    return ApiError("unauthorized", detail, headers={"www-authenticate": challenge})
