"""Parse and write session descriptions (RFC 8866).

What Kobza needs is kept as values (origin, connection, media, attributes); lines that mean nothing to a telephone call
(i, u, e, p, b, z, k, r) are read over. What phones get wrong is taken: bare LF or CR, no `s=` or `t=` line, no final
line end.
"""

from collections.abc import Iterable
from typing import Final

from kobza.sdp.errors import MalformedSdp
from kobza.values import Leaf

MAX_BYTES: Final = 32 * 1024
"""A description longer than this is refused: a telephone needs 1 KiB, a browser with many codecs 8."""
MAX_LINES: Final = 1000
"""A bound on the work that one description can cause."""
MAX_MEDIA: Final = 32
"""Streams in a description; each one costs a line in every answer (RFC 3264, section 6)."""

_IGNORED: Final = frozenset(f"{kind}=" for kind in "siuepbtrzk")

Attribute = tuple[str, str | None]
"""Name and value; None for a flag (`a=sendrecv`)."""


class Origin(Leaf, frozen=True):
    """The `o=` line (RFC 8866, section 5.2): who made the description, and its version."""

    username: str
    session_id: str
    version: str
    host: str

    @classmethod
    def parse(cls, text: str, where: str) -> "Origin":
        """Parse what follows `o=`; raise MalformedSdp."""
        fields = text.split()
        if len(fields) != 6:
            raise MalformedSdp("the o= line has six fields", where)
        return cls(fields[0], fields[1], fields[2], fields[5])

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {_address_type(self.host)} {self.host}"


class Media(Leaf, frozen=True):
    """One stream: an `m=` line with what follows it (RFC 8866, section 5.14).

    `port` is 0 for a stream that is refused; `connection` is the host of its own `c=` line, else None.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str | None = None
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def parse(cls, text: str, where: str) -> "Media":
        """Parse what follows `m=`; raise MalformedSdp."""
        fields = text.split()
        if len(fields) < 4:
            raise MalformedSdp("the m= line has at least four fields", where)
        port, slash, count = fields[1].partition("/")
        if slash and not is_number(count):
            raise MalformedSdp("the count of ports is not a number", where)
        return cls(fields[0].lower(), _port(port, where), fields[2], tuple(fields[3:]))

    def get(self, name: str) -> str | None:
        """Return the first value of an attribute ("" for a flag), None when it is absent."""
        return _first(self.attributes, name)

    def get_all(self, name: str) -> list[str]:
        """Return all values of an attribute, in order."""
        return [value or "" for key, value in self.attributes if key == name]

    @property
    def behind_port(self) -> str:
        """The stream as it is written from its protocol on: the rest of the `m=` line, and the lines that follow."""
        lines = [f"{self.protocol} {' '.join(self.formats)}"]
        if self.connection is not None:
            lines.append(_connection_line(self.connection))
        return "\r\n".join(lines + _attribute_lines(self.attributes)) + "\r\n"

    def refused(self) -> "Media":
        """Return the stream as an answer refuses it: port 0, the same formats (RFC 3264, section 6)."""
        return Media(self.kind, 0, self.protocol, self.formats)


class SessionDescription(Leaf, frozen=True):
    """A whole description; `str()` writes it with CRLF.

    `connection` is the host of the session's `c=` line; None when each stream has its own.
    """

    origin: Origin
    connection: str | None
    media: tuple[Media, ...]
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> "SessionDescription":
        """Parse a description; raise MalformedSdp.

        Text that is not UTF-8 is taken with replacement characters: it can only be in lines that are read over, or in
        one that then fails to be what it should.
        """
        return _parse(data)

    def get(self, name: str) -> str | None:
        """Return the first value of a session attribute ("" for a flag), None when it is absent."""
        return _first(self.attributes, name)

    def __str__(self) -> str:
        attributes = "".join([f"{line}\r\n" for line in _attribute_lines(self.attributes)])
        streams = "".join([f"m={media.kind} {media.port} {media.behind_port}" for media in self.media])
        return f"{beginning(self.origin, self.connection)}{attributes}{streams}"

    def to_bytes(self) -> bytes:
        """Return the description as the body of a SIP message (`application/sdp`)."""
        return str(self).encode()


class _Stream:
    """A stream whose lines are being read."""

    __slots__ = ("attributes", "connection", "media")

    def __init__(self, media: Media) -> None:
        self.media = media
        self.connection: str | None = None
        self.attributes: list[Attribute] = []

    def whole(self) -> Media:
        media = self.media
        return Media(media.kind, media.port, media.protocol, media.formats, self.connection, tuple(self.attributes))


def _parse(data: bytes) -> SessionDescription:
    """Collect the lines: the session's part first, then a part for each stream."""
    if len(data) > MAX_BYTES:
        raise MalformedSdp(f"longer than {MAX_BYTES} bytes", "body")
    lines = data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if len(lines) > MAX_LINES:
        raise MalformedSdp(f"more than {MAX_LINES} lines", "body")
    if lines[0].strip() != "v=0":
        raise MalformedSdp("does not begin with v=0", "line 1")
    origin: Origin | None = None
    connection: str | None = None
    session: list[Attribute] = []
    attributes = session
    streams: list[_Stream] = []
    for number, line in enumerate(lines):
        kind = line[:2]
        if kind == "a=":
            name, colon, text = line[2:].strip().partition(":")
            attributes.append((name, text if colon else None))
        elif kind == "c=":
            host = _host(line[2:], f"line {number + 1}")
            if streams:
                streams[-1].connection = host
            else:
                connection = host
        elif kind == "m=":
            where = f"line {number + 1}"
            if len(streams) == MAX_MEDIA:
                raise MalformedSdp(f"more than {MAX_MEDIA} streams", where)
            streams.append(_Stream(Media.parse(line[2:], where)))
            attributes = streams[-1].attributes
        elif kind == "o=":
            origin = Origin.parse(line[2:], f"line {number + 1}")
        elif number and kind not in _IGNORED and line.strip():
            problem = f"an unknown line {kind[0]!r}" if kind[1:] == "=" else "not of the form x=…"
            raise MalformedSdp(problem, f"line {number + 1}")
    if origin is None:
        raise MalformedSdp("no o= line", "body")
    return SessionDescription(origin, connection, tuple(stream.whole() for stream in streams), tuple(session))


def _host(text: str, where: str) -> str:
    """Return the host of a `c=` line (RFC 8866, section 5.7), without a multicast TTL."""
    fields = text.split()
    if len(fields) != 3 or fields[0] != "IN":
        raise MalformedSdp("not of the form IN IP4 address", where)
    return fields[2].partition("/")[0]


def _port(text: str, where: str) -> int:
    if not is_number(text) or int(text) > 65535:
        raise MalformedSdp("the port is not a number up to 65535", where)
    return int(text)


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number in digits of ASCII, of a length that does no harm."""
    return text.isascii() and text.isdigit() and len(text) <= 10


def beginning(by: Origin, host: str | None) -> str:
    """Return the lines that all descriptions begin with; `host` is the session's, see `SessionDescription`."""
    where = "" if host is None else f"{_connection_line(host)}\r\n"
    return f"v=0\r\no={by}\r\ns=-\r\n{where}t=0 0\r\n"


def _connection_line(host: str) -> str:
    return f"c=IN {_address_type(host)} {host}"


def _address_type(host: str) -> str:
    return "IP6" if ":" in host else "IP4"


def _attribute_lines(attributes: Iterable[Attribute]) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def _first(attributes: tuple[Attribute, ...], name: str) -> str | None:
    for key, value in attributes:
        if key == name:
            return value or ""
    return None
