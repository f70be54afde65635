"""The OpenAPI document: valid, true to the code, and the same as its committed copy."""

import base64
import copy
import hmac
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import openapi_spec_validator
import pytest
import yaml

from kobza.api.app import documented_routes
from kobza.api.openapi import openapi_document
from kobza.api.problems import KINDS
from kobza.api.wire import WIRE, resolve
from kobza.api.yaml import to_yaml
from kobza.call.states import OwnerState, StateType
from kobza.store.recordings import Remarks
from kobza.webhooks.payload import body
from tools import openapi_copy
from tools.openapi_changes import changes

pytestmark = pytest.mark.docs

DOCUMENT = openapi_document(documented_routes())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
GENERAL = {"too_many_requests", "method_not_allowed", "media_failed"}
"""Errors that the manual explains once, because they belong to no single operation."""


def test_the_committed_copy_is_what_the_code_documents() -> None:
    now = openapi_copy.documented()
    found = openapi_copy.undeclared(openapi_copy.committed(), now)
    listed = "\n".join(f"  - {change}" for change in found)
    assert not found, (
        f"The HTTP interface differs from its committed copy, docs/{openapi_copy.COPY.name}:\n{listed}\n"
        f"If that is meant, `{openapi_copy.COMMAND}` writes the copy anew; say it in CHANGELOG.md too."
    )
    assert openapi_copy.committed() == now, f"only the form differs: run `{openapi_copy.COMMAND}`"


def test_it_is_valid_openapi() -> None:
    openapi_spec_validator.validate(msgspec.json.decode(msgspec.json.encode(DOCUMENT)))


def examples_of(media: Any) -> Iterator[Any]:
    if "example" in media:
        yield media["example"]
    for item in media.get("examples", {}).values():
        yield resolve(DOCUMENT, item)["value"]


def check(value: Any, schema: Any) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)


def media_of(operation: Any) -> Iterator[tuple[str, Any]]:
    for media_type, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body {media_type}", media
    for status, answer in operation["responses"].items():
        for media_type, media in answer.get("content", {}).items():
            yield f"{status} {media_type}", media


@pytest.mark.parametrize("name", [*OPERATIONS, "callstate"])
def test_every_body_and_answer_has_an_example_that_fits_its_schema(name: str) -> None:
    operation = OPERATIONS.get(name) or DOCUMENT["webhooks"]["callstate"]["post"]
    for what, media in media_of(operation):
        examples = list(examples_of(media))
        assert examples or "audio/mpeg" in what, what
        if "json" in what:
            for value in examples:
                check(value, media["schema"])
    for item in operation.get("parameters", []):
        assert item["description"], item["name"]
        if "example" in item:
            check(item["example"], item["schema"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_who_may_and_how_it_fails(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["security"]
    assert {"200", "204"} & operation["responses"].keys()
    assert {"400", "403", "500"} <= operation["responses"].keys()


def test_every_code_belongs_to_an_operation() -> None:
    used = {
        code
        for operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for media in answer.get("content", {}).values()
        for code in media.get("examples", {})
    }
    assert set(KINDS) - GENERAL <= used
    assert used <= set(KINDS)


def test_tags_are_described_and_used() -> None:
    described = {tag["name"] for tag in DOCUMENT["tags"]}
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    used |= set(DOCUMENT["webhooks"]["callstate"]["post"]["tags"])
    assert described == used
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("state_type", StateType)
def test_a_call_state_is_what_its_schema_says(state_type: StateType) -> None:
    state = OwnerState(
        event_id="e1",
        call_id="c1",
        call_control_id="l1",
        sequence=1,
        state_type=state_type,
        enterprise_id="x",
        state_owner="+380671234567",
        phone_number="101",
        call_direction="incoming",
        at=1772393970.12,
        cause=16,
        call_duration=14,
        ringing=5,
        released_by="caller",
        record_remarks=Remarks([(100, 250)], {"callee": ["G729"]}, True, [("caller", 3210)], ["callee"]).document(),
    )
    sent = msgspec.json.decode(body(state))
    schema = DOCUMENT["components"]["schemas"]["CallState"]
    check(sent, schema)
    assert set(sent) <= set(schema["properties"])
    examples = DOCUMENT["webhooks"]["callstate"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    if state_type in examples:
        assert list(examples[state_type]["value"]) == list(sent)


def test_the_signature_shown_is_that_of_the_body_shown() -> None:
    """By the arithmetic that the manual tells, not by the code that made it."""
    webhook = DOCUMENT["webhooks"]["callstate"]["post"]
    headers = {item["name"]: item["example"] for item in webhook["parameters"]}
    shown = re.search(r"`whsec_([A-Za-z0-9+/=]+)`, the body\n\n```\n(.*?)\n```", webhook["description"], re.DOTALL)
    assert shown is not None
    secret, sent = shown.groups()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{sent}".encode()
    digest = hmac.digest(base64.b64decode(secret), signed, "sha256")
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert (
        msgspec.json.decode(sent)
        == webhook["requestBody"]["content"]["application/json"]["examples"]["alerting"]["value"]
    )


def test_it_is_written_as_yaml_without_loss() -> None:
    assert yaml.safe_load(to_yaml(DOCUMENT)) == msgspec.json.decode(msgspec.json.encode(DOCUMENT))


# What the comparison says


def operation(document: Any, name: str) -> Any:
    method, _, path = name.partition(" ")
    return document["paths"][path][method.lower()]


def parameter(document: Any, name: str, wanted: str) -> Any:
    return next(item for item in operation(document, name)["parameters"] if item["name"] == wanted)


def fields(document: Any, schema: str) -> Any:
    return document["components"]["schemas"][schema]["properties"]


HISTORY = "GET /api/fmc/v1/callhistory"
EDITS: list[tuple[Callable[[Any], object], list[str]]] = [
    (lambda d: d["paths"].pop("/api/fmc/v1/dnd"), [
        "breaks: GET /api/fmc/v1/dnd: the operation is gone",
        "breaks: PUT /api/fmc/v1/dnd: the operation is gone",
    ]),
    (lambda d: operation(d, HISTORY)["parameters"].remove(parameter(d, HISTORY, "from")), [
        f"BREAKS [wire]: {HISTORY}: query parameter from: is gone",
    ]),
    (lambda d: parameter(d, HISTORY, "limit").update(required=True), [
        f"breaks: {HISTORY}: query parameter limit: is required now",
    ]),
    (lambda d: parameter(d, HISTORY, "limit")["schema"].update(maximum=100), [
        f"breaks: {HISTORY}: query parameter limit: maximum was 5000 and is 100",
    ]),
    (lambda d: parameter(d, HISTORY, "limit")["schema"].update(maximum=9000), [
        f"{HISTORY}: query parameter limit: maximum was 5000 and is 9000",
    ]),
    (lambda d: parameter(d, HISTORY, "direction")["schema"]["enum"].remove("local"), [
        f"breaks: {HISTORY}: query parameter direction: may no longer be local",
    ]),
    (lambda d: parameter(d, HISTORY, "direction").update(description="x"), [
        f"{HISTORY}: query parameter direction: description was 'Only calls of this direction.' and is 'x'",
    ]),
    (lambda d: fields(d, "HistoryCall").pop("ringing"), [
        "BREAKS [wire]: schema HistoryCall: field ringing: is gone",
    ]),
    (lambda d: fields(d, "HistoryCall")["call_duration"].update(type="string"), [
        "BREAKS [wire]: schema HistoryCall: field call_duration: type was 'integer' and is 'string'",
    ]),
    (lambda d: fields(d, "HistoryCall").pop("cause_text"), [
        "breaks: schema HistoryCall: field cause_text: is gone",
    ]),
    (lambda d: fields(d, "HistoryCall").update(tariff={"type": "string"}), [
        "schema HistoryCall: field tariff: is new",
    ]),
    (lambda d: fields(d, "OriginateRequest")["originator"].update(maxLength=10), [
        "BREAKS [wire]: schema OriginateRequest: field originator: maxLength was 40 and is 10",
    ]),
    (lambda d: d["components"]["schemas"]["OriginateRequest"]["required"].append("clip"), [
        "breaks: schema OriginateRequest: field clip: is required now",
    ]),
    (lambda d: fields(d, "CallState")["state_type"]["enum"].append("parked"), [
        "schema CallState: field state_type: may also be parked",
    ]),
    (lambda d: operation(d, HISTORY)["responses"].pop("200"), [
        f"BREAKS [wire]: {HISTORY}: answer 200: is gone",
    ]),
    (lambda d: operation(d, HISTORY)["responses"].update({"418": {"description": "x"}}), [
        f"{HISTORY}: answer 418: is new",
    ]),
    (lambda d: operation(d, HISTORY).pop("x-wire"), [
        f"BREAKS [wire]: {HISTORY}: x-wire is gone; it was True",
    ]),
    (lambda d: operation(d, HISTORY).update(security=[]), [
        f"BREAKS [wire]: {HISTORY}: security was [{{'fmcToken': [], 'integratorId': []}}] and is []",
    ]),
    (lambda d: d["webhooks"].pop("callstate"), [
        "BREAKS [wire]: webhook POST callstate: the operation is gone",
    ]),
    (lambda d: d["info"].update(version="9"), [
        f"document: info: version was '{DOCUMENT['info']['version']}' and is '9'",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "expected"), EDITS, ids=[expected[0] for _, expected in EDITS])
def test_a_change_is_said_in_words(edit: Callable[[Any], object], expected: list[str]) -> None:
    changed = copy.deepcopy(DOCUMENT)
    edit(changed)
    assert [str(change) for change in changes(DOCUMENT, changed)] == expected


def test_no_change_says_nothing() -> None:
    assert changes(DOCUMENT, copy.deepcopy(DOCUMENT)) == []


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    empty = True
    for key, item in items:
        empty = False
        yield from leaves(item, (*place, key))
    if empty and place:
        yield place


def another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}, or something else"


def test_no_change_of_any_leaf_is_missed() -> None:
    """Every leaf of three operations and their schemas, changed on its own, is noticed."""
    paths = ("/api/fmc/v1/callhistory", "/api/fmc/v1/originate", "/api/cdr/v1/callstat.json")
    small = {**DOCUMENT, "paths": {path: DOCUMENT["paths"][path] for path in paths}}
    for place in leaves(small):
        changed = copy.deepcopy(small)
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = another(holder[place[-1]])
        assert changes(small, changed), place


@pytest.mark.parametrize(("method", "path"), WIRE)
def test_what_is_fixed_is_marked(method: str, path: str) -> None:
    assert DOCUMENT["paths"][path][method]["x-wire"] is True
