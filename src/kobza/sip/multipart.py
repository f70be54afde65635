"""Bodies of several parts (RFC 2046 5.1, RFC 5621): the session description among what gateways put beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import Params, find_param, parse_params, shorten

SDP: Final = "application/sdp"
MAX_PARTS: Final = 16
"""Parts of a body; real ones have two or three. More of them are malformed."""
MAX_DEPTH: Final = 3
"""How deep multiparts may be within each other."""
WHERE: Final = "multipart body"

_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_UNCODED: Final = frozenset({"", "7bit", "8bit", "binary", "identity"})


class Unpacked(NamedTuple):
    """What a body has for us."""

    session: bytes
    """Its session description; b"" when there is none."""
    not_understood: str = ""
    """The media type of what whoever sent it wants understood, and that is not; "" when there is nothing."""


NOTHING: Final = Unpacked(b"")
"""What an empty body has."""


class _Part(NamedTuple):
    media_type: str
    params: Params
    disposition: str
    is_optional: bool
    is_coded: bool
    body: bytes


def unpack(body: bytes, content_type: str, disposition: str | None) -> Unpacked:
    """Read a body by the values of its Content-Type and Content-Disposition. MalformedMessage when it cannot be read.

    Of alternatives the last one that is understood counts (RFC 2046 5.1.4), of all else the first session description.
    A body or part is to be understood unless it says `handling=optional` (RFC 3261 20.11, RFC 5621 section 8).
    """
    kind, params = _media_type(content_type)
    asked, is_optional = _disposition(kind, disposition)
    return _read(_Part(kind, params, asked, is_optional, False, body), MAX_DEPTH)


def _read(part: _Part, depth: int) -> Unpacked:
    if part.media_type == SDP and part.disposition == "session" and not part.is_coded:
        return Unpacked(part.body)
    if part.media_type.startswith("multipart/") and not part.is_coded:
        inner = _read_parts(part, depth)
        return Unpacked(inner.session) if part.is_optional else inner
    return Unpacked(b"", "" if part.is_optional else part.media_type)


def _read_parts(whole: _Part, depth: int) -> Unpacked:
    if not depth:
        raise MalformedMessage(f"more than {MAX_DEPTH} multiparts within each other", WHERE)
    read = [_read(part, depth - 1) for part in _parts(whole.body, whole.params)]
    if whole.media_type == "multipart/alternative":
        understood = [each for each in read if not each.not_understood]
        return understood[-1] if understood else read[-1]
    session = next((each.session for each in read if each.session), b"")
    return Unpacked(session, next((each.not_understood for each in read if each.not_understood), ""))


def _parts(body: bytes, params: Params) -> Iterator[_Part]:
    boundary = find_param(params, "boundary") or ""
    if _BOUNDARY.fullmatch(boundary) is None:
        raise MalformedMessage(f"not a boundary: {shorten(boundary)}", "Content-Type header")
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*+(?=\r?\n|\Z)")
    start, count = None, 0
    for found in delimiter.finditer(body):
        if start is not None:
            count += 1
            if count > MAX_PARTS:
                raise MalformedMessage(f"more than {MAX_PARTS} parts", WHERE)
            yield _part(body[start : found.start()])
        start = found.end()
        if found[1]:
            break
    else:
        raise MalformedMessage("no end of the last part", WHERE)
    if not count:
        raise MalformedMessage("no part", WHERE)


def _part(data: bytes) -> _Part:
    """Read one part: what follows the line of its delimiter, so that it begins with a line break."""
    found = _HEAD_END.search(data)
    if found is None:
        raise MalformedMessage("a part without a blank line", WHERE)
    headers: dict[str, str] = {}
    for line in _FOLD.sub(" ", data[: found.start()].decode("utf-8", "surrogateescape")).split("\n"):
        name, colon, value = line.rstrip("\r").partition(":")
        if name and not colon:
            raise MalformedMessage(f"not a header: {shorten(line)}", WHERE)
        headers.setdefault(name.strip().lower(), value.strip())
    media_type, params = _media_type(headers.get("content-type", "text/plain"))
    disposition, is_optional = _disposition(media_type, headers.get("content-disposition"))
    encodings = (headers.get(name, "").lower() for name in ("content-encoding", "content-transfer-encoding"))
    return _Part(
        media_type,
        params,
        disposition,
        is_optional,
        any(each not in _UNCODED for each in encodings),
        data[found.end() :],
    )


def _disposition(media_type: str, value: str | None) -> tuple[str, bool]:
    """Return what a body is for, and whether it may be left aside. One of SDP is for the session unless it says so."""
    kind, _, rest = (value or ("session" if media_type == SDP else "render")).partition(";")
    handling = find_param(parse_params(f";{rest}", WHERE), "handling") or ""
    return kind.strip().lower(), handling.lower() == "optional"


def _media_type(value: str) -> tuple[str, Params]:
    kind, _, rest = value.partition(";")
    main, slash, sub = (each.strip().lower() for each in kind.partition("/"))
    if not (main and slash and sub):
        raise MalformedMessage(f"not a media type: {shorten(value)}", WHERE)
    return f"{main}/{sub}", parse_params(f";{rest}", WHERE)
