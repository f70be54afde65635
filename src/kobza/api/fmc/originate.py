"""Click2dial: `POST /v1/originate`, and the older `/api/onebox/v1/originate` that does the same."""

import hashlib
from typing import Annotated, Final

import msgspec
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import CONTROL, Controller, token_caller
from kobza.api.context import ApiContext, context_of
from kobza.api.forms import form_fields
from kobza.api.idempotency import HEADER as KEY_HEADER
from kobza.api.idempotency import MAX_KEY, Begun, key_of
from kobza.api.problems import ApiError
from kobza.api.query import WHOLE, json_body, limited_body, number_of
from kobza.call.errors import KobzaError, PresentationNotAllowedError
from kobza.store import idempotency, presentation

router = doc.router("/api/fmc", "Calls")
legacy_router = doc.router("", "Older interface")

MAX_CLIENT_STATE: Final = 1024
"""Bytes of UTF-8, as the contract has it."""
DEFAULT_TIMEOUT: Final = 60


class OriginateRequest(BaseModel):
    """A call to be made: the originator's phones ring first, then the destination is called."""

    originator: doc.NumberText
    destination: doc.NumberText
    timeout: Annotated[int, Field(ge=5, le=120, description="Seconds for which each side may ring."), WHOLE] = (
        DEFAULT_TIMEOUT
    )
    clip: Annotated[
        doc.NumberText | None,
        Field(
            description="The number to show to the destination, whatever the setting `clip` says: one of your own or a "
            "registered presentation number."
        ),
    ] = None
    client_state: Annotated[
        str | None, Field(max_length=MAX_CLIENT_STATE, description="Up to 1 KiB, echoed in call states and history.")
    ] = None


class OriginateAnswer(BaseModel):
    """The call that was begun."""

    call_control_id: Annotated[str, Field(description="The originator's leg: what callcontrol acts on.")]
    call_id: Annotated[str, Field(description="The whole call, as in call states and history.")]


EXAMPLE: Final = {
    "call_control_id": "0192f3c4a5b67d8e9f0a1b2c3d4e5f60",
    "call_id": "0192f3c4a5b67d8e9f0a1b2c3d4e5f5f",
}
CALL_ERRORS: Final = (
    "invalid_number",
    "service_not_enabled",
    "not_found",
    "originator_busy",
    "originator_unreachable",
    "no_route",
)


async def originate(
    context: ApiContext, enterprise_id: str, asked: OriginateRequest, key: str | None = None, fingerprint: str = ""
) -> Begun:
    """Begin the call; with a key, store what it was used for along with the call. Raises KobzaError."""
    originator = number_of(asked.originator, "originator")
    destination = number_of(asked.destination, "destination")
    if originator == destination:
        raise ApiError("invalid_number", "A number cannot call itself.", parameter="destination")
    if asked.client_state is not None:
        check_client_state(asked.client_state)
    clip = None if asked.clip is None else number_of(asked.clip, "clip")
    await context.served(enterprise_id, originator)
    if clip is not None:
        await require_presentable(context, enterprise_id, clip, "clip")
    return await context.commands.originate(
        enterprise_id,
        originator,
        destination,
        timeout=asked.timeout,
        clip=clip,
        client_state=asked.client_state,
        key=key,
        fingerprint=fingerprint,
    )


def check_client_state(client_state: str) -> None:
    """Raise ApiError for a text that is too long, or that a database cannot keep."""
    if len(client_state.encode()) > MAX_CLIENT_STATE:
        detail = f"client_state is longer than {MAX_CLIENT_STATE} bytes."
    elif "\0" in client_state:
        detail = "client_state must not hold the character U+0000."
    else:
        return
    raise ApiError("invalid_body", detail, parameter="client_state")


async def require_presentable(context: ApiContext, enterprise_id: str, number: str, parameter: str) -> None:
    """Raise PresentationNotAllowedError unless the number is one of the enterprise's, or registered for it."""
    if not await context.read(lambda conn: presentation.may_present(conn, enterprise_id, number)):
        raise PresentationNotAllowedError(
            "The enterprise may present its own numbers and its registered presentation numbers only.",
            parameter=parameter,
        )


def _answer(begun: Begun) -> Response:
    body = {"call_control_id": begun.call_control_id, "call_id": begun.call_id}
    return Response(msgspec.json.encode(body), media_type="application/json")


@router.post(
    "/v1/originate",
    summary="Make a call",
    description="Rings the originator's phones first; when one answers, calls the destination while the originator "
    "hears ringback. The answer comes at once; what happens to the call, call states tell.",
    responses={
        **doc.answer(OriginateAnswer, EXAMPLE),
        **doc.errors(
            *doc.FMC_ERRORS,
            "invalid_body",
            "duplicate_parameter",
            *CALL_ERRORS,
            "presentation_not_allowed",
            "idempotency_conflict",
        ),
    },
    openapi_extra={
        "parameters": [
            doc.header(
                KEY_HEADER,
                "Within 24 hours the same key with the same body gives the same answer and makes one call, whatever "
                "happens in between. A request that failed does not use up its key.",
                {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[!-~]([ -~]*[!-~])?$"},
                example="order-1715-call",
            )
        ],
        **doc.body(OriginateRequest, {"originator": "0671234567", "destination": "0501112233"}),
    },
)
async def originate_call(request: Request, caller: Controller) -> Response:
    """Make a call."""
    context = context_of(request)
    enterprise_id = caller.enterprise_id
    asked = await json_body(request, OriginateRequest)
    key = key_of(request)
    if key is None:
        return _answer(await originate(context, enterprise_id, asked))
    fingerprint = hashlib.sha256(msgspec.json.encode(asked.model_dump())).hexdigest()
    begun = await context.idempotency.once(
        enterprise_id,
        key,
        fingerprint,
        find=lambda: context.read(lambda conn: idempotency.find(conn, enterprise_id, key, context.now_ms())),
        work=lambda: originate(context, enterprise_id, asked, key, fingerprint),
    )
    return _answer(begun)


OLDER_NAMES: Final = {"originator": "calling_number", "destination": "called_number"}
"""What the older interface calls the fields."""


async def _older_parameters(request: Request) -> dict[str, str]:
    """Return token and numbers from the query and, with POST, from a form in the body. Raises ApiError."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST":
        pairs += form_fields(request.headers.get("content-type", ""), await limited_body(request))
    found: dict[str, str] = {}
    names = ("token", *OLDER_NAMES.values())
    for name, value in pairs:
        if name in names:
            if name in found:
                raise ApiError("duplicate_parameter", f"{name} is given more than once.", parameter=name)
            found[name] = value
    for name in names:
        if name not in found:
            raise ApiError("missing_parameter", f"{name} is missing.", parameter=name)
    return found


async def older_originate(request: Request) -> Response:
    """Make a call, with the parameters of the older interface."""
    context = context_of(request)
    asked = await _older_parameters(request)
    caller = await token_caller(request, asked["token"], CONTROL)
    wanted = OriginateRequest.model_construct(
        originator=number_of(asked["calling_number"], "calling_number"),
        destination=number_of(asked["called_number"], "called_number"),
    )
    try:
        return _answer(await originate(context, caller.enterprise_id, wanted))
    except KobzaError as error:
        error.parameter = OLDER_NAMES.get(error.parameter or "", error.parameter)
        raise


for _method in ("GET", "POST"):
    legacy_router.add_api_route(
        "/api/onebox/v1/originate",
        older_originate,
        methods=[_method],
        name=f"older_originate_{_method.lower()}",
        summary="Make a call (older interface)",
        description="Does what originate does; kept for clients that were written for it."
        + (" The parameters may also come as a form in the body." if _method == "POST" else ""),
        responses={
            **doc.answer(OriginateAnswer, EXAMPLE),
            **doc.errors(
                "missing_parameter",
                "duplicate_parameter",
                *doc.TOKEN_ERRORS,
                "invalid_body",
                *CALL_ERRORS,
                "internal_error",
            ),
        },
        openapi_extra={
            "parameters": [
                doc.parameter(
                    "calling_number", "Whose phones ring first.", doc.NUMBER, required=True, example="0671234567"
                ),
                doc.parameter("called_number", "Who is called then.", doc.NUMBER, required=True, example="0501112233"),
            ],
            doc.WANTED: CONTROL,
        },
    )
