"""What the operator's interface fixes (the parts that the contract marks [wire]): never to be changed here.

The manual marks them, so that an integrator sees what works with the operator's service as well; a change of one is
named as a break when the committed copy of the document is compared.
"""

from dataclasses import dataclass
from typing import Any, Final

from kobza.api.documenting import Json

MARK: Final = "x-wire"
"""The mark in the document: on an operation, a parameter, a field of a body or an answer."""

_CALLSTAT: Final = ("from", "to", "names", "departments", "ownership", "direction")


@dataclass(frozen=True, slots=True)
class WirePart:
    """The fixed part of one operation: names of query parameters, of the body's fields and of the answer's fields."""

    parameters: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()


HISTORY_FIELDS: Final = (
    *("call_id", "calling_number", "called_number", "start_datetime", "end_datetime", "call_duration"),
    *("ringing", "direction", "cause", "record_id"),
)
STATE_FIELDS: Final = (*("call_id", "call_control_id", "state_type", "state_owner", "phone_number", "call_direction"),)
_OLDER: Final = WirePart(parameters=("calling_number", "called_number"), answer=("call_control_id",))
WIRE: Final[dict[tuple[str, str], WirePart]] = {
    **{
        (method, f"/api/cdr/v1/callstat.{extension}"): WirePart(parameters=_CALLSTAT, answer=("calls",))
        for extension in ("csv", "json", "xml")
        for method in ("get", "head")
    },
    ("get", "/api/fmc/v1/callhistory"): WirePart(parameters=("from", "to"), answer=("calls",)),
    ("get", "/api/fmc/v1/callrecord"): WirePart(parameters=("record_id",)),
    ("post", "/api/fmc/v1/originate"): WirePart(body=("originator", "destination"), answer=("call_control_id",)),
    ("post", "/api/fmc/v1/callcontrol"): WirePart(body=("call_control_id", "action")),
    ("get", "/api/onebox/v1/originate"): _OLDER,
    ("post", "/api/onebox/v1/originate"): _OLDER,
}
SCHEMAS: Final[dict[str, tuple[str, ...]]] = {"HistoryCall": HISTORY_FIELDS, "CallState": STATE_FIELDS}
"""Fixed fields of what lies deeper than the top of an answer."""


def mark_wire(document: Json) -> None:
    """Put the marks into a document. Raises LookupError for a fixed part that the document does not have."""
    for (method, path), part in WIRE.items():
        operation = document["paths"][path][method]
        operation[MARK] = True
        parameters = {item["name"]: item for item in operation.get("parameters", [])}
        for name in part.parameters:
            parameters[name][MARK] = True
        if part.body:
            _mark(document, operation["requestBody"]["content"]["application/json"]["schema"], part.body)
        answer = operation["responses"]["200"].get("content", {}).get("application/json")
        if answer is not None and part.answer:
            _mark(document, answer["schema"], part.answer)
    for name, fields in SCHEMAS.items():
        _mark(document, document["components"]["schemas"][name], fields)
    document["webhooks"]["callstate"]["post"][MARK] = True


def _mark(document: Json, schema: Json, fields: tuple[str, ...]) -> None:
    properties = resolve(document, schema)["properties"]
    for name in fields:
        properties[name][MARK] = True


def resolve(document: Json, value: Json) -> Json:
    """Return what a reference within the document leads to; anything else as it is. Raises LookupError."""
    while "$ref" in value:
        found: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value
