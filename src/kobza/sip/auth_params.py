"""Challenges and credentials: a scheme and its comma separated parameters (RFC 3261 25.1, RFC 7235 2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import is_token, quote, readable, shorten, unquote

_AUTH_PARAM: Final = re.compile(
    r"""[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+=[ \t]*+("(?>(?:[^"\\]++|\\.)*)"|[^\x00-\x20,"\x7f]*+)
    [ \t]*+(?:,|\Z)""",
    re.DOTALL | re.VERBOSE,
)

UNQUOTED_PARAMS: Final = frozenset({"algorithm", "nc", "qop", "stale"})
"""Written without quotes in credentials (RFC 7616 3.4); `qop` of a challenge is quoted all the same (3.3)."""


@dataclass(frozen=True, slots=True)
class AuthParams:
    """`scheme` as written; `params` by lower-case name, values without quotes."""

    scheme: str
    params: dict[str, str]

    def __str__(self) -> str:
        """Write it; each parameter is quoted or not as RFC 7616 wants it in credentials."""
        written = ", ".join(
            f"{name}={value if name in UNQUOTED_PARAMS and is_token(value) else quote(value)}"
            for name, value in self.params.items()
        )
        return f"{self.scheme} {written}"


def parse_auth(text: str, where: str = "Authorization header") -> AuthParams:
    """Read one challenge or credentials. A parameter that comes twice is refused: which one counts would be a guess."""
    scheme, *parts = text.split(None, 1) or [""]
    rest = parts[0] if parts else ""
    if not is_token(scheme):
        raise MalformedMessage(f"not an authentication scheme: {shorten(scheme)}", where)
    params: dict[str, str] = {}
    at = 0
    end = len(rest)
    while at < end:
        found = _AUTH_PARAM.match(rest, at)
        if found is None:
            raise MalformedMessage(f"bad parameter at {shorten(rest[at:])}", where)
        name = found[1].lower()
        if name in params:
            raise MalformedMessage(f"parameter {name} given twice", where)
        params[name] = readable(unquote(found[2]))
        at = found.end()
    return AuthParams(scheme, params)
