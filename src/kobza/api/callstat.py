"""Basic call information (contract, section 2): `GET` and `HEAD` of `/api/cdr/v1/callstat.csv`, `.json` and `.xml`."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import EXPORT_HISTORY, token_caller
from kobza.api.callstat_formats import Extension, Shown
from kobza.api.context import ApiContext, context_of
from kobza.api.exports.jobs import CallstatJob
from kobza.api.query import Query
from kobza.api.streaming import StreamedResponse
from kobza.api.times import Interval, callstat_interval

router = doc.router("", "Basic call information")

CONTENT_TYPES: Final[dict[Extension, str]] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "xml": "application/xml; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request whose every check has passed."""

    enterprise_id: str
    interval: Interval
    shown: Shown
    bom: bool


async def check(request: Request, context: ApiContext, extension: Extension) -> Asked:
    """Check a request in the contract's order: presence, token, syntax, range. The first failure is raised."""
    query = Query(request)
    token = query.required("token")
    query.require_one_of("from", "to")
    caller = await token_caller(request, token, EXPORT_HISTORY)
    from_text, to_text = query.get("from"), query.get("to")
    shown = Shown(
        names=query.switch("names"),
        departments=query.switch("departments"),
        ownership=query.switch("ownership"),
        direction=query.switch("direction"),
        quality=query.switch("quality"),
    )
    bom = extension == "csv" and query.switch("bom")
    interval = callstat_interval(from_text, to_text, context.now())
    return Asked(caller.enterprise_id, interval, shown, bom)


def _responder(extension: Extension) -> Any:
    async def callstat(request: Request) -> Response:
        """Answer one request."""
        context = context_of(request)
        asked = await check(request, context, extension)

        interval = asked.interval
        job = CallstatJob(asked.enterprise_id, interval.from_ms, interval.to_ms, extension, asked.shown, bom=asked.bom)
        name = f"callstat_{interval.wall_from.isoformat()}_{interval.wall_to.isoformat()}.{extension}"
        return StreamedResponse(
            lambda: context.exports.stream(job),
            content_type=CONTENT_TYPES[extension],
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return callstat


_PARAMETERS: Final = [
    doc.parameter(
        "from",
        "Beginning, wall time of Kyiv, not older than 30 days. Absent: 7 days before `to`.",
        doc.WALL_TIME,
        example="2026-03-01T00:00:00",
    ),
    doc.parameter(
        "to",
        "End, included, not in the future and at most 7 days after `from`. Absent: 7 days after `from`, or now.",
        doc.WALL_TIME,
        example="2026-03-07T23:59:59",
    ),
    doc.parameter("names", "Add `calling_name` and `called_name`.", doc.SWITCH),
    doc.parameter("departments", "Add `calling_department` and `called_department`.", doc.SWITCH),
    doc.parameter("ownership", "Add `calling_ownership` and `called_ownership`: is it your number?", doc.SWITCH),
    doc.parameter("direction", "Add `direction`: incoming or outgoing.", doc.SWITCH),
    doc.parameter(
        "quality",
        "Add how the sides heard each other, some seconds after the end of a call: `calling_mos`, `called_mos` (the "
        "opinion score of what that side heard), `calling_lost`, `called_lost` (percent of the other voice that did "
        "not reach it) and `not_heard` (one-way audio: caller, called or both). What is not known is empty, in JSON "
        "null.",
        doc.SWITCH,
    ),
]
_BOM: Final = doc.parameter("bom", "Begin with the mark that spreadsheets need for Cyrillic.", doc.SWITCH)

_FIELDS: Final[dict[str, Any]] = {
    "end_timestamp": "2026-03-01 21:39:48",
    "start_timestamp": "2026-03-01 21:39:35",
    "calling_number": "0671234567",
    "duration": 14,
    "called_number": "0501112233",
}
_EXAMPLES: Final[dict[str, Any]] = {
    "csv": ",".join(_FIELDS) + "\r\n" + ",".join(map(str, _FIELDS.values())) + "\r\n",
    "json": {"calls": [_FIELDS]},
    "xml": "<calls><call>"
    + "".join(f"<{name}>{value}</{name}>" for name, value in _FIELDS.items())
    + "</call></calls>",
}
_OPTIONAL: Final = {
    **{f"{side}_{what}": {"type": "string"} for what in ("name", "department") for side in ("calling", "called")},
    **{f"{side}_ownership": {"type": "boolean"} for side in ("calling", "called")},
    "direction": {"type": "string", "enum": ["incoming", "outgoing"]},
    **{f"{side}_mos": {"type": ["number", "null"], "minimum": 1, "maximum": 5} for side in ("calling", "called")},
    **{f"{side}_lost": {"type": ["number", "null"], "minimum": 0, "maximum": 100} for side in ("calling", "called")},
    "not_heard": {"type": ["string", "null"], "enum": ["caller", "called", "both", None]},
}
_WALL: Final = {"type": "string", "pattern": doc.WALL_TEXT_PATTERN}
_FIELD_SCHEMAS: Final = {
    "end_timestamp": _WALL,
    "start_timestamp": _WALL,
    "duration": {"type": "integer", "minimum": 0, "description": "Seconds, rounded up; 0: not answered."},
}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "csv": {"type": "string"},
    "json": {
        "type": "object",
        "required": ["calls"],
        "properties": {
            "calls": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": list(_FIELDS),
                    "properties": {
                        **{name: _FIELD_SCHEMAS.get(name, {"type": "string"}) for name in _FIELDS},
                        **_OPTIONAL,
                    },
                },
            }
        },
    },
    "xml": {"type": "string"},
}

for _extension, _content_type in CONTENT_TYPES.items():
    for _method in ("GET", "HEAD"):
        router.add_api_route(
            f"/api/cdr/v1/callstat.{_extension}",
            _responder(_extension),
            methods=[_method],
            name=f"callstat_{_extension}_{_method.lower()}",
            summary=f"Finished calls as {_extension.upper()}" + (" (headers only)" if _method == "HEAD" else ""),
            description="One row for each finished call of a number with the package Convergent, oldest first. "
            "For an answered call the start is the answer; otherwise the attempt, and the duration is 0.",
            responses={
                **doc.raw_answer(
                    _content_type.partition(";")[0],
                    _SCHEMAS[_extension],
                    "The calls, streamed",
                    example=_EXAMPLES[_extension],
                    headers={"Content-Disposition": {"$ref": "#/components/headers/Content-Disposition"}},
                ),
                **doc.errors(
                    "missing_parameter",
                    *doc.TOKEN_ERRORS,
                    "invalid_parameter",
                    "duplicate_parameter",
                    "internal_error",
                ),
            },
            openapi_extra={
                "parameters": _PARAMETERS + ([_BOM] if _extension == "csv" else []),
                doc.WANTED: EXPORT_HISTORY,
            },
        )
