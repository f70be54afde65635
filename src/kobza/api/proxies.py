"""Behind a reverse proxy: whose address a request has, and over what it came.

What a header says of the address is believed only as far as it was written by proxies that are known: the list is
read from its right end, where the nearest proxy wrote, and the first address that is no trusted proxy's is the
client's. What stands to the left of it the client may have written itself. By default nobody is trusted and no header
is read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from kobza.defence.source import parsed_address
from kobza.store.tokens import Network

ProxyHeader = Literal["x-forwarded-for", "forwarded"]
"""Which header the proxies write. Only one is read: the other may come from the client, past proxies that ignore it."""

MAX_HOPS: Final = 32
"""Elements of the header that are looked at, from the right; a chain of proxies is shorter."""
MAX_TEXT: Final = 8192
"""Characters of the header that are looked at, from the right, so that a client cannot make work of it."""

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = re.compile(rf'\s*({_WORD})\s*=\s*(?:({_WORD})|"((?:[^"\\]|\\.)*)")\s*')
"""RFC 7239, section 4; white space around "=" is no longer allowed there, but costs nothing."""
_NODE: Final = re.compile(r"(?:\[([0-9A-Fa-f:.%A-Za-z]+)\]|([0-9.]+))(?::[0-9A-Za-z._-]{1,32})?")


@dataclass(frozen=True, slots=True)
class Hop:
    """What one proxy wrote of whom it was talking to. Empty: unknown, hidden or not to be understood."""

    address: str = ""
    scheme: str = ""


def node_address(text: str) -> str:
    """Return the IP address of a node: `192.0.2.7`, `192.0.2.7:80`, `[2001:db8::1]:80`, `2001:db8::1`; else empty."""
    text = text.strip()
    match = _NODE.fullmatch(text)
    parsed = parsed_address(text if match is None else match[1] or match[2])
    return "" if parsed is None else str(parsed)


def x_forwarded_for(values: Sequence[str]) -> list[Hop]:
    """Read the header (all its lines in order), the nearest hop last; of more than MAX_HOPS the nearest ones."""
    return [Hop(node_address(item)) for item in _text(values).rsplit(",", MAX_HOPS)[-MAX_HOPS:]]


def forwarded(values: Sequence[str]) -> list[Hop]:
    """Read the header Forwarded (RFC 7239) in the same way; an element that is malformed is an unknown hop."""
    return [_element(element) for element in _split(_text(values), ",")]


def _text(values: Sequence[str]) -> str:
    return ",".join(values)[-MAX_TEXT:]


def _element(element: str) -> Hop:
    found: dict[str, str] = {}
    for pair in _split(element, ";"):
        match = _PAIR.fullmatch(pair)
        if match is None:
            if pair.strip():
                return Hop()
            continue
        name = match[1].lower()
        if name in found:
            return Hop()
        found[name] = match[2] if match[2] is not None else re.sub(r"\\(.)", r"\1", match[3])
    return Hop(node_address(found.get("for", "")), _scheme(found.get("proto", "")))


def _split(text: str, separator: str, most: int = MAX_HOPS) -> list[str]:
    """Split at separators that stand outside of quotes, from the right, into so many parts; the rest is dropped.

    From the right, because the right end was written by a proxy: a quote that the client opened further left and never
    closed must not swallow it.
    """
    parts: list[str] = []
    end, quoted = len(text), False
    for at in range(len(text) - 1, -1, -1):
        if text[at] == '"' and not (quoted and _escaped(text, at)):
            quoted = not quoted
        elif text[at] == separator and not quoted:
            parts.append(text[at + 1 : end])
            end = at
            if len(parts) == most:
                return parts[::-1]
    return [text[:end], *reversed(parts)]


def _escaped(text: str, at: int) -> bool:
    """Tell whether an odd number of backslashes stands before a place."""
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _scheme(text: str) -> str:
    text = text.strip().lower()
    return text if text in ("http", "https") else ""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that are trusted, and the header that they write."""

    networks: tuple[Network, ...] = ()
    header: ProxyHeader = "x-forwarded-for"

    def trusts(self, address: str) -> bool:
        """Tell whether an address is that of a trusted proxy."""
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)

    def client(self, peer: str, hops: Sequence[Hop]) -> Hop:
        """Return the client of a request that came from a peer: the rightmost address that is not trusted.

        When all are, it is the leftmost: something within the own network. An unknown hop ends the search at the proxy
        that wrote it: what stands to its left cannot be judged.
        """
        found = Hop(peer)
        for hop in reversed(hops):
            if not self.trusts(found.address) or not hop.address:
                break
            found = Hop(hop.address, hop.scheme or found.scheme)
        return found


NO_PROXIES: Final = Proxies()


class ClientAddress:
    """ASGI middleware, the outermost: puts the client's address and scheme where those of the connection were."""

    def __init__(self, app: ASGIApp, *, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies
        self._name = proxies.header.encode()
        self._read = forwarded if proxies.header == "forwarded" else x_forwarded_for

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if self._proxies.networks and scope["type"] in ("http", "websocket") and scope.get("client"):
            self._look(scope)
        await self._app(scope, receive, send)

    def _look(self, scope: Scope) -> None:
        peer = scope["client"][0]
        if not self._proxies.trusts(peer):
            return
        values = _header(scope, self._name)
        found = self._proxies.client(peer, self._read(values)) if values else Hop(peer)
        if found.address != peer:
            scope["client"] = (found.address, 0)
        scheme = found.scheme
        if self._proxies.header == "x-forwarded-for":
            scheme = _scheme(",".join(_header(scope, b"x-forwarded-proto")).rpartition(",")[2])
        if scheme:
            scope["scheme"] = scheme


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
