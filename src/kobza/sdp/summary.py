"""A session description in a few words, for people who read along: codecs, direction, address.

Not the parser: what a broken description says is worth the most to them, and a look costs some 4 us, as every one that
passes is looked at. Only the first stream is told.
"""

import re
from typing import Final

from kobza.sdp.codecs import static_name
from kobza.values import Leaf

MAX_CODECS: Final = 8
"""Named; what comes behind is an ellipsis."""
_SHORT: Final = {"telephone-event": "dtmf"}
_HELD: Final = {"sendonly": "hold", "recvonly": "held", "inactive": "hold"}
_NOWHERE: Final = "0.0.0.0"  # noqa: S104 - nothing is bound to it: RFC 2543 put a call on hold with it
_DIGITS: Final = 5
"""Of a port."""
_MEDIA: Final = re.compile(rb"([a-z]{1,16}) ([0-9]{1,5})[^ \r\n]{0,16} ([A-Z/]{1,32}) ([0-9 ]{0,200})")
"""Within the line, so that it ends before the next stream begins."""
_RTPMAP: Final = re.compile(rb"\na=rtpmap:([0-9]{1,3}) ([A-Za-z0-9._-]{1,24})")
_DIRECTION: Final = re.compile(rb"\na=(sendrecv|sendonly|recvonly|inactive)[ \t]*(?=[\r\n]|$)")
_HOST: Final = re.compile(rb"\nc=IN IP[46] ([0-9A-Fa-f:.]{2,45})")
_MOST: Final = 4096
"""Bytes of a stream that are looked at."""
_AUDIO: Final = "m=audio "
_REMEMBERED: Final = 256
"""Streams in `_known`; 1 MB at most, see `_MOST`. When they are so many, it begins anew."""
_known: Final[dict[str, str]] = {}
"""Streams of audio in words, by what is behind the port: phones of one kind say the same in every call."""


class Summary(Leaf, frozen=True):
    """What the first stream of a description is."""

    kind: str
    """"audio" as a rule."""
    codecs: tuple[str, ...]
    """In the order of the description; DTMF as "dtmf"."""
    direction: str
    host: str
    """An IP address, "" when none is given."""
    port: int
    """0: the stream is refused."""
    encryption: str
    """"SRTP", "DTLS" or ""."""

    def text(self, *, address: bool) -> str:
        """Write it: `PCMA PCMU dtmf, sendonly (hold)`, with the address where the packets are to go if wanted.

        A direction of sendrecv is not said.
        """
        if not self.port:
            return f"{self.kind} refused"
        words = " ".join(self.codecs) or "no codec"
        if self.kind != "audio":
            words = f"{self.kind} {words}"
        if self.encryption:
            words += f" {self.encryption}"
        if self.direction != "sendrecv":
            words += f", {self.direction} ({_HELD[self.direction]})"
        elif self.host == _NOWHERE and self.encryption != "DTLS":  # a browser says so when it names candidates alone
            words += ", 0.0.0.0 (hold)"
        if address and self.host not in ("", _NOWHERE):
            words += f" {f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
        return words


def words_of(body: str, *, address: bool) -> str:
    """Return `Summary.text` of what a body says of its first stream; "" for one without a stream.

    The body has a character for each byte. Without the address, what matters is the same in many calls: what an audio
    stream says behind its port. It is remembered, unless the session itself may say hold.
    """
    at = 0 if body.startswith("m=") else body.find("\nm=") + 1
    if at == 0 and not body.startswith("m="):
        return ""
    if not address:
        port = body.find(" ", at) + 1
        rest = body.find(" ", port)
        digits = body[port:rest]
        if len(digits) <= _DIGITS and digits.isdecimal() and digits[0] != "0" and body[at:port] == _AUDIO:
            session = body[:at]
            attributes = "\na=" in session and ("only" in session or "inactive" in session)
            if not attributes and _NOWHERE not in session:
                return _words_of_audio(body[rest : at + _MOST])
    summary = summary_of(body.encode("latin-1"))
    return "" if summary is None else summary.text(address=address)


def summary_of(body: bytes) -> Summary | None:
    """Return what a body says of its first stream; None for one without a stream, which is no description.

    The body may have more around it (RFC 5621: parts of a multipart).
    """
    at = 0 if body.startswith(b"m=") else body.find(b"\nm=") + 1
    found = _MEDIA.match(body, at + 2)
    if found is None or not body.startswith(b"m=", at):
        return None
    end = body.find(b"\nm=", at)
    stream = body[found.end() : at + _MOST if end < 0 else min(end, at + _MOST)]
    codecs, direction, host = _stream(found[4], stream)
    if not direction:
        said = _DIRECTION.search(body, 0, at) if body.find(b"\na=", 0, at) >= 0 else None
        direction = "sendrecv" if said is None else said[1].decode()
    if not host:
        where = _HOST.search(body, max(0, body.find(b"\nc=", 0, at)), at)
        host = "" if where is None else where[1].decode()
    protocol = found[3]
    encryption = "DTLS" if protocol.startswith(b"UDP/TLS") else "SRTP" if b"SAVP" in protocol else ""
    return Summary(found[1].decode(), codecs, direction, host, int(found[2]), encryption)


def _words_of_audio(behind: str) -> str:
    words = _known.get(behind)
    if words is None:
        summary = summary_of(f"{_AUDIO}9{behind}".encode("latin-1"))
        words = "" if summary is None else summary.text(address=False)
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[behind] = words
    return words


def _stream(formats: bytes, stream: bytes) -> tuple[tuple[str, ...], str, str]:
    """Return the codecs of a stream, its direction and its host; "" for what it does not say itself."""
    names = {found[1]: found[2].decode() for found in _RTPMAP.finditer(stream)}
    types = formats.split()
    codecs = [names.get(each) or static_name(each.decode()) or each.decode() for each in types[:MAX_CODECS]]
    codecs = [_SHORT.get(each.lower(), each) for each in codecs if each.upper() != "CN"]
    ellipsis = ["\N{HORIZONTAL ELLIPSIS}"] if len(types) > MAX_CODECS else []
    direction, host = _DIRECTION.search(stream), _HOST.search(stream)
    return (
        (*dict.fromkeys(codecs), *ellipsis),
        "" if direction is None else direction[1].decode(),
        "" if host is None else host[1].decode(),
    )
