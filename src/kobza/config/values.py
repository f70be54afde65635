"""The values that settings are written as: an address to listen on, a range of ports, a rate."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, Self, cast, get_args

SipTransport = Literal["udp", "tcp", "tls", "ws", "wss"]

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>\d{1,5})", re.ASCII)
_SIP_LISTEN = re.compile(rf"(?P<transport>{'|'.join(get_args(SipTransport))}):(?P<address>.+)", re.IGNORECASE)
_TRANSPORTS = " or ".join(get_args(SipTransport))
_COLLECTOR = re.compile(
    r"(?P<transport>udp|tcp):(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]{1,253})):(?P<port>\d{1,5})",
    re.ASCII | re.IGNORECASE,
)
_PORT_RANGE = re.compile(r"(?P<first>\d{1,5})\s*-\s*(?P<last>\d{1,5})", re.ASCII)
_RATE = re.compile(r"(?P<requests>\d{1,9})\s*/\s*(?P<seconds>\d{1,5})", re.ASCII)
MAX_PORT = 65535
MAX_REQUESTS = 1_000_000
MAX_SECONDS = 86_400


def parse_host(text: str) -> str:
    """Return an IP address in its usual spelling; names are refused, because a socket is bound to an address.

    Raises ValueError that says what is right.
    """
    try:
        return str(ip_address(text.strip().strip("[]")))
    except ValueError:
        raise ValueError("expected an IP address such as 127.0.0.1 or ::1") from None


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An IP address and a port, to listen on (port 0 lets the system choose one) or of a server."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `127.0.0.1:8080` or `[::1]:8080`; raises ValueError that says what is right."""
        right = "expected address:port, such as 127.0.0.1:8080 or [::1]:8080"
        found = _ADDRESS.fullmatch(text.strip())
        if found is None or int(found["port"]) > MAX_PORT:
            raise ValueError(right)
        try:
            return cls(parse_host(found["v6"] or found["v4"]), int(found["port"]))
        except ValueError:
            raise ValueError(right) from None

    @classmethod
    def parse_server(cls, text: str, port: int) -> Self:
        """Parse the address of a server, which has a port only where that is not the usual one."""
        try:
            return cls(parse_host(text), port)
        except ValueError:
            return cls.parse(text)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SipListen:
    """A transport and the address on which SIP is spoken over it."""

    transport: SipTransport
    address: ListenAddress

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `udp:127.0.0.1:5060`, `tcp:[::1]:5060`, `ws:…`; raises ValueError that says what is right."""
        found = _SIP_LISTEN.fullmatch(text.strip())
        right = f"expected transport:address:port with {_TRANSPORTS}, such as udp:127.0.0.1:5060"
        if found is None:
            raise ValueError(right)
        try:
            address = ListenAddress.parse(found["address"])
        except ValueError:
            raise ValueError(right) from None
        return cls(cast("SipTransport", found["transport"].lower()), address)

    @property
    def host(self) -> str:
        """The IP address."""
        return self.address.host

    @property
    def port(self) -> int:
        """The port; 0 lets the system choose one."""
        return self.address.port

    def __str__(self) -> str:
        return f"{self.transport}:{self.address}"


@dataclass(frozen=True, slots=True)
class Collector:
    """Where copies of SIP messages go: a transport, a name or an address, a port."""

    transport: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `udp:homer.example.com:9060`, `tcp:[::1]:9061`; raises ValueError that says what is right."""
        found = _COLLECTOR.fullmatch(text.strip())
        if found is None or not 1 <= int(found["port"]) <= MAX_PORT:
            raise ValueError("expected transport:host:port with udp or tcp, such as udp:homer.example.com:9060")
        host = found["name"] if found["v6"] is None else parse_host(found["v6"])
        return cls(found["transport"].lower(), host, int(found["port"]))

    def __str__(self) -> str:
        return f"{self.transport}:{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """The UDP ports that media may use, both ends included: each side of a call takes an even one and the next odd."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `20000-20999`; raises ValueError that says what is right."""
        found = _PORT_RANGE.fullmatch(text.strip())
        if found is None:
            raise ValueError("expected first-last, such as 20000-20999")
        first, last = int(found["first"]), int(found["last"])
        if first < 1 or last > MAX_PORT or last - first < 3:  # one call: two sides of two ports
            raise ValueError(f"expected at least four ports between 1 and {MAX_PORT}, such as 20000-20999")
        return cls(first, last)

    @property
    def ports(self) -> range:
        """The ports as a range."""
        return range(self.first, self.last + 1)

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests at once, and as many again in so many seconds; both 0: as many as one likes."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `600/60` or `off`; raises ValueError that says what is right."""
        if text.strip().lower() == "off":
            return cls(0, 0)
        found = _RATE.fullmatch(text.strip())
        if found is not None:
            requests, seconds = int(found["requests"]), int(found["seconds"])
            if 1 <= requests <= MAX_REQUESTS and 1 <= seconds <= MAX_SECONDS:
                return cls(requests, seconds)
        raise ValueError(
            f"expected requests/seconds, such as 600/60 (up to {MAX_REQUESTS} in up to {MAX_SECONDS} s), or off"
        )

    @property
    def is_off(self) -> bool:
        """Whether there is no limit."""
        return not self.requests

    def __str__(self) -> str:
        return "off" if self.is_off else f"{self.requests}/{self.seconds}"
