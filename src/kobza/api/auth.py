"""Who asks: FMC tokens, in the header Authorization or, for the older interfaces, as the parameter `token`."""

import hmac
import re
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from kobza.api.context import ApiContext, context_of
from kobza.api.problems import ApiError
from kobza.api.query import Query
from kobza.store import enterprises
from kobza.store.enterprises import TokenInfo

REALM: Final = "kobza"
_BEARER: Final = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/=-]{1,512})")
"""RFC 6750, section 2.1; the scheme in any case (RFC 9110, 11.1) is accepted in its two usual spellings."""
_TOKEN: Final = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authorised program: the enterprise on whose behalf it asks."""

    enterprise_id: str
    integrator_id: str


async def fmc_caller(request: Request) -> Caller:
    """Authorise a call of the FMC API: bearer token and integrator_id.

    Raises ApiError: 401 without a proper header, 403 for a wrong token or integrator, 400 without integrator_id.
    """
    headers = request.headers.getlist("authorization")
    if not headers:
        raise _unauthorized("The header Authorization: Bearer <FMC token> is missing.")
    match = _BEARER.fullmatch(headers[0].strip())
    if len(headers) > 1 or match is None:
        raise _unauthorized("The header must be Authorization: Bearer <FMC token>.", error="invalid_request")
    context = context_of(request)
    info = await find_token(context, match[1])
    integrator_id = Query(request).required("integrator_id")
    if not hmac.compare_digest(integrator_id.encode(), info.integrator_id.encode()):
        raise ApiError("forbidden", "The integrator_id is not that of the token.", parameter="integrator_id")
    return Caller(info.enterprise_id, info.integrator_id)


async def token_caller(context: ApiContext, token: str) -> Caller:
    """Authorise a call of the older interfaces by their parameter `token`. Raises ApiError 403."""
    info = await find_token(context, token)
    return Caller(info.enterprise_id, info.integrator_id)


async def find_token(context: ApiContext, token: str) -> TokenInfo:
    """Return whose token it is. Raises ApiError 403 for one that is malformed, unknown or no longer valid.

    The store is asked in every case: by the hash, so that the time tells nothing of the token.
    """
    proper = _TOKEN.fullmatch(token) is not None
    now_ms = context.now_ms()
    wanted = token if proper else "0" * 64
    info = await context.read(lambda conn: enterprises.find_token(conn, wanted, now_ms))
    if info is None or not proper:
        raise ApiError("forbidden", "The token is not valid.", parameter="token")
    return info


def _unauthorized(detail: str, *, error: str | None = None) -> ApiError:
    challenge = f'Bearer realm="{REALM}"' + ("" if error is None else f', error="{error}"')
    return ApiError("unauthorized", detail, headers={"www-authenticate": challenge})


FmcCaller = Annotated[Caller, Depends(fmc_caller)]
