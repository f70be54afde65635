"""SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966); URIs of other schemes are kept whole."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import unquote_to_bytes

from kobza.sip.errors import MalformedMessage
from kobza.sip.grammar import Params, find_param, parse_number, readable, shorten, write_params
from kobza.values import Value

MAX_PORT = 65_535

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+):")
HOST_PATTERN = r"(?:\[([0-9A-Fa-f:.]++)\]|([A-Za-z0-9._\-]++))"
"""Groups: an IPv6 reference without its brackets, or a name or IPv4 address. The underscore is no host name's letter,
but container networks have it."""
_SIP: Final = re.compile(
    r'([Ss][Ii][Pp][Ss]?):(?:([^@:<>" ]*+)(?>(?::([^@<>" ]*+))?)@)?'
    rf'{HOST_PATTERN}(?>(?::([0-9]++))?)(?>(?:;([^?@<>" ]*+))?)(?>(?:\?([^@<>" ]*+))?)'
)
_TEL_REST: Final = re.compile(r"([0-9A-Fa-f+*#().\-]++)(?>(?:;([^?@<>\" ]*+))?)")
_OPAQUE: Final = re.compile(r'[^<>" ]++')
_USER_FORBIDDEN: Final = re.compile(r'[\x00-\x20<>"@:\x7f\ud800-\udfff]')
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()")
_VISUAL_SEPARATORS: Final = str.maketrans("", "", "-.()")
_LOCAL_NUMBER_DIGITS = 7
"""Shorter ones are codes that are dialled as they are wherever they are good (`112`, `tel:112;phone-context=+380`)."""
_NEVER_IGNORED = ("user", "ttl", "method", "maddr", "transport")


class SipUri(Value, frozen=True):
    """A URI as SIP uses it.

    `scheme` is in lower case. `user`, `password`, `params` and `headers` are as written, escapes included; see
    `unescaped_user`. `host` is without the brackets of an IPv6 reference. A tel: URI has its number in `user` and no
    host. Of any other scheme (`is_supported` is false) `user` holds all that follows the colon.
    """

    scheme: str
    user: str = ""
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: str = ""

    @classmethod
    def parse(cls, text: str, where: str = "URI") -> SipUri:
        """Read a URI without angle brackets; MalformedMessage names `where`."""
        if not text.isprintable():
            raise MalformedMessage("unprintable character in a URI", where)
        found = _SIP.fullmatch(text)
        if found is None:
            return cls._parse_other(text, where)
        scheme, user, password, ipv6, host, port, params, headers = found.groups()
        return cls(
            scheme.lower(),
            user or "",
            password,
            host or checked_ipv6(ipv6, where),
            None if port is None else parse_number(port, MAX_PORT, where),
            _split_params(params, where) if params else (),
            headers or "",
        )

    @classmethod
    def _parse_other(cls, text: str, where: str) -> SipUri:
        found = _SCHEME.match(text)
        if found is None:
            raise MalformedMessage(f"no URI scheme: {shorten(text)}", where)
        scheme, at = found[1].lower(), found.end()
        if scheme in ("sip", "sips"):
            raise MalformedMessage(f"not a {scheme} URI: {shorten(text)}", where)
        if scheme != "tel":
            if _OPAQUE.fullmatch(text, at) is None:
                raise MalformedMessage(f"not a URI: {shorten(text)}", where)
            return cls(scheme, text[at:])
        found = _TEL_REST.fullmatch(text, at)
        if found is None:
            raise MalformedMessage(f"not a tel URI: {shorten(text)}", where)
        return cls(scheme, found[1], params=_split_params(found[2], where) if found[2] else ())

    def __str__(self) -> str:
        """Write it; characters that may not stand in a user part are escaped."""
        user = self.user
        params = write_params(self.params) if self.params else ""
        if not self.is_supported:
            return f"{self.scheme}:{user}"
        if _USER_FORBIDDEN.search(user):
            user = _USER_FORBIDDEN.sub(_percent, user)
        if self.scheme == "tel":
            return f"tel:{user}{params}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.password is not None:
            user = f"{user}:{self.password}@"
        elif user:
            user = f"{user}@"
        port = "" if self.port is None else f":{self.port}"
        headers = f"?{self.headers}" if self.headers else ""
        return f"{self.scheme}:{user}{host}{port}{params}{headers}"

    @property
    def is_supported(self) -> bool:
        """Whether the scheme is sip, sips or tel; a request to any other deserves 416 (RFC 3261 8.2.2.1)."""
        return self.scheme in ("sip", "sips", "tel")

    @property
    def unescaped_user(self) -> str:
        """The user part with %XX resolved, as UTF-8, made `readable`. Of a number that is called see `dialled`."""
        return _unescape_text(self.user)

    @property
    def dialled(self) -> str:
        """The number that the URI names, as a person dials it.

        Without the parameters that RFC 3966 puts behind one, in a tel URI and in the user part of a SIP URI alike
        (RFC 3261 19.1.6: `;npdi`, `;cpc=ordinary`, `;isub=1`). A local number has the digits of its `phone-context`
        before it (RFC 3966 5.1.5), unless it is a short code, begins with a zero, or has them already.
        """
        if self.scheme == "tel":
            number, params = self.user, self.params
        elif ";" in self.user:
            number, _, rest = self.user.partition(";")
            pairs = (part.partition("=") for part in rest.split(";"))
            params = tuple((name, value) for name, _, value in pairs)
        else:
            return _unescape_text(self.user)
        number = _unescape_text(number)
        area = (find_param(params, "phone-context") or "").translate(_VISUAL_SEPARATORS)
        digits = number.translate(_VISUAL_SEPARATORS)
        if not area.startswith("+") or not digits.isdigit() or len(digits) < _LOCAL_NUMBER_DIGITS:
            return number
        return number if digits.startswith(("0", area[1:])) else area + digits

    def param(self, name: str) -> str | None:
        """Value of a parameter: "" for a flag without value, None when absent. The name in lower case."""
        return find_param(self.params, name)

    def equivalent(self, other: SipUri) -> bool:
        """Compare by RFC 3261 19.1.4 (sip, sips), RFC 3966 4 (tel); other schemes by their text."""
        if self.scheme != other.scheme:
            return False
        if not self.is_supported:
            return self.user == other.user
        if self.scheme == "tel":
            return _tel_form(self) == _tel_form(other)
        return (
            _plain(self.user) == _plain(other.user)
            and (self.password is None) == (other.password is None)
            and _plain(self.password or "") == _plain(other.password or "")
            and self.host.lower() == other.host.lower()
            and self.port == other.port
            and _same_params(self.params, other.params)
            and _header_set(self.headers) == _header_set(other.headers)
        )


def checked_ipv6(text: str, where: str) -> str:
    """Return `text` as it is when it is an IPv6 address."""
    try:
        IPv6Address(text)
    except ValueError:
        raise MalformedMessage(f"not an IPv6 address: {shorten(text)}", where) from None
    return text


def _split_params(text: str, where: str) -> Params:
    params: list[tuple[str, str | None]] = []
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if name:
            params.append((name, value if equals else None))
        elif equals:
            raise MalformedMessage("URI parameter without a name", where)
    return tuple(params)


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def _unescape_text(text: str) -> str:
    if "%" not in text:
        return text
    return readable(unquote_to_bytes(text).decode("utf-8", "surrogateescape"))


def _plain(text: str) -> str:
    """Resolve escapes of unreserved characters, upper-case the others: what 19.1.4 compares."""
    return _ESCAPE.sub(_plain_escape, text) if "%" in text else text


def _plain_escape(found: re.Match[str]) -> str:
    character = chr(int(found[1], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _param_map(params: Params) -> dict[str, str]:
    return {_plain(name).lower(): _plain(value or "").lower() for name, value in reversed(params)}


def _same_params(ours: Params, theirs: Params) -> bool:
    if not ours and not theirs:
        return True
    mine, other = _param_map(ours), _param_map(theirs)
    return all(mine.get(name) == other.get(name) for name in _NEVER_IGNORED) and all(
        other[name] == value for name, value in mine.items() if name in other
    )


def _header_set(headers: str) -> list[str]:
    return sorted(_plain(header).lower() for header in headers.split("&"))


def _tel_form(uri: SipUri) -> tuple[str, dict[str, str]]:
    return uri.user.translate(_VISUAL_SEPARATORS).lower(), _param_map(uri.params)
