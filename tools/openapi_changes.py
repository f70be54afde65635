"""What differs between two OpenAPI documents, in words: where, what, and whether a client may break by it.

Made for the documents that `kobza.api.openapi` writes; for another one the words may be clumsy, but nothing is missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

WIRE: Final = "x-wire"
METHODS: Final = ("get", "put", "post", "delete", "head")
PROSE: Final = frozenset({"description", "summary", "example", "examples", "title"})
"""Keys that no client reads."""
_LOOSER_WHEN_GREATER: Final = {
    "maximum": True,
    "maxLength": True,
    "maxItems": True,
    "minimum": False,
    "minLength": False,
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `breaks`: a client that works with the old document may fail; `wire`: on a part that is fixed."""

    where: str
    what: str
    breaks: bool = False
    wire: bool = False

    def __str__(self) -> str:
        label = "BREAKS [wire]: " if self.breaks and self.wire else "breaks: " if self.breaks else ""
        return f"{label}{self.where}: {self.what}"


def changes(old: Any, new: Any) -> list[Change]:
    """Return every difference, those that break first."""
    found = list(_differences(old, new))
    return sorted(found, key=lambda change: (not (change.breaks and change.wire), not change.breaks))


def _differences(old: Any, new: Any) -> Iterator[Change]:
    for section, noun in (("paths", ""), ("webhooks", "webhook ")):
        before, after = _operations(old.get(section, {})), _operations(new.get(section, {}))
        for key in dict.fromkeys([*before, *after]):
            where = f"{noun}{key}"
            if key not in after:
                yield Change(where, "the operation is gone", breaks=True, wire=_is_wire(before[key]))
            elif key not in before:
                yield Change(where, "a new operation")
            else:
                yield from _operation(where, before[key], after[key])
    old_parts, new_parts = old.get("components", {}), new.get("components", {})
    old_schemas, new_schemas = old_parts.get("schemas", {}), new_parts.get("schemas", {})
    asked = _request_schemas(old) | _request_schemas(new)
    for name in dict.fromkeys([*old_schemas, *new_schemas]):
        where = f"schema {name}"
        if name not in new_schemas:
            yield Change(where, "is gone", breaks=True, wire=_holds_wire(old_schemas[name]))
        elif name not in old_schemas:
            yield Change(where, "is new")
        else:
            yield from _schema(where, old_schemas[name], new_schemas[name], asked=name in asked, wire=False)
    rest_old = {**old, "components": {**old_parts, "schemas": None}, "paths": None, "webhooks": None}
    rest_new = {**new, "components": {**new_parts, "schemas": None}, "paths": None, "webhooks": None}
    yield from _anything("document", rest_old, rest_new, breaks=False, wire=False)


def _operations(section: Any) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in section.items()
        for method, operation in item.items()
        if method in METHODS
    }


def _is_wire(part: Any) -> bool:
    return isinstance(part, dict) and bool(part.get(WIRE))


def _holds_wire(part: Any) -> bool:
    if isinstance(part, dict):
        return _is_wire(part) or any(map(_holds_wire, part.values()))
    return isinstance(part, list) and any(map(_holds_wire, part))


def _request_schemas(document: Any) -> set[str]:
    """Return the names of the schemas that clients write; all others they read."""
    return {
        content["schema"]["$ref"].rpartition("/")[2]
        for operation in _operations(document.get("paths", {})).values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content.get("schema", {})
    }


def _operation(where: str, old: Any, new: Any) -> Iterator[Change]:
    wire = _is_wire(old)
    before = {(item["in"], item["name"]): item for item in old.get("parameters", [])}
    after = {(item["in"], item["name"]): item for item in new.get("parameters", [])}
    for key in dict.fromkeys([*before, *after]):
        place = f"{where}: {key[0]} parameter {key[1]}"
        if key not in after:
            yield Change(place, "is gone", breaks=True, wire=_is_wire(before[key]))
        elif key not in before:
            required = bool(after[key].get("required"))
            yield Change(place, "is new and required" if required else "is new", breaks=required, wire=wire)
        else:
            yield from _parameter(place, before[key], after[key], wire=wire)
    for status in dict.fromkeys([*old["responses"], *new["responses"]]):
        place = f"{where}: answer {status}"
        if status not in new["responses"]:
            yield Change(place, "is gone", breaks=status.startswith("2"), wire=wire)
        elif status not in old["responses"]:
            yield Change(place, "is new")
        else:
            was, now = old["responses"][status], new["responses"][status]
            yield from _anything(place, was, now, breaks=status.startswith("2"), wire=wire)
    skipped = {"parameters": None, "responses": None}
    yield from _anything(where, {**old, **skipped}, {**new, **skipped}, breaks=True, wire=wire)


def _parameter(where: str, old: Any, new: Any, *, wire: bool) -> Iterator[Change]:
    wire = _is_wire(old)
    if bool(old.get("required")) != bool(new.get("required")):
        now = bool(new.get("required"))
        yield Change(where, "is required now" if now else "is optional now", breaks=now, wire=wire)
    yield from _schema(where, old.get("schema", {}), new.get("schema", {}), asked=True, wire=wire)
    skipped = {"required": None, "schema": None}
    yield from _anything(where, {**old, **skipped}, {**new, **skipped}, breaks=True, wire=wire)


def _schema(where: str, old: Any, new: Any, *, asked: bool, wire: bool) -> Iterator[Change]:
    """Compare what a client writes (`asked`) or reads: the one must not become narrower, the other not wider."""
    wire = wire or _is_wire(old)
    before, after = old.get("properties", {}), new.get("properties", {})
    was_required, is_required = set(old.get("required", [])), set(new.get("required", []))
    for name in dict.fromkeys([*before, *after]):
        place = f"{where}: field {name}"
        fixed = wire or _is_wire(before.get(name))
        if name not in after:
            yield Change(place, "is gone", breaks=True, wire=fixed)
            continue
        if name not in before:
            needed = asked and name in is_required
            yield Change(place, "is new and required" if needed else "is new", breaks=needed, wire=_holds_wire(old))
            continue
        if (name in was_required) != (name in is_required):
            now = name in is_required
            yield Change(place, "is required now" if now else "may be absent now", breaks=now == asked, wire=fixed)
        yield from _schema(place, before[name], after[name], asked=asked, wire=fixed)
    for key in dict.fromkeys([*old, *new]):
        if key in ("properties", "required") or old.get(key) == new.get(key):
            continue
        was, now = old.get(key), new.get(key)
        breaks = key not in PROSE
        if key in _LOOSER_WHEN_GREATER and was is not None and now is not None:
            breaks = ((now > was) == _LOOSER_WHEN_GREATER[key]) != asked
        elif key in (*_LOOSER_WHEN_GREATER, "pattern") and (was is None) == asked:
            breaks = True
        elif key in (*_LOOSER_WHEN_GREATER, "pattern") and (was is None or now is None):
            breaks = False
        elif key == "enum" and was is not None and now is not None:
            yield from _choices(where, set(map(str, was)), set(map(str, now)), asked=asked, wire=wire)
            continue
        elif key == "default" and was is None:
            breaks = False
        elif key == "items" and isinstance(was, dict) and isinstance(now, dict):
            yield from _schema(f"{where}: each", was, now, asked=asked, wire=wire)
            continue
        elif key == WIRE:
            breaks = not now
        yield from _one(where, key, was, now, breaks=breaks, wire=wire)


def _choices(where: str, old: set[str], new: set[str], *, asked: bool, wire: bool) -> Iterator[Change]:
    if old - new:
        yield Change(where, f"may no longer be {', '.join(sorted(old - new))}", breaks=asked, wire=wire)
    if new - old:
        # A reader that meets a value it does not know is to ignore it; the contract adds states that way.
        yield Change(where, f"may also be {', '.join(sorted(new - old))}")


def _anything(where: str, old: Any, new: Any, *, breaks: bool, wire: bool) -> Iterator[Change]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            was, now = old.get(key), new.get(key)
            harmless = key in PROSE or key in ("headers", "tags", "operationId")
            deeper = isinstance(was, dict) and isinstance(now, dict)
            if deeper and key == "schema":
                yield from _schema(where, was, now, asked=False, wire=wire)
            elif deeper:
                place = f"{where}: {key}" if key not in ("content", "schema") else where
                yield from _anything(place, was, now, breaks=breaks and not harmless, wire=wire or _is_wire(was))
            elif was != now:
                yield from _one(where, str(key), was, now, breaks=breaks and not harmless and key in old, wire=wire)
    else:
        yield from _one(where, "it", old, new, breaks=breaks, wire=wire)


def _one(where: str, key: str, was: Any, now: Any, *, breaks: bool, wire: bool) -> Iterator[Change]:
    if was == now:
        return
    if was is None:
        what = f"{key} is new: {_short(now)}"
    elif now is None:
        what = f"{key} is gone; it was {_short(was)}"
    else:
        what = f"{key} was {_short(was)} and is {_short(now)}"
    yield Change(where, what, breaks=breaks, wire=wire)


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
