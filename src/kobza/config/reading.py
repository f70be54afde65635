"""How settings are read: what was given for one becomes its value, or a ValueError that says what is right.

Functions for pydantic: they get whatever was given, also values that are of the right kind already (defaults).
"""

import re
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from kobza.call.outside import prefix_of
from kobza.config.values import Collector, ListenAddress, PortRange, Rate, SipListen, parse_host
from kobza.store.place import PostgresUrl

DNS_PORT = 53
NG_PORT = 2223


def words(value: Any) -> Any:
    """Split what a variable or an option can only give as one text: items divided by commas or spaces."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def parsed(
    kind: type[ListenAddress] | type[SipListen] | type[Collector] | type[PortRange] | type[Rate], value: Any
) -> Any:
    """Return a value of a kind: as it is, or read from its text."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004 - pydantic turns only ValueError into a report
    return kind.parse(value)


def listen_address(value: Any) -> Any:
    """Read an address and port to listen at."""
    return parsed(ListenAddress, value)


def port_range(value: Any) -> Any:
    """Read a range of ports."""
    return parsed(PortRange, value)


def rate(value: Any) -> Any:
    """Read a rate."""
    return parsed(Rate, value)


def collector_of_messages(value: Any) -> Any:
    """Read where copies of SIP messages go; an empty text is nowhere."""
    return None if value is None or value == "" else parsed(Collector, value)


def sip_listens(value: Any) -> Any:
    """Read where SIP is spoken."""
    items = words(value)
    if not isinstance(items, list | tuple) or not items:
        raise ValueError('expected one or more of transport:address:port, such as ["udp:127.0.0.1:5060"]')
    return tuple(parsed(SipListen, item) for item in items)


def name_servers(value: Any) -> Any:
    """Read the addresses of name servers."""
    right = 'expected addresses of name servers, such as ["192.0.2.53", "[2001:db8::53]:5353"]'
    items = words(value)
    if not isinstance(items, list | tuple):
        raise ValueError(right)  # noqa: TRY004 - pydantic turns only ValueError into a report
    try:
        found = tuple(ListenAddress.parse_server(str(item), DNS_PORT) for item in items)
    except ValueError:
        raise ValueError(right) from None
    if not all(server.port for server in found):
        raise ValueError(right)
    return found


def rtpengines(value: Any) -> Any:
    """Read the addresses of rtpengines."""
    right = 'expected addresses of rtpengines, such as ["127.0.0.1:2223", "192.0.2.20"]'
    items = words(value)
    if not isinstance(items, list | tuple) or not items:
        raise ValueError(right)
    try:
        found = tuple(ListenAddress.parse_server(str(item), NG_PORT) for item in items)
    except ValueError:
        raise ValueError(right) from None
    if not all(server.port for server in found) or len(set(found)) < len(found):
        raise ValueError(right)
    return found


def networks(value: Any) -> Any:
    """Read networks and addresses."""
    right = 'expected networks or addresses, such as ["10.1.0.0/16", "127.0.0.1"]'
    items = words(value)
    if not isinstance(items, list | tuple):
        raise ValueError(right)  # noqa: TRY004 - pydantic turns only ValueError into a report
    try:
        return tuple(ip_network(str(item)) for item in items)
    except ValueError:
        raise ValueError(right) from None


def host(value: Any) -> Any:
    """Read an IP address."""
    return parse_host(value) if isinstance(value, str) else value


def realm(value: str) -> str:
    """Check a realm."""
    if re.fullmatch(r'[^\s"\\]{1,64}', value) is None:
        raise ValueError("expected 1 to 64 characters without spaces, quotes and backslashes, such as kobza")
    return value


def collector(value: str | None) -> str | None:
    """Check the URL of a collector of traces."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("expected the URL of a collector without name and password, such as http://127.0.0.1:4318")
    return value


def secure_url(value: str | None, what: str, right: str) -> str | None:
    """Check an address that secrets go to: https, or http on this machine."""
    if value is None:
        return None
    parts = urlsplit(value)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.username or parts.query or parts.fragment or not (parts.scheme == "https" or local):
        raise ValueError(f"expected {what} (https; http on loopback alone), such as {right}")
    return value


def issuer(value: str | None) -> str | None:
    """Check the address of an OpenID Connect provider."""
    return secure_url(
        value, "the provider's issuer exactly as it names itself", "https://login.example.com/realms/office"
    )


def s3_endpoint(value: str | None) -> str | None:
    """Check the URL of a service that speaks S3."""
    if value is None:
        return None
    parts = urlsplit(value)
    plain = not (parts.username or parts.query or parts.fragment or parts.path.strip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("expected the URL of a service without a path, such as https://s3.eu-central-1.amazonaws.com")
    return value.rstrip("/")


def s3_bucket(value: str | None) -> str | None:
    """Check the name of a bucket; an empty one is none."""
    if not value:
        return None
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", value) is None:
        raise ValueError("expected 3 to 63 small letters, digits, dots and hyphens, such as example-recordings")
    return value


def s3_region(value: str) -> str:
    """Check the name of a region."""
    if re.fullmatch(r"[A-Za-z0-9-]{1,40}", value) is None:
        raise ValueError("expected letters, digits and hyphens, such as eu-central-1")
    return value


def s3_prefix(value: str | None) -> str | None:
    """Check what begins the names of objects."""
    if value is None:
        return None
    if re.fullmatch(r"([A-Za-z0-9._-]{1,60}/){0,4}", value) is None:
        raise ValueError("expected up to four folders of letters, digits and ._-, with a slash at the end: kobza/")
    return value


def portal_url(value: str | None) -> str | None:
    """Check the address of the portal."""
    right = "https://pbx.example.com"
    checked = secure_url(value, "the portal's address as browsers know it", right)
    if checked is not None and urlsplit(checked).path not in ("", "/"):
        raise ValueError(f"expected an address without a path, such as {right}")
    return None if checked is None else checked.rstrip("/")


def scopes(value: Any) -> Any:
    """Read the scopes that a provider is asked for."""
    items = words(value)
    if not isinstance(items, list | tuple) or "openid" not in items:
        raise ValueError('expected scopes with openid among them, such as ["openid", "profile", "email"]')
    return tuple(map(str, items))


def allowed_claims(value: Any) -> Any:
    """Read claims with their values."""
    items = words(value)
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) and item.find("=") > 0 for item in items):
        raise ValueError('expected claims with their values, such as ["groups=telephony"]')
    return tuple(items)


def prefixes(value: Any) -> Any:
    """Read prefixes of numbers."""
    items = words(value)
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError('expected prefixes of numbers, such as ["0900", "+979"]')
    return tuple(prefix_of(item) for item in items)


def text_or_none(value: object) -> str | None:
    """Write a value; None stays."""
    return None if value is None else str(value)


def texts(value: tuple[Any, ...]) -> list[str]:
    """Write the values of a list."""
    return [str(item) for item in value]


def store(value: Any) -> Any:
    """Read where the store is; None: a file in the data directory."""
    if value is None or isinstance(value, PostgresUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004 - pydantic turns only ValueError into a report
    return None if value.strip() in {"", "sqlite"} else PostgresUrl.parse(value)


def store_text(value: PostgresUrl | None) -> str:
    """Write that."""
    return "sqlite" if value is None else str(value)
