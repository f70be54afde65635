"""Pieces of the SIP grammar that several headers share (RFC 3261 25.1).

Text of the wire is held as `str`, decoded as UTF-8 with `surrogateescape`: SIP is UTF-8 (RFC 3261 7), so names in
Cyrillic read as they should, and bytes that are not UTF-8 survive to be sent on unchanged. Such an escaped byte must
not reach JSON or a database, so typed values never hold one: `readable` replaces it.

Every pattern here is linear in its input: possessive quantifiers, used with `match` at a known place, never a `search`
that begins with a repetition. Of a group it is `(?>(?:x)*)`, not `(?:x)*+`: before Python 3.11.5, which Debian 12 does
not have, the latter leaves what its last, failed turn has read behind it.
"""

from __future__ import annotations

import re
from typing import Final

from kobza.sip.errors import MalformedMessage

Params = tuple[tuple[str, str | None], ...]
"""Parameters in order, names and values as written (a quoted value keeps its quotes); None: a flag without a value."""

MAX_DIGITS = 10
"""No number of SIP has more digits (2**32 - 1); without a bound `int` of a long text would cost quadratic time."""

_TOKEN: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]++")
_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_ESCAPED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_FOLD: Final = re.compile(r"\r\n[ \t]+")
_LIST_ELEMENT: Final = re.compile(r'(?>(?:[^",<]++|"(?>(?:[^"\\]++|\\.)*)"|<[^>]*+>)*)', re.DOTALL)
_PARAM: Final = re.compile(
    r"""[ \t]*+;[ \t]*+
    (?>(?:([^\x00-\x20;=,"<>\x7f]++)[ \t]*+                                  # name
       (?>(?:=[ \t]*+("(?>(?:[^"\\]++|\\.)*)"|[^\x00-\x20;=,"<>\x7f]++(?>(?:=++[^\x00-\x20;=,"<>\x7f]*+)*)|)[ \t]*+)?)
    )?)""",
    re.DOTALL | re.VERBOSE,
)


def is_token(text: str) -> bool:
    """Say whether `text` is a token of RFC 3261 25.1."""
    return _TOKEN.fullmatch(text) is not None


def readable(text: str) -> str:
    """Text for people and databases: control characters and bytes that were not UTF-8 become U+FFFD."""
    return text if text.isprintable() else _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def unfold(text: str) -> str:
    """Join a folded header value: a line break with the white space after it is one space (RFC 3261 7.3.1)."""
    return _FOLD.sub(" ", text)


def unquote(text: str) -> str:
    r"""Take the quotes off a quoted-string, resolve its `\` pairs, make it `readable`; other text stays as it is."""
    if len(text) < 2 or text[0] != '"':
        return text
    text = text[1:-1]
    if "\\" in text:
        text = _ESCAPED_PAIR.sub(r"\1", text)
    return readable(text)


def quote(text: str) -> str:
    """Write a quoted-string, with escapes where they are needed, `readable`: it never breaks a line."""
    text = readable(text)
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def parse_number(text: str, limit: int, where: str) -> int:
    """Read 1*DIGIT up to `limit`; leading zeros are allowed."""
    if not (text.isascii() and text.isdigit()):
        raise MalformedMessage(f"not a number: {shorten(text)}", where)
    if len(text) > MAX_DIGITS:
        text = text.lstrip("0")[: MAX_DIGITS + 1] or "0"
    number = int(text)
    if number > limit:
        raise MalformedMessage(f"number above {limit}", where)
    return number


def shorten(text: str) -> str:
    """Text of a peer for an error message: readable, quoted, at most 40 characters of it."""
    return repr(readable(text if len(text) <= 40 else text[:39] + "…"))


def split_list(text: str, where: str) -> list[str]:
    """Split a comma separated list, minding quoted strings and angle brackets; elements are stripped and not empty."""
    if "," not in text:
        elements = [text]
    elif '"' not in text and "<" not in text:
        elements = text.split(",")
    else:
        elements = []
        at = 0
        while True:
            found = _LIST_ELEMENT.match(text, at)
            end = found.end() if found is not None else at
            elements.append(text[at:end])
            if end == len(text):
                break
            if text[end] != ",":
                raise MalformedMessage("unbalanced quote or bracket", where)
            at = end + 1
    elements = [element.strip() for element in elements]
    if "" in elements:
        raise MalformedMessage("empty list element", where)
    return elements


def parse_params(text: str, where: str) -> Params:
    """Read `;name=value;flag` of a header. Empty ones (`;;`, a trailing `;`) are skipped: some phones send them."""
    plain = _plain_params(text)
    return _params(text, where) if plain is None else plain


def _plain_params(text: str) -> Params | None:
    """Read parameters as most are, without white space and quotes, none empty; None for others."""
    if not text.startswith(";") or not text.isprintable() or " " in text or '"' in text or "," in text:
        return None
    if "<" in text or ">" in text or "==" in text:
        return None
    params: list[tuple[str, str | None]] = []
    for part in text[1:].split(";"):
        at = part.find("=")
        if at > 0:
            params.append((part[:at], part[at + 1 :]))
        elif part and at < 0:
            params.append((part, None))
        else:
            return None
    return tuple(params)


def _params(text: str, where: str) -> Params:
    params = []
    at = 0
    end = len(text)
    while at < end:
        found = _PARAM.match(text, at)
        if found is None:
            raise MalformedMessage(f"bad parameter at {shorten(text[at:])}", where)
        name, value = found.groups()
        if name is not None:
            params.append((name, value))
        at = found.end()
    if not text.isprintable():
        _refuse_unreadable(params, where)
    return tuple(params)


def _refuse_unreadable(params: list[tuple[str, str | None]], where: str) -> None:
    """White space and quoted strings may hold other than printable text, names and plain values may not."""
    for name, value in params:
        if not name.isprintable() or not (value is None or value.startswith('"') or value.isprintable()):
            raise MalformedMessage("unprintable character in a parameter", where)


def find_param(params: Params, name: str) -> str | None:
    """Value of the first parameter of that name (case-insensitive), without quotes; "" for a flag, None if absent."""
    for candidate, value in params:
        if candidate == name or candidate.lower() == name:
            if not value:
                return ""
            return unquote(value) if value[0] == '"' else value
    return None


def replace_param(params: Params, name: str, value: str | None) -> Params:
    """Set the parameter `name`, at its place or at the end; a value that is no token or host gets quotes."""
    if value is not None and not _is_plain_value(value):
        value = quote(value)
    replaced = tuple(
        (name, value) if candidate.lower() == name.lower() else (candidate, old) for candidate, old in params
    )
    return replaced if any(candidate.lower() == name.lower() for candidate, _ in params) else (*params, (name, value))


_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]++")


def _is_plain_value(value: str) -> bool:
    return _PLAIN_VALUE.fullmatch(value) is not None


def write_params(params: Params) -> str:
    """Write parameters as they were read."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)
