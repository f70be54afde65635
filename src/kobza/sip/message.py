"""SIP messages: parsed lazily, changed in place, written byte for byte where untouched (RFC 3261 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Self

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import is_token, parse_number, readable, shorten, split_list
from kobza.sip.header_lines import HeaderLines, split_keys
from kobza.sip.headers import CSeq, NameAddr, Reason, Via, parse_name_addr_list
from kobza.sip.multipart import NOTHING, SDP, Unpacked, unpack
from kobza.sip.uri import SipUri

MAX_MESSAGE_BYTES = 65_535
"""A datagram cannot be longer; a stream's message may not be either."""
MAX_EXPIRES = 2**32 - 1
"""Seconds; RFC 3261 20.19."""
MAX_MAX_FORWARDS = 255
"""RFC 3261 20.22."""

_MANDATORY: Final = frozenset({"via", "from", "to", "call-id", "cseq"})
_SINGLE = ("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires")
_LINE_BREAK: Final = re.compile(r"\r\n(?![ \t])")
_REQUEST_LINE: Final = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]++) ([^ \t\r\n]++) ([Ss][Ii][Pp]/[0-9]++\.[0-9]++)")
_STATUS_LINE: Final = re.compile(r"([Ss][Ii][Pp]/[0-9]++\.[0-9]++) ([1-6][0-9][0-9])(?>(?: (.*+))?)")
_METHODS: Final = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS"})
_STATUSES: Final = frozenset(map(str, range(100, 700)))
"""What nearly all start lines have is read without a regular expression, which takes thrice as much."""


class SipMessage(HeaderLines):
    """What requests and responses share. Not made itself: see SipRequest, SipResponse, `parse_message`.

    The typed properties parse on first use and keep the value until the header changes. They raise MalformedMessage
    when the header is broken, and when a mandatory one (Via, From, To, Call-ID, CSeq) is absent. Lists are copies.
    """

    __slots__ = ("body",)

    def __init__(self, keys: list[str], lines: list[str], body: bytes) -> None:
        super().__init__(keys, lines)
        self.body = body

    @property
    def start_line(self) -> str:
        """The first line without its end."""
        raise NotImplementedError

    @property
    def via(self) -> Via:
        """The topmost Via value; the others are not looked at."""
        via: Via | None = self._typed.get("via")
        if via is None:
            via = self._typed["via"] = Via.parse(_first(self._mandatory("via"), "Via header"), "Via header")
        return via

    @property
    def sent_by(self) -> Via:
        """The topmost Via value without its parameters, which cost most of reading one."""
        return Via.parse_sent_by(_first(self._mandatory("via"), "Via header"))

    @property
    def branch(self) -> str | None:
        """The branch of the topmost Via; of one that is plain nothing else is read. None when absent or empty."""
        value = self._mandatory("via")
        at = value.find(";branch=")
        if at < 0 or "," in value or '"' in value:
            return self.via.branch
        end = value.find(";", at + 8)
        return (value[at + 8 :] if end < 0 else value[at + 8 : end]).strip() or None

    @property
    def vias(self) -> list[Via]:
        """All Via values, topmost first."""
        self._mandatory("via")
        where = "Via header"
        return [Via.parse(part, where) for value in self.get_all("via") for part in split_list(value, where)]

    def replace_top_via(self, via: Via | None) -> None:
        """Put `via` in the place of the topmost Via value (18.2.1: received, rport), or take that value away (None)."""
        values = split_list(self._mandatory("via"), "Via header")[1:]
        if via is not None:
            values.insert(0, str(via))
        self._replace_first("Via", ", ".join(values) if values else None)

    def stamp_via(self, host: str, port: int) -> bool:
        """Write the source into a topmost Via as nearly all phones send it: a bare `;rport`, no `received`, alone.

        Returns False for any other, which `replace_top_via` is for. It does the same and reads nothing: every request
        gets it.
        """
        index = self._first("via")
        line = self._lines[index]
        before, found, after = line.partition(";rport")
        if not found or (after and after[0] != ";") or "," in line or '"' in line or "received" in line or "\n" in line:
            return False
        self._lines[index] = f"{before};rport={port}{after.rstrip()};received={host}"
        self._typed.pop("via", None)
        return True

    @property
    def from_(self) -> NameAddr:
        """From."""
        known: NameAddr | None = self._typed.get("from")
        return self._name_addr("from", "From header") if known is None else known

    @property
    def to(self) -> NameAddr:
        """To."""
        known: NameAddr | None = self._typed.get("to")
        return self._name_addr("to", "To header") if known is None else known

    @property
    def call_id(self) -> str:
        """Call-ID: visible ASCII, compared byte by byte (20.8)."""
        known: str | None = self._typed.get("call-id")
        if known is None:
            known = self._mandatory("call-id")
            if not known or not known.isascii() or not known.isprintable() or " " in known:
                raise MalformedMessage(f"not a Call-ID: {shorten(known)}", "Call-ID header")
            self._typed["call-id"] = known
        return known

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        cseq: CSeq | None = self._typed.get("cseq")
        if cseq is None:
            cseq = self._typed["cseq"] = CSeq.parse(self._mandatory("cseq"))
        return cseq

    @property
    def contacts(self) -> list[NameAddr]:
        """Contacts of all lines; [] for none and for `Contact: *`."""
        return self._name_addrs("contact", "Contact header")

    @property
    def is_contact_star(self) -> bool:
        """Whether the message has `Contact: *` (10.2.2); a star beside other contacts makes `contacts` malformed."""
        return self.get_all("contact") == ["*"]

    @property
    def asserted_identities(self) -> list[NameAddr]:
        """P-Asserted-Identity (RFC 3325, section 9.1): who the trusted network before us says has sent this."""
        return self._name_addrs("p-asserted-identity", "P-Asserted-Identity header")

    @property
    def routes(self) -> list[NameAddr]:
        """Route, nearest first."""
        return self._name_addrs("route", "Route header")

    @property
    def record_routes(self) -> list[NameAddr]:
        """Record-Route, as listed."""
        return self._name_addrs("record-route", "Record-Route header")

    @property
    def paths(self) -> list[NameAddr]:
        """Path (RFC 3327), as listed."""
        return self._name_addrs("path", "Path header")

    @property
    def service_routes(self) -> list[NameAddr]:
        """Service-Route (RFC 3608), as listed."""
        return self._name_addrs("service-route", "Service-Route header")

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, 0 to 255; None when absent (an RFC 2543 peer)."""
        value = self.get("max-forwards")
        return None if value is None else parse_number(value, MAX_MAX_FORWARDS, "Max-Forwards header")

    @property
    def expires(self) -> int | None:
        """Expires in seconds; None when absent."""
        value = self.get("expires")
        return None if value is None else parse_number(value, MAX_EXPIRES, "Expires header")

    @property
    def content_type(self) -> str | None:
        """`type/subtype` in lower case without parameters; None when absent."""
        value = self.get("content-type")
        if value is None or value == "application/sdp":
            return value
        main, slash, sub = value.partition(";")[0].partition("/")
        main, sub = main.strip(), sub.strip()
        if not (slash and is_token(main) and is_token(sub)):
            raise MalformedMessage(f"not a media type: {shorten(value)}", "Content-Type header")
        return f"{main}/{sub}".lower()

    @property
    def unpacked(self) -> Unpacked:
        """What is in the body: a session description, alone or in one of several parts, and what else is to be read.

        A body without Content-Type counts as a session description.
        """
        if not self.body:
            return NOTHING
        value, disposition = self.get("content-type"), self.get("content-disposition")
        if value in (None, SDP) and disposition is None:
            return Unpacked(self.body)
        _ = self.content_type
        return unpack(self.body, value or SDP, disposition)

    @property
    def session(self) -> bytes:
        """The session description in the body; b"" when there is none, or none that can be read."""
        try:
            return self.unpacked.session
        except MalformedMessage:
            return b""

    @property
    def reasons(self) -> list[Reason]:
        """Reason values of all lines (RFC 3326)."""
        return [reason for value in self.get_all("reason") for reason in Reason.parse_all(value)]

    def to_bytes(self) -> bytes:
        """Write the message. Content-Length is always there and true, at its place or at the end."""
        length = str(len(self.body))
        lines = self._lines
        index = self._first("content-length")
        if index < 0:
            lines = [*lines, f"Content-Length: {length}"]
        elif self._value(index) != length:
            lines = lines.copy()
            lines[index] = f"Content-Length: {length}"
        head = "\r\n".join([self.start_line, *lines, "\r\n"])
        return head.encode("utf-8", "surrogateescape") + self.body

    def _mandatory(self, key: str) -> str:
        index = self._first(key)
        if index < 0:
            raise MalformedMessage(f"no {key} header", "header")
        return self._value(index)

    def _name_addr(self, key: str, where: str) -> NameAddr:
        value = self._typed[key] = NameAddr.parse(self._mandatory(key), where)
        return value

    def _name_addrs(self, key: str, where: str) -> list[NameAddr]:
        values: list[NameAddr] | None = self._typed.get(key)
        if values is None:
            texts = self.get_all(key)
            if key == "contact" and texts == ["*"]:
                texts = []
            values = self._typed[key] = [addr for text in texts for addr in parse_name_addr_list(text, where)]
        return list(values)


class SipRequest(SipMessage):
    """A request. `method` is case-sensitive; `uri_text` is the Request-URI as written."""

    __slots__ = ("_uri", "_uri_text", "_version", "method")

    def __init__(
        self, method: str, uri_text: str, keys: list[str], lines: list[str], body: bytes, version: str = "SIP/2.0"
    ) -> None:
        super().__init__(keys, lines, body)
        self.method = method
        self._uri_text = uri_text
        self._version = version
        self._uri: SipUri | None = None

    @classmethod
    def create(cls, method: str, uri: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Self:
        """Make a request of our own; MalformedMessage when a value cannot stand in a message."""
        request = cls(method, uri, [], [], body)
        if _REQUEST_LINE.fullmatch(request.start_line) is None or not uri.isprintable():
            raise MalformedMessage(f"not a request line: {shorten(request.start_line)}", "start line")
        for name, value in headers:
            request.add(name, value)
        return request

    @property
    def start_line(self) -> str:
        """The request line."""
        return f"{self.method} {self._uri_text} {self._version}"

    @property
    def version(self) -> str:
        """Protocol version, "SIP/2.0" unless only split."""
        return self._version

    @property
    def uri_text(self) -> str:
        """The Request-URI as written."""
        return self._uri_text

    @uri_text.setter
    def uri_text(self, uri: str) -> None:
        if " " in uri or not uri or not uri.isprintable():
            raise MalformedMessage(f"not a Request-URI: {shorten(uri)}", "Request-URI")
        self._uri_text = uri
        self._uri = None

    @property
    def uri(self) -> SipUri:
        """The Request-URI, parsed on first use."""
        if self._uri is None:
            self._uri = SipUri.parse(self._uri_text, "Request-URI")
        return self._uri

    def copy(self) -> SipRequest:
        """Independent copy; changes of one leave the other alone."""
        return SipRequest(self.method, self._uri_text, [*self._keys], [*self._lines], self.body, self._version)

    def __repr__(self) -> str:
        return f"<SipRequest {self.method} {self._uri_text}>"


class SipResponse(SipMessage):
    """A response. `status` is 100 to 699, `reason` the phrase (UTF-8, may be empty, made readable)."""

    __slots__ = ("_phrase", "_version", "status")

    def __init__(
        self, status: int, phrase: str, keys: list[str], lines: list[str], body: bytes, version: str = "SIP/2.0"
    ) -> None:
        super().__init__(keys, lines, body)
        self.status = status
        self._phrase = phrase
        self._version = version

    @classmethod
    def create(cls, status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Self:
        """Make a response of our own; MalformedMessage when a value cannot stand in a message."""
        response = cls(status, readable(reason), [], [], body)
        if not 100 <= status <= 699:
            raise MalformedMessage(f"not a status: {status}", "start line")
        for name, value in headers:
            response.add(name, value)
        return response

    @property
    def start_line(self) -> str:
        """The status line."""
        return f"{self._version} {self.status} {self._phrase}"

    @property
    def version(self) -> str:
        """Protocol version, "SIP/2.0" unless only split."""
        return self._version

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return readable(self._phrase)

    @property
    def retry_after(self) -> int | None:
        """Seconds of Retry-After (20.33), up to 2**32; None without it or when it cannot be read.

        A comment and parameters may follow them.
        """
        text = self.get("retry-after")
        if text is None:
            return None
        try:
            return parse_number(text.partition(";")[0].partition("(")[0].strip(), 2**32, "Retry-After header")
        except MalformedMessage:
            return None

    def copy(self) -> SipResponse:
        """Independent copy; changes of one leave the other alone."""
        return SipResponse(self.status, self._phrase, [*self._keys], [*self._lines], self.body, self._version)

    def __repr__(self) -> str:
        return f"<SipResponse {self.status} {self.reason}>"


def parse_message(data: bytes) -> SipRequest | SipResponse:
    """Read one datagram. Leading CRLFs are skipped (7.5), bytes after Content-Length dropped (18.3).

    Checked here: start line and version, each header line, mandatory headers, headers that may come once only, CSeq
    (method of a request), Content-Length against the body. Other values are checked when first read.
    """
    message = split_message(data)
    check_message(message)
    return message


def split_message(data: bytes) -> SipRequest | SipResponse:
    """Split without checks of the header's content: enough to answer 400 to what `parse_message` refused."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"longer than {MAX_MESSAGE_BYTES} bytes", "message", sip_status=513)
    if data.startswith(b"\r") or data.startswith(b"\n"):  # noqa: PIE810 - compiled, two are cheaper than a tuple of them
        data = data.lstrip(b"\r\n")
    end = data.find(b"\r\n\r\n")
    head = data[:end].decode("utf-8", "surrogateescape")
    body = data[end + 4 :]
    lines = head.split("\r\n")
    said = "".join(lines)  # to search it is quicker than to count in the head
    if end < 0 or "\n" in said or "\r" in said:
        head, body = _split_leniently(data)
        lines = head.split("\r\n")
    start = lines.pop(0)
    keys = split_keys(lines)
    if keys is None:
        start, *lines = _LINE_BREAK.split(head)
        keys = split_keys(lines)
    return _with_start_line(start, keys or [], lines, body)


def _split_leniently(data: bytes) -> tuple[str, bytes]:
    """Head, with CRLF for line breaks, and body of a message that has other line breaks.

    Lines that end in a lone LF are accepted: hand-made messages have them. A lone CR is refused: peers read it as
    different things, so that it could hide a header.
    """
    ends = [(at, len(blank)) for blank in (b"\n\r\n", b"\n\n") if (at := data.find(blank)) >= 0]
    if not ends:
        raise MalformedMessage("no blank line after the header" if data else "empty", "message")
    end, length = min(ends)
    head = data[:end].removesuffix(b"\r").decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if "\r" in head:
        raise MalformedMessage("lone CR", f"header line {head.count(chr(10), 0, head.index(chr(13)))}")
    return head.replace("\n", "\r\n"), data[end + length :]


def _with_start_line(start: str, keys: list[str], lines: list[str], body: bytes) -> SipRequest | SipResponse:
    version, status = start[:8], start[8:11]
    if version == "SIP/2.0 " and start[11:12] == " " and status in _STATUSES:
        return SipResponse(int(status), start[12:], keys, lines, body)
    words = start.split(" ")
    if len(words) == 3 and words[2] == "SIP/2.0" and words[0] in _METHODS and words[1] and words[1].isprintable():
        return SipRequest(words[0], words[1], keys, lines, body)
    found = _REQUEST_LINE.fullmatch(start)
    if found is not None:
        method, uri, version = found.groups()
        if not uri.isprintable():
            raise MalformedMessage("unprintable character in the Request-URI", "start line")
        return SipRequest(method, uri, keys, lines, body, version)
    found = _STATUS_LINE.fullmatch(start)
    if found is None:
        raise MalformedMessage(f"neither request nor status line: {shorten(start)}", "start line")
    return SipResponse(int(found[2]), found[3] or "", keys, lines, body, found[1])


def check_message(message: SipRequest | SipResponse) -> None:
    """Do the checks of `parse_message` on a message that was split; its body is cut to Content-Length."""
    if message.version != "SIP/2.0" and message.version.upper() != "SIP/2.0":
        raise MalformedMessage(f"version {message.version}", "start line", sip_status=505)
    keys = message._keys  # noqa: SLF001 (one module)
    present = frozenset(keys)
    if not present >= _MANDATORY:
        missing = ", ".join(sorted(_MANDATORY - present))
        raise MalformedMessage(f"missing: {missing}", "header")
    if len(present) != len(keys):
        for key in _SINGLE:
            if keys.count(key) > 1:
                raise MalformedMessage(f"{key} given {keys.count(key)} times", "header")
    cseq = message.cseq
    if isinstance(message, SipRequest) and cseq.method != message.method:
        raise MalformedMessage(f"method {cseq.method} is not the request's {message.method}", "CSeq header")
    if "content-length" in present:
        value = message._value(message._first("content-length"))  # noqa: SLF001
        there = len(message.body)
        if value != str(there):
            length = parse_number(value, MAX_EXPIRES, "Content-Length header")
            if length > there:
                raise MalformedMessage(f"{there} bytes of body, Content-Length {length}", "body")
            message.body = message.body[:length]


def _first(text: str, where: str) -> str:
    """First element of a comma list; the cheap way when it is the only one."""
    return split_list(text, where)[0] if "," in text else text
