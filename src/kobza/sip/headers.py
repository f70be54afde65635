"""Typed values of the headers that routing and dialogs read (RFC 3261 20). Frozen, with `parse` and `__str__`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from kobza.sip.auth_params import AuthParams, parse_auth
from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import (
    Params,
    find_param,
    is_token,
    parse_number,
    parse_params,
    quote,
    readable,
    replace_param,
    shorten,
    split_list,
    unquote,
    write_params,
)
from kobza.sip.uri import HOST_PATTERN, MAX_PORT, SipUri, checked_ipv6
from kobza.values import Value

__all__ = ["MAX_CSEQ", "AuthParams", "CSeq", "NameAddr", "Reason", "Via", "parse_auth", "parse_name_addr_list"]

REMEMBERED = 512
"""Values kept of each kind, by their text alone. The messages of a call repeat From, To and Contact, and calls what
stands before their parameters: reading one costs several times as much as finding it again. Not more: what is thrown
away for something new is then still in the processor's caches."""
REMEMBERED_LENGTH = 256
"""Characters of a value that is worth keeping: nobody can fill the memory with long ones."""
MAX_CSEQ = 2**31 - 1
"""RFC 3261 8.1.1.5."""

_NAME_ADDR: Final = re.compile(r'(?:("(?>(?:[^"\\]++|\\.)*)")[ \t]*+|([^<",;]*+))<([^<>]*+)>[ \t]*+', re.DOTALL)
_VIA: Final = re.compile(
    rf"""[ \t]*+[Ss][Ii][Pp][ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]++
    {HOST_PATTERN}[ \t]*+(?>(?::[ \t]*+([0-9]++)[ \t]*+)?)""",
    re.VERBOSE,
)
_CSEQ: Final = re.compile(r"[ \t]*+([0-9]++)[ \t]++([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+")


class NameAddr(Value, frozen=True):
    """Value of From, To, Contact, Route (RFC 3261 20.10): a name for people, a URI, header parameters."""

    display_name: str
    uri: SipUri
    params: Params = ()
    """Header parameters as written, quoted values with their quotes; read them with `param`."""

    @classmethod
    def parse(cls, text: str, where: str = "name-addr") -> NameAddr:
        """Read `"Name" <uri>;params` or `uri;params`; in the latter form the parameters are the header's (20.10)."""
        try:
            return _known_name_addr(text) if len(text) <= REMEMBERED_LENGTH else cls._read(text)
        except MalformedMessage as error:
            raise error.at(where) from None

    @classmethod
    def _read(cls, text: str) -> NameAddr:
        where = "name-addr"
        text = text.strip()
        end = text.find(">") + 1
        if not end or ">" in text[end:]:  # one may stand in a quoted name
            found = _NAME_ADDR.match(text)
            end = 0 if found is None else found.end()
        named = None
        if end:
            named = _known_named(text[:end]) if end <= REMEMBERED_LENGTH else _named(text[:end])
        if named is not None:
            rest = text[end:]
            return cls(named.display_name, named.uri, parse_params(rest, where)) if rest else named
        uri, semicolon, rest = text.partition(";")
        uri = uri.rstrip()
        if uri.startswith('"'):
            raise MalformedMessage(f"unbalanced quote: {shorten(text)}", where)
        if "<" in text:
            raise MalformedMessage(f"name needs quotes, or no > follows: {shorten(text)}", where)
        if "?" in uri or "," in uri:
            raise MalformedMessage("URI with ? or , needs angle brackets", where)
        return cls("", SipUri.parse(uri, where), parse_params(semicolon + rest, where) if semicolon else ())

    def __str__(self) -> str:
        """Write it with angle brackets always, the name quoted."""
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self.uri}>{write_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The tag parameter (19.3); None when absent or empty."""
        return find_param(self.params, "tag") or None

    def param(self, name: str) -> str | None:
        """Value of a header parameter without quotes; "" for a flag, None when absent. The name in lower case."""
        return find_param(self.params, name)

    def with_param(self, name: str, value: str | None) -> NameAddr:
        """Copy with that parameter set (None: a flag without value)."""
        return replace(self, params=replace_param(self.params, name, value))


class Via(Value, frozen=True):
    """One Via value (RFC 3261 20.42). `transport` is in upper case, `host` without brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str, where: str = "Via header") -> Via:
        """Read one value, e.g. `SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport`."""
        end = text.find(";")
        sent_by = cls.parse_sent_by(text, where)
        if end < 0:
            return sent_by
        return cls(sent_by.transport, sent_by.host, sent_by.port, parse_params(text[end:].rstrip(), where))

    @classmethod
    def parse_sent_by(cls, text: str, where: str = "Via header") -> Via:
        """Read one value up to its parameters: many have the same there, and no two the same branch."""
        end = text.find(";")
        head = text if end < 0 else text[:end]
        try:
            return _known_sent_by(head) if len(head) <= REMEMBERED_LENGTH else _sent_by(head)
        except MalformedMessage as error:
            raise error.at(where) from None

    def __str__(self) -> str:
        """Write one value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {host}{port}{write_params(self.params)}"

    @property
    def branch(self) -> str | None:
        """The branch parameter, None when absent or empty (an RFC 2543 peer)."""
        return find_param(self.params, "branch") or None

    @property
    def received(self) -> str | None:
        """Address the request came from (18.2.1), without the brackets that some put around IPv6 (RFC 5118 4.5)."""
        received = find_param(self.params, "received")
        return received.strip("[]") if received else None

    @property
    def rport(self) -> int | None:
        """Port the request came from (RFC 3581); None when absent, without value (see `wants_rport`) or no port."""
        rport = find_param(self.params, "rport")
        try:
            return parse_number(rport, MAX_PORT, "Via header") if rport else None
        except MalformedMessage:
            return None  # whoever receives the request writes the true port over it

    @property
    def wants_rport(self) -> bool:
        """Whether there is an rport parameter, with or without value."""
        return find_param(self.params, "rport") is not None

    def param(self, name: str) -> str | None:
        """Value of a parameter; "" for a flag, None when absent. The name in lower case."""
        return find_param(self.params, name)

    def with_param(self, name: str, value: str | None) -> Via:
        """Copy with that parameter set (None: a flag without value)."""
        return replace(self, params=replace_param(self.params, name, value))


class CSeq(Value, frozen=True):
    """Value of CSeq (RFC 3261 20.16)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str, where: str = "CSeq header") -> CSeq:
        """Read `1 INVITE`; leading zeros are allowed, 2**31 and more is not."""
        try:
            return _known_cseq(text) if len(text) <= REMEMBERED_LENGTH else cls._read(text)
        except MalformedMessage as error:
            raise error.at(where) from None

    @classmethod
    def _read(cls, text: str) -> CSeq:
        where = "CSeq header"
        found = _CSEQ.fullmatch(text)
        if found is None:
            raise MalformedMessage(f"not a CSeq: {shorten(text)}", where)
        return cls(parse_number(found[1], MAX_CSEQ, where), found[2])

    def __str__(self) -> str:
        """Write it."""
        return f"{self.number} {self.method}"


class Reason(Value, frozen=True):
    """One value of Reason (RFC 3326). `cause` is 0 when the peer gave none."""

    protocol: str
    cause: int
    text: str = ""

    @classmethod
    def parse(cls, text: str, where: str = "Reason header") -> Reason:
        """Read one value, e.g. `Q.850;cause=16;text="Normal call clearing"`."""
        protocol, semicolon, rest = text.strip().partition(";")
        protocol = protocol.rstrip()
        if not is_token(protocol):
            raise MalformedMessage(f"not a protocol: {shorten(protocol)}", where)
        params = parse_params(semicolon + rest, where) if semicolon else ()
        cause = find_param(params, "cause")
        return cls(protocol, parse_number(cause, 999, where) if cause else 0, find_param(params, "text") or "")

    @classmethod
    def parse_all(cls, text: str, where: str = "Reason header") -> list[Reason]:
        """Read a comma separated list."""
        return [cls.parse(element, where) for element in split_list(text, where)]

    def __str__(self) -> str:
        """Write it."""
        text = f";text={quote(self.text)}" if self.text else ""
        return f"{self.protocol};cause={self.cause}{text}"


def parse_name_addr_list(text: str, where: str = "name-addr list") -> list[NameAddr]:
    """Read a comma separated list of name-addr or addr-spec values."""
    if "," not in text:
        return [NameAddr.parse(text, where)]
    return [NameAddr.parse(element, where) for element in split_list(text, where)]


def _named(text: str) -> NameAddr | None:
    """Read `"Name" <uri>`; None for what is not that: whoever reads the whole value says what it is."""
    found = _NAME_ADDR.fullmatch(text)
    if found is None:
        return None
    quoted, plain, uri = found.groups()
    name = unquote(quoted) if quoted is not None else readable(plain.strip())
    return NameAddr(name, SipUri.parse(uri.strip(), "name-addr"))


def _sent_by(text: str) -> Via:
    """Read a Via up to its parameters."""
    where = "Via header"
    found = _VIA.fullmatch(text)
    if found is None:
        raise MalformedMessage(f"not a Via: {shorten(text)}", where)
    transport, ipv6, host, port = found.groups()
    number = None if port is None else parse_number(port, MAX_PORT, where)
    return Via(transport.upper(), host or checked_ipv6(ipv6, where), number)


_known_named: Final = lru_cache(REMEMBERED)(_named)
_known_sent_by: Final = lru_cache(REMEMBERED)(_sent_by)
"""What stands before the parameters is the same in many calls; a tag and a branch are in one."""
_known_name_addr: Final = lru_cache(REMEMBERED)(NameAddr._read)  # noqa: SLF001 - all of one module
_known_cseq: Final = lru_cache(REMEMBERED)(CSeq._read)  # noqa: SLF001
