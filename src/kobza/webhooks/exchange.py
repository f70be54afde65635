"""What is kept of an attempt beside its outcome, to find out why: headers and phases, secrets masked."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

MASK: Final = "***"
KEPT_HEADERS: Final = 2048
"""Bytes of the answer's header fields that are kept."""
_SECRET: Final = frozenset({"authorization", "set-cookie", "proxy-authorization"})

Headers = list[tuple[str, str]]


class Exchange(Struct, frozen=True, omit_defaults=True):
    """One request and its answer. Times are milliseconds since the beginning of the attempt."""

    request_headers: Headers
    """As they were sent, without those of the connection; `Authorization` is masked."""
    response_headers: Headers = []
    http: str | None = None
    """The version that was spoken, such as "1.1"; None when there was no answer."""
    connect_ms: int | None = None
    """How long it took to connect, TLS included; None: a connection was there, or none came about."""
    first_byte_ms: int | None = None
    """When the answer began."""


_DECODER: Final = msgspec.json.Decoder(Exchange)


def encode(exchange: Exchange) -> str:
    """Return the JSON that is stored."""
    return msgspec.json.encode(exchange).decode()


def decode(text: str | None) -> Exchange | None:
    """Read what is stored; None for an attempt of which nothing is."""
    return None if text is None else _DECODER.decode(text)


def sent_headers(headers: Mapping[str, str]) -> Headers:
    """Return the headers of a request as they may be shown."""
    return [(name, _shown(name, value)) for name, value in headers.items()]


def kept_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers of an answer as they may be shown, as far as there is room for them."""
    kept: Headers = []
    room = KEPT_HEADERS
    for name, value in headers:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept.append((str(name), MASK if name.lower() in _SECRET else value.replace("\0", "\ufffd")))
    return kept


def masked(text: str, secret: str) -> str:
    """Return a text without a secret, which a receiver may have echoed."""
    return text.replace(secret, MASK) if secret else text


def _shown(name: str, value: str) -> str:
    return f"Bearer {MASK}" if name.lower() in _SECRET else value
