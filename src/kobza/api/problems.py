"""Errors of every HTTP method as RFC 9457 `application/problem+json`: the one place where they are mapped.

Each has `type`, `title`, `status`, `detail`, a stable `code` and, for a parameter, its name in `parameter`. A 500 has
an `incident` id that the log line with the traceback also carries.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kobza.call.errors import Fault, KobzaError
from kobza.store.errors import StoreAway

logger = logging.getLogger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = "5"
"""Seconds until it is worth asking again when the server cannot do something now and nothing better is known."""
MANUAL: Final = "/manual/openapi.html#problem-"
"""A problem's `type` leads to its paragraph in the manual."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One stable code: its usual status, its title and what the manual says of it."""

    status: int
    title: str
    meaning: str


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "missing_parameter": Kind(400, "A parameter is missing", "A parameter that the request needs is absent."),
        "invalid_parameter": Kind(400, "A parameter is wrong", "The value has a wrong form or is out of its range."),
        "duplicate_parameter": Kind(400, "A parameter is given twice", "Each parameter may be given once."),
        "invalid_body": Kind(400, "The body is wrong", "The body is no JSON object or a field is of a wrong type."),
        "invalid_number": Kind(400, "The number is wrong", "The text is no number that can be dialled."),
        "unauthorized": Kind(401, "Authorization is needed", "The header Authorization: Bearer is absent or broken."),
        "forbidden": Kind(403, "Access is refused", "The token or the integrator_id is not valid."),
        "scope_missing": Kind(403, "The token may not do this", "The token lacks the scope that `scope` names."),
        "address_not_allowed": Kind(403, "The address is not allowed", "The token may be used from other addresses."),
        "origin_not_allowed": Kind(
            403, "The page may not connect", "A browser asked for a WebSocket on behalf of a page of another site."
        ),
        "service_not_enabled": Kind(403, "The service is not enabled", "The number lacks a package this needs."),
        "presentation_not_allowed": Kind(
            403, "The number may not be shown", "It is neither one of the enterprise's own nor registered for it."
        ),
        "not_found": Kind(404, "Not found", "There is no such thing, or it belongs to somebody else."),
        "method_not_allowed": Kind(405, "The method is not allowed", "The header Allow names those that are."),
        "originator_busy": Kind(409, "The originator is busy", "The originator is in a call."),
        "originator_unreachable": Kind(409, "The originator is unreachable", "None of its devices is registered."),
        "destination_unreachable": Kind(409, "The destination is unreachable", "None of its devices is registered."),
        "conference_full": Kind(409, "The call takes no more phones", "Ten can be mixed, those that ring included."),
        "wrong_state": Kind(409, "The call's state does not allow it", "For example hold while it still rings."),
        "idempotency_conflict": Kind(
            409, "The key was used for another request", "Idempotency-Key came with another body."
        ),
        "recording_not_ready": Kind(409, "The recording is being made", "Try again after the seconds in Retry-After."),
        "webhook_not_set": Kind(409, "No webhook is set", "Set the endpoint first."),
        "recording_erased": Kind(410, "The recording was erased", "It existed and is gone for good."),
        "recording_failed": Kind(410, "The recording could not be made", "There is nothing to be heard of it."),
        "delivery_erased": Kind(
            410, "The delivery was erased", "It existed; who was in it is gone for good, so it cannot be sent again."
        ),
        "range_not_satisfiable": Kind(416, "The range cannot be given", "It lies behind the end of the recording."),
        "rate_limited": Kind(429, "Too many requests", "Try again after the seconds in Retry-After."),
        "too_many_streams": Kind(
            429, "Too many streams are open", "Close one, ask by pages, or try again after the seconds in Retry-After."
        ),
        "internal_error": Kind(500, "Something went wrong here", "Name the incident when you report it."),
        "refused_by_phone": Kind(502, "The phone refused", "The phone answered the command with a refusal."),
        "no_route": Kind(503, "Nothing leads to the number", "It is nobody's here and no trunk takes it."),
        "media_failed": Kind(503, "The media plane failed", "The command needs audio that cannot be had now."),
        "unavailable": Kind(503, "Not available now", "Try again after the seconds in Retry-After."),
        "no_answer_from_phone": Kind(504, "The phone did not answer", "The command was sent; no answer came in time."),
    }
)

_CODE_BY_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {400: "invalid_parameter", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
)


class ApiError(KobzaError):
    """An error that only HTTP knows of. The code is one of KINDS, which gives the status."""

    fault = Fault.CALLER

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        parameter: str | None = None,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail, parameter=parameter, code=code, http_status=KINDS[code].status)
        self.headers = dict(headers or {})
        self.members = dict(members or {})
        """What the problem says beside its usual members."""


def not_found() -> ApiError:
    """Return the one answer for what does not exist and for what belongs to another enterprise."""
    return ApiError("not_found", "There is no such thing.")


def no_such_number() -> ApiError:
    """Return the one answer for a number that is nobody's and for one of another enterprise."""
    return ApiError("not_found", "The enterprise has no such number.")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    parameter: str | None = None,
    incident: str | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, str] | None = None,
) -> Response:
    """Write one problem. `detail` is one sentence for people and must hold no secret."""
    kind = KINDS.get(code)
    body: dict[str, Any] = {
        "type": "about:blank" if kind is None else MANUAL + code,  # a sandbox's own kinds are not in the manual
        "title": kind.title if kind is not None else HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if parameter is not None:
        body["parameter"] = parameter
    if incident is not None:
        body["incident"] = incident
    body.update(members or {})
    all_headers = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(body), status, all_headers, PROBLEM_TYPE)


def problem_of(error: KobzaError) -> Response:
    """Write the problem of an error that is meant for users."""
    headers, members = (error.headers, error.members) if isinstance(error, ApiError) else ({}, None)
    if error.code == "unavailable":
        headers = {"retry-after": RETRY_AFTER, **headers}
    return problem(
        error.http_status, error.code, error.detail, parameter=error.parameter, headers=headers, members=members
    )


async def _kobza_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, KobzaError)  # noqa: S101 - registered for this class only
    return problem_of(error)


async def _store_away(request: Request, error: Exception) -> Response:
    """Say that the store does not answer: nothing is wrong with the request, and nothing that needs a trace."""
    logger.error("%s at %s %s", error, request.method, request.url.path)
    return problem(503, "unavailable", "The store does not answer.", headers={"retry-after": RETRY_AFTER})


async def _http_exception(request: Request, error: Exception) -> Response:
    """Map what the framework raises by itself: unknown paths, methods that a path does not have."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    status = 400 if error.status_code == HTTPStatus.UNPROCESSABLE_ENTITY else error.status_code
    code = _CODE_BY_STATUS.get(status, "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "not_found")
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = _allowed(request)
    return problem(status, code, KINDS[code].meaning, headers=headers)


def _allowed(request: Request) -> str:
    """Return the methods of all routes of the path; the framework names those of the first one only.

    Those of a path as it stands, if there are such: `…/deliveries/replay` is no delivery.
    """
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is Match.PARTIAL]
    as_it_stands = [route for route in routes if "{" not in route.path]
    return ", ".join(sorted({method for route in as_it_stands or routes for method in route.methods}))


async def _validation_error(_request: Request, error: Exception) -> Response:
    """Map the framework's validation to 400. It names the place and the rule, never the value, which may be secret."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    first = error.errors()[0]
    where = [str(part) for part in first.get("loc", ())]
    code = "invalid_body" if where[:1] == ["body"] else "invalid_parameter"
    parameter = where[-1] if len(where) > 1 else None
    return problem(400, code, f"{first.get('msg', 'The request is wrong')}.", parameter=parameter)


def install_problems(app: FastAPI) -> None:
    """Make every error that the application knows a problem. Errors nobody expected: see IncidentGuard."""
    app.add_exception_handler(KobzaError, _kobza_error)
    app.add_exception_handler(StoreAway, _store_away)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)


class IncidentGuard:
    """ASGI middleware, the outermost: an unexpected error becomes a 500 with an incident id, and one log line with it.

    When the answer has begun, the connection is broken off instead, so that a client sees that it is incomplete.
    """

    def __init__(self, app: ASGIApp, *, new_incident: Callable[[], str]) -> None:
        self._app = app
        self._new_incident = new_incident

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def watch(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            incident = self._new_incident()
            # The path only: the query may hold a token.
            logger.exception("incident %s at %s %s", incident, scope["method"], scope["path"])
            if began:
                raise
            answer = problem(500, "internal_error", "Something went wrong here; the log knows more.", incident=incident)
            await answer(scope, receive, _without_body(send) if scope["method"] == "HEAD" else send)


def _without_body(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def bodiless(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return bodiless
