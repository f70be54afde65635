"""The recording of a call: `GET` and `HEAD /v1/callrecord`."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api import documenting as doc
from kobza.api.auth import HistoryReader
from kobza.api.context import context_of
from kobza.api.query import Query
from kobza.api.recordings import CONTENT_TYPE, MAX_RECORD_ID, recording_response

router = doc.router("/api/fmc", "History")

_SOUND: Final = {"type": "string", "contentMediaType": CONTENT_TYPE}
_PARAMETERS = [
    doc.parameter(
        "record_id",
        "As in the history and in the call state `finished`.",
        {"type": "string", "minLength": 1, "maxLength": MAX_RECORD_ID},
        required=True,
        example="0192f3c4a5b67d8e9f0a1b2c3d4e5f61",
    ),
    doc.header("Range", "Only this part of the file.", {"type": "string"}, example="bytes=0-65535"),
    doc.header("If-None-Match", "The ETag that you have; 304 says that it is still good.", {"type": "string"}),
]


_ERRORS: Final = ("not_found", "recording_not_ready", "recording_erased", "recording_failed", "range_not_satisfiable")
_REMARKS: Final = ("Recording-Paused", "Recording-Undecoded", "Recording-Announced", "Recording-Unannounced")
_SAID: Final = ("ETag", "Accept-Ranges", *_REMARKS)


def _headers(*names: str) -> doc.Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


async def call_record(request: Request, caller: HistoryReader) -> Response:
    """Fetch a recording."""
    record_id = Query(request).required("record_id")
    return await recording_response(
        request, context_of(request), caller.enterprise_id, record_id, by=caller.by, action="recording.fetched"
    )


for _method, _summary in (("GET", "Fetch a recording"), ("HEAD", "Ask about a recording")):
    router.add_api_route(
        "/v1/callrecord",
        call_record,
        methods=[_method],
        name=f"call_record_{_method.lower()}",
        summary=_summary,
        description="An mp3: the caller left, the called right. Range and ETag (the SHA-256 of the file) work. "
        "Recording-Paused and Recording-Undecoded say where its silence does not mean that nobody spoke, "
        "Recording-Announced and Recording-Unannounced who was told of it.",
        responses={
            **doc.raw_answer(CONTENT_TYPE, _SOUND, "The recording", headers=_headers(*_SAID)),
            206: {
                "description": "The part that Range asks for",
                "content": {CONTENT_TYPE: {"schema": _SOUND}},
                "headers": _headers(*_SAID, "Content-Range"),
            },
            304: {"description": "It is the one that If-None-Match names", "headers": _headers("ETag")},
            **doc.errors(
                *doc.FMC_ERRORS,
                "not_found",
                "recording_not_ready",
                "recording_erased",
                "recording_failed",
                "range_not_satisfiable",
            ),
        },
        openapi_extra={"parameters": _PARAMETERS},
    )
