"""The lite end of ICE (RFC 8445, section 2.5): it sends no checks, it answers those of its peer, without I/O.

It is at an address that its peer can reach, so the peer's checks find the way and say which one is used. Whoever does
not know the password changes nothing.
"""

from typing import Final

from kobza.rtp.errors import MalformedStun
from kobza.rtp.stun import (
    BINDING,
    FAILURE,
    REQUEST,
    SUCCESS,
    StunAttribute,
    StunMessage,
    error_code,
    mapped_address,
    unknown_attributes,
    write,
)

MAX_ADDRESSES: Final = 16
"""Addresses of the peer that are remembered: a browser has one for each of its networks."""

Address = tuple[str, int] | tuple[str, int, int, int]
"""As the socket module writes an IPv4 or an IPv6 address."""


class IceLite:
    """Our end of one stream. `configure` before anything else."""

    __slots__ = ("_known", "_password", "_username", "selected")

    def __init__(self) -> None:
        self._username = b""
        self._password = ""
        self._known: dict[Address, None] = {}
        self.selected: Address | None = None
        """Where the peer wants packets: it nominated the way last."""

    def configure(self, ufrag: str, password: str, peer_ufrag: str) -> None:
        """Take the names and our password as both descriptions have them.

        New ones are a restart (section 9): what was selected stays until the peer selects anew.
        """
        self._username = f"{ufrag}:{peer_ufrag}".encode()
        self._password = password

    def knows(self, address: Address) -> bool:
        """Tell whether a check came from an address: only from there may a handshake begin."""
        return address in self._known

    def receive(self, data: bytes, source: Address) -> bytes | None:
        """Take a STUN datagram; return what is to be answered to its source, None for nothing."""
        try:
            message = StunMessage.parse(data)
        except MalformedStun:
            return None
        if message.kind != REQUEST or message.method != BINDING:
            return None  # an indication keeps a NAT open (section 11) and is not answered
        transaction = message.transaction
        username = message.get(StunAttribute.USERNAME)
        if username is None or message.signed is None:
            return None  # RFC 8489 has 400 here, which is longer than what asked for it: not to be aimed at others
        if username != self._username or not message.is_signed_with(self._password):
            return write(FAILURE, transaction, (error_code(401, "Unauthorized"),))
        if message.unknown:
            why = (error_code(420, "Unknown Attribute"), unknown_attributes(message.unknown))
            return write(FAILURE, transaction, why, self._password)
        if message.get(StunAttribute.ICE_CONTROLLED) is not None:
            # We are always the controlled one, so the peer has to control (section 7.3.1.1).
            return write(FAILURE, transaction, (error_code(487, "Role Conflict"),), self._password)
        self._learn(source)
        if message.get(StunAttribute.USE_CANDIDATE) is not None:
            self.selected = source
        return write(SUCCESS, transaction, (mapped_address(source[0], source[1], transaction),), self._password)

    def _learn(self, source: Address) -> None:
        """Remember an address, the latest ones at the end; the oldest is forgotten beyond the bound."""
        self._known.pop(source, None)
        self._known[source] = None
        if len(self._known) > MAX_ADDRESSES:
            del self._known[next(iter(self._known))]
