"""Writing plain data as YAML 1.2: the few rules that the OpenAPI document needs. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_/$][A-Za-z0-9_./{}$ -]*[A-Za-z0-9_/}]|[A-Za-z_/$]")
"""Texts that need no quotes: they begin like a word and hold nothing that YAML reads as anything else."""
_BLOCK: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?(?:\n\n?[!-~](?:[ -~]*[!-~])?)+\n")
"""Paragraphs that can be written as they are, indented: lines of ASCII that neither begin nor end with a space."""
_RESERVED: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"})


def to_yaml(value: Any) -> str:
    """Write mappings, sequences, strings, whole numbers, booleans and None; the order of mappings is kept."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _entry(f"{_scalar(str(key))}:", item, "  ")
    elif isinstance(value, list | tuple) and value:
        for item in value:
            yield from _element(item)
    else:
        yield _scalar(value)


def _entry(head: str, item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, dict | list | tuple) and item:
        yield head
        for line in _lines(item):
            yield indent + line
    elif isinstance(item, str) and _BLOCK.fullmatch(item):
        yield f"{head} |"
        for line in item.removesuffix("\n").split("\n"):
            yield indent + line if line else ""
    else:
        yield f"{head} {_scalar(item)}"


def _element(item: Any) -> Iterator[str]:
    head = "- "
    for line in _lines(item):
        yield head + line
        head = "  "


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED and "  " not in value and " -" not in value:
            return value
        # A JSON string is a double-quoted YAML scalar, except that YAML forbids DEL and the C1 controls unescaped.
        return re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda match: f"\\u{ord(match[0]):04x}", _json(value))
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
