"""Where a message came from or goes to: transport, both addresses, connection (RFC 3261 18; "flow" as in RFC 5626)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from kobza.values import Value

Address = tuple[str, int]
"""IP address without brackets, port."""


class Transport(StrEnum):
    """Transport as written in Via (RFC 3261 20.42, RFC 7118 for WebSocket)."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"
    WS = "WS"
    WSS = "WSS"

    @property
    def reliable(self) -> bool:
        """Whether it delivers or says that it cannot: then nothing is sent twice (RFC 3261 17)."""
        return self is not UDP

    @property
    def is_web(self) -> bool:
        """Whether it is WebSocket: its peer cannot be called back, only over the connection that it opened itself."""
        return self in _OF_WEB

    @property
    def uri_name(self) -> str:
        """How a URI names it (RFC 3261 19.1.1): WSS is "ws" too (RFC 7118 5.2)."""
        return "ws" if self.is_web else self.value.lower()

    @property
    def default_port(self) -> int:
        """Port meant when none is written (RFC 3261 19.1.2, RFC 7118 5.3)."""
        return _DEFAULT_PORTS[self]


UDP: Final = Transport.UDP
"""By a name of its own, as up to Python 3.11 to get a member of an enumeration costs as much as to call a function."""
_OF_WEB: Final = frozenset({Transport.WS, Transport.WSS})
_DEFAULT_PORTS = {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 5061, Transport.WS: 80, Transport.WSS: 443}


class Flow(NamedTuple):
    """A way to one peer. A named tuple: it is made, hashed and compared for every message."""

    transport: Transport
    local: Address
    """Address that the peer can reach us at: it goes into Via and Contact."""
    remote: Address
    connection: int = 0
    """Number of the connection; 0 on UDP, and for "open one" on the others."""


class Transmit(Value, frozen=True):
    """One message to send."""

    flow: Flow
    data: bytes


def host_text(host: str) -> str:
    """Write a host as SIP does: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
