"""The manual as a page: the OpenAPI document arranged for a reader, each operation beside its request and answer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from kobza.api.callstates import WEBHOOK
from kobza.api.documenting import MOMENT_PATTERN, NUMBER_PATTERN, WALL_PATTERN, WALL_TEXT_PATTERN, Json
from kobza.api.languages import Language
from kobza.api.manual_texts import TEXTS, translated
from kobza.api.openapi import SCOPE
from kobza.api.problems import KINDS, PROBLEM_TYPE
from kobza.api.samples import INTEGRATOR, LANGUAGES, PLACEHOLDERS, TOKEN, Sample
from kobza.api.wire import MARK, resolve

_METHODS: Final = ("get", "put", "post", "delete")
_DAYS_SHOWN: Final = 6
"""Examples ask for so many days, up to yesterday's end: an interval that every function takes."""
_LONGEST_PATTERN: Final = 34
"""Characters of a pattern that still tell a reader something."""
_FORMS: Final = {
    WALL_PATTERN: "YYYY-MM-DDTHH:MM:SS",
    WALL_TEXT_PATTERN: "YYYY-MM-DD HH:MM:SS",
    MOMENT_PATTERN: "YYYY-MM-DDTHH:MM:SS…",
    NUMBER_PATTERN: "number",
}
"""How a reader knows what a pattern checks."""
_FILES: Final = {"audio/mpeg": "call.mp3"}


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter or a field."""

    name: str
    type: str
    description: str
    required: bool
    wire: bool
    example: str | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it."""

    anchor: str
    name: str
    method: str
    path: str
    summary: str
    description: str
    wire: bool
    authorization: str
    scope: str
    parameters: list[Row]
    body: list[Row]
    answer: list[Row]
    answers: list[tuple[str, str]]
    """Status and meaning of each answer that is no error."""
    examples: list[tuple[str, str]]
    """What stands above an example, and the example."""
    errors: list[tuple[str, str]]
    samples: list[tuple[str, str, Markup]]
    """Key of the language, its name, the text."""


def render_page(document: Json, language: Language, base_url: str, today: datetime) -> str:
    """Return the page; `base_url` (without a slash at its end) is what the examples call, `today` its beginning."""
    operations = [*_operations(document, language, base_url, today), _webhook(document, language)]
    groups = {
        tag["name"]: [each for tag_name, each in operations if tag_name == tag["name"]] for tag in document["tags"]
    }
    examples = document["components"]["examples"]
    return (
        environment()
        .get_template("manual.html")
        .render(
            document=document,
            groups=groups,
            tags={
                tag["name"]: translated(language, tag["name"], tag["name"], tag["description"])
                for tag in document["tags"]
            },
            problems=[(code, kind, _pretty(examples[code]["value"])) for code, kind in KINDS.items()],
            text=TEXTS[language],
            intro=TEXTS[language]["intro"],
            language=language,
            languages=[(key, name) for key, (name, _) in LANGUAGES.items()],
            base_url=base_url,
            placeholders={"token": TOKEN, "integrator": INTEGRATOR},
        )
    )


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the templates of the manual. Everything is escaped; an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("kobza.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    return made


def _operations(document: Json, language: Language, base_url: str, today: datetime) -> Iterator[tuple[str, Operation]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                found = item[method]
                sample = sample_of(document, method, path, base_url, today)
                samples = [(key, name, _markup(write(sample))) for key, (name, write) in LANGUAGES.items()]
                yield found["tags"][0], _operation(document, language, method, path, found, samples)


def _webhook(document: Json, language: Language) -> tuple[str, Operation]:
    found = document["webhooks"][WEBHOOK]["post"]
    return found["tags"][0], _operation(document, language, "post", f"…/{WEBHOOK}", found, [])


def _operation(
    document: Json,
    language: Language,
    method: str,
    path: str,
    found: Json,
    samples: list[tuple[str, str, Markup]],
) -> Operation:
    summary, description = translated(language, found["operationId"], found["summary"], found.get("description", ""))
    body = list(found.get("requestBody", {}).get("content", {}).values())
    examples: list[tuple[str, str]] = []
    for media in body:
        if samples:
            # The first stands in the request above already.
            others = [f"// {told}\n{_line(value)}" for told, value in _examples(document, media)]
            examples += [("JSON", "\n\n".join(others))] if len(others) > 1 else []
        else:
            examples += [(told, _pretty(value)) for told, value in _examples(document, media)]
    answers = []
    fields: list[Row] = []
    errors = []
    for status, answer in found["responses"].items():
        problem = answer.get("content", {}).get(PROBLEM_TYPE)
        if problem is not None:
            errors += [(status, code) for code in problem["examples"]]
            continue
        answers.append((status, answer["description"]))
        for media_type, media in answer.get("content", {}).items():
            examples += [(f"{status} {media_type}", _pretty(value)) for _, value in _examples(document, media)]
            fields = fields or list(_fields(document, media.get("schema", {})))
    return Operation(
        anchor=f"{method}-{re.sub('[^a-z0-9]+', '-', path.lower()).strip('-')}",
        name=path.rpartition("/v1/")[2] or path,
        method=method,
        path=path,
        summary=summary,
        description=description,
        wire=bool(found.get(MARK)),
        authorization=", ".join(name for each in found["security"] for name in each),
        scope=found.get(SCOPE, ""),
        parameters=[_row(document, item["name"], item, item["schema"]) for item in found.get("parameters", [])],
        body=[row for media in body for row in _fields(document, media["schema"])],
        answer=fields,
        answers=answers,
        examples=examples,
        errors=sorted(errors),
        samples=samples,
    )


def _row(document: Json, name: str, item: Json, schema: Json) -> Row:
    example = item.get("example")
    where = {"header": " (header)", "path": " (path)"}.get(item.get("in", ""), "")
    return Row(
        name=name + where,
        type=type_of(document, schema),
        description=item.get("description", ""),
        required=bool(item.get("required")),
        wire=bool(item.get(MARK)),
        example=None if example is None else str(example),
    )


def _fields(document: Json, schema: Json, prefix: str = "") -> Iterator[Row]:
    """Return the fields of an object, and of the objects within its lists and fields, by their path."""
    schema = resolve(document, schema)
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        found = resolve(document, field)
        yield Row(
            name=prefix + name,
            type=type_of(document, field),
            description=field.get("description", "") or found.get("description", ""),
            required=name in required,
            wire=bool(field.get(MARK)),
        )
        inner = resolve(document, found.get("items", {}))
        if inner.get("properties"):
            yield from _fields(document, inner, f"{prefix}{name}[].")
        elif found.get("properties") and "CallState" not in field.get("$ref", ""):
            yield from _fields(document, found, f"{prefix}{name}.")


def type_of(document: Json, schema: Json) -> str:
    """Return what a schema allows, in a few words."""
    if "$ref" in schema and resolve(document, schema).get("type") == "object":
        return str(schema["$ref"]).rpartition("/")[2]
    schema = resolve(document, schema)
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_of(document, item) for item in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        most = f" ≤ {schema['maxItems']}" if "maxItems" in schema else ""
        return f"[ {type_of(document, schema['items'])} ]{most}"
    pattern = schema.get("pattern", "")
    words = [_FORMS.get(pattern) or str(schema.get("format") or schema.get("type", "any"))]
    bounds = [schema.get(f"{end}imum", schema.get(f"{end}Length", "")) for end in ("min", "max")]
    if any(bound != "" for bound in bounds):
        words.append("…".join(map(str, bounds)))
    if pattern not in _FORMS and 0 < len(pattern) <= _LONGEST_PATTERN:
        words.append(pattern)
    return " ".join(words)


def sample_of(document: Json, method: str, path: str, base_url: str, today: datetime) -> Sample:
    """Return the request that stands beside an operation: what is required, what is fixed, and recent days."""
    operation = document["paths"][path][method]
    query: dict[str, str] = {}
    schemes = {name for each in operation["security"] for name in each}
    if "integratorId" in schemes:
        query["integrator_id"] = INTEGRATOR
    if "token" in schemes:
        query["token"] = TOKEN
    recent = {
        "from": (today - timedelta(days=_DAYS_SHOWN)).isoformat(),
        "to": (today - timedelta(seconds=1)).isoformat(),
    }
    for item in operation.get("parameters", []):
        value = recent.get(item["name"], item.get("example"))
        if item["in"] == "path":
            path = path.replace(f"{{{item['name']}}}", str(value))
        elif item["in"] == "query" and value is not None and (item.get("required") or item["name"] in recent):
            query[item["name"]] = str(value)
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    answer: Json = next((media for status, media in operation["responses"].items() if status[0] == "2"), {})
    media_type = next(iter(answer.get("content", {})), "")
    words = re.split("[^a-zA-Z0-9]+", operation["operationId"].removesuffix("_get"))
    return Sample(
        name="".join(word.capitalize() for word in words),
        method=method.upper(),
        url=base_url + path,
        query=query,
        bearer=TOKEN if "fmcToken" in schemes else None,
        body=None if content is None else next(value for _, value in _examples(document, content)),
        file=_FILES.get(media_type),
    )


def _markup(text: str) -> Markup:
    """Escape a text and mark in it what each reader has to fill in."""
    parts = PLACEHOLDERS.split(text)
    marks = [
        Markup('<var data-fill="{}">{}</var>').format("token" if found == TOKEN else "integrator", found)
        for found in PLACEHOLDERS.findall(text)
    ]
    pieces = [escape(parts[0])]
    for mark, part in zip(marks, parts[1:], strict=True):
        pieces += [mark, escape(part)]
    return Markup("").join(pieces)


def _examples(document: Json, media: Json) -> Iterator[tuple[str, Any]]:
    if "example" in media:
        yield "", media["example"]
    for name, item in media.get("examples", {}).items():
        found = resolve(document, item)
        yield found.get("summary", name), found["value"]


def _line(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()


def _pretty(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\r\n", "\n")
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def prose(text: str) -> Markup:
    """Render the Markdown of a description; HTML within it is shown as text, and the keyboard scrolls code."""
    rendered = _markdown().render(text).replace("<pre>", '<pre tabindex="0">')
    return Markup(rendered)  # noqa: S704 - the renderer escapes
